"""The adapter against servers that misbehave; that it reads a well-behaved one is tested with the sandbox."""

from datetime import date

import polars as pl
import pytest

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_ns
from strikelake.errors import (
    MissingCredentialsError,
    NotEntitledError,
    NotPublishedError,
    VendorError,
    VendorUnavailableError,
)
from strikelake.vendors.limiter import Budget, RequestLimiter, Used
from strikelake.vendors.rest import RestMarketData

START = 1_735_828_200_000_000_000
BAR = {"o": 1.0, "h": 2.0, "l": 0.5, "c": 1.5, "v": 10.25, "t": START // 10**6}
EXPIRATIONS = {"expiration_from": date(2025, 1, 1), "expiration_to": date(2025, 2, 1)}


@pytest.fixture
def data(vendor):
    source = RestMarketData("key", vendor.url, timeout=120)
    yield source
    source.close()


def bars(data, tickers=("SPY",)):
    return data.minute_bars(tickers, START, START + 5 * NS_PER_MINUTE)


def page(*bars, **more):
    return {"status": "OK", "resultsCount": len(bars), "results": list(bars)} | more


def test_pages_are_joined_and_asked_for_by_our_own_address(vendor, data):
    later = BAR | {"t": BAR["t"] + 60_000, "n": 7}
    onward = "https://elsewhere.example/v2/aggs/ticker/SPY/range/1/minute/5/9?cursor=abc%3D"
    vendor.will_answer(page(BAR, next_url=onward), page(later))
    found = bars(data)
    assert found.rows(named=True)[1] == {
        "date": date(2025, 1, 2),
        "ticker": "SPY",
        "ts_ns": START + NS_PER_MINUTE,
        "open": 1.0,
        "high": 2.0,
        "low": 0.5,
        "close": 1.5,
        "volume": 10.25,
        "transactions": 7,
        "available_at": START + 2 * NS_PER_MINUTE,
    }
    assert found["transactions"].to_list() == [None, 7]
    first, second = vendor.asked
    assert first.startswith(f"/v2/aggs/ticker/SPY/range/1/minute/{BAR['t']}/{BAR['t'] + 4 * 60_000}?")
    assert "adjusted=false" in first
    assert second.startswith("/v2/aggs/ticker/SPY/range/1/minute/5/9?cursor=abc%3D")


def test_a_ticker_without_bars_has_no_rows(vendor, data):
    vendor.will_answer({"status": "OK", "resultsCount": 0, "queryCount": 0})
    assert bars(data).is_empty()
    assert bars(data).schema["available_at"] == pl.Int64


def test_an_empty_range_asks_nothing(vendor, data):
    assert data.minute_bars(["SPY"], START, START + 1).is_empty()
    assert vendor.asked == []


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (b'{"status": "OK", "results": [', "sent a damaged page"),
        (b"<html>busy</html>", "sent a damaged page"),
        ({"status": "OK"}, "without results"),
        ({"status": "OK", "results": None, "resultsCount": 3}, "without results"),
        ({"status": "ERROR", "results": []}, "status 'ERROR'"),
        ([], "status 'list'"),
        (page(BAR) | {"resultsCount": 2}, "sent 1 of 2 results"),
    ],
)
def test_a_damaged_later_page_raises_instead_of_truncating(vendor, data, second, message):
    onward = f"{vendor.url}/v2/aggs/ticker/SPY/range/1/minute/1/2?cursor=x"
    vendor.will_answer(page(BAR, next_url=onward), second)
    with pytest.raises(VendorUnavailableError, match=message):
        bars(data)


def test_a_damaged_chain_page_raises_too(vendor, data):
    vendor.will_answer({"status": "OK", "results": [], "next_url": f"{vendor.url}/x?cursor=1"}, b"")
    with pytest.raises(VendorUnavailableError, match="damaged page"):
        data.chain("SPY", **EXPIRATIONS)


