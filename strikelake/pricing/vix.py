"""A 30-day volatility index from a chain of quotes, by the method of the Cboe's VIX.

The variance of one expiration is that of a portfolio of out-of-the-money options,

    sigma^2 = 2 / T  sum_i  dK_i / K_i^2  exp(R T) Q(K_i)  -  1 / T (F / K_0 - 1)^2,

and the index is the square root of the two nearest expirations' variances, interpolated in total variance to
30 days. It needs no model and no implied volatility.

Source: Cboe, "Volatility Index Methodology: Cboe Volatility Index", with its worked example.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.arrays import FloatArray, broadcast

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MINUTES_PER_YEAR = 525_600
TARGET_MINUTES = 43_200
"""30 days, which the index looks ahead."""

_ZERO_BIDS = 2  # after so many strikes in a row without a bid, farther ones are not looked at


@dataclass(frozen=True, slots=True)
class TermVariance:
    """What one expiration says.

    Attributes
    ----------
    variance
        Per year, a decimal: 0.04 is 20 % volatility; it may be negative on absurd quotes.
    forward
        In points: from the strike where call and put cost most nearly the same.
    at_the_money
        K_0, the highest strike that is not above the forward.
    strikes, contributions
        The strikes used, ascending, and what each adds to the sum: dK / K^2 exp(R T) Q(K).
    """

    variance: float
    forward: float
    at_the_money: float
    strikes: FloatArray
    contributions: FloatArray


def term_variance(
    strike: ArrayLike,
    call_bid: ArrayLike,
    call_ask: ArrayLike,
    put_bid: ArrayLike,
    put_ask: ArrayLike,
    years: float,
    rate: float,
) -> TermVariance | str:
    """Return the variance of one expiration, or in a few words why there is none.

    Parameters
    ----------
    strike
        In points, any order, each once; shape (n,).
    call_bid, call_ask, put_bid, put_ask
        Quotes; 0 or NaN is no bid, NaN no ask. Without an ask a strike is left out.
    years
        To settlement, in years of 525,600 minutes; positive.
    rate
        Continuous, per year.

    Returns
    -------
    TermVariance or str

    Notes
    -----
    Without a bid an option is left out, and beyond two strikes in a row without one all are. The call and the
    put at K_0 are averaged. dK is half the distance between the neighbours used, at the ends the whole.
    """
    columns = broadcast(strike=strike, call_bid=call_bid, call_ask=call_ask, put_bid=put_bid, put_ask=put_ask)
    order = np.argsort(columns[0])
    strikes, *sides = (column[order] for column in columns)
    call_bids, call_asks, put_bids, put_asks = (np.nan_to_num(side) for side in sides)
    calls, puts = 0.5 * (call_bids + call_asks), 0.5 * (put_bids + put_asks)
    quoted = (call_bids > 0.0) & (put_bids > 0.0) & (call_asks > 0.0) & (put_asks > 0.0)
    if not years > 0.0:
        return "no time to settlement"
    if not quoted.any():
        return "no strike with a call and a put"
    gaps = np.where(quoted, np.abs(calls - puts), np.inf)
    nearest = int(np.argmin(gaps))
    growth = float(np.exp(rate * years))
    forward = float(strikes[nearest] + growth * (calls[nearest] - puts[nearest]))
    center = int(np.searchsorted(strikes, forward, side="right")) - 1
    if center < 0 or not quoted[center]:
        return "no call and put at the forward"
    below = _outward(np.arange(center - 1, -1, -1), put_bids, put_asks)
    above = _outward(np.arange(center + 1, len(strikes)), call_bids, call_asks)
    used = np.array([*below[::-1], center, *above], dtype=np.int64)
    if not below or not above:
        return "no out-of-the-money quotes on one side"
    price = np.where(used < center, puts[used], calls[used])
    price[len(below)] = 0.5 * (calls[center] + puts[center])
    width = np.gradient(strikes[used], np.arange(len(used)))
    contributions = width / strikes[used] ** 2 * growth * price
    offset = (forward / strikes[center] - 1.0) ** 2
    variance = float((2.0 * contributions.sum() - offset) / years)
    return TermVariance(variance, forward, float(strikes[center]), strikes[used], contributions)


def _outward(
    places: np.ndarray[tuple[int], np.dtype[np.int64]], bids: FloatArray, asks: FloatArray
) -> list[int]:
    """Return the places with a bid, going outward until two in a row have none."""
    kept, missing = [], 0
    for place in places.tolist():
        if bids[place] > 0.0:
            missing = 0
            if asks[place] > 0.0:
                kept.append(place)
        else:
            missing += 1
            if missing == _ZERO_BIDS:
                break
    return kept


def index_value(near: float, near_minutes: float, following: float, following_minutes: float) -> float:
    """Return the index in points from the variances of two expirations.

    Parameters
    ----------
    near, following
        Variance per year of the two; `TermVariance.variance`.
    near_minutes, following_minutes
        To settlement, different; 30 days lie between them, or not far outside.

    Returns
    -------
    float
        100 times the root of the 30-day variance; NaN where that is negative.

    Examples
    --------
    >>> round(index_value(0.019233906, 34484, 0.019423884, 44954), 2)
    13.93
    """
    weight = (following_minutes - TARGET_MINUTES) / (following_minutes - near_minutes)
    total = near_minutes * near * weight + following_minutes * following * (1.0 - weight)
    return 100.0 * float(np.sqrt(total / TARGET_MINUTES)) if total >= 0.0 else float("nan")
