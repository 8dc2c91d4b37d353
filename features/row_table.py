"""Single rows of a table: features computed from the rows before them, with other rows to come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features import calendar
from features.columns import readable
from features.engine import computed
from features.panel import PRICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from features.feature import Feature, FloatArray, Inputs, IntArray
    from features.series import Series

AHEAD = 64
"""Rows that follow the decision in the worlds that a function is tried in."""

_TRADED = PRICES[:4]
_FUTURES = ("dealt", "surge", "still", "collapse", "unknown")
_LEVELS = {"surge": 1e3, "collapse": 1e-3}
_CLOCK = np.arange(1.0, AHEAD + 1.0) * 1800.0


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, and the bar that reads it.

    Attributes
    ----------
    underlying, asof
        Of the bar.
    start, place, stop
        First row of its series, the row, and the row after the last of the series.
    """

    underlying: str
    asof: int
    start: int
    place: int
    stop: int


@dataclass(frozen=True, slots=True)
class Window:
    """The inputs of one value: of the bar that reads it, with as many rows as the feature declares."""

    underlying: str
    asof: int
    inputs: Inputs
    value: float | None


class RowTable:
    """A table that features are computed over.

    Parameters
    ----------
    column
        From a name to its values.
    series
        Its unbroken series.
    read
        The row that each bar reads, -1 for none.
    """

    def __init__(self, column: Callable[[str], FloatArray], series: Series, read: IntArray) -> None:
        self.series, self.read = series, read
        self._columns: dict[str, FloatArray] = {}
        self._column = column
        self._dealt: dict[tuple[int, str], tuple[IntArray, FloatArray, FloatArray]] = {}
        self._later: dict[tuple[int, str, str], FloatArray] = {}

    def alone(self, feature: Feature, row: Row, future: int | None = None) -> float | None:
        """Return the value from the rows it declares; `future` is the seed of other rows after them."""
        declared = slice(row.place - feature.lookback + 1, row.place + 1)
        part = self._part(feature, declared)
        if future is not None:
            part = {
                name: readable(np.concatenate((values, self._future(name, row, future))))
                for name, values in part.items()
            }
        return _known(_values(feature, part)[feature.lookback - 1])

    def window(self, feature: Feature, row: Row) -> Window:
        """Return the rows that it declares, and the value from them."""
        inputs = self._part(feature, slice(row.place - feature.lookback + 1, row.place + 1))
        return Window(row.underlying, row.asof, inputs, _known(_values(feature, inputs)[-1]))

    def before(self, feature: Feature, row: Row) -> float | None:
        """Return the value from all rows up to it."""
        return _known(_values(feature, self._part(feature, slice(row.start, row.place + 1)))[-1])

    def whole(self, feature: Feature, rows: Sequence[Row]) -> Iterator[float | None]:
        """Yield the values from the whole series of each row: earlier and later ones too."""
        start, values = -1, np.empty(0)
        for row in rows:
            if row.start != start:
                start = row.start
                values = _values(feature, self._part(feature, slice(start, row.stop)))
            yield _known(values[row.place - start])

    def _part(self, feature: Feature, rows: slice) -> dict[str, FloatArray]:
        """Return some rows of the inputs: copies, from which no way leads to the others."""
        for name in feature.inputs:
            if name not in self._columns:
                self._columns[name] = self._column(name)
        return {name: readable(self._columns[name][rows].copy()) for name in feature.inputs}

    def _future(self, name: str, row: Row, seed: int) -> FloatArray:
        """Return other rows to come: some of its series, dealt anew and changed; calm, wild, or unknown."""
        kind = _FUTURES[seed % len(_FUTURES)]
        if name == "seconds":
            return np.asarray(self._columns[name][row.place] + _CLOCK)
        if kind == "still":
            return np.full(AHEAD, self._columns[name][row.place])
        key = (row.start, kind, name)
        if key not in self._later:
            self._later[key] = self._changed(name, row, kind, seed)
        return self._later[key]

    def _changed(self, name: str, row: Row, kind: str, seed: int) -> FloatArray:
        if (row.start, kind) not in self._dealt:
            rng = np.random.default_rng([seed, row.start])
            level, other = np.exp(rng.normal(0.0, 1.0, (2, AHEAD))) * _LEVELS.get(kind, 1.0)
            self._dealt[row.start, kind] = rng.integers(row.start, row.stop, AHEAD), level, other
        dealt, level, other = self._dealt[row.start, kind]
        if kind == "unknown" and name not in PRICES and name not in calendar.INPUTS:
            return np.full(AHEAD, np.nan)
        values = self._columns[name][dealt]
        if name in calendar.INPUTS:
            return values
        return np.asarray(values * (level if name in _TRADED else other))


def _values(feature: Feature, inputs: Mapping[str, FloatArray]) -> FloatArray:
    return computed(feature, inputs, len(next(iter(inputs.values()))))


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
