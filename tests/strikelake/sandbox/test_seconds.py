import numpy as np
import polars as pl
import pytest

from strikelake.calendar import NS_PER_SECOND, et_ns
from strikelake.sandbox.flat_files import Folder
from strikelake.sandbox.seconds import day_bars, second_paths, stock_minutes
from strikelake.sandbox.simulator import simulate_session
from strikelake.sandbox.stock_ticks import second_bars

HEADER = ["ticker", "volume", "open", "close", "high", "low", "window_start", "transactions"]


@pytest.fixture(scope="module")
def frames(market):
    return simulate_session(market, 0, ticks=True).frames


@pytest.fixture(scope="module")
def bars(frames):
    return frames[Folder.STOCK_MINUTE_BARS]


def test_minute_bars_are_sound(bars):
    assert bars.columns == HEADER
    assert bars.height == 2 * 390
    assert bars.equals(bars.sort("ticker", "window_start"))
    assert bars.filter(pl.col("high") < pl.max_horizontal("open", "close")).is_empty()
    assert bars.filter(pl.col("low") > pl.min_horizontal("open", "close")).is_empty()
    assert bars["volume"].min() > 0
    assert bars["volume"].sum() != bars["volume"].round().sum()
    assert bars["transactions"].is_between(1, 60).all()
    assert (bars["open"] * 100).round(6).equals((bars["open"] * 100).round())


def test_bars_follow_one_another(bars):
    apple = bars.filter(pl.col("ticker") == "AAPL")
    assert (apple["open"] - apple["close"].shift()).abs().max() < 0.3


def test_a_minute_ends_at_its_node(market, bars):
    closes = bars.filter(pl.col("ticker") == "AAPL")["close"].to_numpy()
    nodes = market.paths.price[market.paths.nodes(0), 0][1:]
    assert closes == pytest.approx(nodes, abs=0.0051)


def test_seconds_are_as_volatile_as_their_minutes(market):
    moves = np.diff(np.log(second_paths(market.config, market.paths, 0).price), axis=2)
    minutes = np.diff(np.log(market.paths.price[market.paths.nodes(0)]), axis=0)
    assert moves.std() * np.sqrt(60) == pytest.approx(minutes.std(), rel=0.15)


def test_bars_and_seconds_are_made_of_the_trades(frames, bars):
    trades = frames[Folder.STOCK_TRADES]
    assert trades.equals(trades.sort("ticker", "sip_timestamp"))
    assert trades["sip_timestamp"].is_sorted() is False
    minute = (pl.col("sip_timestamp") // (60 * NS_PER_SECOND) * 60 * NS_PER_SECOND).alias("window_start")
    found = trades.group_by("ticker", minute, maintain_order=True).agg(
        pl.col("size").sum().round(4).alias("volume"),
        pl.col("price").first().alias("open"),
        pl.col("price").last().alias("close"),
        pl.col("price").max().alias("high"),
        pl.col("price").min().alias("low"),
        pl.len().cast(pl.Int64).alias("transactions"),
    )
    assert found.drop("volume").equals(bars.select(found.columns).drop("volume"))
    assert found["volume"].to_numpy() == pytest.approx(bars["volume"].to_numpy(), abs=1e-3)
    seconds = second_bars(trades)
    assert seconds.height == trades.height
    assert seconds["volume"].sum() == pytest.approx(bars["volume"].sum())


def test_stock_quotes_surround_the_trades(frames):
    quotes = frames[Folder.STOCK_QUOTES]
    assert quotes.height == 2 * 390 * 6
    assert (quotes["ask_price"] - quotes["bid_price"]).is_between(0.0099, 0.05).all()
    beside = frames[Folder.STOCK_TRADES].join_asof(
        quotes.select("ticker", "sip_timestamp", "bid_price", "ask_price").sort("sip_timestamp"),
        on="sip_timestamp",
        by="ticker",
        check_sortedness=False,
    )
    near = (beside["price"] - (beside["bid_price"] + beside["ask_price"]) / 2).abs()
    assert near.drop_nulls().median() < 0.1


def test_day_bars_aggregate_the_minutes(market, bars):
    session = market.paths.sessions[0]
    found = day_bars(bars, session.date).filter(pl.col("ticker") == "SPY").row(0, named=True)
    spy = bars.filter(pl.col("ticker") == "SPY")
    assert found == {
        "ticker": "SPY",
        "volume": round(spy["volume"].sum(), 4),
        "open": spy["open"][0],
        "close": spy["close"][-1],
        "high": spy["high"].max(),
        "low": spy["low"].min(),
        "window_start": et_ns(session.date, "00:00"),
        "transactions": spy["transactions"].sum(),
    }


def test_prices_are_looked_up_at_the_end_of_the_last_full_second(market):
    seconds = second_paths(market.config, market.paths, 0)
    at = seconds.at(np.array([1, 1]), np.array([61 * NS_PER_SECOND, 61 * NS_PER_SECOND + 999_999_999]))
    assert at.tolist() == [seconds.price[1, 1, 0]] * 2


def test_the_same_seconds_make_the_same_bars(market, bars):
    again = stock_minutes(market.config, market.paths, second_paths(market.config, market.paths, 0), 0)
    assert again.equals(bars)
