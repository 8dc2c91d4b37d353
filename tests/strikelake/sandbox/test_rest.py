"""Market data through the real client, and through our adapter over it."""

from datetime import date

import massive
import polars as pl
import pytest

from pipelines.reference_rest import load_reference_from_rest
from strikelake.calendar import NS_PER_MINUTE, et_ns
from strikelake.errors import NotEntitledError
from strikelake.lake.store import Lake
from strikelake.sandbox.clock import SandboxClock
from strikelake.sandbox.flat_files import Folder
from strikelake.sandbox.simulator import session_frames
from strikelake.vendors import rest_reference
from strikelake.vendors.rest import RestMarketData

TEN = "10:00"


@pytest.fixture
def ten(sandbox):
    """The simulated time, ten o'clock of the live session."""
    moment = et_ns(sandbox.live_session, TEN)
    SandboxClock(sandbox.clock_url).sleep_until(moment)
    return moment


@pytest.fixture
def client(sandbox):
    return massive.RESTClient(api_key=sandbox.api_key, base=sandbox.rest_url)


@pytest.fixture
def data(sandbox):
    return RestMarketData(sandbox.api_key, sandbox.rest_url)


def test_only_ended_bars_are_shown(client, sandbox, ten):
    day = sandbox.live_session
    bars = list(client.list_aggs("AAPL", 1, "minute", day, day, adjusted=False))
    assert len(bars) == 30
    assert bars[-1].timestamp * 10**6 + NS_PER_MINUTE == ten


def test_pages_are_followed(client, sandbox, ten):
    day = sandbox.live_session
    whole = list(client.list_aggs("AAPL", 1, "minute", day, day))
    paged = list(client.list_aggs("AAPL", 1, "minute", day, day, limit=7))
    assert paged == whole


def test_an_unknown_ticker_has_no_results_at_all(client, sandbox):
    day = sandbox.live_session
    answer = client.list_aggs("NONE", 1, "minute", day, day, raw=True).json()
    assert (answer["status"], answer["resultsCount"], "results" in answer) == ("OK", 0, False)


def test_rest_bars_equal_the_flat_files(market, data, sandbox):
    [*_, last] = market.published
    frame = session_frames(market, 2)[Folder.STOCK_MINUTE_BARS]
    found = data.minute_bars(["AAPL", "SPY"], last.open_ns, last.close_ns)
    assert found.columns == [
        "date", "ticker", "ts_ns", "open", "high", "low", "close", "volume", "transactions", "available_at",
    ]  # fmt: skip
    assert found["date"].unique().to_list() == [last.date]
    shared = ["ticker", "open", "high", "low", "close", "volume", "transactions"]
    assert found.select(shared).equals(frame.select(shared))
    assert found["ts_ns"].equals(frame["window_start"], check_names=False)
    assert (found["available_at"] - found["ts_ns"]).unique().to_list() == [NS_PER_MINUTE]


def test_a_range_ends_with_its_last_whole_bar(data, sandbox, ten):
    opened = et_ns(sandbox.live_session, "09:30")
    found = data.minute_bars(["SPY"], opened + 1, opened + 5 * NS_PER_MINUTE + 1)
    assert found["ts_ns"].to_list() == [opened + n * NS_PER_MINUTE for n in (1, 2, 3, 4)]


def test_the_chain_is_what_was_quoted_last(data, sandbox, ten):
    chain = data.chain("AAPL", expiration_from=date(2025, 1, 8), expiration_to=date(2025, 1, 31))
    assert chain.columns == [
        "occ_symbol", "underlying", "expiration", "option_type", "strike",
        "quote_ts_ns", "bid_price", "bid_size", "ask_price", "ask_size", "underlying_price", "open_interest",
        "implied_vol", "delta", "gamma", "vega", "theta", "shares_per_contract",
    ]  # fmt: skip
    assert sorted(chain["expiration"].unique()) == [date(2025, 1, 10), date(2025, 1, 17)]
    assert chain["quote_ts_ns"].is_between(ten - 5 * NS_PER_MINUTE, ten).all()
    assert (chain["ask_price"] > chain["bid_price"].fill_null(0.0)).all()
    assert chain["bid_price"].min() > 0
    assert chain["underlying_price"].n_unique() == 1
    assert chain["occ_symbol"].is_unique().all()


def test_pages_of_the_chain_are_followed(client, data, sandbox, ten):
    whole = data.chain("SPY", expiration_from=date(2025, 1, 7), expiration_to=date(2025, 12, 31))
    paged = list(client.list_snapshot_options_chain("SPY", params={"limit": 10}))
    assert [snapshot.details.ticker for snapshot in paged] == [f"O:{s}" for s in whole["occ_symbol"]]
    assert whole.height > 60


