"""A frame of bars as arrays: columns, unbroken series, sessions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from features.columns import floats, readable, unknown
from features.series import Series, at, runs, sorted_by
from features.sessions import days_of, hours_of, session_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    from numpy.typing import NDArray

    from features.feature import FloatArray, IntArray
    from features.sessions import Hours

T = TypeVar("T", bound=np.generic)

PRICES = ("open", "high", "low", "close", "volume")
_KEY = ("asof", "underlying", "date")

LONGEST_GAP = 5
"""Sessions without a bar that a series may have.

A ticker that is silent for longer may belong to another company afterwards; its series must not be stitched.
"""


@dataclass(frozen=True)
class Panel:
    """Bars sorted (underlying, asof) as arrays, and what is derived from them once.

    Attributes
    ----------
    underlyings
        In order.
    names, series
        Rows of each underlying, and of each unbroken series.
    asof, days
        Of each row: ns UTC, and its date in days since 1970.
    columns
        Prices and volume.
    """

    underlyings: list[str]
    names: Series
    series: Series
    asof: IntArray
    days: IntArray
    columns: Mapping[str, FloatArray]

    @classmethod
    def of(cls, bars: pl.DataFrame) -> tuple[Panel, pl.DataFrame]:
        """Return a frame of bars (`features.bars.COLUMNS`), in any order, and its keys in that of the panel.

        Raises
        ------
        ValueError
            When a price or volume is null or infinite.
        """
        ordered, names = sorted_by(bars, "underlying", "asof")
        panel = cls(
            underlyings=at(ordered["underlying"], names.starts),
            names=names,
            series=Series(np.union1d(names.bounds, runs(ordered["segment"]).bounds)),
            asof=ordered["asof"].to_numpy(),
            days=days_of(ordered["date"]),
            columns={name: floats(ordered[name]) for name in PRICES},
        )
        return panel.checked(), ordered[list(_KEY)]

    @classmethod
    def made(
        cls,
        underlyings: list[str],
        names: Series,
        asof: IntArray,
        days: IntArray,
        columns: Mapping[str, FloatArray],
    ) -> Panel:
        """Return a panel whose series are split where an underlying is silent for long."""
        number = session_numbers(days)
        silent = np.diff(number, prepend=number[:1]) - 1 > LONGEST_GAP
        silent[names.starts] = False  # what lies between two underlyings is no silence
        series = Series(np.union1d(names.bounds, np.flatnonzero(silent)))
        return cls(underlyings, names, series, asof, days, columns)

    def extended(self, later: Panel) -> Panel:
        """Return these bars and later ones, in new series.

        Raises
        ------
        ValueError
            When a price or volume is null or infinite.
        """
        found = [*self.underlyings, *later.underlyings]
        underlyings = sorted(set(found))
        place = {name: place for place, name in enumerate(underlyings)}
        lengths = np.concatenate((np.diff(self.names.bounds), np.diff(later.names.bounds)))
        name = np.repeat(np.array([place[each] for each in found], dtype=np.int64), lengths)
        order = np.argsort(name, kind="stable")

        def both(early: NDArray[T], late: NDArray[T]) -> NDArray[T]:
            return np.concatenate((early, late))[order]

        return Panel.made(
            underlyings,
            runs(name[order]),
            both(self.asof, later.asof),
            both(self.days, later.days),
            {column: both(values, later.columns[column]) for column, values in self.columns.items()},
        ).checked()

    def checked(self) -> Panel:
        """Return this panel; refuse unknown prices.

        Raises
        ------
        ValueError
            When a price or volume is null or infinite.
        """
        counts = {name: unknown(readable(values)) for name, values in self.columns.items()}
        if any(counts.values()):
            found = ", ".join(f"{count} in {name}" for name, count in counts.items() if count)
            raise ValueError(
                f"bars hold null or infinite values ({found}): drop those bars before building features"
            )
        return self

    def __len__(self) -> int:
        return len(self.asof)

    @cached_property
    def moments(self) -> tuple[IntArray, IntArray]:
        """Different decision times in order, and each row's place among them."""
        found, place = np.unique(self.asof, return_inverse=True)
        return found, place

    @cached_property
    def hours(self) -> Hours:
        """The hours of each row's session."""
        return hours_of(self.days)

    def tail(self, last: IntArray, rows: int) -> Panel:
        """Return the rows up to some, one of each series they belong to, and those before that it has."""
        counts = np.minimum(self.series.position[last], rows - 1) + 1
        bounds = Series(np.append(0, np.cumsum(counts)))
        kept = np.repeat(last + 1 - bounds.bounds[1:], counts) + np.arange(bounds.bounds[-1])
        return Panel(
            underlyings=self.names_of(last),
            names=bounds,
            series=bounds,
            asof=self.asof[kept],
            days=self.days[kept],
            columns={name: values[kept] for name, values in self.columns.items()},
        )

    def names_of(self, rows: IntArray) -> list[str]:
        """Return the underlyings of some rows."""
        return [self.underlyings[name] for name in self.names.number[rows].tolist()]

    def lagged(self, column: str, bars: int) -> FloatArray:
        """Return a column from `bars` rows earlier in the same series, NaN where there is none."""
        values = self.columns[column]
        earlier = np.full(len(values), np.nan)
        earlier[bars:] = values[: max(len(values) - bars, 0)]
        self.series.blank(earlier, bars)
        return earlier
