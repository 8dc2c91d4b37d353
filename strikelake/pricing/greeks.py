"""Sensitivities of European option prices, in calculus units: plain derivatives, no scaling by 100 or 365."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.arrays import FloatArray, broadcast, flat, in_blocks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Greeks:
    """Derivatives of the price per share, arrays of the inputs' shape; NaN where unknown.

    Attributes
    ----------
    delta
        Dollars per dollar of the underlying.
    gamma
        Delta per dollar of the underlying.
    vega
        Dollars per 1.00 of volatility; divide by 100 for a vol point.
    theta
        Dollars per year of passing time, usually negative; divide by 365 for a calendar day.
    rho
        Dollars per 1.00 of rate; divide by 10,000 for a basis point.
    """

    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray
    rho: FloatArray


def greeks(
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    vol: ArrayLike,
    dividend_yield: ArrayLike = 0.0,
) -> Greeks:
    """Return delta, gamma, vega, theta and rho of European options.

    Parameters
    ----------
    sign, spot, strike, years, rate, vol, dividend_yield
        As in `strikelake.pricing.black_scholes.price`.

    Returns
    -------
    Greeks
        NaN where an input is missing or outside its range, and where `years` or `vol` is 0: there the price
        has a kink and no derivative.

    Raises
    ------
    ValueError
        When lengths differ or `sign` is neither +1 nor -1.

    Examples
    --------
    >>> round(float(greeks(1, 100.0, 100.0, 1.0, 0.05, 0.2).delta), 4)
    0.6368
    """
    from strikelake.pricing.european_kernels import greeks_rows

    inputs = broadcast(
        sign=sign, spot=spot, strike=strike, years=years, rate=rate, vol=vol, dividend_yield=dividend_yield
    )
    slopes = [np.empty(inputs[0].shape) for _ in fields(Greeks)]
    in_blocks(greeks_rows, flat(inputs), [slope.reshape(-1) for slope in slopes])
    return Greeks(*slopes)
