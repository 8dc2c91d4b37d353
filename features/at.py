"""Computes features at one moment: on the rows that they look back on, and not at those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.context import Context
from features.engine import computed
from features.feature import BARS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from features.facts import Facts
    from features.feature import Feature, FloatArray, IntArray
    from features.panel import Panel, Series


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
        Rows of the panel, one of a series.

    Returns
    -------
    np.ndarray
        Shape (features, rows); NaN where unknown, never infinite.

    Raises
    ------
    ValueError
        When an input does not exist, or a definition gives the wrong number of rows.
    """
    reach = max((each.lookback for each in features.values() if each.on == BARS and each.windowed), default=1)
    recent = panel.tail(rows, reach)
    last = recent.series.bounds[1:] - 1
    context, whole = Context(recent, facts), Context(panel, facts)
    near, far = _Rows(context.column, recent.series, last), _Rows(whole.column, panel.series, rows)
    values = np.full((len(features), len(rows)), np.nan)
    with np.errstate(all="ignore"):  # undefined arithmetic is part of the job
        for found, feature in zip(values, features.values(), strict=True):
            if feature.on == BARS:
                found[:] = (near if feature.windowed else far).values(feature)
            elif (table := context.table(feature.on)) is not None:
                newest = table.newest[last]
                known = newest >= 0
                found[known] = _Rows(table.column, table.series, newest[known]).values(feature)
    values[~np.isfinite(values)] = np.nan
    return values


class _Rows:
    """Some rows of a table, its columns by name, and its series."""

    def __init__(self, column: Callable[[str], FloatArray], series: Series, rows: IntArray) -> None:
        self._column, self._rows = column, rows
        self._length = int(series.bounds[-1])
        self._position = series.position[rows]
        self._parts = [slice(row - before, row + 1) for row, before in zip(rows, self._position, strict=True)]
        self._columns: dict[str, FloatArray] = {}

    def values(self, feature: Feature) -> FloatArray:
        """Return a feature's values in the rows; NaN where history is too short."""
        columns = {name: self._column(name) for name in feature.inputs}
        if feature.windowed:
            found = computed(feature, columns, self._length)[self._rows]
        else:
            found = np.array([self._last(feature, columns, part) for part in self._parts])
        found[self._position < feature.lookback - 1] = np.nan
        return found

    def _last(self, feature: Feature, columns: Mapping[str, FloatArray], part: slice) -> float:
        own = {name: column[part] for name, column in columns.items()}
        return float(computed(feature, own, part.stop - part.start)[-1])
