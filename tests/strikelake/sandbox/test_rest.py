"""Market data through the real client, and through our adapter over it."""

from datetime import date, datetime

import massive
import polars as pl
import pytest
import talib

from pipelines.reference_rest import load_reference_from_rest
from strikelake.calendar import NEW_YORK, NS_PER_MINUTE, et_ns
from strikelake.errors import NotEntitledError
from strikelake.lake.store import Lake
from strikelake.sandbox.clock import SandboxClock
from strikelake.sandbox.flat_files import Folder
from strikelake.sandbox.simulator import simulate_session
from strikelake.vendors import rest_indicators, rest_market, rest_reference
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
    frame = simulate_session(market, 2).frames[Folder.STOCK_MINUTE_BARS]
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
    assert sorted(chain["expiration"].unique()) == [date(2025, 1, day) for day in (10, 17, 24, 31)]
    # Few contracts are quoted in every five minutes, all of them in the half hour since the open.
    age = ten - chain["quote_ts_ns"]
    assert age.is_between(0, 30 * NS_PER_MINUTE).all()
    assert (age <= 5 * NS_PER_MINUTE).mean() > 0.3
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
    assert known["quote_ts_ns"].is_between(closed - 30 * NS_PER_MINUTE, closed).all()
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
    frame = simulate_session(market, 2).frames[Folder.STOCK_DAY_BARS]
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


def test_a_ticker_is_told_with_its_industry_as_of_a_date(data, sandbox):
    def told(ticker, day):
        return rest_reference.ticker_details(data.connection, ticker, day).rows()

    assert told("AAPL", date(2024, 10, 1)) == told("AAPL", sandbox.live_session) == [("AAPL", "CS", 3571)]
    assert told("SPY", date(2024, 10, 1)) == [("SPY", "ETF", None)]
    assert told("AAPL", date(1989, 12, 29)) == told("NONE", date(2024, 10, 1)) == []


def test_the_lake_s_reference_data_come_from_rest(data, tmp_path):
    lake = Lake(tmp_path / "lake")
    report = load_reference_from_rest(lake, data.connection, ["SPY"], date(2025, 1, 2))
    assert (report.splits, report.dividends, report.rejected, report.refused) == (0, 0, {}, ())
    assert report.yields > 20
    assert lake.tables() == ["corporate_actions", "symbols", "treasury_yields"]


def test_before_the_open_nobody_has_a_last_minute(data, sandbox):
    assert data.last_minutes(["AAPL", "SPY"]).is_empty()


def test_spans_are_made_of_minutes(data, client, sandbox, ten):
    day = sandbox.live_session
    minutes = data.minute_bars(["SPY"], et_ns(day, "09:30"), ten)
    spans = list(client.list_aggs("SPY", 7, "minute", day, day, adjusted=False))
    hour = list(client.list_aggs("SPY", 1, "hour", day, day, adjusted=False))
    assert [len(spans), len(hour)] == [5, 1]
    assert spans[0].timestamp * 10**6 <= et_ns(day, "09:30") < spans[1].timestamp * 10**6
    for found in (spans, hour):
        assert sum(bar.volume for bar in found) == pytest.approx(minutes["volume"].sum())
        assert (found[0].open, found[-1].close) == (minutes["open"][0], minutes["close"][-1])
        assert max(bar.high for bar in found) == minutes["high"].max()


def test_weeks_begin_on_sundays(client):
    weeks = list(client.list_aggs("SPY", 1, "week", "2025-01-01", "2025-01-07"))
    starts = [datetime.fromtimestamp(week.timestamp / 1000, NEW_YORK) for week in weeks]
    assert [f"{start:%a %Y-%m-%d %H}" for start in starts] == ["Sun 2024-12-29 00", "Sun 2025-01-05 00"]


def test_bars_come_backwards_when_asked(client, sandbox, ten):
    day = sandbox.live_session
    forth = list(client.list_aggs("AAPL", 1, "minute", day, day))
    back = list(client.list_aggs("AAPL", 1, "minute", day, day, sort="desc", limit=7))
    assert back == forth[::-1]


