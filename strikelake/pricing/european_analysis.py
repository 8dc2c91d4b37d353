"""From rows of European prices to volatilities and Greeks, compiled.

Rows are worked on in blocks that stay in the processor's first-level cache, in five loops. One loop would be
a chain of operations so long that the processor cannot look ahead to the next rows, and would wait for most
of them. No loop branches, so that LLVM vectorises each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strikelake.fused import fma
from strikelake.pricing.elementary import clip, finite, growth, ln_from, loop, near, part, select, sqrt, wide
from strikelake.pricing.european_kernels import PLAIN, slopes
from strikelake.pricing.normalised import dollars, first_guess, householder
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

_HELD, _OWED, _GEOMETRIC, _X, _LEFT, _S, _DENSITY, _CHEAP, _DEAR, _PER_VEGA, _STATE = range(11)
_PER_SPOT, _PER_ROOT, _COLUMNS = _X, _LEFT, 11
"""Columns of a block: spot and strike, discounted, the root of their product, -|ln(F / K)|, the time value;
vol times the root of time; what `normalised.dollars` returns; the slope of s in the price; the status. Where
x and the time value were are, in the end, one over the spot and over the root of time."""

_WIDTH = 264
_TRUSTED = 1e-6  # Halley's step, which cubes it, is taken after it
_ROUNDING = 1e-16
_LARGE, _SMALL = 1e150, 1e-150  # products of two are normal numbers


@part
def _normalise(
    price: Any, sign: Any, spot: Any, strike: Any, years: Any, rate: Any, carry: Any, block: Any
) -> None:
    """Write what the search needs, and LOOK_AGAIN or why there is nothing to be found."""
    f_, k_, geometric, x = block[_HELD], block[_OWED], block[_GEOMETRIC], block[_X]
    value, states = block[_LEFT], block[_STATE]
    wide()
    for i in range(price.size):
        of_stock, lost = growth(-carry[i] * years[i])
        of_bond, earned = growth(-rate[i] * years[i])
        held, owed = spot[i] * of_stock, strike[i] * of_bond
        # The exercise value first: what is left of a price deep in the money keeps its digits.
        bare, more = sign[i] * (spot[i] - strike[i]), sign[i] * (spot[i] * lost - strike[i] * earned)
        left = select(bare + more > 0.0, (price[i] - bare) - more, price[i])
        room = select(sign[i] > 0.0, held, owed) - price[i]
        known = finite(price[i] + sign[i] + rate[i] + carry[i]) & finite(years[i] + held + owed)
        known = known & (spot[i] > 0.0) & (strike[i] > 0.0)
        state = select(room > 0.0, LOOK_AGAIN, ABOVE_BOUND)
        state = select(left <= _ROUNDING * price[i], BELOW_INTRINSIC, state)
        state = select(price[i] <= 0.0, NON_POSITIVE_PRICE, state)
        state = select(years[i] <= 0.0, EXPIRED, state)
        state = select(known, state, MISSING_INPUT)
        states[i] = state
        good = (state == LOOK_AGAIN) & (left > _SMALL)
        good = good & (held > _SMALL) & (owed > _SMALL) & (held < _LARGE) & (owed < _LARGE)
        f, k = select(good, held, PLAIN), select(good, owed, PLAIN)
        scaled, twos = near(f, k)
        f_[i], k_[i], geometric[i] = f, k, sqrt(f * k)
        x[i] = -abs(ln_from((f - scaled) / (f + scaled), twos))
        value[i] = select(good, left, np.nan)


@part
def _start(rows: int, block: Any) -> None:
    """Write s to a few parts in ten billion, where it is below 1."""
    f, k, geometric, x, value = block[_HELD], block[_OWED], block[_GEOMETRIC], block[_X], block[_LEFT]
    found = block[_S]
    wide()
    for i in range(rows):
        both = 1.0 / (geometric[i] * value[i])
        per_geometric, per_price = value[i] * both, geometric[i] * geometric[i] * both
        s = first_guess(x[i], abs(f[i] - k[i]) * per_geometric, per_price, value[i] * per_geometric)
        found[i] = fma(s, clip(householder(x[i], s, per_price), -0.5, 1.0), s)


@part
def _refine(rows: int, block: Any) -> None:
    """Take Halley's step, and everything along with it by its own slope; that it is small shows s right."""
    f, k, geometric, x, value = block[_HELD], block[_OWED], block[_GEOMETRIC], block[_X], block[_LEFT]
    found, density, cheap, dear = block[_S], block[_DENSITY], block[_CHEAP], block[_DEAR]
    per_vega, state = block[_PER_VEGA], block[_STATE]
    wide()
    for i in range(rows):
        s = found[i]
        h, t, n, one, other = dollars(x[i], s, 1.0 / s, geometric[i], select(f[i] < k[i], f[i], k[i]))
        slope = 1.0 / (n * s)
        newton = (value[i] - (one - other)) * slope
        bend = h * h - t * t
        step = newton * fma(-0.5 * bend, newton, 1.0)
        found[i], density[i], per_vega[i] = fma(s, step, s), fma(n * bend, step, n), slope
        cheap[i], dear[i] = fma(n * (t - h), step, one), fma(n * -(h + t), step, other)
        sure = (state[i] == LOOK_AGAIN) & (abs(step) < _TRUSTED)
        state[i] = select(sure, SOLVED, state[i])