def test_the_chain_keeps_missing_sides_and_missing_quotes_as_null(vendor, data):
    quote = {"bid": 0, "ask": 0.05, "last_updated": START}
    results = [
        {"details": {"ticker": "O:SPY250117P00500000"}, "last_quote": quote, "open_interest": 12},
        {"details": {"ticker": "O:SPY250117C00500000"}, "underlying_asset": {"price": 590.5}},
        {"details": {"ticker": "SOMETHING ELSE"}},
    ]
    vendor.will_answer({"status": "OK", "results": results})
    found = data.chain("SPY", **EXPIRATIONS).rows(named=True)
    assert [row["occ_symbol"] for row in found] == ["SPY250117C00500000", "SPY250117P00500000"]
    assert (found[0]["quote_ts_ns"], found[0]["underlying_price"]) == (None, 590.5)
    assert (found[1]["bid_price"], found[1]["ask_price"], found[1]["open_interest"]) == (None, 0.05, 12)
    assert "expiration_date.gte=2025-01-01" in vendor.asked[0]


def test_an_index_has_a_value_where_a_stock_has_a_price(vendor, data):
    rows = [{"details": {"ticker": "O:SPXW250117P05000000"}, "underlying_asset": {"value": 5905.25}}]
    vendor.will_answer({"status": "OK", "results": rows})
    found = data.chain("SPX", **EXPIRATIONS)
    assert found["underlying_price"].to_list() == [5905.25]
    assert "underlying_value" not in found.columns


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (401, NotEntitledError, "answered 401.*check the API key and its plan"),
        (403, NotEntitledError, "answered 403.*check the API key and its plan"),
        (404, NotPublishedError, "answered 404"),
        (400, VendorError, "answered 400.*the request itself is wrong"),
    ],
)
def test_refusals_are_told_apart(vendor, data, status, error, message):
    vendor.will_answer({"status": "NOT", "message": "no"}, status=status)
    with pytest.raises(error, match=message):
        bars(data)
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_vendor_is_asked_four_times(vendor, data, status):
    vendor.will_answer({"status": "ERROR"}, status=status)
    with pytest.raises(VendorUnavailableError, match="does not answer"):
        bars(data)
    assert len(vendor.asked) == 4


def test_a_silent_vendor_is_given_up(vendor):
    hurried = RestMarketData("key", vendor.url, timeout=0.2)
    with pytest.raises(VendorUnavailableError, match=r"does not answer.*try again later"):
        bars(hurried)
    hurried.close()


def test_a_circle_of_pages_is_broken(vendor, data):
    vendor.will_answer(page(BAR, next_url=f"{vendor.url}/v2/aggs/ticker/SPY/range/1/minute/1/2?cursor=x"))
    with pytest.raises(VendorUnavailableError, match="the same next page twice"):
        bars(data)


def test_a_missing_key_names_its_variables():
    with pytest.raises(MissingCredentialsError, match=r"MASSIVE_API_KEY \(or POLYGON_API_KEY"):
        RestMarketData("")


def test_a_connection_reset_amid_an_answer_is_tried_again(vendor, data):
    vendor.will_answer("reset", page(BAR))
    assert bars(data).height == 1
    vendor.will_answer("reset")
    with pytest.raises(VendorUnavailableError, match=r"does not answer.*try again later"):
        bars(data)


class StepClock:
    def __init__(self):
        self.time = et_ns(date(2025, 3, 3), "12:00")
        self.start = self.time

    def now(self):
        return self.time

    def sleep_until(self, moment):
        self.time = max(self.time, moment)

    @property
    def passed(self):
        return (self.time - self.start) / NS_PER_SECOND


@pytest.fixture
def clock():
    return StepClock()


@pytest.fixture
def limiter(tmp_path, clock):
    return RequestLimiter(tmp_path / "requests.db", Budget(5, 8), clock)


@pytest.fixture
def budgeted(vendor, limiter, clock):
    source = RestMarketData("key", vendor.url, 120, limiter, clock)
    yield source
    source.close()


