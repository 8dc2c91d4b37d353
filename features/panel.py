"""A frame of bars as arrays: columns, unbroken series, sessions."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from strikelake.calendar import session_frame

if TYPE_CHECKING:
    import polars as pl

    from features.feature import FloatArray, IntArray

PRICES = ("open", "high", "low", "close", "volume")


class Series:
    """Where the unbroken series of a sorted table begin.

    Parameters
    ----------
    bounds
        Shape (k + 1,): series i has the rows bounds[i] to bounds[i + 1] - 1.
    """

    def __init__(self, bounds: IntArray) -> None:
        self.bounds = bounds

    @property
    def starts(self) -> IntArray:
        """First row of each series."""
        return self.bounds[:-1]

    @cached_property
    def slices(self) -> list[slice]:
        """Rows of each series."""
        return [slice(first, after) for first, after in pairwise(self.bounds.tolist())]

    @cached_property
    def position(self) -> IntArray:
        """Each row's place in its series, from 0."""
        lengths = np.diff(self.bounds)
        return np.asarray(np.arange(self.bounds[-1]) - np.repeat(self.starts, lengths))

    def blank(self, values: FloatArray, rows: int) -> None:
        """Make the first rows of each series unknown, in place."""
        if rows <= 0:
            return
        if len(values) < _SHORT * len(self.bounds):
            values[self.position < rows] = np.nan
        else:
            for part in self.slices:
                values[part.start : min(part.start + rows, part.stop)] = np.nan


_SHORT = 256
"""Mean length of series up to which one pass over all rows is quicker than a loop over the series."""


def series_of(*keys: pl.Series) -> Series:
    """Return the runs of rows whose keys are all equal to those of the row before."""
    rows = len(keys[0])
    starts = [np.zeros(min(rows, 1), dtype=np.int64)]
    starts += [(key[1:] != key[:-1]).arg_true().to_numpy().astype(np.int64) + 1 for key in keys]
    return Series(np.append(np.unique(np.concatenate(starts)), rows))


def sorted_by(rows: pl.DataFrame, name: str, time: str) -> tuple[pl.DataFrame, Series]:
    """Return rows in the order of a name and a time, and the series of names; sorted rows as they are."""
    names = series_of(rows[name])
    moments = rows[time].to_numpy()
    later = moments[1:] >= moments[:-1]
    later[names.starts[1:] - 1] = True  # another name begins anew
    if later.all() and rows[name].gather(names.starts).is_sorted():
        return rows, names
    ordered = rows.sort(name, time)
    return ordered, series_of(ordered[name])


class Panel:
    """Bars sorted (underlying, asof), and what is derived from them once.

    Parameters
    ----------
    bars
        A frame of bars (`features.bars.COLUMNS`), in any order, not empty.

    Raises
    ------
    ValueError
        When a price or volume is null or infinite.
    """

    def __init__(self, bars: pl.DataFrame) -> None:
        _refuse_unknown_prices(bars)
        self.bars, self.names = sorted_by(bars, "underlying", "asof")
        self.asof: IntArray = self.bars["asof"].to_numpy()
        segments = series_of(self.bars["segment"])
        self.series = Series(np.union1d(self.names.bounds, segments.bounds))
        self.columns: dict[str, FloatArray] = {
            name: self.bars[name].to_numpy().astype(np.float64, copy=False) for name in PRICES
        }

    def __len__(self) -> int:
        return len(self.asof)

    @cached_property
    def underlyings(self) -> list[str]:
        """Underlyings in order, one for each of `names`."""
        return self.bars["underlying"].gather(self.names.starts).to_list()

    @cached_property
    def moments(self) -> tuple[IntArray, IntArray]:
        """Different decision times in order, and each row's place among them."""
        found, place = np.unique(self.asof, return_inverse=True)
        return found, place

    @cached_property
    def clock(self) -> tuple[IntArray, IntArray, IntArray]:
        """Each row's date (days since 1970), and its session's open and close, ns UTC."""
        days = self.bars["date"].to_physical().to_numpy()
        first, last = self.bars["date"].min(), self.bars["date"].max()
        table = session_frame(first, last)  # type: ignore[arg-type]
        known = table["date"].to_physical().to_numpy()
        place = np.searchsorted(known, days)
        opens, closes = table["open_ns"].to_numpy(), table["close_ns"].to_numpy()
        return days.astype(np.int64), opens[place], closes[place]

    def tail(self, asof: int, rows: int) -> Panel:
        """Return the last rows of each series that has a bar at a moment, up to it."""
        last = np.flatnonzero(self.asof == asof)
        first = last - np.minimum(self.series.position[last], rows - 1)
        kept = np.concatenate([np.arange(one, other + 1) for one, other in zip(first, last, strict=True)])
        return Panel(self.bars[kept])

    def lagged(self, column: str, bars: int) -> FloatArray:
        """Return a column from `bars` rows earlier in the same series, NaN where there is none."""
        values = self.columns[column]
        earlier = np.full(len(values), np.nan)
        earlier[bars:] = values[: max(len(values) - bars, 0)]
        self.series.blank(earlier, bars)
        return earlier


def _refuse_unknown_prices(bars: pl.DataFrame) -> None:
    bad = {name: known for name in PRICES if not (known := np.isfinite(bars[name].to_numpy())).all()}
    if bad:
        found = ", ".join(f"{np.count_nonzero(~known)} in {name}" for name, known in bad.items())
        raise ValueError(
            f"bars hold null or infinite values ({found}): drop those bars before building features"
        )
