"""Volume features: trend, surprise, agreement with the price."""

from __future__ import annotations

import numpy as np

from features import windows
from features.feature import WARM_UP, Feature, FloatArray, Inputs

_WINDOW = 20


def features() -> tuple[Feature, ...]:
    """Return the volume family."""
    flat = f"{WARM_UP}, and where volume or price did not move in the window"
    idle = f"{WARM_UP}, and where nothing traded in the window"
    both = ("close", "volume")
    return (
        Feature(
            "volume_trend_5_20", "volume", ("volume",), 20, "share of the mean", volume_trend, nulls=idle
        ),
        Feature("volume_z_20", "volume", ("volume",), 20, "standard deviations", volume_z, nulls=flat),
        Feature("volume_price_corr_20", "volume", both, 21, "-1 to 1", volume_price_corr, nulls=flat),
        Feature("obv_slope_20", "volume", both, 21, "mean volumes per bar", obv_slope, nulls=idle),
    )


def volume_trend(inputs: Inputs) -> FloatArray:
    """Return the 5-bar mean volume over the 20-bar mean, minus 1."""
    return windows.mean(inputs["volume"], 5) / windows.mean(inputs["volume"], _WINDOW) - 1.0


def volume_z(inputs: Inputs) -> FloatArray:
    """Return how many 20-bar standard deviations the volume is above its 20-bar mean."""
    return windows.z_score(inputs["volume"], _WINDOW)


def volume_price_corr(inputs: Inputs) -> FloatArray:
    """Return the 20-bar correlation of one-bar returns with volume."""
    change = inputs["close"] / windows.lag(inputs["close"], 1) - 1.0
    return windows.correlation(change, inputs["volume"], _WINDOW)


def obv_slope(inputs: Inputs) -> FloatArray:
    """Return the least-squares slope of 20 bars of on-balance volume, over their mean volume.

    The slope of a running sum is a fixed weighting of what is summed, which needs no running sum.
    """
    close, volume = inputs["close"], inputs["volume"]
    signed = np.sign(close - windows.lag(close, 1)) * volume
    centred = np.arange(_WINDOW) - 0.5 * (_WINDOW - 1)
    weights = np.cumsum(centred[::-1])[::-1] / np.sum(centred * centred)
    return windows.weighted_sum(signed, weights) / windows.mean(volume, _WINDOW)
