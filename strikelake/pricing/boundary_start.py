"""Where the search for an early-exercise boundary starts: Li's QD+, or the limit of short times, compiled.

Conventions are those of `exercise_boundary`: a put with strike 1, and H = ln(B / X)^2.

Sources: M. Li, "Analytical approximations for the critical stock prices of American options", Review of
Derivatives Research 2010 ("QD+"); G. Barone-Adesi and R. Whaley, Journal of Finance 1987, for its first
guess; J. Evans, R. Kuske and J. Keller, "American options on assets with dividends near expiry", Mathematical
Finance 2002, and R. Kuske and J. Keller, Applied Mathematical Finance 1998, for short times.
"""

from __future__ import annotations

from math import exp as scalar_exp
from math import log
from typing import Any

import numpy as np

from strikelake.fused import fma
from strikelake.pricing.elementary import exp, inlined, ln, normal, part, select, sqrt, wide

CLOSE = 1.3
"""Yield over rate, above 1, below which QD+ and Newton's first step lead astray."""

_SECANTS = 3
_LOWEST = 1e-3  # no boundary is followed below it
_ABOVE = 0.6388  # Evans, Kuske and Keller: deviations below X where the yield is above the rate
_ASTRAY = 2.0  # deviations below the limit of short times where no boundary is: the deepest seen is 1.3
_BETWEEN = 0.6  # half as deep as that


@inlined
def _qd_plus(spot: Any, years: Any, root: Any, rate: Any, carry: Any, vol: Any, discounts: Any) -> Any:
    """Return the gap in Li's equation (34) at a spot; `discounts` are those of rate and yield, and r / h."""
    bond, stock, h = discounts
    v2 = vol * vol
    drift = 2.0 * (rate - carry) / v2 - 1.0
    width = sqrt(fma(drift, drift, 8.0 * h / v2))
    power = 0.5 * (-drift - width)
    slope = 2.0 * h * h / (v2 * width)
    a = 2.0 * bond / (v2 * (2.0 * power + drift))
    b = a * (h + slope / (2.0 * power + drift)) - power
    s = vol * root
    d1 = fma(0.5, s, fma(rate - carry, years, ln(spot)) / s)
    n1, density = normal(-d1)
    n2, _ = normal(s - d1)
    european = fma(bond, n2, -spot * stock * n1)
    theta = rate * bond * n2 - carry * spot * stock * n1 - v2 * spot / (2.0 * s) * stock * density
    premium = 1.0 - spot - european
    premium = select(abs(premium) < 1e-12, 1e-12, premium)
    return fma(1.0 - stock * n1, spot, (a * theta / (bond * premium) - b) * premium)


@inlined
def _perpetual(rate: Any, carry: Any, vol: Any) -> Any:
    """Return the boundary of the option that never expires (Merton 1973)."""
    omega = (rate - carry) / (vol * vol) - 0.5
    power = -omega - sqrt(omega * omega + 2.0 * rate / (vol * vol))
    return power / (power - 1.0)


@inlined
def _mended(level: Any, rate: Any, carry: Any, ln_limit: Any, years: Any, root: Any, vol: Any) -> Any:
    """Return QD+'s ln(B / X), or that of short times: near expiration, and where QD+ is lost.

    A yield far below 0 can lose it: some four deviations below the boundary its gap turns back towards 0, and
    secants from there lead away. No round of the fixed point comes back from where they end.
    """
    drift2 = (rate - carry) * (rate - carry) * years / (vol * vol)
    one = -ln(8.0 * np.pi * drift2 + 1e-300)
    other = -2.0 * ln(4.0 * sqrt(np.pi) * rate * years + 1e-150)
    depth = select((one < other) & (carry <= rate), one, other)
    below = -vol * root * sqrt(select(depth > 0.0, depth, 0.0))
    above = -_ABOVE * vol * root
    above = select(below - ln_limit < above, below - ln_limit, above)
    near = (carry <= rate) & (depth > 4.0)
    near = near | ((carry > rate) & ((carry < CLOSE * rate) | (drift2 < 1e-5)))
    lost = (carry <= rate) & (level < below - _ASTRAY * vol * root)
    level = select(near, select(carry > rate, above, below), level)
    return select(lost & ~near, below - _BETWEEN * vol * root, level)


@inlined
def _discounts(rate: Any, carry: Any, years: Any) -> Any:
    """Return the discount factors of rate and yield, and r / h of QD+, where h = 1 - exp(-r tau)."""
    bond, small = exp(-rate * years), rate * years
    short = 1.0 / (years * (1.0 - 0.5 * small * (1.0 - small / 3.0)))
    return bond, exp(-carry * years), select(small > 1e-5, rate / (1.0 - bond), short)


@part
def start_boundary(rate: float, carry: float, ln_limit: float, years: Any, vols: Any, h: Any) -> None:
    """Write H for pairs of a time to expiration and a volatility; all (m,)."""
    wide()
    limit = scalar_exp(ln_limit)
    now, before, gap, least = np.empty(h.size), np.empty(h.size), np.empty(h.size), np.empty(h.size)
    for i in range(h.size):
        root, discounts = sqrt(years[i]), _discounts(rate, carry, years[i])
        bottom = _perpetual(rate, carry, vols[i])
        speed = 2.0 * vols[i] * root - (rate - carry) * years[i]
        guess = bottom + (limit - bottom) * exp(-speed * limit / (limit - bottom))
        guess = select(guess < limit, guess, 0.999 * limit)
        guess = select(guess > _LOWEST, guess, _LOWEST)
        now[i], before[i] = guess, 0.98 * guess
        least[i] = select(0.5 * bottom > _LOWEST, 0.5 * bottom, _LOWEST)
        gap[i] = _qd_plus(0.98 * guess, years[i], root, rate, carry, vols[i], discounts)
    for _ in range(_SECANTS):
        for i in range(h.size):
            at, root = now[i], sqrt(years[i])
            here = _qd_plus(at, years[i], root, rate, carry, vols[i], _discounts(rate, carry, years[i]))
            rise = here - gap[i]
            rise = select(abs(rise) < 1e-14, 1e-14, rise)
            step = -here * (at - before[i]) / rise
            step = select(step > 0.1 * at, 0.1 * at, select(step < -0.1 * at, -0.1 * at, step))
            moved = select(at + step > limit, limit, at + step)
            before[i], gap[i] = at, here
            now[i] = select(moved < least[i], least[i], moved)
    for i in range(h.size):
        level = ln(now[i]) - ln_limit
        level = select(level < 0.0, level, 0.0)
        level = _mended(level, rate, carry, ln_limit, years[i], sqrt(years[i]), vols[i])
        h[i] = level * level


@part
def limit_at_expiration(rate: float, carry: float) -> float:
    """Return ln(X), X = min(1, r / q): where the boundary ends."""
    return log(rate / carry) if carry > rate else 0.0
