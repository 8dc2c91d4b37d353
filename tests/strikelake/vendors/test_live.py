"""Few requests when a decision is due: against a vendor that counts them."""

from datetime import date

import polars as pl
import pytest

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_ns
from strikelake.errors import VendorUnavailableError
from strikelake.vendors.live import LiveMarketData

DAY = date(2025, 3, 3)
OPEN, ASOF = et_ns(DAY, "09:30"), et_ns(DAY, "10:00")
NAMES = ["AAA", "BBB", "CCC"]


class StepClock:
    def __init__(self):
        self.time = OPEN

    def now(self):
        return self.time

    def sleep_until(self, moment):
        self.time = max(self.time, moment)


class CountingRest:
    """Knows a bar for every minute that has ended, but none for `quiet` minutes of CCC."""

    def __init__(self, clock, quiet=()):
        self.clock, self.quiet = clock, {OPEN + minute * NS_PER_MINUTE for minute in quiet}
        self.asked = []
        self.failing = 0

    def rows(self, ticker, start, end):
        known = range(start, min(end, self.clock.now()) - NS_PER_MINUTE + 1, NS_PER_MINUTE)
        stamps = [ts for ts in known if ticker != "CCC" or ts not in self.quiet]
        return pl.DataFrame(
            {
                "ticker": [ticker] * len(stamps),
                "ts_ns": stamps,
                "available_at": [ts + NS_PER_MINUTE for ts in stamps],
            },
            schema={"ticker": pl.String, "ts_ns": pl.Int64, "available_at": pl.Int64},
        )

    def minute_bars(self, tickers, start_ns, end_ns):
        for ticker in tickers:
            self.asked.append((self.minute(), ticker))
            if self.failing:
                self.failing -= 1
                raise VendorUnavailableError("the budget is taken")
        empty = self.rows("AAA", 0, 0)
        return pl.concat([empty, *(self.rows(ticker, start_ns, end_ns) for ticker in tickers)])

    def last_minutes(self, tickers):
        self.asked.append((self.minute(), "+".join(tickers)))
        return pl.concat(self.rows(ticker, OPEN, self.clock.now()).tail(1) for ticker in tickers)

    def minute(self):
        return (self.clock.now() - OPEN) // NS_PER_MINUTE


@pytest.fixture
def clock():
    return StepClock()


def decide(live, clock, asof):
    live.prepare(NAMES, OPEN, asof)
    clock.sleep_until(asof)
    return live.minute_bars(NAMES, OPEN, asof)


def test_a_decision_that_was_prepared_costs_one_request(clock):
    rest = CountingRest(clock)
    live = LiveMarketData(rest, clock)
    found = decide(live, clock, ASOF)
    together = "AAA+BBB+CCC"
    expected = [(26, name) for name in NAMES] + [(minute, together) for minute in (27, 28, 29, 30)]
    assert rest.asked == expected
    assert found.equals(pl.concat(rest.rows(name, OPEN, ASOF) for name in NAMES))
    rest.asked.clear()
    later = decide(live, clock, ASOF + 30 * NS_PER_MINUTE)
    assert [minute for minute, _ in rest.asked] == [56, 56, 56, 57, 58, 59, 60]
    assert later.group_by("ticker").len()["len"].to_list() == [60] * 3


def test_a_minute_without_a_trade_is_made_sure_of(clock):
    rest = CountingRest(clock, quiet=(27, 29))
    found = decide(LiveMarketData(rest, clock), clock, ASOF)
    assert rest.asked[3:] == [
        (27, "AAA+BBB+CCC"),
        (28, "AAA+BBB+CCC"),
        (28, "CCC"),
        (29, "AAA+BBB+CCC"),
        (30, "AAA+BBB+CCC"),
        (30, "CCC"),
    ]
    assert found.equals(pl.concat(rest.rows(name, OPEN, ASOF) for name in NAMES))


def test_what_failed_before_a_decision_is_asked_for_again(clock):
    rest = CountingRest(clock)
    rest.failing = 2
    found = decide(LiveMarketData(rest, clock), clock, ASOF)
    assert found.equals(pl.concat(rest.rows(name, OPEN, ASOF) for name in NAMES))


def test_a_late_start_asks_at_once_and_a_failure_is_said(clock):
    rest = CountingRest(clock)
    live = LiveMarketData(rest, clock)
    clock.time = ASOF
    live.prepare(NAMES, OPEN, ASOF)
    assert rest.asked == []
    assert live.minute_bars(NAMES, OPEN, ASOF).height == 90
    rest.failing = 1
    with pytest.raises(VendorUnavailableError, match="the budget is taken"):
        LiveMarketData(rest, clock).minute_bars(NAMES, OPEN, ASOF)


def test_minutes_are_given_a_moment_to_settle(clock):
    rest = CountingRest(clock)
    live = LiveMarketData(rest, clock, settle_ns=2 * NS_PER_SECOND)
    live.prepare(NAMES, OPEN, ASOF)
    assert clock.now() == ASOF - NS_PER_MINUTE + 2 * NS_PER_SECOND
    assert live.minute_bars(NAMES, OPEN, ASOF).height == 90
    assert clock.now() == ASOF + 2 * NS_PER_SECOND
    assert len(rest.asked) == 3 + 4


def test_the_next_session_starts_over(clock):
    rest = CountingRest(clock)
    live = LiveMarketData(rest, clock)
    decide(live, clock, ASOF)
    clock.time = ASOF + 10 * NS_PER_MINUTE
    found = live.minute_bars(NAMES, OPEN + NS_PER_MINUTE, clock.time)
    assert found.height == 3 * 39
