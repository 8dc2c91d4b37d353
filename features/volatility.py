"""Volatility features: realised from bars, implied from options, and the premium between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features import windows
from features.feature import FACT_WARM_UP, WARM_UP, feature

if TYPE_CHECKING:
    from features.feature import FloatArray

_WINDOW, _WEEK = 26, 65
_SECONDS_PER_YEAR = 365 * 24 * 3600
_PER_BAR = "per square root of a bar"
_PER_YEAR = "vol per square root of a year"
_NO_IV = "null without an option row of the last 7 days, or where that row is null"
_FLAT = f"{FACT_WARM_UP.format(on='options')}, and where the volatility did not move in the window"


@feature(
    "volatility",
    units=_PER_BAR,
    name="realized_vol_{bars}",
    lookback=lambda bars: bars + 1,
    windowed=True,
    bars=(13, 26, 65),
)
def realized_vol(close: FloatArray, *, bars: int) -> FloatArray:
    """Return the root mean square of the close-to-close log returns."""
    return np.sqrt(windows.mean(_squared_returns(close), bars))


@feature("volatility", units=_PER_BAR, lookback=_WINDOW, windowed=True)
def parkinson_vol_26(high: FloatArray, low: FloatArray) -> FloatArray:
    """Return Parkinson's volatility from the high-low ranges of 26 bars.

    Source: M. Parkinson, "The extreme value method for estimating the variance of the rate of return", 1980.
    """
    span = np.log(high / low)
    return np.asarray(np.sqrt(windows.mean(span * span, _WINDOW) / (4.0 * np.log(2.0))))


@feature(
    "volatility",
    units=_PER_BAR,
    lookback=_WINDOW,
    nulls=f"{WARM_UP}, and where the estimate is negative",
    windowed=True,
)
def garman_klass_vol_26(
    open: FloatArray,  # noqa: A002 - the column's name
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
) -> FloatArray:
    """Return the Garman-Klass volatility of 26 bars, from open, high, low and close.

    Source: M. Garman and M. Klass, "On the estimation of security price volatilities from historical data",
    1980.
    """
    span, move = np.log(high / low), np.log(close / open)
    daily = 0.5 * span * span - (2.0 * np.log(2.0) - 1.0) * move * move
    return np.asarray(np.sqrt(windows.mean(daily, _WINDOW)))


@feature("volatility", units=_PER_BAR, lookback=_WINDOW + 1, windowed=True)
def yang_zhang_vol_26(
    open: FloatArray,  # noqa: A002 - the column's name
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
) -> FloatArray:
    """Return the Yang-Zhang volatility of 26 bars: gaps, opening moves and ranges, free of drift.

    Source: D. Yang and Q. Zhang, "Drift-independent volatility estimation based on high, low, open and close
    prices", 2000.
    """
    jump = np.log(open / windows.lag(close, 1))
    move, up, down = np.log(close / open), np.log(high / open), np.log(low / open)
    satchell = windows.mean(up * (up - move) + down * (down - move), _WINDOW)
    unbiased = _WINDOW / (_WINDOW - 1.0)
    weight = 0.34 / (1.34 + (_WINDOW + 1.0) / (_WINDOW - 1.0))
    gaps = unbiased * windows.covariance(jump, jump, _WINDOW)
    moves = unbiased * windows.covariance(move, move, _WINDOW)
    return np.asarray(np.sqrt(gaps + weight * moves + (1.0 - weight) * satchell))


@feature("volatility", units="log", lookback=_WEEK + 1, windowed=True)
def vol_ratio_13_65(close: FloatArray) -> FloatArray:
    """Return the log of realised volatility over 13 bars over that of 65: whether it rises or calms down."""
    squared = _squared_returns(close)
    return np.asarray(0.5 * np.log(windows.mean(squared, 13) / windows.mean(squared, _WEEK)))


@feature("volatility", units=_PER_YEAR, lookback=_WEEK + 1, windowed=True)
def realized_vol_year_65(close: FloatArray, seconds: FloatArray) -> FloatArray:
    """Return the volatility of 65 close-to-close log returns, per square root of a year of 365 days.

    The variance is divided by the calendar time that the bars span: 65 half-hours are one week, weekend
    included, so the number compares with implied volatility whatever the bar.
    """
    elapsed = seconds - windows.lag(seconds, _WEEK)
    total = windows.total(_squared_returns(close), _WEEK)
    return np.sqrt(total * _SECONDS_PER_YEAR / elapsed)


@feature("volatility", units=_PER_YEAR, on="options", nulls=_NO_IV, windowed=True)
def atm_iv(atm_iv: FloatArray) -> FloatArray:
    """Return the at-the-money implied volatility at 30 days."""
    return atm_iv


@feature("volatility", units=_PER_YEAR, lookback=2, on="options", windowed=True)
def atm_iv_change(atm_iv: FloatArray) -> FloatArray:
    """Return the change of the at-the-money implied volatility since the session before."""
    return atm_iv - windows.lag(atm_iv, 1)


@feature(
    "volatility",
    units="0 at the lowest to 1 at the highest",
    name="iv_rank_{sessions}",
    lookback=lambda sessions: sessions,
    on="options",
    nulls=_FLAT,
    windowed=True,
    sessions=(20, 252),
)
def iv_rank(atm_iv: FloatArray, *, sessions: int) -> FloatArray:
    """Return where the implied volatility is in the range of the last sessions, this one included."""
    return windows.place_between(atm_iv, atm_iv, atm_iv, sessions)


@feature(
    "volatility",
    units=_PER_YEAR,
    lookback=_WEEK + 1,
    available_at="the end of the bar; the newest option row with available_at <= asof",
    nulls=f"{_NO_IV}; {WARM_UP}",
    windowed=True,
)
def vol_premium(close: FloatArray, seconds: FloatArray, atm_iv: FloatArray) -> FloatArray:
    """Return implied minus realised volatility: at the money at 30 days against the last 65 bars."""
    return atm_iv - realized_vol_year_65(close, seconds)


@feature(
    "volatility",
    units="variance per year",
    lookback=_WEEK + 1,
    available_at="the end of the bar; the newest option row with available_at <= asof",
    nulls=f"{_NO_IV}; {WARM_UP}",
    windowed=True,
)
def variance_premium(close: FloatArray, seconds: FloatArray, atm_iv: FloatArray) -> FloatArray:
    """Return implied minus realised variance: what a variance swap would have to pay for.

    Source: P. Carr and L. Wu, "Variance risk premiums", 2009.
    """
    realized = realized_vol_year_65(close, seconds)
    return atm_iv * atm_iv - realized * realized


def _squared_returns(close: FloatArray) -> FloatArray:
    return np.log(close / windows.lag(close, 1)) ** 2
