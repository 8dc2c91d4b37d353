"""The adapter against servers that misbehave; that it reads a well-behaved one is tested with the sandbox."""

import json
import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import polars as pl
import pytest

from strikelake.calendar import NS_PER_MINUTE
from strikelake.errors import (
    MissingCredentialsError,
    NotEntitledError,
    NotPublishedError,
    VendorError,
    VendorUnavailableError,
)
from strikelake.vendors.rest import RestMarketData

START = 1_735_828_200_000_000_000
BAR = {"o": 1.0, "h": 2.0, "l": 0.5, "c": 1.5, "v": 10.25, "t": START // 10**6}
EXPIRATIONS = {"expiration_from": date(2025, 1, 1), "expiration_to": date(2025, 2, 1)}


class FakeVendor(ThreadingHTTPServer):
    """Answers with what it was given, in order, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[str] = []
        self.release = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def will_answer(self, *pages: object, status: int = 200) -> None:
        self.answers = [(status, p if isinstance(p, bytes) else json.dumps(p).encode()) for p in pages]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: FakeVendor = self.server
        server.asked.append(self.path)
        if not server.answers:
            server.release.wait(10)
            return
        status, body = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def vendor():
    server = FakeVendor()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def data(vendor):
    source = RestMarketData("key", vendor.url, timeout=0.3)
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


def test_a_silent_vendor_is_given_up(vendor, data):
    with pytest.raises(VendorUnavailableError, match=r"does not answer.*try again later"):
        bars(data)


def test_a_circle_of_pages_is_broken(vendor, data):
    vendor.will_answer(page(BAR, next_url=f"{vendor.url}/v2/aggs/ticker/SPY/range/1/minute/1/2?cursor=x"))
    with pytest.raises(VendorUnavailableError, match="the same next page twice"):
        bars(data)


def test_a_missing_key_names_its_variables():
    with pytest.raises(MissingCredentialsError, match=r"MASSIVE_API_KEY \(or POLYGON_API_KEY"):
        RestMarketData("")
