"""Market-wide features: the index fund, strength and ranks within the universe, breadth.

The universe is part of these features: the live trader must see the underlyings that the training set saw.
Each input is made of every underlying's own last bars, and of the bars of one moment.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from features import windows
from features.feature import WARM_UP, feature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from features.facts import Facts
    from features.feature import FloatArray, IntArray
    from features.panel import Panel

INDEX_FUND = "SPY"
FEWEST = 3
"""Underlyings needed at a moment for a statement about the market."""

LONG, _MEAN = 13, 20
SHARE = "share of the price"
_NO_FUND = f"{WARM_UP}, and where {INDEX_FUND} has no bar at asof"
_FEW = f"{WARM_UP}, and where fewer than {FEWEST} underlyings have a bar at asof"
_RANK = "0 lowest to 1 highest"


@feature("market", units=SHARE, lookback=2, nulls=_NO_FUND, windowed=True)
def spy_return_1(fund_return_1: FloatArray) -> FloatArray:
    """Return the index fund's return over one bar."""
    return fund_return_1


@feature("market", units=SHARE, lookback=LONG + 1, nulls=_NO_FUND, windowed=True)
def spy_return_13(fund_return_13: FloatArray) -> FloatArray:
    """Return the index fund's return over 13 bars."""
    return fund_return_13


@feature("market", units=SHARE, lookback=LONG + 1, nulls=_FEW, windowed=True)
def relative_strength_13(own_return_13: FloatArray, market_return_13: FloatArray) -> FloatArray:
    """Return the 13-bar return minus its mean over all underlyings of the frame, this one included."""
    return own_return_13 - market_return_13


@feature("market", units="share of underlyings", lookback=LONG + 1, nulls=_FEW, windowed=True)
def breadth_13(rising_13: FloatArray) -> FloatArray:
    """Return the share of the underlyings whose price rose over 13 bars."""
    return rising_13


@feature("market", units="share of underlyings", lookback=_MEAN, nulls=_FEW, windowed=True)
def breadth_above_mean_20(above_mean_20: FloatArray) -> FloatArray:
    """Return the share of the underlyings whose close is above its 20-bar mean."""
    return above_mean_20


@feature("market", units=SHARE, lookback=LONG + 1, nulls=_FEW, windowed=True)
def dispersion_13(return_spread_13: FloatArray) -> FloatArray:
    """Return the standard deviation of the underlyings' 13-bar returns at the moment."""
    return return_spread_13


@feature("market", units=_RANK, lookback=LONG + 1, nulls=_FEW, windowed=True)
def rank_return_13(return_rank_13: FloatArray) -> FloatArray:
    """Return the rank of the 13-bar return among the underlyings; equal values share their mean rank."""
    return return_rank_13


@feature("market", units=_RANK, lookback=_MEAN, nulls=_FEW, windowed=True)
def rank_volume_20(volume_rank_20: FloatArray) -> FloatArray:
    """Return the rank among the underlyings of the volume over its own 20-bar mean."""
    return volume_rank_20


@feature("market", units=_RANK, lookback=_MEAN, nulls=_FEW, windowed=True)
def rank_range_20(range_rank_20: FloatArray) -> FloatArray:
    """Return the rank among the underlyings of the mean high-low range of 20 bars, over the close."""
    return range_rank_20


def own_return(panel: Panel, bars: int) -> FloatArray:
    """Return each bar's return over some bars."""
    return np.asarray(panel.columns["close"] / panel.lagged("close", bars) - 1.0)


def _windowed(panel: Panel, values: FloatArray) -> FloatArray:
    """Return values without those whose window reaches into another series."""
    panel.series.blank(values, _MEAN - 1)
    return values


def _above_mean(panel: Panel) -> FloatArray:
    return _windowed(panel, windows.above_mean(panel.columns["close"], _MEAN))


def _relative_volume(panel: Panel) -> FloatArray:
    return _windowed(panel, panel.columns["volume"] / windows.mean(panel.columns["volume"], _MEAN))


def _range(panel: Panel) -> FloatArray:
    columns = panel.columns
    return _windowed(panel, windows.mean((columns["high"] - columns["low"]) / columns["close"], _MEAN))


