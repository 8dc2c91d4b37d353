"""When daily facts can be known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from strikelake.calendar import is_session, next_session, session

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date


def moments(days: pl.Series, moment: Callable[[date], int]) -> pl.Series:
    """Return the moment of each date, ns UTC, null for null; the calendar is asked once a date."""
    known = {day: moment(day) for day in days.unique().drop_nulls()}
    return days.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.Int64)


def opening(day: date) -> int:
    """Return the open of a day's session, or of the next one, ns UTC."""
    return session(day).open_ns if is_session(day) else next_session(day).open_ns
