"""The sessions that rows of bars belong to, looked up by date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import sessions

if TYPE_CHECKING:
    from features.feature import IntArray

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Hours:
    """The session of each of some rows: open and close, ns UTC; 0 where the date is no session."""

    open_ns: IntArray
    close_ns: IntArray


def days_of(dates: pl.Series) -> IntArray:
    """Return dates as days since 1970."""
    return dates.cast(pl.Int32).to_numpy()


def hours_of(days: IntArray) -> Hours:
    """Return the session hours of rows by their dates (days since 1970)."""
    first, table = _around(days)
    return Hours(*(column[days - first] for column in table[:2]))


def session_numbers(days: IntArray) -> IntArray:
    """Return how many sessions there are from the earliest date to each row's."""
    first, table = _around(days)
    return np.asarray(table[2][days - first])


def _around(days: IntArray) -> tuple[int, IntArray]:
    first, last = (int(days.min()), int(days.max())) if len(days) else (0, 0)
    return first, _table(first, last)


@lru_cache(maxsize=64)
def _table(first: int, last: int) -> IntArray:
    """Return open, close and number of the sessions in a range, a column a day.

    Kept: a live trader asks for the same days all day.
    """
    table = np.zeros((3, last - first + 1), dtype=np.int64)
    for each in sessions(*(EPOCH + timedelta(days=day) for day in (first, last))):
        day = (each.date - EPOCH).days - first
        table[:, day] = each.open_ns, each.close_ns, 1
    table[2] = np.cumsum(table[2])
    return table
