"""What the market tells of itself: open interest, news, indices and the reference files."""

import json
from datetime import date

import numpy as np
import polars as pl
import pytest

from strikelake.calendar import et_ns
from strikelake.sandbox import news
from strikelake.sandbox.classifications import SIC_CODES, classifications
from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.flat_files import Folder
from strikelake.sandbox.indices import fair_variance, index_minutes, volatility_index
from strikelake.sandbox.listings import list_contracts
from strikelake.sandbox.open_interest import open_interest
from strikelake.sandbox.paths import stock_paths
from strikelake.sandbox.simulator import simulate, simulate_session
from strikelake.sandbox.universe import STOCKS


@pytest.fixture(scope="module")
def interest(market):
    days = [simulate_session(market, index).frames[Folder.OPTION_DAY_BARS] for index in range(3)]
    volumes = [day.select("ticker", "volume") for day in days]
    return volumes, open_interest(market.config, market.paths, market.contracts, volumes)


def test_open_interest_is_out_the_next_morning(market, interest):
    _, found = interest
    days = found["date"].unique().sort().to_list()
    assert days == [date(2024, 12, 31), date(2025, 1, 2), date(2025, 1, 3), date(2025, 1, 6)]
    last = found.filter(pl.col("date") == date(2025, 1, 3))
    assert last["available_at"].unique().to_list() == [et_ns(date(2025, 1, 6), "06:30")]
    assert found["open_interest"].min() == 0
    assert found.equals(found.sort("date", "ticker"))


def test_open_interest_changes_by_no_more_than_is_traded(interest):
    volumes, found = interest
    changed = found.with_columns(change=pl.col("open_interest").diff().over("ticker")).filter(
        pl.col("date") == date(2025, 1, 3)
    )
    beside = changed.join(volumes[1], on="ticker", how="left").fill_null(0)
    assert (beside["change"].abs() <= beside["volume"]).all()
    assert (beside["change"] != 0).sum() > 50


def test_open_interest_doubles_in_a_split():
    config = SimulatorConfig(symbols=("META",), sessions=2, start=date(2025, 2, 21))
    paths = stock_paths(config)
    contracts = list_contracts(config, paths)
    nothing = pl.DataFrame(schema={"ticker": pl.String, "volume": pl.Int64})
    found = open_interest(config, paths, contracts, [nothing, nothing])
    before, after = (found.filter(pl.col("date") == day) for day in (date(2025, 2, 21), date(2025, 2, 24)))
    pairs = contracts.filter(pl.col("adjusted")).select("ticker", "adjusted_from")
    joined = pairs.join(after, on="ticker").join(before, left_on="adjusted_from", right_on="ticker")
    assert joined.height == pairs.height
    assert (joined["open_interest"] == 2 * joined["open_interest_right"]).all()
    assert joined["open_interest"].sum() > 0


def test_the_volatility_index_is_what_its_surface_costs(market):
    bars = index_minutes(market.config, market.paths, market.clock, 0)
    assert bars.columns == ["ticker", "open", "close", "high", "low", "window_start"]
    assert bars["ticker"].unique().sort().to_list() == ["I:SPX", "I:VIX"]
    vix = bars.filter(pl.col("ticker") == "I:VIX")
    assert 8.0 < vix["close"].min() <= vix["close"].max() < 45.0
    assert (bars["high"] >= bars["low"]).all()


def test_a_skewed_strip_costs_more_than_the_money_s_variance():
    theta = 0.0016
    assert theta < fair_variance(theta) < 1.6 * theta


def test_the_volatility_index_rises_with_variance(market):
    session, clock = market.paths.sessions[0], market.clock
    moments, now = np.full(2, session.open_ns), np.full(2, clock.node[0])
    calm, wild = volatility_index(clock, now, moments, np.array([0.01, 0.09]))
    assert calm < wild


def test_articles_have_the_vendors_shape_and_lean_towards_the_interest():
    config = SimulatorConfig(symbols=("AAPL", "TSLA"), sessions=80, edge=0.0)
    paths = stock_paths(config)
    found = news.articles(config, paths)
    assert found == news.articles(config, paths)
    assert [a["published_utc"] for a in found] == sorted(a["published_utc"] for a in found)
    assert len({a["id"] for a in found}) == len(found)
    assert set(found[0]) >= {"id", "publisher", "title", "author", "published_utc", "article_url", "tickers"}
    sentiments = [a["insights"][0]["sentiment"] for a in found]
    assert set(sentiments) == {"positive", "neutral", "negative"}
    assert 90 < len(found) < 170


def test_only_what_is_announced_is_told(tmp_path):
    from strikelake.sandbox import reference

    # Two sessions before the end of January: META's split is declared, MSFT's dividend of February too.
    market = simulate(SimulatorConfig(symbols=("META", "MSFT", "SPY"), sessions=1, start=date(2025, 1, 29)))
    reference.write(market, tmp_path / "reference")
    tables = {path.stem: pl.read_csv(path) for path in (tmp_path / "reference").glob("*.csv")}
    assert tables["splits"].rows() == [("META", "2025-02-24", 1, 2, "2025-01-29")]
    assert tables["dividends"]["ticker"].to_list() == ["MSFT"]
    assert tables["dividends"]["cash_amount"].to_list() == [0.83]
    earnings = tables["earnings"]
    assert earnings.filter(pl.col("report_date") < "2025-01-30").null_count()["eps_actual"].item() == 0
    assert tables["tickers"]["type"].to_list() == ["CS", "CS", "ETF", "INDEX", "INDEX"]
    lines = (tmp_path / "reference" / "news.jsonl").read_text().splitlines()
    assert all(json.loads(line)["tickers"] for line in lines)


@pytest.mark.parametrize(
    ("sessions", "codes"),
    [(19, [("AMZN", 5961), ("SPY", None)]), (20, [("AMZN", 5961), ("AMZN", 7374), ("SPY", None)])],
)
def test_a_company_that_moves_is_told_once_it_has(sessions, codes):
    config = SimulatorConfig(symbols=("AMZN", "SPY"), sessions=sessions)
    today = stock_paths(config).sessions[-1].date
    found = classifications(config, date(1990, 1, 2), today)
    assert found.select("ticker", "sic_code").rows() == codes
    assert set(found["security_type"]) == {"CS", "ETF"}


def test_every_company_of_the_market_has_a_code_and_no_fund_has_one():
    companies = {stock.ticker for stock in STOCKS if not stock.fund}
    assert set(SIC_CODES) == companies
