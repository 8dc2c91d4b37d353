"""Price features: returns, averages, momentum, bands."""

from __future__ import annotations

from functools import partial

import numpy as np

from features import windows
from features.feature import WARM_UP, Feature, FloatArray, Inputs

_EMA_FAST, _EMA_SLOW, _SIGNAL = 5, 10, 4
_RSI = 7


def features() -> tuple[Feature, ...]:
    """Return the price family."""
    close = ("close",)
    flat = f"{WARM_UP}, and where the price did not move in the window"
    ratio = "share of the price"
    return (
        *(
            Feature(f"return_{n}", "price", close, n + 1, ratio, partial(return_over, bars=n))
            for n in (1, 3, 13)
        ),
        Feature("gap", "price", ("open", "close"), 2, ratio, gap),
        Feature("sma_distance_20", "price", close, 20, ratio, sma_distance),
        Feature("ema_ratio_5_10", "price", close, 16 * _EMA_SLOW, ratio, ema_ratio),
        Feature("macd_histogram", "price", close, 16 * (_EMA_SLOW + _SIGNAL), ratio, macd_histogram),
        Feature("rsi_7", "price", close, 32 * _RSI, "0 to 100", rsi, nulls=flat),
        Feature("bollinger_z_20", "price", close, 20, "standard deviations", bollinger_z, nulls=flat),
    )


def return_over(inputs: Inputs, bars: int) -> FloatArray:
    """Return close over the close `bars` earlier, minus 1."""
    return inputs["close"] / windows.lag(inputs["close"], bars) - 1.0


def gap(inputs: Inputs) -> FloatArray:
    """Return the open over the previous bar's close, minus 1: overnight moves and halts."""
    return inputs["open"] / windows.lag(inputs["close"], 1) - 1.0


def sma_distance(inputs: Inputs) -> FloatArray:
    """Return close over its 20-bar simple average, minus 1."""
    return inputs["close"] / windows.mean(inputs["close"], 20) - 1.0


def ema_ratio(inputs: Inputs) -> FloatArray:
    """Return the 5-bar over the 10-bar exponential average, minus 1."""
    import talib

    fast = talib.EMA(inputs["close"], _EMA_FAST)
    return np.asarray(fast / talib.EMA(inputs["close"], _EMA_SLOW) - 1.0)


def macd_histogram(inputs: Inputs) -> FloatArray:
    """Return the MACD (5, 10) minus its 4-bar signal line, over the close."""
    import talib

    histogram = talib.MACD(inputs["close"], _EMA_FAST, _EMA_SLOW, _SIGNAL)[2]
    return np.asarray(histogram / inputs["close"])


def rsi(inputs: Inputs) -> FloatArray:
    """Return Wilder's relative strength index over 7 bars.

    TA-Lib answers 0, the most oversold value, where nothing moved at all; that is unknown here.
    """
    import talib

    close = inputs["close"]
    rows = np.arange(len(close))
    moved = np.concatenate(([False], np.diff(close) != 0.0))
    still = rows - np.maximum.accumulate(np.where(moved, rows, -1))
    return np.where(still < 32 * _RSI - 1, talib.RSI(close, _RSI), np.nan)


def bollinger_z(inputs: Inputs) -> FloatArray:
    """Return how many 20-bar standard deviations the close is above its 20-bar mean."""
    return windows.z_score(inputs["close"], 20)
