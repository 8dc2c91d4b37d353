"""Computes features on blocks of bars, which stay in the cache, on several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, starmap
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features.columns import Column, keep, readable
from features.context import Context, needs
from features.feature import BARS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.facts import Facts, FactSeries
    from features.feature import BoolArray, Feature, FloatArray
    from features.panel import Panel
    from features.series import Series

_BLOCK = 32_768
"""Rows, about, that are computed at once: their columns stay in the second-level cache."""

_SETTLED = 2
"""Lookbacks before a block from which recursions start: one leaves nine digits, two the last bit."""

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
) -> dict[str, Column]:
    """Return each feature's values, one for each bar of the panel.

    Raises
    ------
    ValueError
        When an input does not exist, or a definition gives the wrong number of rows.
    """
    context = Context(panel, facts)
    values: dict[str, Column] = {}
    for on in dict.fromkeys(feature.on for feature in features.values()):
        chosen = {name: feature for name, feature in features.items() if feature.on == on}
        if on == BARS:
            columns = {name: context.column(name) for name in _inputs(chosen)}
            values |= _over(_Rows(columns, panel.series, len(panel)), chosen, threads)
            continue
        table = context.table(on)
        if table is None:
            values |= dict.fromkeys(chosen, Column.of(np.full(len(panel), np.nan)))
            continue
        found = _over(_of_table(table, chosen), chosen, threads)
        values |= {name: Column.of(table.joined(column.values)) for name, column in found.items()}
    return {name: values[name] for name in features}


def computed(feature: Feature, inputs: Mapping[str, FloatArray], length: int) -> FloatArray:
    """Return a feature's values, one for each row of its inputs.

    Raises
    ------
    ValueError
        When the definition gives another number.
    """
    found = np.asarray(feature.compute(inputs), dtype=np.float64)
    if found.shape != (length,):
        raise ValueError(
            f"feature {feature.name} gave shape {found.shape} for {length} bars: return one value a bar"
        )
    return found


def reasons(
    panel: Panel, facts: Facts | None, features: Mapping[str, Feature], columns: Mapping[str, Column]
) -> dict[str, pl.Series]:
    """Return why each value is null, a string for each bar; null where it is not.

    A table that is not there comes first, then warm-up, an unknown input, and undefined arithmetic.
    """
    context = Context(panel, facts)
    found: dict[str, pl.Series] = {}
    for name, feature in features.items():
        absent = [table for table in needs([feature]) if table not in context.facts]
        labels = [None, *REASONS, *(f"no {table}" for table in absent)]
        code = np.where(np.isnan(columns[name].values), 3, 0)
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
    columns = {name: table.column(name) for name in _inputs(features)}
    return _Rows(columns, table.series, len(table.available))


def _inputs(features: Mapping[str, Feature]) -> list[str]:
    return list(dict.fromkeys(column for feature in features.values() for column in feature.inputs))


def _over(rows: _Rows, features: Mapping[str, Feature], threads: int) -> dict[str, Column]:
    """Return the features of one table."""
    # One piece of memory: the system gives large ones in large pages, which cost half as much to touch.
    values = np.empty((len(features), rows.length))
    known = np.empty((len(features), -(-rows.length // 8)), dtype=np.uint8)
    columns = {
        name: Column(*both) for name, both in zip(features, zip(values, known, strict=True), strict=True)
    }
    count = max(round(rows.length / _BLOCK), min(rows.length, 1))
    ends = [rows.length * block // count // 8 * 8 for block in range(count)] + [rows.length]
    fill = partial(_fill, rows, features, columns)
    with ThreadPoolExecutor(threads) if min(threads, count) > 1 else nullcontext() as pool:
        list((pool.map if pool else map)(fill, starmap(slice, pairwise(ends))))
    return columns


def _fill(rows: _Rows, features: Mapping[str, Feature], columns: Mapping[str, Column], block: slice) -> None:
    """Compute features on a block of rows: windowed ones on all at once, the others series by series."""
    reach = max((each.lookback for each in features.values() if each.windowed), default=1) - 1
    wide = slice(max(block.start - reach, 0), block.stop)
    series, starts = rows.series.within(block)
    bits = slice(block.start // 8, -(-block.stop // 8))
    # Undefined arithmetic is part of the job: its NaN and infinities become nulls.
    with np.errstate(all="ignore"):
        for name, feature in features.items():
            if feature.windowed:
                found = _of_part(rows, feature, wide)
            else:
                found = _one_by_one(rows, feature, series, block)
            column, found = columns[name], readable(found)
            keep(found, column.values[block], starts, feature.lookback - 1, column.known[bits])


def _one_by_one(rows: _Rows, feature: Feature, series: list[slice], block: slice) -> FloatArray:
    """Return the values of a feature in a block, each series computed from a start of its own."""
    found = []
    for each in series:
        first, after = max(each.start, block.start), min(each.stop, block.stop)
        start = max(first - _SETTLED * feature.lookback, each.start)
        found.append(_of_part(rows, feature, slice(start, after))[first - start :])
    return found[0] if len(found) == 1 else np.concatenate(found)


def _of_part(rows: _Rows, feature: Feature, part: slice) -> FloatArray:
    """Return the values of a feature, computed on some rows alone."""
    inputs = {name: rows.columns[name][part] for name in feature.inputs}
    return computed(feature, inputs, part.stop - part.start)
