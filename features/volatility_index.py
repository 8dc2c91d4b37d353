"""Market-wide volatility: the VIX, and the index of its kind that is computed here from SPY's options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features import windows
from features.feature import FACT_WARM_UP, feature

if TYPE_CHECKING:
    from features.feature import FloatArray

_VIX, _OWN = "volatility_index", "own_index"
_POINTS = "vol per square root of a year"
_RANK = "0 at the lowest to 1 at the highest"


@feature("market", units=_POINTS, on=_VIX, windowed=True)
def vix_level(vix: FloatArray) -> FloatArray:
    """Return the VIX at its last close, as a decimal: 0.2 is 20 points."""
    return vix


@feature("market", units="log", lookback=6, on=_VIX, windowed=True)
def vix_change_5(vix: FloatArray) -> FloatArray:
    """Return the log of the VIX over its value 5 sessions earlier."""
    return np.log(vix / windows.lag(vix, 5))


@feature(
    "market",
    units=_RANK,
    lookback=252,
    on=_VIX,
    nulls=f"{FACT_WARM_UP.format(on=_VIX)}, and where it did not move in the window",
    windowed=True,
)
def vix_rank_252(vix: FloatArray) -> FloatArray:
    """Return where the VIX is in the range of its last 252 closes."""
    return windows.place_between(vix, vix, vix, 252)


@feature("market", units=_POINTS, on=_OWN, windowed=True)
def own_vix_level(own_vix: FloatArray) -> FloatArray:
    """Return the 30-day index of SPY's options at its last value of a session, as a decimal."""
    return own_vix


@feature("market", units="log", lookback=6, on=_OWN, windowed=True)
def own_vix_change_5(own_vix: FloatArray) -> FloatArray:
    """Return the log of the index over its value 5 sessions earlier."""
    return np.log(own_vix / windows.lag(own_vix, 5))
