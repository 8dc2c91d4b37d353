import numpy as np
import polars as pl
import pytest

from strikelake.calendar import NS_PER_MINUTE
from strikelake.sandbox.bars import day_bars
from strikelake.sandbox.flat_files import Folder
from strikelake.sandbox.simulator import session_frames
from strikelake.sandbox.surface import known_curve
from strikelake.sandbox.tape import listed, option_quotes


@pytest.fixture(scope="module")
def frames(market):
    return session_frames(market, 0)


@pytest.fixture(scope="module")
def quotes(frames):
    return frames[Folder.OPTION_QUOTES]


def test_every_contract_is_quoted_on_its_own_grid(market, quotes):
    session = market.paths.sessions[0]
    assert quotes.equals(quotes.sort("ticker", "sip_timestamp"))
    assert quotes["sip_timestamp"].is_between(session.open_ns, session.close_ns).all()
    steps = quotes.group_by("ticker").agg(pl.col("sip_timestamp").diff().drop_nulls().unique())
    assert steps["sip_timestamp"].to_list() == [[5 * NS_PER_MINUTE]] * steps.height
    offsets = quotes.group_by("ticker").first()["sip_timestamp"]
    assert offsets.n_unique() == offsets.len()


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


def test_spreads_are_whole_cents_and_wide_in_the_wings(quotes):
    two_sided = quotes.filter(pl.col("bid_price") > 0).with_columns(
        mid=(pl.col("bid_price") + pl.col("ask_price")) / 2, spread=pl.col("ask_price") - pl.col("bid_price")
    )
    assert two_sided["spread"].min() > 0.009
    cents = two_sided["spread"].to_numpy() * 100
    assert cents == pytest.approx(np.round(cents), abs=1e-6)
    relative = pl.col("spread") / pl.col("mid")
    wings = two_sided.filter(pl.col("mid") < 0.1).select(relative.median()).item()
    middle = two_sided.filter(pl.col("mid").is_between(2, 6)).select(relative.median()).item()
    assert 0.01 < middle < 0.05
    assert wings > 0.2


def test_a_missing_bid_is_zero_throughout_and_rare(quotes):
    missing = quotes.filter(pl.col("bid_price") == 0)
    assert 0 < missing.height < 0.15 * quotes.height
    assert missing["bid_size"].unique().to_list() == [0]
    assert missing["bid_exchange"].unique().to_list() == [0]
    assert missing["ask_price"].min() > 0


def test_quotes_surround_the_value(market, quotes):
    contracts = listed(market.contracts, market.paths, 0)
    _, state = option_quotes(market.config, market.paths, known_curve(market.curves, 0), contracts, 0)
    truth = quotes.with_columns(value=pl.Series(state.value.ravel()))
    inside = truth.filter(
        pl.col("value").is_between(pl.col("bid_price") - 0.011, pl.col("ask_price") + 0.011)
    )
    assert inside.height == truth.height


def test_prints_are_sparse(market, frames):
    minutes = frames[Folder.OPTION_MINUTE_BARS]
    per_contract = minutes.group_by("ticker").len()["len"]
    assert 2 <= per_contract.median() <= 7
    assert 0.5 < (minutes["high"] == minutes["low"]).mean() < 0.85
    assert minutes.select("ticker", "window_start").is_unique().all()
    assert minutes.equals(minutes.sort("ticker", "window_start"))
    assert minutes["low"].min() >= 0.01
    assert minutes["window_start"].max() < market.paths.sessions[0].close_ns


def test_option_day_bars_aggregate_the_prints(market, frames):
    day = market.paths.sessions[0].date
    assert frames[Folder.OPTION_DAY_BARS].equals(day_bars(frames[Folder.OPTION_MINUTE_BARS], day))
    assert frames[Folder.OPTION_DAY_BARS]["volume"].sum() == frames[Folder.OPTION_MINUTE_BARS]["volume"].sum()
