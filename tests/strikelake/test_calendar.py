from datetime import UTC, date, datetime

import polars as pl
import pytest

from strikelake import calendar
from strikelake.errors import CalendarError


def test_sessions_skip_weekends_holidays_and_days_of_mourning():
    days = [s.date for s in calendar.sessions(date(2025, 1, 1), date(2025, 1, 10))]
    assert days == [date(2025, 1, d) for d in (2, 3, 6, 7, 8, 10)]


def test_a_half_day_closes_at_one():
    half = calendar.session(date(2024, 11, 29))
    assert (half.close_ns - half.open_ns) / calendar.NS_PER_MINUTE == 210
    assert half.close_ns == calendar.et_ns(half.date, "13:00")


@pytest.mark.parametrize(("day", "utc_hour"), [(date(2025, 3, 7), 14), (date(2025, 3, 10), 13)])
def test_the_open_follows_daylight_saving(day, utc_hour):
    opening = datetime(day.year, day.month, day.day, utc_hour, 30, tzinfo=UTC)
    assert calendar.session(day).open_ns == calendar.from_datetime(opening)


def test_a_day_without_a_session_names_its_neighbours():
    with pytest.raises(
        CalendarError, match="2025-07-04 is not a trading session: use 2025-07-03 or 2025-07-07"
    ):
        calendar.session(date(2025, 7, 4))


def test_neighbours_cross_the_year():
    assert calendar.next_session(date(2024, 12, 31)).date == date(2025, 1, 2)
    assert calendar.previous_session(date(2025, 1, 2)).date == date(2024, 12, 31)


def test_a_naive_datetime_is_refused():
    with pytest.raises(CalendarError, match="no time zone"):
        calendar.from_datetime(datetime(2025, 1, 2))  # noqa: DTZ001 - the naive one is the point


@pytest.mark.parametrize("day", [date(1, 1, 1), date(1879, 12, 31), date(2260, 1, 1), date(9999, 12, 31)])
def test_a_date_that_no_calendar_has_is_refused(day):
    with pytest.raises(CalendarError, match="not in the exchange's calendar: give dates from 1880 to 2259"):
        calendar.sessions(day, day)


def test_the_date_is_new_yorks():
    assert calendar.et_date(calendar.from_datetime(datetime(2025, 1, 3, 2, tzinfo=UTC))) == date(2025, 1, 2)


def test_the_frame_holds_the_sessions():
    frame = calendar.session_frame(date(2025, 1, 2), date(2025, 1, 3))
    assert frame.schema == {"date": pl.Date, "open_ns": pl.Int64, "close_ns": pl.Int64}
    assert frame["date"].to_list() == [date(2025, 1, 2), date(2025, 1, 3)]


def test_the_system_clock_moves_and_does_not_wait_for_the_past():
    clock = calendar.SystemClock()
    before = clock.now()
    clock.sleep_until(before - 1)
    clock.sleep_until(before + 1_000_000)
    assert clock.now() >= before + 1_000_000
