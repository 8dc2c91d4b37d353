"""Sensitivities of European option prices, in calculus units: plain derivatives, no scaling by 100 or 365."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.arrays import FloatArray, broadcast, normal_cdf, normal_pdf, usable

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
    sign_, spot_, strike_, years_, rate_, vol_, yield_ = broadcast(
        sign=sign, spot=spot, strike=strike, years=years, rate=rate, vol=vol, dividend_yield=dividend_yield
    )
    with np.errstate(all="ignore"):
        good = usable(spot_, strike_, years_, sign_, rate_, vol_, yield_) & (vol_ * np.sqrt(years_) > 0.0)
        carry = np.exp(-yield_ * years_)
        held, owed = spot_ * carry, strike_ * np.exp(-rate_ * years_)
        deviation = np.where(good, vol_ * np.sqrt(years_), np.nan)
        d1 = np.log(held / owed) / deviation + 0.5 * deviation
        density = normal_pdf(d1)
        exercised = normal_cdf(sign_ * (d1 - deviation))
        stock_side = normal_cdf(sign_ * d1)
        decay = -held * density * vol_ / (2.0 * np.sqrt(years_))
        return Greeks(
            delta=sign_ * carry * stock_side,
            gamma=carry * density / (spot_ * deviation),
            vega=held * density * np.sqrt(years_),
            theta=decay - sign_ * (rate_ * owed * exercised - yield_ * held * stock_side),
            rho=sign_ * owed * years_ * exercised,
        )