def test_every_page_and_every_repetition_passes_the_budget(vendor, budgeted, limiter, clock):
    onward = f"{vendor.url}/v2/aggs/ticker/SPY/range/1/minute/1/2?cursor=x"
    vendor.will_answer(page(BAR, next_url=onward))
    vendor.then_answer({"status": "ERROR"}, status=500)
    vendor.then_answer(page(BAR))
    assert bars(budgeted).height == 2
    assert limiter.used() == Used(3, 3)
    bars(budgeted, ["A", "B", "C"])
    assert (len(vendor.asked), limiter.used().day, clock.passed) == (6, 6, pytest.approx(61))
    with pytest.raises(VendorUnavailableError, match="day's budget of 8 requests is used up"):
        bars(budgeted, ["A", "B", "C"])
    assert len(vendor.asked) == 8


@pytest.mark.parametrize("pause", ["7", "Mon, 03 Mar 2025 17:00:07 GMT"])
def test_a_pause_that_the_vendor_asks_for_is_kept_by_all(vendor, budgeted, limiter, clock, pause):
    vendor.will_answer({"status": "ERROR"}, status=429, headers={"Retry-After": pause})
    vendor.then_answer(page(BAR))
    assert bars(budgeted).height == 1
    assert clock.passed == pytest.approx(7)
    limiter.acquire()
    assert clock.passed == pytest.approx(7)


def test_an_impatient_caller_is_told_of_the_pause_at_once(vendor, clock, tmp_path):
    vendor.will_answer({"status": "ERROR"}, status=429, headers={"Retry-After": "20"})
    hurried = RequestLimiter(tmp_path / "requests.db", Budget(5, 8), clock, patience_ns=15 * NS_PER_SECOND)
    source = RestMarketData("key", vendor.url, 120, hurried, clock)
    with pytest.raises(VendorUnavailableError, match="asks for a pause of 20 s"):
        bars(source)
    source.close()
    assert (clock.passed, len(vendor.asked)) == (0, 1)


def test_other_processes_keep_the_pause_too(vendor, data, limiter, clock, tmp_path):
    vendor.will_answer({"status": "ERROR"}, status=429, headers={"Retry-After": "500"})
    source = RestMarketData("key", vendor.url, 120, limiter, clock)
    with pytest.raises(VendorUnavailableError, match="asks for a pause of 500 s"):
        bars(source)
    source.close()
    other = RequestLimiter(tmp_path / "requests.db", Budget(5, 8), clock)
    with pytest.raises(VendorUnavailableError, match=r"before 2025-03-03 12:08:20 ET: the vendor asked"):
        other.acquire()


def test_the_last_minutes_of_all_tickers_cost_one_request(vendor, data):
    minute = BAR | {"n": 4, "av": 900, "vw": 1.2}
    vendor.will_answer(
        {"status": "OK", "tickers": [{"ticker": "SPY", "min": minute}, {"ticker": "NEW", "min": {"t": 0}}]}
    )
    found = data.last_minutes(["SPY", "NEW", "GONE"])
    assert found.select("ticker", "ts_ns", "close", "volume", "transactions").rows() == [
        ("SPY", START, 1.5, 10.25, 4)
    ]
    assert vendor.asked == [
        "/v2/snapshot/locale/us/markets/stocks/tickers?tickers=GONE%2CNEW%2CSPY&include_otc=false"
    ]


def test_a_value_of_another_kind_is_reported(vendor, data):
    vendor.will_answer(page(BAR | {"o": "1.0"}))
    with pytest.raises(VendorError, match=r"o is no number in \['1.0'\]"):
        bars(data)


def test_strikes_narrow_a_chain(vendor, data):
    vendor.will_answer({"status": "OK", "results": []})
    assert data.chain("SPY", **EXPIRATIONS, strikes=(90.0, 110.5)).is_empty()
    assert "strike_price.gte=90.0&strike_price.lte=110.5" in vendor.asked[0]
