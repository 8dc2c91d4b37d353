import polars as pl

from strikelake.calendar import et_ns
from strikelake.sandbox.bars import day_bars, stock_minutes

HEADER = ["ticker", "volume", "open", "close", "high", "low", "window_start", "transactions"]


def test_minute_bars_are_sound(market):
    bars = stock_minutes(market.config, market.paths, 0)
    assert bars.columns == HEADER
    assert bars.height == 2 * 390
    assert bars.equals(bars.sort("ticker", "window_start"))
    assert bars.filter(pl.col("high") < pl.max_horizontal("open", "close")).is_empty()
    assert bars.filter(pl.col("low") > pl.min_horizontal("open", "close")).is_empty()
    assert bars["volume"].min() > 0
    assert bars["volume"].sum() != bars["volume"].round().sum()
    assert bars["transactions"].min() >= 1
    assert (bars["open"] * 100).round(6).equals((bars["open"] * 100).round())


def test_bars_follow_one_another(market):
    bars = stock_minutes(market.config, market.paths, 0).filter(pl.col("ticker") == "AAPL")
    gaps = (bars["open"] - bars["close"].shift()).abs()
    assert gaps.max() < 0.2


def test_day_bars_aggregate_the_minutes(market):
    session = market.paths.sessions[0]
    minutes = stock_minutes(market.config, market.paths, 0)
    found = day_bars(minutes, session.date).filter(pl.col("ticker") == "SPY").row(0, named=True)
    spy = minutes.filter(pl.col("ticker") == "SPY")
    assert found == {
        "ticker": "SPY",
        "volume": round(spy["volume"].sum(), 6),
        "open": spy["open"][0],
        "close": spy["close"][-1],
        "high": spy["high"].max(),
        "low": spy["low"].min(),
        "window_start": et_ns(session.date, "00:00"),
        "transactions": spy["transactions"].sum(),
    }
