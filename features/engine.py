"""Computes features: on blocks of bars where windows allow it, else series by series, on several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features import kernels
from features.context import Context, needs
from features.feature import BARS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from features.facts import Facts, FactSeries
    from features.feature import BoolArray, Feature, FloatArray
    from features.panel import Panel, Series

_BLOCK = 32_768
"""Rows that windowed features are computed on at once: their columns stay in the second-level cache."""

_REACHES = (0, 21, 1_000_000)
"""Limits of the lookbacks that are computed together for one moment: most are short."""

REASONS = ("warm_up", "unknown_input", "undefined")
"""Why a value is null, besides "no <table>": too little history, an input that is null or too old, and
arithmetic without an answer."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """A table that features are computed over: its columns by name, and its series."""

    columns: Mapping[str, FloatArray]
    series: Series
    length: int


def compute(
    panel: Panel, facts: Facts | None, features: Mapping[str, Feature], threads: int = 1
) -> dict[str, FloatArray]:
    """Return each feature's values, one for each bar of the panel; NaN where unknown, never infinite.

    Raises
    ------
    ValueError
        When an input does not exist, or a definition gives the wrong number of rows.
    """
    context = Context(panel, facts)
    values: dict[str, FloatArray] = {}
    for on in dict.fromkeys(feature.on for feature in features.values()):
        chosen = {name: feature for name, feature in features.items() if feature.on == on}
        if on == BARS:
            columns = {column: context.column(column) for column in _inputs(chosen)}
            values |= _over(_Rows(columns, panel.series, len(panel)), chosen, threads)
            continue
        table = context.table(on)
        if table is None:
            values |= {name: np.full(len(panel), np.nan) for name in chosen}
            continue
        found = _over(_of_table(table, chosen), chosen, threads)
        values |= {name: table.joined(column) for name, column in found.items()}
    return {name: values[name] for name in features}


def compute_at(
    panel: Panel, facts: Facts | None, features: Mapping[str, Feature], asof: int
) -> tuple[BoolArray, dict[str, FloatArray]]:
    """Return the rows of one moment, and each feature's values there.

    Windowed features are computed on the rows that their windows reach, the others on their whole series:
    the values are those of `compute`.
    """
    rows = panel.asof == asof
    values: dict[str, FloatArray] = {}
    for shortest, longest in pairwise(_REACHES):
        group = {
            name: feature
            for name, feature in features.items()
            if feature.windowed and shortest < _reach(feature) <= longest
        }
        if group:
            recent = panel.tail(asof, max(map(_reach, group.values())))
            last = recent.asof == asof
            values |= {name: found[last] for name, found in compute(recent, facts, group).items()}
    recursive = {name: feature for name, feature in features.items() if not feature.windowed}
    values |= {name: found[rows] for name, found in compute(panel, facts, recursive).items()}
    return rows, {name: values[name] for name in features}


def _reach(feature: Feature) -> int:
    """Return the bars that a feature needs."""
    return feature.lookback if feature.on == BARS else 1


def reasons(
    panel: Panel, facts: Facts | None, features: Mapping[str, Feature], values: Mapping[str, FloatArray]
) -> dict[str, pl.Series]:
    """Return why each value is null, a string for each bar; null where it is not.

    A table that is not there comes first, then warm-up, an unknown input, and undefined arithmetic.
    """
    context = Context(panel, facts)
    found: dict[str, pl.Series] = {}
    for name, feature in features.items():
        absent = [table for table in needs([feature]) if table not in context.facts]
        labels = [None, *REASONS, *(f"no {table}" for table in absent)]
        code = np.where(np.isfinite(values[name]), 0, 3)
        if absent:
            code[:] = 4
        else:
            early, unknown = _causes(context, feature)
            code[(code > 0) & unknown] = 2
            code[(code > 0) & early] = 1
        found[name] = pl.Series(code).replace_strict(list(range(len(labels))), labels, return_dtype=pl.String)
    return found


def _causes(context: Context, feature: Feature) -> tuple[BoolArray, BoolArray]:
    """Return the bars whose history is too short for a feature, and those with an unknown input."""
    if feature.on == BARS:
        early = context.panel.series.position < feature.lookback - 1
        columns = [context.column(column) for column in feature.inputs]
        return early, np.asarray(~np.isfinite(columns).all(axis=0))
    table = context.table(feature.on)
    assert table is not None  # noqa: S101 - tables that are not there have been dealt with
    short = table.joined((table.series.position < feature.lookback - 1).astype(np.float64))
    values = [table.joined(table.column(column)) for column in feature.inputs]
    return np.asarray(short == 1.0), np.asarray(~np.isfinite(values).all(axis=0))


def _of_table(table: FactSeries, features: Mapping[str, Feature]) -> _Rows:
    columns = {column: table.column(column) for column in _inputs(features)}
    return _Rows(columns, table.series, len(table.available))


def _inputs(features: Mapping[str, Feature]) -> list[str]:
    return list(dict.fromkeys(column for feature in features.values() for column in feature.inputs))


def _over(rows: _Rows, features: Mapping[str, Feature], threads: int) -> dict[str, FloatArray]:
    """Return the features of one table."""
    # One piece of memory: the system gives large ones in large pages, which cost half as much to touch.
    values = dict(zip(features, np.empty((len(features), rows.length)), strict=True))
    work = list(_work(rows, features, values))
    # Undefined arithmetic is part of the job: its NaN and infinities become nulls.
    if threads > 1 and rows.length > _BLOCK:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(_quietly, work))
    else:
        with np.errstate(all="ignore"):
            for part in work:
                part()
    for name, feature in features.items():
        rows.series.blank(values[name], feature.lookback - 1)
    return values


def _work(
    rows: _Rows, features: Mapping[str, Feature], values: Mapping[str, FloatArray]
) -> Iterable[Callable[[], None]]:
    """Yield the pieces of work: blocks of all rows for windowed features, whole series for the others."""
    windowed = [feature for feature in features.values() if feature.windowed]
    recursive = [feature for feature in features.values() if not feature.windowed]
    reach = max((feature.lookback for feature in windowed), default=1) - 1
    if windowed:
        for start in range(0, rows.length, _BLOCK):
            part = slice(start, min(start + _BLOCK, rows.length))
            yield partial(_fill, rows.columns, windowed, values, part, min(reach, start))
    if recursive:
        for part in rows.series.slices:
            yield partial(_fill, rows.columns, recursive, values, part, 0)


def _quietly(part: Callable[[], None]) -> None:
    with np.errstate(all="ignore"):
        part()


def _fill(
    columns: Mapping[str, FloatArray],
    features: Sequence[Feature],
    values: Mapping[str, FloatArray],
    part: slice,
    before: int,
) -> None:
    """Compute features on some rows and those before them that windows reach into."""
    inputs = {name: column[part.start - before : part.stop] for name, column in columns.items()}
    length = part.stop - part.start
    for feature in features:
        found = np.asarray(feature.compute(inputs), dtype=np.float64)
        if found.shape != (before + length,):
            raise ValueError(
                f"feature {feature.name} gave shape {found.shape} for {before + length} bars: return one "
                "value a bar"
            )
        kernels.put(np.ascontiguousarray(found), values[feature.name][part])
