"""A frame of bars as arrays: columns, unbroken series, sessions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features.sessions import days_of, sessions_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.feature import FloatArray, IntArray
    from features.sessions import Sessions

PRICES = ("open", "high", "low", "close", "volume")
_KEY = ("asof", "underlying", "date")


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
    def number(self) -> IntArray:
        """Which series each row belongs to, from 0."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.bounds))

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
    starts = [np.zeros(min(rows, 1), dtype=np.int64)]
    starts += [np.flatnonzero((key[1:] != key[:-1]).to_numpy()) + 1 for key in keys]
    return Series(np.append(np.unique(np.concatenate(starts)), rows))


def runs_of(*keys: IntArray) -> Series:
    """Return the same of arrays."""
    rows = len(keys[0])
    changed = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return Series(np.concatenate((np.zeros(min(rows, 1), dtype=np.int64), changed.nonzero()[0] + 1, [rows])))


def segments(names: Series, days: IntArray, longest_gap: int) -> IntArray:
    """Return which of its underlying's unbroken runs each row belongs to, from 0.

    A ticker that is silent for long may belong to another company afterwards; its series must not be
    stitched.

    Parameters
    ----------
    names
        Rows of each underlying, in the order of time.
    days
        Of each row: its session's date, in days since 1970.
    longest_gap
        Sessions without a bar that a run may have.
    """
    number = sessions_of(days).number
    silent = np.diff(number, prepend=number[:1]) - 1 > longest_gap
    silent[names.starts] = False  # what lies between two underlyings is no silence
    before = np.cumsum(silent)
    return before - np.repeat(before[names.starts], np.diff(names.bounds))


def _is_sorted(names: list[str]) -> bool:
    """Return whether none comes before the one in front of it."""
    return all(one <= other for one, other in pairwise(names))


def at(names: pl.Series, rows: IntArray) -> list[str]:
    """Return the names in some rows: few, for which an expression takes longer than looking at each."""
    return [names[row] for row in rows.tolist()]


def sorted_by(rows: pl.DataFrame, name: str, time: str) -> tuple[pl.DataFrame, Series]:
    """Return rows in the order of a name and a time, and the series of names; equal ones stay in theirs."""
    names = series_of(rows[name])
    moments = rows[time].to_numpy()
    later = moments[1:] >= moments[:-1]
    later[names.starts[1:] - 1] = True  # another name begins anew
    if later.all() and _is_sorted(at(rows[name], names.starts)):
        return rows, names
    ordered = rows.sort(name, time, maintain_order=True)
    return ordered, series_of(ordered[name])


@dataclass(frozen=True)
class Panel:
    """Bars sorted (underlying, asof) as arrays, and what is derived from them once.

    Attributes
    ----------
    bars
        A frame with asof, underlying and date of bars.
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
        """Return all rows of a frame of bars (`features.bars.COLUMNS`), which may have any order.

        Raises
        ------
        ValueError
            When a price or volume is null or infinite.
        """
        ordered, names = sorted_by(bars, "underlying", "asof")
        return cls(
            bars=ordered,
            kept=slice(None),
            names=names,
            series=Series(np.union1d(names.bounds, series_of(ordered["segment"]).bounds)),
            asof=ordered["asof"].to_numpy(),
            days=days_of(ordered["date"]),
            columns=_known({name: ordered[name].to_numpy() for name in PRICES}),
        )

    @classmethod
    def joined(cls, bars: pl.DataFrame, later: pl.DataFrame, longest_gap: int) -> Panel:
        """Return the rows of two frames of bars, of each underlying those of the first before.

        Parameters
        ----------
        bars, later
            `features.bars.COLUMNS`; their segments are not looked at.
        longest_gap
            As in `segments`, which finds them anew.

        Raises
        ------
        ValueError
            When a price or volume is null or infinite.
        """
        (one, ones), (other, others) = (sorted_by(each, "underlying", "asof") for each in (bars, later))
        found = [*at(one["underlying"], ones.starts), *at(other["underlying"], others.starts)]
        place = {name: place for place, name in enumerate(sorted(set(found)))}
        lengths = np.concatenate((np.diff(ones.bounds), np.diff(others.bounds)))
        name = np.repeat(np.array([place[each] for each in found], dtype=np.int64), lengths)
        order = np.argsort(name, kind="stable")
        names = runs_of(name[order])
        both = {
            column: np.concatenate((one[column].to_numpy(), other[column].to_numpy()))[order]
            for column in ("asof", *PRICES)
        }
        days = np.concatenate((days_of(one["date"]), days_of(other["date"])))[order]
        return cls(
            bars=pl.concat([one[list(_KEY)], other[list(_KEY)]]),
            kept=order,
            names=names,
            series=runs_of(names.number, segments(names, days, longest_gap)),
            asof=both.pop("asof"),
            days=days,
            columns=_known(both),
        )

    def __len__(self) -> int:
        return len(self.asof)

    @cached_property
    def keys(self) -> pl.DataFrame:
        """Asof, underlying and date of each row."""
        return self.bars[list(_KEY)][self.kept]

    def keys_of(self, rows: IntArray) -> pl.DataFrame:
        """Return asof, underlying and date of some rows, few."""
        names = [self.underlyings[name] for name in self.names.number[rows]]
        dates = pl.Series("date", self.days[rows]).cast(pl.Date)
        return pl.DataFrame([pl.Series("asof", self.asof[rows]), pl.Series("underlying", names), dates])

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
    def sessions(self) -> Sessions:
        """Each row's session."""
        return sessions_of(self.days)

    def tail(self, last: IntArray, rows: int) -> Panel:
        """Return the rows up to some, one of each series they belong to, and those before that it has."""
        counts = np.minimum(self.series.position[last], rows - 1) + 1
        bounds = Series(np.append(0, np.cumsum(counts)))
        chosen = np.repeat(last + 1 - bounds.bounds[1:], counts) + np.arange(bounds.bounds[-1])
        return Panel(
            bars=self.bars,
            kept=chosen if isinstance(self.kept, slice) else self.kept[chosen],
            names=bounds,
            series=bounds,
            asof=self.asof[chosen],
            days=self.days[chosen],
            columns={name: values[chosen] for name, values in self.columns.items()},
        )

    def lagged(self, column: str, bars: int) -> FloatArray:
        """Return a column from `bars` rows earlier in the same series, NaN where there is none."""
        values = self.columns[column]
        earlier = np.full(len(values), np.nan)
        earlier[bars:] = values[: max(len(values) - bars, 0)]
        self.series.blank(earlier, bars)
        return earlier


def _known(prices: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return columns as floats; refuse them where a value is unknown."""
    found = {name: values.astype(np.float64, copy=False) for name, values in prices.items()}
    # A sum is the quickest look: a NaN or an infinity leaves nothing finite.
    if bad := {name: values for name, values in found.items() if not np.isfinite(values.sum())}:
        counts = {name: np.count_nonzero(~np.isfinite(values)) for name, values in bad.items()}
        listed = ", ".join(f"{count} in {name}" for name, count in counts.items())
        raise ValueError(
            f"bars hold null or infinite values ({listed}): drop those bars before building features"
        )
    return found
