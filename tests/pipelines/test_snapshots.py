from datetime import date

import polars as pl
import pytest

from pipelines.snapshots import snap_chains
from strikelake.calendar import et_ns
from strikelake.errors import VendorUnavailableError
from strikelake.lake.store import Lake
from strikelake.vendors.rest import chain_frame

DAY = date(2025, 3, 3)


class FixedClock:
    def __init__(self, moment):
        self.moment = moment

    def now(self):
        return self.moment


class FakeRest:
    def __init__(self, clock, interest=10, failing=(), delta=0.5):
        self.clock, self.interest, self.failing, self.delta = clock, interest, failing, delta
        self.asked = []

    def chain(self, underlying, *, expiration_from, expiration_to):
        self.asked.append((underlying, expiration_from, expiration_to))
        if underlying in self.failing:
            raise VendorUnavailableError("503")
        quote = {"bid": 1.0, "bid_size": 3, "ask": 1.1, "ask_size": 4, "last_updated": self.clock.now() - 5}
        terms = {"details": {"ticker": f"O:{underlying}250417C00100000", "shares_per_contract": 100}}
        shown = {"last_quote": quote, "implied_volatility": 0.2, "greeks": {"delta": self.delta}}
        unquoted = {"details": {"ticker": f"O:{underlying}250417P00100000"}}
        return chain_frame([terms | shown | {"open_interest": self.interest}, unquoted])


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def clock():
    return FixedClock(et_ns(DAY, "16:30"))


def test_a_snapshot_is_known_when_taken_and_its_open_interest_since_the_morning(lake, clock):
    report = snap_chains(lake, FakeRest(clock), ["SPY", "QQQ"], clock)
    assert (report.session, report.contracts, report.open_interest) == (DAY, {"QQQ": 2, "SPY": 2}, 2)
    chain = lake.scan("chain_snapshots", DAY, DAY, underlyings=["SPY"]).collect().sort("occ_symbol")
    assert chain.row(0, named=True) | {"gamma": 0.0} == {
        "date": DAY,
        "occ_symbol": "SPY250417C00100000",
        "underlying": "SPY",
        "expiration": date(2025, 4, 17),
        "option_type": "C",
        "strike": 100.0,
        "ts_ns": clock.now(),
        "quote_ts_ns": clock.now() - 5,
        "bid_price": 1.0,
        "bid_size": 3.0,
        "ask_price": 1.1,
        "ask_size": 4.0,
        "underlying_price": None,
        "open_interest": 10,
        "implied_vol": 0.2,
        "delta": 0.5,
        "gamma": 0.0,
        "vega": None,
        "theta": None,
        "available_at": clock.now(),
    }
    assert chain["bid_price"].to_list() == [1.0, None]
    interest = lake.scan("open_interest").collect()
    assert interest["date"].unique().to_list() == [date(2025, 2, 28)]
    assert interest["available_at"].unique().to_list() == [et_ns(DAY, "06:30")]


def test_before_half_past_six_the_vendor_tells_the_interest_of_a_day_earlier(lake):
    clock = FixedClock(et_ns(DAY, "06:29"))
    snap_chains(lake, FakeRest(clock), ["SPY"], clock)
    interest = lake.scan("open_interest").collect()
    assert interest.select("date", "available_at").row(0) == (
        date(2025, 2, 27),
        et_ns(date(2025, 2, 28), "06:30"),
    )


def test_a_later_snapshot_replaces_that_of_its_underlying_only(lake, clock):
    snap_chains(lake, FakeRest(clock), ["SPY", "QQQ"], clock)
    clock.moment += 60_000_000_000
    later = snap_chains(lake, FakeRest(clock, interest=11, failing={"QQQ"}), ["SPY", "QQQ"], clock)
    assert later.problems == ("QQQ: 503",)
    assert later.contracts == {"SPY": 2}
    held = lake.scan("open_interest").collect().sort("underlying")
    assert held.select("underlying", "open_interest").rows() == [("QQQ", 10), ("SPY", 11)]


def test_rows_that_break_a_rule_are_counted_and_left_out(lake, clock):
    report = snap_chains(lake, FakeRest(clock, delta=1.5), ["SPY"], clock)
    assert (report.contracts, report.rejected) == ({"SPY": 1}, {"delta|max": 1})


def test_the_whole_chain_is_asked_for(lake, clock):
    rest = FakeRest(clock)
    snap_chains(lake, rest, ["SPY", "SPY"], clock)
    [(name, first, last)] = rest.asked
    assert (name, first) == ("SPY", DAY)
    assert (last - first).days > 1000


def test_on_a_weekend_a_snapshot_is_of_friday(lake):
    clock = FixedClock(et_ns(date(2025, 3, 1), "12:00"))
    assert snap_chains(lake, FakeRest(clock), ["SPY"], clock).session == date(2025, 2, 28)
    assert lake.sessions("chain_snapshots") == [date(2025, 2, 28)]
    assert isinstance(lake.scan("chain_snapshots").collect(), pl.DataFrame)
