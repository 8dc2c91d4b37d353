"""Realised volatility features."""

from __future__ import annotations

import numpy as np

from features import windows
from features.feature import Feature, FloatArray, Inputs

_ATR, _WINDOW, _WEEK = 7, 26, 65
_SECONDS_PER_YEAR = 365 * 24 * 3600
REALISED_YEAR_LOOKBACK = _WEEK + 1
"""Bars that `realized_per_year` needs."""


def features() -> tuple[Feature, ...]:
    """Return the volatility family."""
    per_bar = "per square root of a bar"
    ranges = ("high", "low", "close")
    return (
        Feature("atr_7", "volatility", ranges, 32 * _ATR, "share of the price", average_true_range),
        Feature("realized_vol_26", "volatility", ("close",), _WINDOW + 1, per_bar, realized_vol),
        Feature("parkinson_vol_26", "volatility", ("high", "low"), _WINDOW, per_bar, parkinson_vol),
    )


def average_true_range(inputs: Inputs) -> FloatArray:
    """Return Wilder's average true range over 7 bars, over the close."""
    import talib

    found = talib.ATR(inputs["high"], inputs["low"], inputs["close"], _ATR)
    return np.asarray(found / inputs["close"])


def realized_vol(inputs: Inputs) -> FloatArray:
    """Return the root mean square of 26 close-to-close log returns."""
    return np.sqrt(windows.mean(_squared_returns(inputs["close"]), _WINDOW))


def parkinson_vol(inputs: Inputs) -> FloatArray:
    """Return Parkinson's volatility from the high-low ranges of 26 bars.

    Source: M. Parkinson, "The extreme value method for estimating the variance of the rate of return", 1980.
    """
    span = np.log(inputs["high"] / inputs["low"])
    return np.asarray(np.sqrt(windows.mean(span * span, _WINDOW) / (4.0 * np.log(2.0))))


def realized_per_year(inputs: Inputs) -> FloatArray:
    """Return the volatility of 65 close-to-close log returns, per square root of a year of 365 days.

    The variance is divided by the calendar time that the bars span: 65 half-hours are one week, weekend
    included, so the number compares with implied volatility whatever the bar.
    """
    elapsed = inputs["seconds"] - windows.lag(inputs["seconds"], _WEEK)
    total = windows.weighted_sum(_squared_returns(inputs["close"]), np.ones(_WEEK))
    return np.sqrt(total * _SECONDS_PER_YEAR / elapsed)


def _squared_returns(close: FloatArray) -> FloatArray:
    return np.log(close / windows.lag(close, 1)) ** 2
