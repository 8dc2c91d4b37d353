"""Trading sessions of the US options market, and the only place that knows Eastern time.

Times are int64 nanoseconds since the epoch, UTC; a session is named by its `datetime.date` in New York.
"""

from __future__ import annotations

import time
import warnings
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import polars as pl

from strikelake.errors import CalendarError

NS_PER_SECOND = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_SECOND
NEW_YORK = ZoneInfo("America/New_York")
_FIRST_DECADE, _LAST_DECADE = 188, 225  # the exchange's first rules, and pandas' last nanoseconds


@dataclass(frozen=True, slots=True)
class Session:
    """One trading session.

    Attributes
    ----------
    date
        The session's date in New York.
    open_ns, close_ns
        Opening and closing of regular trading, ns UTC. Half days close at 13:00 ET.
    """

    date: date
    open_ns: int
    close_ns: int


class Clock(Protocol):
    """Where the live trader gets its time: the system's, or a simulated market's."""

    def now(self) -> int:
        """Return the time, ns UTC."""
        ...

    def sleep_until(self, moment: int) -> None:
        """Return once `now()` has reached `moment` (ns UTC)."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return the time, ns UTC."""
        return time.time_ns()

    def sleep_until(self, moment: int) -> None:
        """Sleep until `moment` (ns UTC); return at once when it has passed."""
        while (left := moment - self.now()) > 0:
            time.sleep(min(left / NS_PER_SECOND, 1.0))


def sessions(start: date, end: date) -> tuple[Session, ...]:
    """Return the sessions from `start` to `end`, both included, in order.

    Raises
    ------
    CalendarError
        When a date is beyond the exchange's calendar.

    Examples
    --------
    >>> [str(s.date) for s in sessions(date(2025, 1, 8), date(2025, 1, 13))]
    ['2025-01-08', '2025-01-10', '2025-01-13']
    """
    parts = [_decade(decade) for decade in range(start.year // 10, end.year // 10 + 1)]
    by_date = attrgetter("date")
    return tuple(
        each
        for part in parts
        for each in part[bisect_left(part, start, key=by_date) : bisect_right(part, end, key=by_date)]
    )


def session(day: date) -> Session:
    """Return the session of `day`.

    Raises
    ------
    CalendarError
        When `day` is a weekend or a holiday; the message names the sessions around it.
    """
    found = _by_date(day.year).get(day)
    if found is None:
        before, after = previous_session(day).date, next_session(day).date
        raise CalendarError(f"{day} is not a trading session: use {before} or {after}")
    return found


def is_session(day: date) -> bool:
    """Return whether the market trades on `day`."""
    return day in _by_date(day.year)


def next_session(day: date) -> Session:
    """Return the first session after `day`."""
    return sessions(day + timedelta(days=1), day + timedelta(days=14))[0]


def previous_session(day: date) -> Session:
    """Return the last session before `day`."""
    return sessions(day - timedelta(days=14), day - timedelta(days=1))[-1]


def session_frame(start: date, end: date) -> pl.DataFrame:
    """Return the sessions of a range as a frame: date, open_ns, close_ns."""
    found = sessions(start, end)
    return pl.DataFrame(
        {
            "date": [s.date for s in found],
            "open_ns": [s.open_ns for s in found],
            "close_ns": [s.close_ns for s in found],
        },
        schema={"date": pl.Date, "open_ns": pl.Int64, "close_ns": pl.Int64},
    )


def et_ns(day: date, clock_time: str) -> int:
    """Return a New York wall-clock time as ns UTC.

    Examples
    --------
    >>> et_ns(date(2025, 1, 2), "09:30")
    1735828200000000000
    """
    return from_datetime(datetime.fromisoformat(f"{day}T{clock_time}").replace(tzinfo=NEW_YORK))


def et_date(moment: int) -> date:
    """Return the date in New York at `moment` (ns UTC)."""
    return datetime.fromtimestamp(moment // NS_PER_SECOND, NEW_YORK).date()


def from_datetime(moment: datetime) -> int:
    """Return an aware datetime as ns UTC, exact to the microsecond.

    Raises
    ------
    CalendarError
        When `moment` carries no time zone.
    """
    if moment.tzinfo is None:
        raise CalendarError(f"{moment} has no time zone: give it one, for example UTC")
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1_000


def iso(moment: int) -> str:
    """Return `moment` (ns UTC) as a readable New York time.

    Examples
    --------
    >>> iso(1735828200000000000)
    '2025-01-02 09:30:00 ET'
    """
    return f"{datetime.fromtimestamp(moment // NS_PER_SECOND, NEW_YORK):%Y-%m-%d %H:%M:%S} ET"


@cache
def _by_date(year: int) -> dict[date, Session]:
    return {s.date: s for s in sessions(date(year, 1, 1), date(year, 12, 31))}


@cache
def _decade(decade: int) -> tuple[Session, ...]:
    """Return ten years' sessions: a constant of the calendar library, which takes as long for one year."""
    if not _FIRST_DECADE <= decade <= _LAST_DECADE:
        raise CalendarError(
            f"the year {decade}0 is not in the exchange's calendar: give dates from {_FIRST_DECADE}0 to "
            f"{_LAST_DECADE}9"
        )
    with warnings.catch_warnings():
        # The library has not followed pandas 3 everywhere; its warnings are not the user's to mend.
        warnings.simplefilter("ignore")
        schedule = _exchange().schedule(f"{decade}0-01-01", f"{decade}9-12-31")
        opens = schedule["market_open"].dt.as_unit("ns").astype("int64")
        closes = schedule["market_close"].dt.as_unit("ns").astype("int64")
        days = [stamp.date() for stamp in schedule.index]
    return tuple(Session(d, int(o), int(c)) for d, o, c in zip(days, opens, closes, strict=True))


@cache
def _exchange() -> Any:
    """Return the exchange's calendar, whose first schedule takes five times as long as its others."""
    import pandas_market_calendars

    return pandas_market_calendars.get_calendar("NYSE")
