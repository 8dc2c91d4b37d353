"""American options with a continuous dividend yield: prices, Greeks, implied volatilities.

Rows with equal rate and yield and times within a twentieth of one another share one early-exercise boundary
and one table of the premium (`strikelake.pricing.premium_tables`): pass one rate and one yield for all rows
of an expiration, and many rows at once. A table costs as much as some three hundred rows.

Where exercising early never pays - a call without yield, a put without interest, and whatever else
`strikelake.pricing.exercise_boundary` proves - the European formulas hold exactly and are used. A put with
q < r < 0, or a call with r < q < 0, has two boundaries and is valued on a grid. Dividends in cash are terms
of a chain (`strikelake.pricing.chain`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing import chain
from strikelake.pricing.options import Chain
from strikelake.pricing.terms import Terms

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from strikelake.pricing.analytics import Analytics
    from strikelake.pricing.arrays import FloatArray
    from strikelake.pricing.greeks import Greeks
    from strikelake.pricing.options import Options

    Rows = NDArray[np.int64]


def price(options: Options, vol: ArrayLike, threads: int = 1) -> FloatArray:
    """Return prices in dollars per share, never below what exercising now pays.

    Parameters, errors and the rest are those of `strikelake.pricing.european.price`.

    Examples
    --------
    >>> from strikelake.pricing.options import Options
    >>> price(Options([1, -1], 100.0, 100.0, 1.0, 0.05), 0.2).round(3).tolist()
    [10.451, 6.09]
    """
    return chain.price(in_groups(options), vol, threads)


def greeks(options: Options, vol: ArrayLike, threads: int = 1) -> Greeks:
    """Return delta, gamma, vega, theta and rho; where exercising now is best, those of the exercise value.

    Parameters, errors and the rest are those of `strikelake.pricing.european.greeks`.

    Examples
    --------
    >>> from strikelake.pricing.options import Options
    >>> greeks(Options(-1, 100.0, [50.0, 160.0], 0.5, 0.05), 0.2).delta.round(4).tolist()
    [-0.0, -1.0]
    """
    return chain.greeks(in_groups(options), vol, threads)


def analyse(
    prices: ArrayLike, options: Options, tick: float = 0.01, cap: float = 10.0, threads: int = 1
) -> Analytics:
    """Return implied volatilities with their Greeks, and a status for every row.

    Parameters, errors and the rest are those of `strikelake.pricing.european.analyse`. Bounds are the
    American ones: the exercise value below, the spot or the strike above. A price in the money and at the
    exercise value to within half a tick fits every volatility below some level: at_american_intrinsic. No
    number of a row depends on which other rows there are.

    Examples
    --------
    >>> from strikelake.pricing.options import Options
    >>> found = analyse([6.09, 40.0], Options(-1, 100.0, [100.0, 140.0], 1.0, 0.05))
    >>> found.status.tolist(), found.vol.round(3).tolist()
    (['solved', 'at_american_intrinsic'], [0.2, nan])
    """
    return chain.analyse(prices, in_groups(options), tick, cap, threads)


def in_groups(options: Options) -> Chain:
    """Return the options as an American chain, those of equal rate and yield in one group."""
    *_, rate, carry = options.columns()
    if rate.size and rate.strides == carry.strides == (0,):
        group, rates, yields = np.zeros(rate.size, np.int64), rate[:1].copy(), carry[:1].copy()
    else:
        group, rates, yields = _pairs(rate, carry)
    terms = Terms(rates, yields, np.ones(len(rates), np.bool_))
    return Chain(
        options.sign, options.spot, options.strike, options.years, group.reshape(options.shape), terms
    )


def _pairs(rate: FloatArray, carry: FloatArray) -> tuple[Rows, FloatArray, FloatArray]:
    """Return each row's pair of rate and yield, and the rate and the yield of each pair."""
    rates, one = np.unique(rate, return_inverse=True)
    yields, other = np.unique(carry, return_inverse=True)
    pairs, group = np.unique(one * max(len(yields), 1) + other, return_inverse=True)
    if not len(pairs):
        return group, rates, yields
    return group, rates[pairs // len(yields)], yields[pairs % len(yields)]
