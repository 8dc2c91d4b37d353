"""European option prices under Black and Scholes with a continuous dividend yield.

Listed equity options are American. The European model is this version's stated simplification: it undervalues
early exercise, which matters for in-the-money puts and for calls before an ex-dividend date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.arrays import FloatArray, broadcast, normal_cdf, usable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def price(
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    vol: ArrayLike,
    dividend_yield: ArrayLike = 0.0,
) -> FloatArray:
    """Return option prices in dollars per share.

    Parameters
    ----------
    sign
        +1 for a call, -1 for a put. All inputs are scalars or arrays of one length.
    spot, strike
        Dollars per share, positive.
    years
        Time to expiration in years of 365 days; at 0 the price is the intrinsic value.
    rate, dividend_yield
        Continuously compounded, per year: 0.05 is 5 %.
    vol
        Per square root of a year: 0.2 is 20 %; at 0 the price is the discounted intrinsic value.

    Returns
    -------
    ndarray of float64
        In the inputs' common shape; NaN where an input is missing, infinite or outside its range.

    Raises
    ------
    ValueError
        When lengths differ or `sign` is neither +1 nor -1.

    Examples
    --------
    >>> price([1, -1], 100.0, 100.0, 1.0, 0.05, 0.2).round(4).tolist()
    [10.4506, 5.5735]
    """
    sign_, spot_, strike_, years_, rate_, vol_, yield_ = broadcast(
        sign=sign, spot=spot, strike=strike, years=years, rate=rate, vol=vol, dividend_yield=dividend_yield
    )
    with np.errstate(all="ignore"):
        held = spot_ * np.exp(-yield_ * years_)
        owed = strike_ * np.exp(-rate_ * years_)
        deviation = vol_ * np.sqrt(years_)
        d1 = np.log(held / owed) / deviation + 0.5 * deviation
        with_time = sign_ * (held * normal_cdf(sign_ * d1) - owed * normal_cdf(sign_ * (d1 - deviation)))
        value = np.where(deviation > 0.0, with_time, sign_ * (held - owed))
        good = usable(spot_, strike_, years_, sign_, rate_, vol_, yield_) & (vol_ >= 0.0)
        return np.where(good, np.maximum(value, 0.0), np.nan)
