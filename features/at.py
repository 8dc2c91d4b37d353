"""Computes features at one moment: on the rows that they look back on, and not at those before it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from features.context import Context
from features.engine import computed
from features.feature import BARS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from features.facts import Facts
    from features.feature import Feature, FloatArray, IntArray
    from features.panel import Panel
    from features.series import Series

_NEAR = 21
"""Rows that most features look back on: they need not be computed on all that the others do."""


def compute_at(
    panel: Panel, facts: Facts | None, features: Mapping[str, Feature], rows: IntArray
) -> FloatArray:
    """Return each feature's values in some rows, those that `features.engine.compute` gives there.

    Windowed features are computed on the rows that their windows reach, the others, whose values depend on
    all before, on their series from its start.

    Parameters
    ----------
    panel
        The bars.
    facts
        Tables of facts that are there.
    features
        What to compute.
    rows
        Rows of the panel, at most one of a series.

    Returns
    -------
    np.ndarray
        Shape (features, rows); NaN where unknown, never infinite.

    Raises
    ------
    ValueError
        When an input does not exist, or a definition gives the wrong number of rows.
    """
    windows = [each.lookback for each in features.values() if each.on == BARS and each.windowed]
    near = Context(panel.tail(rows, _NEAR), facts)

    @cache
    def bars(reach: int | None) -> _Rows:
        if reach is None:
            return _Rows(Context(panel, facts).column, panel.series, rows)
        context = near if reach == _NEAR else Context(panel.tail(rows, reach), facts)
        return _Rows(context.column, context.panel.series, context.panel.series.bounds[1:] - 1)

    @cache
    def table(name: str) -> _Rows | None:
        found, last = near.table(name), near.panel.series.bounds[1:] - 1
        return None if found is None else _Rows(found.column, found.series, found.newest[last])

    values = np.full((len(features), len(rows)), np.nan)
    with np.errstate(all="ignore"):  # undefined arithmetic is part of the job
        for found, feature in zip(values, features.values(), strict=True):
            if feature.on != BARS:
                source = table(feature.on)
            elif feature.windowed:
                source = bars(_NEAR if feature.lookback <= _NEAR else max(windows))
            else:
                source = bars(None)
            if source is not None:
                source.put(feature, found)
    values[~np.isfinite(values)] = np.nan
    return values


class _Rows:
    """Some rows of a table, its columns by name, and its series; -1 is a row that there is not."""

    def __init__(self, column: Callable[[str], FloatArray], series: Series, rows: IntArray) -> None:
        self._column = column
        self._length = int(series.bounds[-1])
        self._there = np.flatnonzero(rows >= 0)
        self._rows = rows[self._there]
        self._before = series.position[self._rows]
        self._columns: dict[str, FloatArray] = {}
        self._parts: list[dict[str, FloatArray]] = [{} for _ in self._rows]

    def put(self, feature: Feature, found: FloatArray) -> None:
        """Compute a feature in the rows, where its history is long enough."""
        for name in feature.inputs:
            if name not in self._columns:
                self._columns[name] = self._column(name)
        if feature.windowed:
            values = computed(feature, self._columns, self._length)[self._rows]
        else:
            values = self._one_by_one(feature)
        values[self._before < feature.lookback - 1] = np.nan
        found[self._there] = values

    def _one_by_one(self, feature: Feature) -> FloatArray:
        if any(part.keys() != self._columns.keys() for part in self._parts[:1]):
            self._parts = [
                {name: column[row - before : row + 1] for name, column in self._columns.items()}
                for row, before in zip(self._rows, self._before, strict=True)
            ]
        lengths = (self._before + 1).tolist()
        return np.array(
            [computed(feature, part, length)[-1] for part, length in zip(self._parts, lengths, strict=True)]
        )
