"""Quotes and trades: their form, and their proportions beside those of AAPL on 2014-06-06."""

import numpy as np
import polars as pl
import pytest

from strikelake.calendar import NS_PER_MINUTE
from strikelake.sandbox.flat_files import Folder
from strikelake.sandbox.prints import minute_bars
from strikelake.sandbox.seconds import day_bars
from strikelake.sandbox.simulator import simulate_session

REAL_DAY = "2014/06/2014-06-06.csv.gz"


@pytest.fixture(scope="module")
def made(market):
    return simulate_session(market, 0)


@pytest.fixture(scope="module")
def frames(made):
    return made.frames


@pytest.fixture(scope="module")
def quotes(frames):
    return frames[Folder.OPTION_QUOTES]


def test_every_contract_is_quoted_at_the_open_and_then_on_a_grid_of_its_own(market, made, quotes):
    session = market.paths.sessions[0]
    assert quotes.equals(quotes.sort("ticker", "sip_timestamp"))
    assert quotes["sip_timestamp"].is_between(session.open_ns, session.close_ns).all()
    assert quotes["ticker"].unique().sort().equals(made.contracts["ticker"])
    first = quotes.group_by("ticker", maintain_order=True).first()["sip_timestamp"]
    assert (first < session.open_ns + 5 * NS_PER_MINUTE).all()
    assert first.n_unique() == first.len()
    steps = quotes.select(pl.col("sip_timestamp").diff().over("ticker")).drop_nulls().to_series()
    assert (steps % (5 * NS_PER_MINUTE) == 0).all()
    assert steps.max() == 30 * NS_PER_MINUTE
    assert set(quotes.group_by("ticker").len()["len"]) <= {13, 14, 78}


def test_quotes_have_the_vendors_columns_and_a_sequence_in_time(quotes):
    assert quotes.columns == [
        "ticker",
        "ask_exchange",
        "ask_price",
        "ask_size",
        "bid_exchange",
        "bid_price",
        "bid_size",
        "sequence_number",
        "sip_timestamp",
    ]
    assert quotes.sort("sequence_number")["sip_timestamp"].is_sorted()
    assert quotes["sequence_number"].n_unique() == quotes.height


def test_prices_keep_the_exchanges_ticks(quotes):
    """Pennies below three dollars and for funds, nickels else; a spread may straddle the three dollars."""
    apple = quotes.filter(pl.col("ticker").str.starts_with("O:AAPL") & (pl.col("bid_price") > 3.5))
    nickels = apple["bid_price"].to_numpy() * 20
    assert nickels == pytest.approx(np.round(nickels), abs=1e-6)
    funds = quotes.filter(pl.col("ticker").str.starts_with("O:SPY") & (pl.col("bid_price") > 3.5))
    assert ((funds["bid_price"] * 100).round() % 5 != 0).mean() > 0.5


def test_a_missing_bid_is_zero_throughout(quotes):
    missing = quotes.filter(pl.col("bid_price") == 0)
    assert missing["bid_size"].unique().to_list() == [0]
    assert missing["bid_exchange"].unique().to_list() == [0]
    assert missing["ask_price"].min() > 0


def test_quotes_surround_the_value_but_for_the_locked_and_crossed(made, quotes):
    truth = quotes.with_columns(value=pl.Series(made.state.value)).filter(
        pl.col("ask_price") > pl.col("bid_price")
    )
    inside = pl.col("value").is_between(pl.col("bid_price") - 0.026, pl.col("ask_price") + 0.026)
    assert truth.filter(inside).height == truth.height
    assert truth.height < quotes.height


def test_bars_are_made_of_the_trades(market, frames):
    trades, minutes = frames[Folder.OPTION_TRADES], frames[Folder.OPTION_MINUTE_BARS]
    session = market.paths.sessions[0]
    assert trades.columns == [
        "ticker", "conditions", "correction", "exchange", "price", "sip_timestamp", "size",
    ]  # fmt: skip
    assert trades.equals(trades.sort("ticker", "sip_timestamp", maintain_order=True))
    assert trades["sip_timestamp"].is_between(session.open_ns, session.close_ns - 1).all()
    assert trades["price"].min() >= 0.01
    assert minutes.equals(minute_bars(trades))
    assert minutes["volume"].sum() == trades["size"].sum()
    assert minutes.equals(minutes.sort("ticker", "window_start"))
    assert minutes.select("ticker", "window_start").is_unique().all()
    assert frames[Folder.OPTION_DAY_BARS].equals(day_bars(minutes, session.date))


