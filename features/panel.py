"""A frame of bars as arrays: columns, unbroken series, sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from features import kernels
from strikelake.calendar import session_frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from features.feature import FloatArray, IntArray

PRICES = ("open", "high", "low", "close", "volume")
_KEY = ("asof", "underlying", "date")
_EPOCH = date(1970, 1, 1)


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

    def within(self, rows: slice) -> tuple[list[slice], IntArray]:
        """Return the series that have some of the rows, and where they start, counted from the first row."""
        first = int(np.searchsorted(self.bounds, rows.start, side="right")) - 1
        after = int(np.searchsorted(self.starts, rows.stop))
        return self.slices[first:after], self.bounds[first:after] - rows.start

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
    changes = [(key[1:] != key[:-1]).arg_true().to_numpy().astype(np.int64) + 1 for key in keys]
    return Series(np.unique(np.concatenate([[0], *changes, [rows]])))


def _is_sorted(names: list[str]) -> bool:
    """Return whether none comes before the one in front of it."""
    return all(one <= other for one, other in pairwise(names))


def at(names: pl.Series, rows: IntArray) -> list[str]:
    """Return the names in some rows: few, for which an expression takes longer than looking at each."""
    return [names[row] for row in rows.tolist()]


@lru_cache(maxsize=64)
def sessions_between(first: date, last: date) -> pl.DataFrame:
    """Return `strikelake.calendar.session_frame`, kept: a live trader asks for the same days all day."""
    return session_frame(first, last)


def sorted_by(rows: pl.DataFrame, name: str, time: str) -> tuple[pl.DataFrame, Series]:
    """Return rows in the order of a name and a time, and the series of names; sorted rows as they are."""
    names = series_of(rows[name])
    moments = rows[time].to_numpy()
    later = moments[1:] >= moments[:-1]
    later[names.starts[1:] - 1] = True  # another name begins anew
    if later.all() and _is_sorted(at(rows[name], names.starts)):
        return rows, names
    ordered = rows.sort(name, time)
    return ordered, series_of(ordered[name])


@dataclass(frozen=True)
class Panel:
    """Bars sorted (underlying, asof) as arrays, and what is derived from them once.

    Attributes
    ----------
    bars
        A frame of bars (`features.bars.COLUMNS`).
    kept
        Rows of `bars` that the panel has, in its order.
    names, series
        Rows of each underlying, and of each unbroken series.
    asof, days
        Of each row: ns UTC, and its date in days since 1970.
    columns
        Prices and volume.
    """

    bars: pl.DataFrame
    kept: slice | IntArray
    names: Series
    series: Series
    asof: IntArray
    days: IntArray
    columns: Mapping[str, FloatArray]

    @classmethod
    def of(cls, bars: pl.DataFrame) -> Panel:
        """Return all rows of a frame of bars, which may have any order and is not empty.

        Raises
        ------
        ValueError
            When a price or volume is null or infinite.
        """
        ordered, names = sorted_by(bars, "underlying", "asof")
        columns = {name: kernels.readable(ordered[name].to_numpy()) for name in PRICES}
        _refuse_unknown_prices(columns)
        segments = series_of(ordered["segment"])
        return cls(
            bars=ordered,
            kept=slice(None),
            names=names,
            series=Series(np.union1d(names.bounds, segments.bounds)),
            asof=ordered["asof"].to_numpy(),
            days=ordered["date"].to_physical().to_numpy(),
            columns=columns,
        )

    def __len__(self) -> int:
        return len(self.asof)

    @cached_property
    def keys(self) -> pl.DataFrame:
        """Asof, underlying and date of each row."""
        return self.bars.select(_KEY)[self.kept]

    @cached_property
    def underlyings(self) -> list[str]:
        """Underlyings in order, one for each of `names`."""
        firsts = self.names.starts
        rows = firsts if isinstance(self.kept, slice) else self.kept[firsts]
        return at(self.bars["underlying"], rows)

    @cached_property
    def moments(self) -> tuple[IntArray, IntArray]:
        """Different decision times in order, and each row's place among them."""
        found, place = np.unique(self.asof, return_inverse=True)
        return found, place

    @cached_property
    def clock(self) -> tuple[IntArray, IntArray, IntArray]:
        """Each row's date (days since 1970), and its session's open and close, ns UTC."""
        first, last = (_EPOCH + timedelta(days=int(day)) for day in (self.days.min(), self.days.max()))
        table = sessions_between(first, last)
        place = np.searchsorted(table["date"].to_physical().to_numpy(), self.days)
        opens, closes = table["open_ns"].to_numpy(), table["close_ns"].to_numpy()
        return self.days.astype(np.int64), opens[place], closes[place]

    def tail(self, last: IntArray, rows: int) -> Panel:
        """Return the rows up to some, one of each series they belong to, and those before that it has."""
        counts = np.minimum(self.series.position[last], rows - 1) + 1
        bounds = Series(np.append(0, np.cumsum(counts)))
        kept = np.repeat(last + 1 - bounds.bounds[1:], counts) + np.arange(bounds.bounds[-1])
        return Panel(
            bars=self.bars,
            kept=kept,
            names=bounds,
            series=bounds,
            asof=self.asof[kept],
            days=self.days[kept],
            columns={name: values[kept] for name, values in self.columns.items()},
        )

    def lagged(self, column: str, bars: int) -> FloatArray:
        """Return a column from `bars` rows earlier in the same series, NaN where there is none."""
        values = self.columns[column]
        earlier = np.full(len(values), np.nan)
        earlier[bars:] = values[: max(len(values) - bars, 0)]
        self.series.blank(earlier, bars)
        return earlier


def _refuse_unknown_prices(columns: Mapping[str, FloatArray]) -> None:
    counts = {name: kernels.unknown(values) for name, values in columns.items()}
    if any(counts.values()):
        found = ", ".join(f"{count} in {name}" for name, count in counts.items() if count)
        raise ValueError(
            f"bars hold null or infinite values ({found}): drop those bars before building features"
        )
