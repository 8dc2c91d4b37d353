"""Volume features: trend, surprise, agreement with the price."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features import windows
from features.feature import WARM_UP, feature

if TYPE_CHECKING:
    from features.feature import FloatArray

_WINDOW = 20
_ROUNDING = 1e-12
_FLAT = f"{WARM_UP}, and where volume or price did not move in the window"
_IDLE = f"{WARM_UP}, and where nothing traded in the window"


@feature("volume", units="share of the mean", lookback=_WINDOW, nulls=_IDLE, windowed=True)
def volume_trend_5_20(volume: FloatArray) -> FloatArray:
    """Return the 5-bar mean volume over the 20-bar mean, minus 1."""
    return windows.mean(volume, 5) / windows.mean(volume, _WINDOW) - 1.0


@feature("volume", units="standard deviations", lookback=_WINDOW, nulls=_FLAT, windowed=True)
def volume_z_20(volume: FloatArray) -> FloatArray:
    """Return how many 20-bar standard deviations the volume is above its 20-bar mean."""
    return windows.z_score(volume, _WINDOW)


@feature("volume", units="log", lookback=2, nulls=_IDLE, windowed=True)
def volume_change_1(volume: FloatArray) -> FloatArray:
    """Return the log of the bar's volume over that of the bar before."""
    return np.log(volume / windows.lag(volume, 1))


@feature("volume", units="-1 to 1", lookback=_WINDOW + 1, nulls=_FLAT, windowed=True)
def volume_price_corr_20(close: FloatArray, volume: FloatArray) -> FloatArray:
    """Return the 20-bar correlation of one-bar returns with volume."""
    change = windows.growth(close, 1)
    return windows.correlation(change, volume, _WINDOW)


@feature("volume", units="mean volumes per bar", lookback=_WINDOW + 1, nulls=_IDLE, windowed=True)
def obv_slope_20(close: FloatArray, volume: FloatArray) -> FloatArray:
    """Return the least-squares slope of 20 bars of on-balance volume, over their mean volume.

    The slope of a running sum is a fixed weighting of what is summed, which needs no running sum.
    """
    signed = np.sign(close - windows.lag(close, 1)) * volume
    centred = np.arange(_WINDOW) - 0.5 * (_WINDOW - 1)
    weights = np.cumsum(centred[::-1])[::-1] / np.sum(centred * centred)
    return windows.weighted_sum(signed, weights) / windows.mean(volume, _WINDOW)


@feature(
    "volume",
    units="share of the price",
    name="vwap_distance_{bars}",
    lookback=lambda bars: bars,
    nulls=_IDLE,
    windowed=True,
    bars=(13, 65),
)
def vwap_distance(
    high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray, *, bars: int
) -> FloatArray:
    """Return close over the volume-weighted mean of the bars' typical prices, minus 1."""
    paid = windows.total((high + low + close) / 3.0 * volume, bars)
    return close / (paid / windows.total(volume, bars)) - 1.0


@feature("volume", units="0 all down to 1 all up", lookback=_WINDOW + 1, nulls=_FLAT, windowed=True)
def money_flow_20(high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray) -> FloatArray:
    """Return the share of 20 bars' money flow that went into rising typical prices: the MFI over 100."""
    typical = (high + low + close) / 3.0
    change, flow = windows.growth(typical, 1), typical * volume
    unknown = np.where(np.isnan(change), np.nan, 0.0)
    # Equal sums of other prices differ by rounding once a split has scaled them: that is no move.
    rising = windows.total(np.where(change > _ROUNDING, flow, unknown), _WINDOW)
    falling = windows.total(np.where(change < -_ROUNDING, flow, unknown), _WINDOW)
    return rising / (rising + falling)