def test_greeks_are_shown_where_there_is_a_bid(client, sandbox, ten):
    snapshots = list(client.list_snapshot_options_chain("AAPL", params={"limit": 250}))
    quoted = [s for s in snapshots if s.last_quote.bid > 0]
    assert {s.implied_volatility is None for s in snapshots if s.last_quote.bid == 0} <= {True}
    for snapshot in quoted:
        assert 0.05 < snapshot.implied_volatility < 2.0
        assert (snapshot.greeks.delta > 0) == (snapshot.details.contract_type == "call")


def test_before_the_open_the_last_quotes_are_those_of_the_day_before(data, sandbox):
    chain = data.chain("SPY", expiration_from=date(2025, 1, 7), expiration_to=date(2025, 12, 31))
    known = chain.filter(pl.col("quote_ts_ns").is_not_null())
    closed = et_ns(sandbox.last_session, "16:00")
    assert known["quote_ts_ns"].is_between(closed - 5 * NS_PER_MINUTE, closed).all()
    assert known.height > 40
    assert chain.height > known.height


def test_the_last_minutes_are_those_of_the_bars(data, sandbox, ten):
    bars = data.minute_bars(["AAPL", "SPY"], et_ns(sandbox.live_session, "09:30"), ten)
    last = data.last_minutes(["AAPL", "SPY", "NONE"])
    assert last.equals(bars.filter(available_at=ten))
    [aapl, _] = data.connection.ask(data.connection.client.get_snapshot_all, market_type="stocks")["tickers"]
    mine = bars.filter(ticker="AAPL")
    assert (aapl["day"]["v"], aapl["min"]["av"]) == (pytest.approx(mine["volume"].sum()),) * 2
    assert aapl["day"]["h"] == mine["high"].max()


def test_day_bars_equal_the_flat_files(market, data, sandbox):
    frame = session_frames(market, 2)[Folder.STOCK_DAY_BARS]
    day = sandbox.last_session
    found = data.day_bars(["AAPL", "SPY"], day, day)
    shared = ["ticker", "open", "high", "low", "close", "volume", "transactions"]
    assert found.select(shared).equals(frame.select(shared))
    assert found["ts_ns"].equals(frame["window_start"], check_names=False)
    assert data.grouped_day_bars(day).equals(found)


def test_the_live_session_s_day_bar_grows(data, sandbox, ten):
    [volume] = data.grouped_day_bars(sandbox.live_session).filter(ticker="SPY")["volume"]
    bars = data.minute_bars(["SPY"], et_ns(sandbox.live_session, "09:30"), ten)
    assert volume == pytest.approx(bars["volume"].sum())


def test_yields_are_those_of_the_days_before(data, sandbox):
    found = rest_reference.treasury_yields(data.connection, date(2024, 12, 20))
    assert found["date"].min() == date(2024, 12, 20)
    assert found["date"].max() == sandbox.last_session
    curve = pl.read_csv(sandbox.directory / "reference" / "treasury_curves.csv", try_parse_dates=True)
    month = curve.filter(pl.col("date") == sandbox.last_session)["1month"].item()
    last = found.filter(pl.col("date") == sandbox.last_session, tenor_days=30)
    assert last["yield_rate"].item() == pytest.approx(month)


def test_the_lake_s_reference_data_come_from_rest(data, tmp_path):
    lake = Lake(tmp_path / "lake")
    report = load_reference_from_rest(lake, data.connection, ["SPY"], date(2025, 1, 2))
    assert (report.splits, report.dividends, report.rejected, report.refused) == (0, 0, {}, ())
    assert report.yields > 20
    assert lake.tables() == ["corporate_actions", "treasury_yields"]


def test_before_the_open_nobody_has_a_last_minute(data, sandbox):
    assert data.last_minutes(["AAPL", "SPY"]).is_empty()


def test_the_key_is_checked(sandbox):
    with pytest.raises(NotEntitledError, match=r"answered 401.*check the API key"):
        RestMarketData("wrong", sandbox.rest_url).minute_bars(["SPY"], 0, 10**18)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/aggs/ticker/SPY/range/5/minute/2025-01-02/2025-01-03", 400),
        ("/v2/aggs/ticker/SPY/range/1/minute/yesterday/2025-01-03", 400),
        ("/v2/aggs/ticker/SPY/range/1/minute/2025-01-02/2025-01-03?limit=0", 400),
        ("/v3/snapshot/options/SPY?limit=251", 400),
        ("/v3/snapshot/options/SPY?cursor=%21", 400),
        ("/v3/nothing", 404),
    ],
)
def test_bad_requests_are_refused(client, path, status):
    answer = client.client.request("GET", client.BASE + path, headers=client.headers)
    assert answer.status == status