def test_option_bars_equal_the_flat_files(market, data):
    frame = simulate_session(market, 1).frames[Folder.OPTION_MINUTE_BARS]
    ticker = frame.group_by("ticker").len().sort("len", "ticker")["ticker"][-1]
    mine, day = frame.filter(ticker=ticker), market.published[1].date
    found = data.option_bars([ticker.removeprefix("O:")], day, day, bar="minute")
    assert found["ts_ns"].to_list() == mine["window_start"].to_list()
    shared = ["open", "high", "low", "close", "volume", "transactions"]
    assert found.select(shared).cast(pl.Float64).equals(mine.select(shared).cast(pl.Float64))
    [whole] = data.option_bars([ticker.removeprefix("O:")], day, day).iter_rows(named=True)
    assert (whole["volume"], whole["close"]) == (mine["volume"].sum(), mine["close"][-1])


def test_contracts_are_those_of_the_day(client, data, sandbox):
    ours = rest_reference.contracts(data.connection, "SPY")
    chain = data.chain("SPY", expiration_from=date(2025, 1, 1), expiration_to=date(2026, 1, 1))
    assert ours["occ_symbol"].to_list() == chain["occ_symbol"].to_list()
    assert not ours["adjusted"].any()
    puts = client.list_options_contracts(
        underlying_ticker="SPY", contract_type="put", strike_price_lte=590, expiration_date="2025-01-17"
    )
    found = list(puts)
    assert found == sorted(found, key=lambda contract: contract.ticker)
    assert {(c.contract_type, c.expiration_date) for c in found} == {("put", "2025-01-17")}
    assert max(contract.strike_price for contract in found) <= 590
    assert client.get_options_contract(found[0].ticker) == found[0]


def test_contracts_that_have_expired(data, sandbox):
    """As of the Monday after, the contracts of Friday are listed no more and can be asked for as expired."""
    friday, monday = date(2025, 1, 10), date(2025, 1, 13)
    live = rest_reference.contracts(data.connection, "SPY", as_of=monday)
    gone = rest_reference.contracts(data.connection, "SPY", as_of=monday, expired=True)
    assert friday not in live["expiration"].to_list()
    assert gone["expiration"].max() == friday
    known = rest_reference.contracts(data.connection, "SPY", expired=True)
    assert known["expiration"].max() == sandbox.last_session


def test_one_contract_is_what_the_chain_shows(client, sandbox, ten):
    chain = list(client.list_snapshot_options_chain("AAPL", params={"limit": 250, "contract_type": "call"}))
    ticker = chain[3].details.ticker
    found = client.get_snapshot_option("AAPL", ticker)
    assert (found.details, found.last_quote, found.greeks) == (
        chain[3].details,
        chain[3].last_quote,
        chain[3].greeks,
    )
    assert {snapshot.details.contract_type for snapshot in chain} == {"call"}
    assert found.fair_market_value is None
    rich = massive.RESTClient(api_key=sandbox.business_key, base=sandbox.rest_url)
    fair = rich.get_snapshot_option("AAPL", ticker).fair_market_value
    assert found.last_quote.bid <= fair <= found.last_quote.ask


@pytest.mark.parametrize(("name", "window"), [("sma", 5), ("ema", 5), ("rsi", 5), ("macd", None)])
def test_indicators_are_of_the_bars(data, sandbox, ten, name, window):
    day = sandbox.live_session
    found = rest_indicators.indicator(
        data.connection, name, "SPY", day, day, window=window, timespan="minute"
    )
    bars = data.minute_bars(["SPY"], et_ns(date(2025, 1, 2), "00:00"), ten)
    closes = bars["close"].to_numpy()
    expected = {
        "sma": lambda: talib.SMA(closes, 5),
        "ema": lambda: talib.EMA(closes, 5),
        "rsi": lambda: talib.RSI(closes, 5),
        "macd": lambda: talib.MACD(closes, 12, 26, 9)[0],
    }[name]()
    assert found["ts_ns"].to_list() == bars.filter(date=day)["ts_ns"].to_list()
    assert found["value"].to_numpy() == pytest.approx(expected[-30:])


