"""Price features: returns, gaps, averages, momentum, bands, ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features import recursions, windows
from features.feature import WARM_UP, feature

if TYPE_CHECKING:
    from features.feature import FloatArray

_SHARE = "share of the price"
_FLAT = f"{WARM_UP}, and where the price did not move in the window"
_SPANS = 16
"""Spans after which nothing of an exponential average's start is left; Wilder's needs twice as many."""


def _macd_lookback(slow: int, signal: int) -> int:
    return _SPANS * (slow + signal)


@feature(
    "price",
    units=_SHARE,
    name="return_{bars}",
    lookback=lambda bars: bars + 1,
    windowed=True,
    bars=(1, 3, 13, 65),
)
def returns(close: FloatArray, *, bars: int) -> FloatArray:
    """Return close over the close some bars earlier, minus 1."""
    return windows.growth(close, bars)


@feature("price", units=_SHARE, lookback=2, windowed=True)
def gap(open: FloatArray, close: FloatArray) -> FloatArray:  # noqa: A002 - the column's name
    """Return the open over the previous bar's close, minus 1: overnight moves and halts."""
    return open / windows.lag(close, 1) - 1.0


@feature("price", units=_SHARE, windowed=True, nulls="never")
def bar_range(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Return the bar's high minus its low, over the close."""
    return (high - low) / close


@feature(
    "price", units="0 at the low to 1 at the high", windowed=True, nulls="null where the bar has no range"
)
def close_location(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Return where in the bar's range it closed."""
    return (close - low) / (high - low)


@feature(
    "price",
    units=_SHARE,
    name="sma_distance_{bars}",
    lookback=lambda bars: bars,
    windowed=True,
    bars=(20, 50),
)
def sma_distance(close: FloatArray, *, bars: int) -> FloatArray:
    """Return close over its simple moving average, minus 1."""
    return windows.above_mean(close, bars)


@feature(
    "price",
    units=_SHARE,
    name="sma_ratio_{fast}_{slow}",
    lookback=lambda slow: slow,
    windowed=True,
    fast=(10,),
    slow=(50,),
)
def sma_ratio(close: FloatArray, *, fast: int, slow: int) -> FloatArray:
    """Return the fast simple moving average over the slow one, minus 1."""
    return windows.mean(close, fast) / windows.mean(close, slow) - 1.0


@feature(
    "price", units=_SHARE, name="ema_distance_{span}", lookback=lambda span: _SPANS * span, span=(10, 20)
)
def ema_distance(close: FloatArray, *, span: int) -> FloatArray:
    """Return close over its exponential moving average, minus 1."""
    return recursions.ema_distance(close, span)


@feature(
    "price",
    units=_SHARE,
    name="ema_ratio_{fast}_{slow}",
    lookback=lambda slow: _SPANS * slow,
    fast=(5, 12),
    slow=(10, 26),
)
def ema_ratio(close: FloatArray, *, fast: int, slow: int) -> FloatArray:
    """Return the fast exponential moving average over the slow one, minus 1."""
    return recursions.ema_ratio(close, fast, slow)


@feature(
    "price",
    units=_SHARE,
    name="macd_{fast}_{slow}",
    lookback=lambda slow: _SPANS * slow,
    fast=(5, 12),
    slow=(10, 26),
)
def macd(close: FloatArray, *, fast: int, slow: int) -> FloatArray:
    """Return the MACD, the fast exponential average minus the slow one, over the close.

    Source: G. Appel, "The moving average convergence-divergence trading method", 1985.
    """
    return recursions.macd(close, fast, slow)


@feature(
    "price",
    units=_SHARE,
    name="macd_histogram_{fast}_{slow}_{signal}",
    lookback=_macd_lookback,
    fast=(5, 12),
    slow=(10, 26),
    signal=(4, 9),
)
def macd_histogram(close: FloatArray, *, fast: int, slow: int, signal: int) -> FloatArray:
    """Return the MACD minus its signal line, over the close."""
    return recursions.macd_histogram(close, fast, slow, signal)


@feature(
    "price",
    units="0 to 100",
    name="rsi_{bars}",
    lookback=lambda bars: 2 * _SPANS * bars,
    nulls=_FLAT,
    bars=(7, 14),
)
def rsi(close: FloatArray, *, bars: int) -> FloatArray:
    """Return Wilder's relative strength index.

    Source: J. W. Wilder, "New concepts in technical trading systems", 1978.
    """
    return recursions.relative_strength(close, bars, 2 * _SPANS * bars - 1)


@feature(
    "price",
    units="standard deviations",
    name="bollinger_z_{bars}",
    lookback=lambda bars: bars,
    nulls=_FLAT,
    windowed=True,
    bars=(20,),
)
def bollinger_z(close: FloatArray, *, bars: int) -> FloatArray:
    """Return how many standard deviations the close is above its mean: 2 is the upper Bollinger band."""
    return windows.z_score(close, bars)


@feature(
    "price",
    units=_SHARE,
    name="bollinger_width_{bars}",
    lookback=lambda bars: bars,
    nulls=_FLAT,
    windowed=True,
    bars=(20,),
)
def bollinger_width(close: FloatArray, *, bars: int) -> FloatArray:
    """Return the distance of the Bollinger bands, four standard deviations, over their mean."""
    return 4.0 * windows.deviation(close, bars) / windows.mean(close, bars)


@feature(
    "price",
    units="0 at the lowest low to 1 at the highest high",
    name="range_position_{bars}",
    lookback=lambda bars: bars,
    nulls=_FLAT,
    windowed=True,
    bars=(20,),
)
def range_position(high: FloatArray, low: FloatArray, close: FloatArray, *, bars: int) -> FloatArray:
    """Return where the close is in the window's range: the stochastic oscillator's raw %K over 100."""
    return windows.place_between(close, low, high, bars)


@feature("price", units=_SHARE, name="atr_{bars}", lookback=lambda bars: 2 * _SPANS * bars, bars=(7, 14))
def average_true_range(high: FloatArray, low: FloatArray, close: FloatArray, *, bars: int) -> FloatArray:
    """Return Wilder's average true range, over the close."""
    return recursions.true_range(high, low, close, bars)