def _fund(panel: Panel, _: Facts, *, bars: int) -> FloatArray:
    """Return the fund's return at each bar's moment, NaN where it has no bar then."""
    result = np.full(len(panel), np.nan)
    if INDEX_FUND in panel.underlyings:
        rows = panel.names.slices[panel.underlyings.index(INDEX_FUND)]
        own, asof = own_return(panel, bars)[rows], panel.asof[rows]
        place = np.minimum(np.searchsorted(asof, panel.asof), len(asof) - 1)
        same = asof[place] == panel.asof
        result[same] = own[place[same]]
    return result


def _mean_at(groups: IntArray, values: FloatArray, fewest: int = FEWEST) -> FloatArray:
    """Return the mean over each group's rows, added in row order so that other rows cannot change a bit."""
    count, total = added_up(groups, values)
    return np.where(count >= fewest, total / np.maximum(count, 1), np.nan)[groups]


def added_up(groups: IntArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how many values of each group are known, and their sum."""
    known = np.isfinite(values)
    count = np.bincount(groups, weights=known.astype(np.float64))
    total = np.bincount(groups, weights=np.where(known, values, 0.0))
    return np.asarray(count, dtype=np.float64), np.asarray(total, dtype=np.float64)


def _share_at(groups: IntArray, values: FloatArray) -> FloatArray:
    """Return the share of each group's known values that are above zero."""
    return _mean_at(groups, np.where(np.isfinite(values), values > 0.0, np.nan))


def _market_return(panel: Panel, _: Facts) -> FloatArray:
    return _mean_at(panel.moments[1], own_return(panel, LONG))


def _rising(panel: Panel, _: Facts) -> FloatArray:
    return _share_at(panel.moments[1], own_return(panel, LONG))


def _above(panel: Panel, _: Facts) -> FloatArray:
    return _share_at(panel.moments[1], _above_mean(panel))


def _spread(panel: Panel, _: Facts) -> FloatArray:
    own, groups = own_return(panel, LONG), panel.moments[1]
    distance = own - _mean_at(groups, own)
    return np.sqrt(_mean_at(groups, distance * distance))


def _rank_at(groups: IntArray, values: FloatArray) -> FloatArray:
    """Return each known value's rank in its group, from 0 to 1."""
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.full(len(values), np.nan)
    order = known[np.lexsort((values[known], groups[known]))]
    group, value = groups[order], values[order]
    new_group = np.append(True, group[1:] != group[:-1])
    new_value = new_group | np.append(True, value[1:] != value[:-1])
    rows = np.arange(len(order))
    first = np.maximum.accumulate(np.where(new_group, rows, 0))
    count = np.bincount(group, minlength=int(groups.max()) + 1)[group]
    ties = np.cumsum(new_value) - 1
    mean_place = np.bincount(ties, weights=rows - first) / np.bincount(ties)
    ranks = np.full(len(values), np.nan)
    ranks[order] = np.where(count >= FEWEST, mean_place[ties] / np.maximum(count - 1, 1), np.nan)
    return ranks


def _return_rank(panel: Panel, _: Facts) -> FloatArray:
    return _rank_at(panel.moments[1], own_return(panel, LONG))


def _volume_rank(panel: Panel, _: Facts) -> FloatArray:
    return _rank_at(panel.moments[1], _relative_volume(panel))


def _range_rank(panel: Panel, _: Facts) -> FloatArray:
    return _rank_at(panel.moments[1], _range(panel))


def _own_long(panel: Panel, _: Facts) -> FloatArray:
    return own_return(panel, LONG)


INPUTS: Mapping[str, Callable[[Panel, Facts], FloatArray]] = {
    "own_return_13": _own_long,
    "fund_return_1": partial(_fund, bars=1),
    "fund_return_13": partial(_fund, bars=LONG),
    "market_return_13": _market_return,
    "rising_13": _rising,
    "above_mean_20": _above,
    "return_spread_13": _spread,
    "return_rank_13": _return_rank,
    "volume_rank_20": _volume_rank,
    "range_rank_20": _range_rank,
}
"""Inputs that this module computes."""