def test_trades_are_near_the_quotes(made, frames, quotes):
    """At a minute's distance the underlying has moved, so only most are inside."""
    near = made.contracts.select("ticker").with_columns(pl.lit(1))
    trades = frames[Folder.OPTION_TRADES].join(near, on="ticker")
    beside = (
        trades.sort("sip_timestamp")
        .join_asof(
            quotes.sort("sip_timestamp").select("ticker", "sip_timestamp", "bid_price", "ask_price"),
            on="sip_timestamp",
            by="ticker",
            tolerance=NS_PER_MINUTE,
            check_sortedness=False,
        )
        .drop_nulls("bid_price")
    )
    inside = beside["price"].is_between(beside["bid_price"] - 0.1, beside["ask_price"] + 0.1)
    assert inside.mean() > 0.8


def proportions(minutes, quotes):
    """What makes a chain look real: sparse prints, few prices in a bar, missing bids, spreads."""
    per_contract = minutes.group_by("ticker").len()["len"]
    two_sided = quotes.filter((pl.col("bid_price") > 0) & (pl.col("ask_price") > pl.col("bid_price")))
    sided = two_sided.with_columns(mid=(pl.col("bid_price") + pl.col("ask_price")) / 2).with_columns(
        spread=(pl.col("ask_price") - pl.col("bid_price")) / pl.col("mid")
    )
    return {
        "traded": per_contract.len() / quotes["ticker"].n_unique(),
        "bars": per_contract.median(),
        "bars_p90": per_contract.quantile(0.9),
        "single": (minutes["high"] == minutes["low"]).mean(),
        "no_bid": (quotes["bid_price"] == 0).mean(),
        "crossed": (quotes["bid_price"] > quotes["ask_price"]).mean(),
        "wings": sided.filter(pl.col("mid") < 0.1)["spread"].median(),
    }


@pytest.mark.real
def test_the_proportions_are_those_of_a_real_chain(market, real_data):
    made = [simulate_session(market, index) for index in range(4)]
    apple = pl.col("ticker").str.starts_with("O:AAPL")
    ours = proportions(
        *(
            pl.concat(
                # A contract of another day counts as another contract.
                [m.frames[f].filter(apple).with_columns(pl.col("ticker") + f" {m.index}") for m in made]
            )
            for f in (Folder.OPTION_MINUTE_BARS, Folder.OPTION_QUOTES)
        )
    )
    options = real_data / "flatfiles" / "us_options_opra"
    theirs = proportions(
        *(pl.read_csv(options / kind / REAL_DAY).filter(apple) for kind in ("minute_aggs_v1", "quotes_v1"))
    )
    # Median of four bars a contract, 71 % single-price bars, 5 % without a bid, two thirds in the wings.
    assert ours["bars"] == pytest.approx(theirs["bars"], abs=2)
    assert ours["bars_p90"] == pytest.approx(theirs["bars_p90"], rel=0.5)
    assert ours["single"] == pytest.approx(theirs["single"], abs=0.08)
    assert ours["no_bid"] == pytest.approx(theirs["no_bid"], abs=0.05)
    assert ours["traded"] == pytest.approx(theirs["traded"], abs=0.2)
    assert ours["wings"] == pytest.approx(theirs["wings"], rel=0.5)
    assert ours["crossed"] < 0.002
    assert theirs["crossed"] > 0.0


def test_spreads_at_the_money_are_a_few_percent(made, quotes):
    state = made.state
    away = np.abs(np.log(state.spot / state.forward))
    strikes = quotes["ticker"].str.slice(-8).cast(pl.Float64).to_numpy() / 1000.0
    near = (np.abs(np.log(strikes / state.forward)) < 0.01) & (away < 1.0)
    mid = ((quotes["bid_price"] + quotes["ask_price"]) / 2).to_numpy()
    spread = (quotes["ask_price"] - quotes["bid_price"]).to_numpy() / mid
    apple = quotes["ticker"].str.starts_with("O:AAPL").to_numpy()
    assert np.median(spread[near & apple]) == pytest.approx(0.026, abs=0.012)
