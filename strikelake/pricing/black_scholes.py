"""European option prices under Black and Scholes with a continuous dividend yield.

Listed equity options are American: `strikelake.pricing.american` and `strikelake.pricing.chain` value their
early exercise, which matters for in-the-money puts and for calls before an ex-dividend date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.arrays import FloatArray, broadcast, flat, in_blocks

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
    from strikelake.pricing.european_kernels import price_rows

    inputs = broadcast(
        sign=sign, spot=spot, strike=strike, years=years, rate=rate, vol=vol, dividend_yield=dividend_yield
    )
    value = np.empty(inputs[0].shape)
    in_blocks(price_rows, flat(inputs), [value.reshape(-1)])
    return value
