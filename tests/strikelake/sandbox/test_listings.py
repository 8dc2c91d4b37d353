from datetime import date

import polars as pl
import pytest

from strikelake.contracts import OptionContract
from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.flat_files import Folder
from strikelake.sandbox.listings import expirations, list_contracts, listed
from strikelake.sandbox.paths import stock_paths
from strikelake.sandbox.simulator import simulate, simulate_session


def test_a_friday_without_trading_expires_the_day_before():
    assert date(2025, 4, 17) in expirations(date(2025, 4, 1))
    assert date(2025, 4, 18) not in expirations(date(2025, 4, 1))


def test_weeklies_are_near_and_monthlies_far():
    found = [f"{day:%m-%d}" for day in expirations(date(2025, 1, 2))]
    weeklies = ["01-03", "01-10", "01-17", "01-24", "01-31"]
    assert found == [*weeklies, "02-21", "03-21", "04-17"]


def test_funds_have_dailies_and_the_ends_of_quarters():
    stock, fund = (set(expirations(date(2025, 1, 6), fund=fund)) for fund in (False, True))
    # 2025-01-09 was no session: what would expire then expires the day before.
    assert sorted(f"{day:%m-%d}" for day in fund - stock) == ["01-06", "01-07", "01-08", "01-13", "03-31"]


def test_tenors_reach_beyond_a_quarter():
    for month in range(1, 13):
        day = date(2025, month, 15)
        days = [(found - day).days for found in expirations(day)]
        assert min(days) <= 7
        assert max(days) >= 90


def test_a_split_adjusts_every_contract_that_lives_on():
    config = SimulatorConfig(symbols=("META",), sessions=2, start=date(2025, 2, 21))
    paths = stock_paths(config)
    contracts = list_contracts(config, paths)
    before, after = listed(contracts, paths, 0), listed(contracts, paths, 1)
    assert before.filter(pl.col("adjusted")).is_empty()
    adjusted = after.filter(pl.col("adjusted"))
    alive = before.filter(pl.col("expiration") >= date(2025, 2, 24))
    assert set(adjusted["adjusted_from"]) == set(alive["ticker"])
    pairs = adjusted.join(alive, left_on="adjusted_from", right_on="ticker", suffix="_before")
    assert (pairs["strike"] * 2).to_list() == pairs["strike_before"].to_list()
    assert adjusted["root"].unique().to_list() == ["META"]
    assert adjusted["ratio"].unique().to_list() == [2]
    assert alive["listed_to"].unique().to_list() == [date(2025, 2, 21)]
    assert not set(alive["ticker"]) & set(after["ticker"])


def test_contracts_stay_listed_until_they_expire(market):
    paths, contracts = market.paths, market.contracts
    seen: set[str] = set()
    for index, session in enumerate(paths.sessions):
        found = listed(contracts, paths, index)
        assert found["expiration"].min() >= session.date
        expired = contracts.filter(pl.col("expiration") < session.date)["ticker"].to_list()
        assert seen - set(expired) <= set(found["ticker"])
        seen |= set(found["ticker"])


def test_symbols_say_what_the_columns_say(market):
    assert market.contracts["ticker"].is_sorted()
    for row in market.contracts.head(50).iter_rows(named=True):
        parsed = OptionContract.parse(row["ticker"])
        assert (parsed.underlying, parsed.expiration) == (row["underlying"], row["expiration"])
        assert (parsed.option_type, float(parsed.strike)) == (row["option_type"], row["strike"])


def test_each_expiration_surrounds_the_price(market):
    spot = market.paths.price[0, 0]
    first = listed(market.contracts, market.paths, 0).filter(pl.col("underlying") == "AAPL")
    sides = first.group_by("expiration").agg(
        (pl.col("strike") < spot).sum().alias("below"), (pl.col("strike") > spot).sum().alias("above")
    )
    assert sides["below"].min() >= 10
    assert sides["above"].min() >= 10
    assert sides.height == 8


def test_a_reverse_split_leaves_the_strikes_and_takes_another_root():
    config = SimulatorConfig(symbols=("INTC",), sessions=2, start=date(2025, 3, 7))
    market = simulate(config)
    before, after = (listed(market.contracts, market.paths, index) for index in (0, 1))
    alive = before.filter(pl.col("expiration") > date(2025, 3, 7))
    adjusted = after.filter(pl.col("adjusted")).sort("ticker")
    assert adjusted["adjusted_from"].to_list() == alive.sort("ticker")["ticker"].to_list()
    assert adjusted["ticker"].to_list() == [
        ticker.replace("INTC", "INTC1") for ticker in adjusted["adjusted_from"]
    ]
    shown = adjusted.select("root", "ratio", "shares_per_contract").unique().rows()
    assert shown == [("INTC1", 1, 25.0)]
    # A strike of 20 dollars is far from the new price and may be listed: not under a symbol that was used.
    assert market.contracts["ticker"].is_unique().all()
    # The new shares cost four times as much, and have contracts of their own.
    own = after.filter(~pl.col("adjusted"))
    assert set(own["root"]) == {"INTC"}
    assert own["strike"].median() == pytest.approx(4 * before["strike"].median(), rel=0.1)


def test_a_quarter_of_a_contract_is_quoted_at_a_quarter():
    config = SimulatorConfig(symbols=("INTC",), sessions=2, start=date(2025, 3, 7))
    made = simulate_session(simulate(config), 1)
    quotes = made.frames[Folder.OPTION_QUOTES].with_columns(value=made.state.value)
    last = quotes.group_by("ticker", maintain_order=True).last().join(made.contracts, on="ticker")
    quarters = last.filter(pl.col("adjusted")).with_columns(strike=4 * pl.col("strike"))
    key = ["expiration", "option_type", "strike"]
    pairs = quarters.join(last.filter(~pl.col("adjusted")), on=key, suffix="_whole")
    pairs = pairs.filter(pl.col("value_whole") > 2.0)
    assert pairs.height > 10
    # Quoted minutes apart, so that they are not quite alike.
    assert (4 * pairs["value"] / pairs["value_whole"]).is_between(0.9, 1.1).all()
    middle = (pairs["bid_price"] + pairs["ask_price"]) / 2
    assert (middle / pairs["value"]).is_between(0.9, 1.1).all()
