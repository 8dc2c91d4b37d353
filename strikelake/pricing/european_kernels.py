"""Loops over European rows, compiled: price, Greeks, and both from a price in one pass.

Columns are contiguous arrays of one length; a loop has no branch, so that LLVM vectorises it. Every price and
sensitivity is built from the out-of-the-money side, and the other side from it by parity: no digits cancel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strikelake.fused import fma
from strikelake.pricing.elementary import (
    exp,
    finite,
    inlined,
    ln,
    loop,
    select,
    sqrt,
)
from strikelake.pricing.normalised import dollars

_SMALLEST = 1e-300
PLAIN = 30.0
"""Any price: it takes the place of an unusable one, so that no row raises a floating-point flag."""


@inlined
def slopes(sign: Any, years: Any, per: Any, rates: Any, market: Any, parts: Any) -> Any:
    """Return delta, gamma, vega, theta and rho.

    Parameters
    ----------
    per
        1 / spot and 1 / sqrt(years).
    rates, market
        (rate, yield) and (held, owed): spot and strike, discounted.
    parts
        s and 1 / s, and the dollars that `normalised.dollars` returns.
    """
    (rate, carry), (held, owed), (per_spot, root) = rates, market, per
    s, per_s, density, cheap, dear = parts
    below = held < owed
    outside = select(below, 1.0, -1.0)  # the sign of the option that is out of the money
    stock = outside * select(below, cheap, dear) + select(outside == sign, 0.0, sign * held)
    bond = outside * select(below, dear, cheap) + select(outside == sign, 0.0, sign * owed)
    gamma = density * per_spot * per_spot * per_s
    vega = density * years * root
    theta = fma(-0.5 * density * s, root * root, fma(carry, stock, -rate * bond))
    return stock * per_spot, gamma, vega, theta, bond * years


@loop
def price_rows(
    sign: Any, spot: Any, strike: Any, years: Any, rate: Any, vol: Any, carry: Any, value: Any
) -> None:
    """Write the price of each row; NaN where an input is missing or outside its range."""
    for i in range(value.size):
        held, owed = spot[i] * exp(-carry[i] * years[i]), strike[i] * exp(-rate[i] * years[i])
        s = vol[i] * sqrt(years[i])
        known = finite(sign[i] + rate[i] + carry[i] + held + owed) & finite(years[i] + vol[i])
        good = known & (spot[i] > 0.0) & (strike[i] > 0.0) & (years[i] >= 0.0) & (vol[i] >= 0.0)
        inside = sign[i] * (held - owed)
        inside = select(inside > 0.0, inside, 0.0)
        moves = good & (s > _SMALLEST) & (held > _SMALLEST) & (owed > _SMALLEST)
        f, k = select(moves, held, PLAIN), select(moves, owed, PLAIN)
        s = select(moves, s, 1.0)
        h, t, _, cheap, dear = dollars(
            -abs(ln(f) - ln(k)), s, 1.0 / s, sqrt(f) * sqrt(k), select(f < k, f, k)
        )
        gained = select(moves & (h > -PLAIN - t), cheap - dear, 0.0)
        gained = select(gained > 0.0, gained, 0.0)
        value[i] = select(good, inside + gained, np.nan)


@loop
def greeks_rows(
    sign: Any,
    spot: Any,
    strike: Any,
    years: Any,
    rate: Any,
    vol: Any,
    carry: Any,
    delta: Any,
    gamma: Any,
    vega: Any,
    theta: Any,
    rho: Any,
) -> None:
    """Write the derivatives of each row; NaN where an input is missing, and where time or volatility is 0."""
    for i in range(delta.size):
        held, owed = spot[i] * exp(-carry[i] * years[i]), strike[i] * exp(-rate[i] * years[i])
        s = vol[i] * sqrt(years[i])
        known = finite(sign[i] + rate[i] + carry[i] + held + owed) & finite(years[i] + vol[i])
        good = known & (spot[i] > 0.0) & (strike[i] > 0.0) & (years[i] > 0.0) & (vol[i] > 0.0)
        good = good & (s > _SMALLEST) & (held > _SMALLEST) & (owed > _SMALLEST)
        f, k = select(good, held, PLAIN), select(good, owed, PLAIN)
        s = select(good, s, 1.0)
        per_s = 1.0 / s
        _, _, density, cheap, dear = dollars(
            -abs(ln(f) - ln(k)), s, per_s, sqrt(f) * sqrt(k), select(f < k, f, k)
        )
        rates, parts = (rate[i], carry[i]), (s, per_s, density, cheap, dear)
        per = (1.0 / spot[i], 1.0 / sqrt(years[i]))
        a, b, c, d, e = slopes(sign[i], years[i], per, rates, (f, k), parts)
        delta[i], gamma[i], vega[i] = (
            select(good, a, np.nan),
            select(good, b, np.nan),
            select(good, c, np.nan),
        )
        theta[i], rho[i] = select(good, d, np.nan), select(good, e, np.nan)
