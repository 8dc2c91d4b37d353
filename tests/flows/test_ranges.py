from datetime import date

import polars as pl
import pytest

from flows import ranges, settings
from strikelake.calendar import et_ns
from strikelake.errors import CalendarError, EmptyLakeError

DAYS = [date(2025, 1, d) for d in (2, 3, 6, 7, 8)]


class StillClock:
    def __init__(self, moment):
        self.moment = moment

    def now(self):
        return self.moment

    def sleep_until(self, moment):
        self.moment = max(self.moment, moment)


class ListedLake:
    """A lake of which only the sessions are known."""

    root = "data/lake"

    def __init__(self, **sessions):
        self.sessions_by_table = sessions

    def tables(self):
        return list(self.sessions_by_table)

    def sessions(self, table):
        return self.sessions_by_table[table]


def test_ingestion_ends_with_the_last_finished_session_and_starts_with_the_tiers_history():
    monday = StillClock(et_ns(date(2025, 1, 6), "12:00"))
    assert ranges.to_ingest(settings.load(), monday, None, None) == (date(2024, 11, 4), date(2025, 1, 3))


def test_what_is_named_is_taken():
    clock = StillClock(et_ns(date(2025, 1, 6), "12:00"))
    assert ranges.to_ingest(settings.load(), clock, DAYS[0], DAYS[1]) == (DAYS[0], DAYS[1])


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (date(2025, 1, 5), date(2025, 1, 2), "swap --start and --end"),
        (date(2025, 1, 4), date(2025, 1, 5), "no trading session"),
    ],
)
def test_a_range_without_a_session_is_refused(start, end, message):
    with pytest.raises(CalendarError, match=message):
        ranges.checked(start, end)


def test_a_range_that_ends_before_it_starts_is_not_called_empty():
    with pytest.raises(CalendarError, match="starts on 2025-01-08, after it ends on 2025-01-02: swap"):
        ranges.in_lake(ListedLake(stock_day_bars=DAYS), DAYS[-1], DAYS[0])


class TradedLake:
    """A lake with one day bar of each of some tickers."""

    root = "data/lake"

    def __init__(self, *tickers):
        self.bars = pl.LazyFrame({"ticker": tickers})

    def scan(self, table, start, end, *, underlyings=None):
        assert (table, start, end) == ("stock_day_bars", DAYS[0], DAYS[-1])
        return self.bars if underlyings is None else self.bars.filter(pl.col("ticker").is_in(underlyings))


def test_underlyings_that_are_not_there_are_refused_with_the_nearest():
    lake, span = TradedLake("AAPL", "META", "SPY"), (DAYS[0], DAYS[-1])
    assert ranges.symbols(lake, None, *span) is None
    assert ranges.symbols(lake, ["SPY", "AAPL"], *span) == ["SPY", "AAPL"]
    with pytest.raises(EmptyLakeError, match=r"no day bars of AAPPL from .*: did you mean AAPL\?"):
        ranges.symbols(lake, ["SPY", "AAPPL"], *span)
    with pytest.raises(EmptyLakeError, match=r"no day bars of XQZ from .*: run `strikelake ingest`"):
        ranges.symbols(lake, ["XQZ"], *span)


def test_the_lake_gives_the_range_of_stocks_and_options_alike():
    lake = ListedLake(stock_day_bars=DAYS[1:3], option_day_bars=DAYS[2:])
    assert ranges.in_lake(lake, None, None) == (DAYS[1], DAYS[-1])
    assert ranges.in_lake(lake, DAYS[2], None) == (DAYS[2], DAYS[-1])


def test_an_empty_lake_says_what_to_run():
    with pytest.raises(
        EmptyLakeError, match=r"no day bars from 2025-01-02 to the end: run `strikelake ingest`"
    ):
        ranges.in_lake(ListedLake(), DAYS[0], None)


@pytest.mark.parametrize(("minutes", "bar"), [(DAYS, "30m"), (DAYS[:4], "1d"), ([], "1d")])
def test_the_bar_follows_what_the_lake_holds(minutes, bar):
    lake = ListedLake(stock_day_bars=DAYS, stock_minute_bars=minutes)
    assert ranges.bar(settings.load(), lake, None, DAYS[0], DAYS[-1]) == bar


def test_a_named_bar_wins():
    lake = ListedLake(stock_day_bars=DAYS)
    assert ranges.bar(settings.load(), lake, "30m", DAYS[0], DAYS[-1]) == "30m"
