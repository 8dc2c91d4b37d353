"""The vendor's own recorded answers, served by a local server."""

import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from strikelake.calendar import et_ns, iso
from strikelake.vendors import rest_indicators, rest_market, rest_reference
from strikelake.vendors.rest import RestMarketData

pytestmark = pytest.mark.real


class Recorded(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.asked = []

    def find(self, path):
        parts = urlsplit(path)
        name, cursor = unquote(parts.path).lstrip("/"), parse_qs(parts.query).get("cursor")
        if cursor:
            return self.folder / f"{name}&cursor={cursor[0]}.json"
        whole = self.folder / f"{name}.json"
        others = sorted(whole.parent.glob(f"{whole.stem}&[!c]*.json"))
        return next(file for file in (whole, whole.with_suffix("") / "index.json", *others) if file.is_file())


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        found = self.server.find(self.path)
        body = found.read_bytes() if found.is_file() else b'{"status": "OK", "results": {"values": []}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server(real_data):
    recorded = Recorded(real_data / "fixtures" / "massive_rest")
    thread = threading.Thread(target=recorded.serve_forever, args=(0.01,))
    thread.start()
    yield recorded
    recorded.shutdown()
    thread.join()
    recorded.server_close()


@pytest.fixture
def data(server):
    server.asked.clear()
    source = RestMarketData("key", f"http://127.0.0.1:{server.server_port}")
    yield source
    source.close()


@pytest.fixture
def connection(data):
    return data.connection


def test_contracts_of_all_pages(connection, server):
    found = rest_reference.contracts(connection, "A", as_of=date(2022, 5, 1), expired=True)
    assert found.height == found["occ_symbol"].n_unique() > 10
    assert found.row(0, named=True) == {
        "occ_symbol": "A220520C00065000",
        "underlying": "A",
        "expiration": date(2022, 5, 20),
        "option_type": "C",
        "strike": 65.0,
        "exercise_style": "american",
        "shares_per_contract": 100.0,
        "primary_exchange": "BATO",
        "adjusted": False,
    }
    assert "expired=true" in server.asked[0]
    assert "as_of=2022-05-01" in server.asked[0]
    assert len(server.asked) == 2


def test_splits(connection):
    found = rest_reference.splits(connection, date(2022, 1, 1))
    assert found.filter(ticker="GOOGL").rows() == [("GOOGL", date(2022, 7, 18), 1.0, 20.0)]
    assert found.filter(ticker="BRW").select("split_from", "split_to").row(0) == (2.0, 1.0)


def test_dividends(connection):
    found = rest_reference.dividends(connection, date(2022, 1, 1), ticker="CSSEN")
    assert found.filter(ex_date=date(2025, 6, 12)).row(0) == (
        "CSSEN", date(2025, 6, 12), 0.59375, date(2020, 9, 9), date(2025, 6, 15), date(2025, 6, 30), 4, "CD",
    )  # fmt: skip


def test_exchanges(connection):
    found = rest_market.exchanges(connection, "stocks")
    assert found.row(0) == (
        1, "stocks", "exchange", "NYSE American, LLC", "AMEX", "XASE", "XNYS", "A",
    )  # fmt: skip
    assert found.filter(exchange_id=2)["acronym"].item() is None


def test_market_status_and_holidays(connection):
    status = rest_market.market_status(connection)
    assert (status.market, status.exchanges["nyse"]) == ("extended-hours", "extended-hours")
    assert iso(status.server_time) == "2022-04-28 16:48:08 ET"
    found = rest_market.holidays(connection)
    assert found.row(0) == (date(2022, 5, 30), "NASDAQ", "Memorial Day", "closed", None, None)
    half = found.filter(status="early-close", exchange="NYSE").row(0, named=True)
    assert iso(half["close_ns"]).endswith("13:00:00 ET")


def test_news_has_a_row_for_each_ticker(connection):
    found = rest_market.news(connection, ticker="NFLX", start=date(2022, 4, 28), end=date(2022, 4, 28))
    assert found["ticker"].to_list() == ["AMZN", "MSFT", "NFLX", "TSN"]
    first = found.row(0, named=True)
    assert (first["date"], iso(first["ts_ns"])) == (date(2022, 4, 28), "2022-04-28 13:08:00 ET")
    assert (first["publisher"], first["keywords"], first["sentiment"]) == ("MarketWatch", None, None)


def test_changes_of_a_ticker(connection):
    found = rest_reference.ticker_changes(connection, "META")
    assert found.select("ticker", "first_date").rows() == [
        ("FB", date(2012, 5, 18)), ("META", date(2022, 6, 11)),
    ]  # fmt: skip
    assert found["figi"].unique().to_list() == ["BBG000MM2P62"]


def test_details_of_a_ticker_on_a_date(connection, server):
    found = rest_reference.ticker_details(connection, "AAPL", date(2020, 10, 1))
    assert found.rows() == [("AAPL", "CS", 3571)]
    assert "date=2020-10-01" in server.asked[0]


def test_indicators(connection, server):
    span = date(2016, 11, 1), date(2016, 11, 5)
    ema = rest_indicators.indicator(connection, "ema", "AAPL", *span, window=5)
    assert ema.height == 4
    assert ema.row(-1, named=True) == {
        "ticker": "AAPL",
        "ts_ns": et_ns(date(2016, 11, 4), "00:00"),
        "value": 110.96883950617286,
        "signal": None,
        "histogram": None,
    }
    assert "window=5" in server.asked[0]
    macd = rest_indicators.indicator(connection, "macd", "SPY", *span).row(-1, named=True)
    assert (macd["signal"], macd["histogram"]) == (49.504484615884834, -42.59162765160919)
    assert rest_indicators.indicator(connection, "rsi", "AAPL", *span)["ts_ns"].is_sorted()
    server.asked.clear()
    assert rest_indicators.indicator(connection, "sma", "AAPL", *span).height == 3
    assert len(server.asked) == 2


def test_day_bars(data):
    found = data.day_bars(["AAPL"], date(2005, 4, 1), date(2005, 4, 4))
    assert found.row(0, named=True) == {
        "date": date(2005, 4, 1),
        "ticker": "AAPL",
        "ts_ns": et_ns(date(2005, 4, 1), "00:00"),
        "open": 1.5032,
        "high": 1.5064,
        "low": 1.4489,
        "close": 1.4604,
        "volume": 642646396.0,
        "transactions": 82132,
        "available_at": et_ns(date(2005, 4, 1), "16:00"),
    }


def test_grouped_day_bars_are_dated_by_the_question(data):
    found = data.grouped_day_bars(date(2005, 4, 4))
    assert found.select("date", "ticker", "ts_ns", "close").rows() == [
        (date(2005, 4, 4), "GIK", et_ns(date(2005, 4, 4), "00:00"), 10.02)
    ]


def test_the_last_minutes(data):
    found = data.last_minutes(["BCAT"])
    assert found.select("ticker", "close", "volume", "transactions").rows() == [("BCAT", 20.506, 5000.0, 5)]
    assert iso(found["available_at"].item()) == "2023-05-18 12:51:00 ET"


def test_the_chain(data):
    found = data.chain("AAPL", expiration_from=date(2023, 6, 1), expiration_to=date(2023, 6, 30))
    assert found.row(0, named=True) == {
        "occ_symbol": "AAPL230616C00150000",
        "underlying": "AAPL",
        "expiration": date(2023, 6, 16),
        "option_type": "C",
        "strike": 150.0,
        "quote_ts_ns": 1651254260800059648,
        "bid_price": 28.9,
        "bid_size": 294.0,
        "ask_price": 29.25,
        "ask_size": 209.0,
        "underlying_price": 159.9606,
        "open_interest": 8133,
        "implied_vol": 0.3570277203465058,
        "delta": 0.6436614934293701,
        "gamma": 0.0061735291012820675,
        "vega": 0.6381159723175714,
        "theta": -0.028227189324641973,
        "shares_per_contract": 100.0,
    }