@part
def _judge(
    spot: Any, years: Any, tick: float, cap: float, block: Any, code: Any, vol: Any, error: Any
) -> None:
    """Write status, volatility and its resolution; NaN unless solved."""
    s, density, per_vega, state = block[_S], block[_DENSITY], block[_PER_VEGA], block[_STATE]
    per_spot, per_root = block[_PER_SPOT], block[_PER_ROOT]
    wide()
    for i in range(code.size):
        root = sqrt(years[i])
        one = 1.0 / (spot[i] * root)
        per_spot[i], per_root[i] = root * one, spot[i] * one
        found = s[i] * (spot[i] * one)
        now = select((state[i] == SOLVED) & ~(density[i] * root >= tick), BELOW_TICK_VEGA, state[i])
        now = select((state[i] == SOLVED) & (found > cap), ABOVE_CAP, now)
        state[i], code[i] = now, np.int8(now)
        vol[i] = select(now == SOLVED, found, np.nan)
        error[i] = select(now == SOLVED, 0.5 * tick * per_vega[i] * found, np.nan)


@part
def _slopes(
    sign: Any,
    years: Any,
    rate: Any,
    carry: Any,
    block: Any,
    delta: Any,
    gamma: Any,
    vega: Any,
    theta: Any,
    rho: Any,
) -> None:
    """Write the derivatives; NaN unless solved."""
    f, k, s, density = block[_HELD], block[_OWED], block[_S], block[_DENSITY]
    cheap, dear, state = block[_CHEAP], block[_DEAR], block[_STATE]
    per_spot, per_root = block[_PER_SPOT], block[_PER_ROOT]
    wide()
    for i in range(sign.size):
        rates, market, per = (rate[i], carry[i]), (f[i], k[i]), (per_spot[i], per_root[i])
        parts = (s[i], 1.0 / s[i], density[i], cheap[i], dear[i])
        a, b, c, d, e = slopes(sign[i], years[i], per, rates, market, parts)
        done = state[i] == SOLVED
        delta[i], gamma[i] = select(done, a, np.nan), select(done, b, np.nan)
        vega[i], theta[i] = select(done, c, np.nan), select(done, d, np.nan)
        rho[i] = select(done, e, np.nan)


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

    A row that is not certain after these steps is marked LOOK_AGAIN.
    """
    block = np.empty((_COLUMNS, _WIDTH))
    for first in range(0, code.size, _WIDTH):
        last = min(first + _WIDTH, code.size)
        p, o, x, k, t, r, q = (
            price[first:last],
            sign[first:last],
            spot[first:last],
            strike[first:last],
            years[first:last],
            rate[first:last],
            carry[first:last],
        )
        _normalise(p, o, x, k, t, r, q, block)
        _start(last - first, block)
        _refine(last - first, block)
        _judge(x, t, tick, cap, block, code[first:last], vol[first:last], error[first:last])
        _slopes(
            o,
            t,
            r,
            q,
            block,
            delta[first:last],
            gamma[first:last],
            vega[first:last],
            theta[first:last],
            rho[first:last],
        )
