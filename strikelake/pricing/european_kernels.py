"""Loops over European rows, compiled: price, Greeks, and both from a price in one pass.

Columns are contiguous arrays of one length; a loop has no branch, so that LLVM vectorises it. Every price and
sensitivity is built from the out-of-the-money side, and the other side from it by parity: no digits cancel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strikelake.pricing.elementary import (
    DENSITY_AT_0,
    clip,
    exp,
    finite,
    fma,
    inlined,
    ln,
    loop,
    select,
    sqrt,
)
from strikelake.pricing.normalised import LN_ROOT_2PI, first_guess, householder, tails
from strikelake.pricing.statuses import (
    ABOVE_BOUND,
    ABOVE_CAP,
    BELOW_INTRINSIC,
    BELOW_TICK_VEGA,
    EXPIRED,
    LOOK_AGAIN,
    MISSING_INPUT,
    NON_POSITIVE_PRICE,
    SOLVED,
)

_TRUSTED = 1e-8  # Newton squares it; the Greeks, taken before its step, are as exact as this
_LARGEST, _SMALLEST = 1e300, 1e-300
_PLAIN = (
    30.0  # any price that takes the place of an unusable one, so that no row raises a floating-point flag
)


@inlined
def sides(h: Any, t: Any, y1: Any, y2: Any, geometric: Any) -> Any:
    """Return the density's dollars, and the dollars of the cheaper and of the dearer of forward and strike.

    `geometric` is sqrt(F K), both discounted.
    """
    dollars = DENSITY_AT_0 * exp(-0.5 * (h * h + t * t)) * geometric
    return dollars, dollars * y1, dollars * y2


@inlined
def slopes(sign: Any, spot: Any, years: Any, rate: Any, carry: Any, s: Any, market: Any, parts: Any) -> Any:
    """Return delta, gamma, vega, theta and rho; `market` is (held, owed), `parts` what `sides` returns."""
    held, owed = market
    dollars, cheap, dear = parts
    below = held < owed
    outside = select(below, 1.0, -1.0)  # the sign of the option that is out of the money
    stock = outside * select(below, cheap, dear) + select(outside == sign, 0.0, sign * held)
    bond = outside * select(below, dear, cheap) + select(outside == sign, 0.0, sign * owed)
    per_spot, root = 1.0 / spot, sqrt(years)
    gamma = dollars * per_spot * per_spot / s
    theta = fma(-0.5 * dollars, s / years, carry * stock - rate * bond)
    return stock * per_spot, gamma, dollars * root, theta, bond * years


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
        f, k = select(moves, held, _PLAIN), select(moves, owed, _PLAIN)
        h, t, y1, y2 = tails(-abs(ln(f) - ln(k)), select(moves, s, 1.0))
        _, cheap, dear = sides(h, t, y1, y2, sqrt(f) * sqrt(k))
        gained = select(moves & (h > -_PLAIN - t), cheap - dear, 0.0)
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
        f, k = select(good, held, _PLAIN), select(good, owed, _PLAIN)
        s = select(good, s, 1.0)
        h, t, y1, y2 = tails(-abs(ln(f) - ln(k)), s)
        parts = sides(h, t, y1, y2, sqrt(f) * sqrt(k))
        a, b, c, d, e = slopes(sign[i], spot[i], years[i], rate[i], carry[i], s, (f, k), parts)
        delta[i], gamma[i], vega[i] = (
            select(good, a, np.nan),
            select(good, b, np.nan),
            select(good, c, np.nan),
        )
        theta[i], rho[i] = select(good, d, np.nan), select(good, e, np.nan)


@loop
def analyse_rows(
    price: Any,
    sign: Any,
    spot: Any,
    strike: Any,
    years: Any,
    rate: Any,
    carry: Any,
    tick: float,
    cap: float,
    code: Any,
    vol: Any,
    error: Any,
    delta: Any,
    gamma: Any,
    vega: Any,
    theta: Any,
    rho: Any,
) -> None:
    """Write status, volatility, its resolution and the derivatives of each row; NaN unless solved.

    After Bachelier's guess and a Householder step s is good to 1e-16 where s < 1; the tails of the Greeks
    give Newton's step as well, which shows that, and is taken. A row where it is large is marked LOOK_AGAIN.
    """
    for i in range(code.size):
        time = years[i]
        held, owed = spot[i] * exp(-carry[i] * time), strike[i] * exp(-rate[i] * time)
        gap = held - owed
        inside = sign[i] * gap
        left = price[i] - select(inside > 0.0, inside, 0.0)
        room = select(sign[i] > 0.0, held, owed) - price[i]
        known = finite(price[i] + sign[i] + rate[i] + carry[i]) & finite(time + held + owed)
        known = known & (spot[i] > 0.0) & (strike[i] > 0.0)
        open_ = known & (time > 0.0) & (price[i] > 0.0) & (left > 0.0) & (room > 0.0)
        good = open_ & (held > _SMALLEST) & (owed > _SMALLEST) & (held < _LARGEST) & (owed < _LARGEST)

        f, k = select(good, held, _PLAIN), select(good, owed, _PLAIN)
        per_root = 1.0 / (sqrt(f) * sqrt(k))
        value = select(good, left, 1.0) * per_root
        per_price = 1.0 / value
        x = -abs(ln(f) - ln(k))
        s = first_guess(x, select(good, abs(gap), 0.0) * per_root, per_price, value)
        step = householder(x, s, per_price)
        s = fma(s, clip(step, -0.5, 1.0), s)

        h, t, y1, y2 = tails(x, s)
        width = y1 - y2
        miss = ln(width * per_price) - 0.5 * (h * h + t * t) - LN_ROOT_2PI
        step = -miss * width / s
        parts = sides(h, t, y1, y2, 1.0 / per_root)
        a, b, c, d, e = slopes(sign[i], spot[i], time, rate[i], carry[i], s, (f, k), parts)
        found = fma(s, step, s) / sqrt(time)

        sure = good & (abs(step) < _TRUSTED)
        state = select(sure, SOLVED, LOOK_AGAIN)
        state = select(sure & (found > cap), ABOVE_CAP, state)
        state = select(sure & (found <= cap) & ~(c >= tick), BELOW_TICK_VEGA, state)
        state = select(open_, state, ABOVE_BOUND)
        state = select(left <= 0.0, BELOW_INTRINSIC, state)
        state = select(price[i] <= 0.0, NON_POSITIVE_PRICE, state)
        state = select(time <= 0.0, EXPIRED, state)
        state = select(known, state, MISSING_INPUT)
        done = state == SOLVED
        code[i] = np.int8(state)
        vol[i], error[i] = select(done, found, np.nan), select(done, 0.5 * tick / c, np.nan)
        delta[i], gamma[i], vega[i] = (
            select(done, a, np.nan),
            select(done, b, np.nan),
            select(done, c, np.nan),
        )
        theta[i], rho[i] = select(done, d, np.nan), select(done, e, np.nan)