def test_the_market_is_open_in_the_session(data, clock, sandbox):
    seen = []
    for moment in ("09:29", "12:00", "16:00", "20:00"):
        clock.sleep_until(et_ns(sandbox.live_session, moment))
        found = rest_market.market_status(data.connection)
        assert found.server_time == clock.now()
        seen.append(found.market)
    assert seen == ["extended-hours", "open", "extended-hours", "closed"]


def test_holidays_and_half_days_are_those_of_the_calendar(data):
    found = rest_market.holidays(data.connection).filter(exchange="NYSE")
    assert found["date"][:3].to_list() == [date(2025, 1, 9), date(2025, 1, 20), date(2025, 2, 17)]
    assert found["name"][:2].to_list() == ["National Day of Mourning", "Martin Luther King, Jr. Day"]
    half = found.filter(date=date(2025, 7, 3))
    assert half.select("status", "close_ns").row(0) == ("early-close", et_ns(date(2025, 7, 3), "13:00"))


def test_exchanges_are_those_of_the_quotes(market, data):
    quotes = simulate_session(market, 0).frames[Folder.OPTION_QUOTES]
    named = set(rest_market.exchanges(data.connection, "options")["exchange_id"])
    assert set(quotes["bid_exchange"].unique()) | set(quotes["ask_exchange"].unique()) <= named | {0}


def test_the_key_is_checked(sandbox):
    with pytest.raises(NotEntitledError, match=r"answered 401.*check the API key"):
        RestMarketData("wrong", sandbox.rest_url).minute_bars(["SPY"], 0, 10**18)


def test_a_small_plan_has_five_requests_a_minute(sandbox, clock):
    client = massive.RESTClient(api_key=sandbox.basic_key, base=sandbox.rest_url, retries=0)
    for _ in range(5):
        assert client.get_market_status().market == "extended-hours"
    clock.sleep_until(clock.now() + 20 * 10**9)
    url = f"{sandbox.rest_url}/v1/marketstatus/now?apiKey={sandbox.basic_key}"
    refused = client.client.request("GET", url, retries=False)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "40")
    clock.sleep_until(clock.now() + 40 * 10**9)
    assert client.get_market_status().market == "open"


def test_a_small_plan_has_no_data_of_the_day(sandbox):
    data = RestMarketData(sandbox.basic_key, sandbox.rest_url)
    day = sandbox.live_session
    assert data.day_bars(["SPY"], date(2025, 1, 2), sandbox.last_session).height == 3
    with pytest.raises(NotEntitledError, match="today's data before end of day"):
        data.day_bars(["SPY"], date(2025, 1, 2), day)
    with pytest.raises(NotEntitledError, match="not entitled to this data"):
        data.chain("SPY", expiration_from=day, expiration_to=day)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/aggs/ticker/SPY/range/5/second/2025-01-02/2025-01-03", 400),
        ("/v2/aggs/ticker/SPY/range/0/minute/2025-01-02/2025-01-03", 400),
        ("/v2/aggs/ticker/SPY/range/1/minute/yesterday/2025-01-03", 400),
        ("/v2/aggs/ticker/SPY/range/1/minute/2025-01-02/2025-01-03?limit=0", 400),
        ("/v3/snapshot/options/SPY?limit=251", 400),
        ("/v3/snapshot/options/SPY?cursor=%21", 400),
        ("/v3/reference/options/contracts?strike_price.gte=high", 400),
        ("/v3/reference/options/contracts?sort=colour", 400),
        ("/v3/reference/options/contracts/O:SPY250117C00000001", 404),
        ("/v3/snapshot/options/SPY/O:AAPL250117C00245000", 404),
        ("/v3/reference/tickers/NONE", 404),
        ("/v3/reference/tickers/SPY?date=1989-12-29", 404),
        ("/v3/reference/tickers/SPY?date=soon", 400),
        ("/v2/snapshot/locale/us/markets/stocks/tickers/NONE", 404),
        ("/v1/indicators/hma/SPY", 404),
        ("/v1/indicators/sma/SPY?window=0", 400),
        ("/v3/nothing", 404),
    ],
)
def test_bad_requests_are_refused(client, path, status):
    answer = client.client.request("GET", client.BASE + path, headers=client.headers)
    assert answer.status == status
