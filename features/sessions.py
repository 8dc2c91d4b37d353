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
class Sessions:
    """The session of each of some rows.

    Attributes
    ----------
    open_ns, close_ns
        ns UTC; 0 where the date is no session.
    number
        How many sessions there are from the first of the rows' dates to this one.
    """

    open_ns: IntArray
    close_ns: IntArray
    number: IntArray


def days_of(dates: pl.Series) -> IntArray:
    """Return dates as days since 1970."""
    return dates.cast(pl.Int32).to_numpy()


def sessions_of(days: IntArray) -> Sessions:
    """Return the sessions of rows by their dates (days since 1970), in any order."""
    if not len(days):
        return Sessions(*np.zeros((3, 0), dtype=np.int64))
    first = int(days.min())
    every, place = _every_day(first, int(days.max())), days - first
    return Sessions(every.open_ns[place], every.close_ns[place], every.number[place])


@lru_cache(maxsize=64)
def _every_day(first: int, last: int) -> Sessions:
    """Return the sessions of all days of a range; kept, as a live trader asks for the same all day."""
    hours = np.zeros((2, last - first + 1), dtype=np.int64)
    found = sessions(*(EPOCH + timedelta(days=day) for day in (first, last)))
    for each in found:
        hours[:, (each.date - EPOCH).days - first] = each.open_ns, each.close_ns
    return Sessions(*hours, np.cumsum(hours[1] > 0))
