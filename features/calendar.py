"""Calendar features: the clock, the option expirations ahead, and earnings."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from features.feature import feature
from features.sessions import EPOCH
from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, is_session, previous_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from features.facts import Facts
    from features.feature import FloatArray
    from features.panel import Panel

_NEVER = "never"
_THURSDAY = 3  # 1970-01-01, day 0
_FRIDAY = 4


@feature("calendar", units="minutes since the open", nulls=_NEVER, windowed=True)
def minute_of_session(session_minute: FloatArray) -> FloatArray:
    """Return the minutes from the session's open to the end of the bar."""
    return session_minute


@feature("calendar", units="minutes until the close", nulls=_NEVER, windowed=True)
def minutes_to_close(minutes_left: FloatArray) -> FloatArray:
    """Return the minutes from the end of the bar to the session's close, which half days have earlier."""
    return minutes_left


@feature("calendar", units="0 Monday to 4 Friday", nulls=_NEVER, windowed=True)
def day_of_week(weekday: FloatArray) -> FloatArray:
    """Return the day of the week of the bar's session."""
    return weekday


@feature("calendar", units="calendar days", nulls=_NEVER, windowed=True)
def days_to_monthly_expiration(monthly_expiration_days: FloatArray) -> FloatArray:
    """Return the days to the next monthly expiration, 0 on the day itself.

    Standard options expire on the third Friday, or on the session before where that is a holiday.
    """
    return monthly_expiration_days


@feature("calendar", units="calendar days", nulls=_NEVER, windowed=True)
def days_to_weekly_expiration(weekly_expiration_days: FloatArray) -> FloatArray:
    """Return the days to the week's last expiration, 0 on the day itself: Friday, or the session before."""
    return weekly_expiration_days


def _seconds(panel: Panel, _: Facts) -> FloatArray:
    return np.asarray(panel.asof / NS_PER_SECOND)


def _session_minute(panel: Panel, _: Facts) -> FloatArray:
    return np.asarray((panel.asof - panel.hours.open_ns) / NS_PER_MINUTE)


def _minutes_left(panel: Panel, _: Facts) -> FloatArray:
    return np.asarray((panel.hours.close_ns - panel.asof) / NS_PER_MINUTE)


def _weekday(panel: Panel, _: Facts) -> FloatArray:
    return np.asarray((panel.days + _THURSDAY) % 7, dtype=np.float64)


def _monthly_expiration_days(panel: Panel, _: Facts) -> FloatArray:
    return _days_to(panel, next_monthly_expiration)


def _weekly_expiration_days(panel: Panel, _: Facts) -> FloatArray:
    return _days_to(panel, next_weekly_expiration)


INPUTS: Mapping[str, Callable[[Panel, Facts], FloatArray]] = {
    "seconds": _seconds,
    "session_minute": _session_minute,
    "minutes_left": _minutes_left,
    "weekday": _weekday,
    "monthly_expiration_days": _monthly_expiration_days,
    "weekly_expiration_days": _weekly_expiration_days,
}
"""Inputs that this module computes: seconds is asof since 1970."""


def next_monthly_expiration(day: date) -> date:
    """Return the first monthly expiration on or after a date.

    Examples
    --------
    >>> next_monthly_expiration(date(2025, 4, 1)), next_monthly_expiration(date(2025, 4, 18))
    (datetime.date(2025, 4, 17), datetime.date(2025, 5, 16))
    """
    first = day.replace(day=1)
    for month in (first, (first + timedelta(days=32)).replace(day=1)):
        third_friday = month + timedelta(days=(_FRIDAY - month.weekday()) % 7 + 14)
        expiration = _session_by(third_friday)
        if expiration >= day:
            return expiration
    raise AssertionError(f"no monthly expiration after {day}")  # the next month's lies ahead of any date


def next_weekly_expiration(day: date) -> date:
    """Return the last session of the week of a date, or of the next week after it.

    Examples
    --------
    >>> next_weekly_expiration(date(2025, 4, 15)), next_weekly_expiration(date(2025, 4, 18))
    (datetime.date(2025, 4, 17), datetime.date(2025, 4, 25))
    """
    friday = day + timedelta(days=(_FRIDAY - day.weekday()) % 7)
    expiration = _session_by(friday)
    return expiration if expiration >= day else _session_by(friday + timedelta(days=7))


def _session_by(day: date) -> date:
    return day if is_session(day) else previous_session(day).date


def _days_to(panel: Panel, event: Callable[[date], date]) -> FloatArray:
    """Return each bar's days to an event; the calendar is asked once a date."""
    days, place = np.unique(panel.days, return_inverse=True)
    dates = [EPOCH + timedelta(days=int(day)) for day in days]
    return np.array([(event(day) - day).days for day in dates], dtype=np.float64)[place]
