"""The lake first, the vendor when asked: the same rows from both, and docs that run."""

import doctest
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines.ingest import ingest
from pipelines.market_data import MarketData
from pipelines.top_up import reconcile_top_ups, top_up
from strikelake.calendar import NS_PER_MINUTE, et_ns, session
from strikelake.errors import EmptyLakeError, MissingCredentialsError
from strikelake.lake.store import Lake
from strikelake.sandbox.clock import SandboxClock
from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.launch import start
from strikelake.schemas import table
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles
from strikelake.vendors.rest import RestMarketData

DOCS = Path(__file__).resolve().parents[2] / "docs" / "market_data.md"
FIRST, LAST, LIVE = date(2025, 1, 2), date(2025, 1, 6), date(2025, 1, 7)
DATASETS = [Dataset("stock_day_bars"), Dataset("stock_minute_bars"), Dataset("option_day_bars")]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    config = SimulatorConfig(symbols=("AAPL", "SPY"), sessions=3)
    with start(config, tmp_path_factory.mktemp("sandbox")) as running:
        SandboxClock(running.clock_url).sleep_until(et_ns(LIVE, "10:00"))
        yield running


@pytest.fixture(scope="module")
def lake(sandbox, tmp_path_factory):
    filled = Lake(tmp_path_factory.mktemp("market") / "lake")
    ingest(filled, DirectoryFlatFiles(sandbox.directory / "flatfiles"), DATASETS, FIRST, LAST)
    filled.overwrite("corporate_actions", pl.DataFrame(schema=table("corporate_actions").columns))
    return filled


@pytest.fixture
def market(sandbox, lake):
    rest = RestMarketData(sandbox.api_key, sandbox.rest_url)
    yield MarketData(lake, rest, SandboxClock(sandbox.clock_url))
    rest.close()


def test_lake_and_vendor_give_the_same_minutes(market):
    span = ["SPY", "AAPL"], FIRST, LAST
    stored, asked = (market.stocks.minute_bars(*span, source=source) for source in ("lake", "vendor"))
    assert stored.height == 2 * 3 * 390
    assert stored.equals(asked)


def test_both_asks_only_for_what_is_not_stored(market):
    found = market.stocks.minute_bars(["SPY"], FIRST, LIVE, source="both")
    assert found.filter(pl.col("date") == LIVE)["available_at"].max() == et_ns(LIVE, "10:00")
    assert found.filter(pl.col("date") < LIVE).equals(market.stocks.minute_bars(["SPY"], FIRST, LAST))
    assert found["ts_ns"].is_sorted()
    alone = MarketData(market.stocks.lake)
    assert alone.stocks.minute_bars(["SPY"], FIRST, LAST, source="both").height == 3 * 390


def test_without_a_vendor_the_remedy_is_named(lake):
    alone = MarketData(lake)
    with pytest.raises(MissingCredentialsError, match=r"set POLYGON_API_KEY, or use source='lake'"):
        alone.stocks.minute_bars(["SPY"], FIRST, LIVE, source="both")
    with pytest.raises(EmptyLakeError, match="has no table chain_snapshots"):
        alone.options.chain("SPY", LIVE)


def test_the_chain_is_asked_for_on_its_own_day_only(market):
    now = market.options.clock.now()
    chain = market.options.chain("SPY", LIVE, source="vendor")
    assert list(chain.schema) == list(table("chain_snapshots").columns)
    assert chain["available_at"].unique().to_list() == [now]
    with pytest.raises(EmptyLakeError):
        market.options.chain("SPY", LAST, source="vendor")


def test_a_stored_chain_is_not_asked_for_again(market, tmp_path):
    other = Lake(tmp_path / "lake")
    chain = market.options.chain("SPY", LIVE, source="vendor")
    other.replace("chain_snapshots", LIVE, chain)
    alone = MarketData(other, None, market.options.clock)
    assert alone.options.chain("SPY", LIVE, source="both").equals(chain)
    with pytest.raises(MissingCredentialsError):
        alone.options.chain("AAPL", LIVE, source="both")


def test_option_bars_are_read_by_contract(market, lake):
    every = lake.scan("option_day_bars", FIRST, LAST).collect()
    symbol = every["occ_symbol"].mode().sort()[0]
    found = market.options.day_bars([symbol], FIRST, LAST)
    assert found.equals(every.filter(occ_symbol=symbol).sort("occ_symbol", "ts_ns"))


def test_indicators_of_the_lake(market):
    bars = market.stocks.day_bars(["SPY"], FIRST, LAST)
    closes = bars["close"].to_list()
    sma = market.indicators.sma("SPY", FIRST, LAST, window=2)
    expected = [(closes[0] + closes[1]) / 2, (closes[1] + closes[2]) / 2]
    assert sma["value"].to_list() == pytest.approx(expected)
    assert sma["ts_ns"].to_list() == bars["ts_ns"].to_list()[1:]
    floats = dict.fromkeys(("value", "signal", "histogram"), pl.Float64)
    assert sma.schema == {"ticker": pl.String, "ts_ns": pl.Int64} | floats
    assert market.indicators.macd("SPY", FIRST, LAST).schema == sma.schema
    assert market.indicators.rsi("NONE", FIRST, LAST).is_empty()
    assert 0 <= market.indicators.rsi("SPY", LAST, LAST, window=2)["value"].item() <= 100


def test_the_market_is_open_between_the_bells(market, lake):
    class At:
        def __init__(self, moment):
            self.moment = moment

        def now(self):
            return self.moment

    assert market.operations.is_open()
    bells = [et_ns(LIVE, "09:30") - 1, et_ns(LIVE, "16:00") - NS_PER_MINUTE, et_ns(LIVE, "16:00")]
    assert [MarketData(lake, None, At(moment)).operations.is_open() for moment in bells] == [
        False,
        True,
        False,
    ]


def test_a_topped_up_session_equals_its_flat_file(sandbox, market, tmp_path):
    other = Lake(tmp_path / "lake")
    rest, clock = market.stocks.rest, market.options.clock
    assert top_up(other, rest, session(LAST), ["AAPL", "SPY"], clock).rows == {
        "stock_day_bars": 2,
        "stock_minute_bars": 780,
    }
    before = other.versions()
    ingest(other, DirectoryFlatFiles(sandbox.directory / "flatfiles"), DATASETS[:2], LAST, LAST)
    assert other.versions()["top_ups"] == before["top_ups"]
    days, minutes = reconcile_top_ups(other)
    assert (days.equal, days.changed, days.missing, days.added) == (2, 0, 0, 0)
    assert (minutes.equal, minutes.changed, minutes.missing, minutes.added) == (780, 0, 0, 0)


def test_the_examples_of_the_docs_run(sandbox, lake, tmp_path, monkeypatch):
    values = {
        "POLYGON_API_KEY": sandbox.api_key,
        "POLYGON_REST_ENDPOINT": sandbox.rest_url,
        "STRIKELAKE_CLOCK__ENDPOINT": sandbox.clock_url,
        "STRIKELAKE_REST__BUDGET_FILE": str(tmp_path / "requests.db"),
        "STRIKELAKE_LAKE__ROOT": str(lake.root),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    found = doctest.testfile(str(DOCS), module_relative=False)
    assert (found.failed, found.attempted) == (0, 14)
