"""American options with a continuous dividend yield: prices, implied volatilities and Greeks.

Rows with equal rate and yield and times within a twentieth of one another share one early-exercise boundary
and one table of the premium (`strikelake.pricing.premium_tables`): pass one rate and one yield for all rows
of an expiration, and many rows at once. A table costs as much as some three hundred rows.

Where exercising early never pays - a call without yield, a put without interest, and whatever else
`strikelake.pricing.exercise_boundary` proves - the European formulas hold exactly and are used. A put with
q < r < 0, or a call with r < q < 0, has two boundaries and is valued on a grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.analytics import Analytics, check_limits
from strikelake.pricing.arrays import FloatArray, broadcast, flat
from strikelake.pricing.greeks import Greeks
from strikelake.pricing.implied_vol import ImpliedVol

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def price(
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    vol: ArrayLike,
    dividend_yield: ArrayLike = 0.0,
    threads: int = 1,
) -> FloatArray:
    """Return prices in dollars per share, never below what exercising now pays.

    Parameters
    ----------
    sign, spot, strike, years, rate, vol, dividend_yield
        As in `strikelake.pricing.black_scholes.price`.
    threads
        Cores to use; the results do not depend on it.

    Returns
    -------
    ndarray of float64
        In the inputs' common shape; NaN where an input is missing or outside its range.

    Raises
    ------
    ValueError
        When lengths differ, `sign` is neither +1 nor -1, or `threads` is below 1.

    Examples
    --------
    >>> price([1, -1], 100.0, 100.0, 1.0, 0.05, 0.2).round(3).tolist()
    [10.451, 6.09]
    """
    from strikelake.pricing.chain import Terms, price_chain

    inputs = broadcast(
        sign=sign, spot=spot, strike=strike, years=years, rate=rate, vol=vol, dividend_yield=dividend_yield
    )
    sign_, spot_, strike_, years_, rate_, vol_, yield_ = flat(inputs)
    group, rates, yields = groups(rate_, yield_)
    terms = Terms(rates, yields, np.ones(len(rates), np.bool_))
    value = price_chain(sign_, spot_, strike_, years_, vol_, group, terms, threads)
    return value.reshape(inputs[0].shape)


def greeks(
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    vol: ArrayLike,
    dividend_yield: ArrayLike = 0.0,
    threads: int = 1,
) -> Greeks:
    """Return delta, gamma, vega, theta and rho; where exercising now is best, those of the exercise value.

    Parameters
    ----------
    sign, spot, strike, years, rate, vol, dividend_yield, threads
        As in `price`.

    Returns
    -------
    Greeks
        NaN where an input is missing or outside its range, and where `years` or `vol` is 0.

    Raises
    ------
    ValueError
        As `price`.

    Examples
    --------
    >>> greeks(-1, 100.0, [50.0, 160.0], 0.5, 0.05, 0.2).delta.round(4).tolist()
    [-0.0, -1.0]
    """
    from strikelake.pricing.chain import Terms, value_chain

    inputs = broadcast(
        sign=sign, spot=spot, strike=strike, years=years, rate=rate, vol=vol, dividend_yield=dividend_yield
    )
    sign_, spot_, strike_, years_, rate_, vol_, yield_ = flat(inputs)
    group, rates, yields = groups(rate_, yield_)
    terms = Terms(rates, yields, np.ones(len(rates), np.bool_))
    found = value_chain(sign_, spot_, strike_, years_, vol_, group, terms, threads).reshape(inputs[0].shape)
    return Greeks(found.delta, found.gamma, found.vega, found.theta, found.rho)


def analyse(
    price: ArrayLike,
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike = 0.0,
    tick: float = 0.01,
    cap: float = 10.0,
    threads: int = 1,
) -> Analytics:
    """Return implied volatilities with their Greeks.

    Parameters
    ----------
    price, sign, spot, strike, years, rate, dividend_yield, tick, cap, threads
        As in `strikelake.pricing.analytics.analyse`.

    Returns
    -------
    Analytics
        Statuses are those of `strikelake.pricing.implied_vol.implied_vol`, and at_american_intrinsic: in the
        money and at the exercise value to within half a tick, so that every volatility below some level fits.
        Bounds are the American ones: the exercise value below, the spot or the strike above. No number of a
        row depends on which other rows there are.

    Raises
    ------
    ValueError
        When lengths differ, `sign` is neither +1 nor -1, or `tick`, `cap` or `threads` is not positive.

    Examples
    --------
    >>> found = analyse([6.09, 40.0], -1, 100.0, [100.0, 140.0], 1.0, 0.05)
    >>> found.status.tolist(), found.vol.round(3).tolist()
    (['solved', 'at_american_intrinsic'], [0.2, nan])
    """
    from strikelake.pricing.chain import Terms, analyse_chain

    check_limits(tick, cap)
    inputs = broadcast(
        price=price,
        sign=sign,
        spot=spot,
        strike=strike,
        years=years,
        rate=rate,
        dividend_yield=dividend_yield,
    )
    price_, sign_, spot_, strike_, years_, rate_, yield_ = flat(inputs)
    group, rates, yields = groups(rate_, yield_)
    terms = Terms(rates, yields, np.ones(len(rates), np.bool_))
    found = analyse_chain(price_, sign_, spot_, strike_, years_, group, terms, tick, cap, threads)
    return found.reshape(inputs[0].shape)


def implied_vol(
    price: ArrayLike,
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike = 0.0,
    tick: float = 0.01,
    cap: float = 10.0,
    threads: int = 1,
) -> ImpliedVol:
    """Return implied volatilities alone: what `analyse` finds, without its Greeks.

    Examples
    --------
    >>> round(float(implied_vol(6.09, -1, 100.0, 100.0, 1.0, 0.05).vol), 3)
    0.2
    """
    found = analyse(price, sign, spot, strike, years, rate, dividend_yield, tick, cap, threads)
    return ImpliedVol(found.vol, found.error, found.code)


def groups(rate: FloatArray, carry: FloatArray) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Return each row's group of equal rate and yield, and the rate and the yield of each group."""
    if rate.size and rate.strides == carry.strides == (0,):
        return np.zeros(rate.size, np.int64), rate[:1].copy(), carry[:1].copy()
    rates, one = np.unique(rate, return_inverse=True)
    yields, other = np.unique(carry, return_inverse=True)
    pairs, group = np.unique(one * max(len(yields), 1) + other, return_inverse=True)
    if not len(pairs):
        return group, rates, yields
    return group, rates[pairs // len(yields)], yields[pairs % len(yields)]
