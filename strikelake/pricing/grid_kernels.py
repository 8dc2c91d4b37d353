"""Values of options with discrete dividends ahead on a grid, for many volatilities side by side, compiled.

The unknown is V / K on a grid in z = ln(S / K) / (vol sqrt(T)), mirrored for calls so that early exercise is
at its low end, for LANES volatilities side by side: what the processor multiplies at once. Three systems with
one matrix go through each step together, for a step's chain of operations is longer than its work:

- the American value, bounded from below by its exercise;
- the European value, whose errors are about the same, so that the difference is better than either;
- C = E[exp(-r t) (T - t)], t being when the holder exercises: how much sooner than at expiration T.

The last gives rho. With M = S V_S - V, the rate's part of the equation that V solves, rho is what is expected
of the integral of exp(-r u) M du up to the exercise. Until then exp(-r u) M is a martingale, which ends in -K
for a put that is exercised and in K for a call: rho = T (S V_S - V) + K C for a put, and - K C for a call. C
solves the equation of V, and where V is the exercise value it is what is left of the time.

All rows of the matrix are the same, and so, but for a few at the far end, are the pivots of its elimination:
taking their limit everywhere changes the values there by less than what is left out beyond.

Arrays are copied element by element: for a slice numba also compiles what would refuse another shape, message
and all, which takes as long as the rest of this module.

Sources: J. Crank and P. Nicolson, 1947; R. Rannacher, "Finite element solution of diffusion problems with
irregular data", 1984, for the implicit half steps at expiration; M. Brennan and E. Schwartz, "The valuation
of American put options", Journal of Finance 1977, for exercise inside the elimination; R. Merton, "Theory of
rational option pricing", 1973, for what happens at an ex-date.
"""

from __future__ import annotations

from math import exp as scalar_exp
from math import floor, log
from math import sqrt as scalar_sqrt
from typing import Any

import numpy as np

from strikelake.pricing.elementary import part, sqrt, wide
from strikelake.pricing.lanes import LANES, fused, load, splat, store, times, where_above

POINTS, STEPS = 299, 120
"""Points, odd so that one is the strike; steps to the longest time."""

REACH = 6.0
"""Standard deviations on either side of the strike."""

STEP = 2.0 * REACH / (POINTS - 1)
"""Standard deviations between two points."""

PREMIUM, SOONER = range(2)
"""What is tabulated: American less European value, and C."""

_AMERICAN, _EUROPEAN, _SOONER = range(3)
_BOND, _STOCK, _LEFT = range(3)  # what is held at the low end: see `_hold`
_CARRIED, _BELOW, _HERE, _ABOVE, _DOWN = range(5)
_STARTING = 4  # implicit half steps
_FEWEST = 2  # steps between two dates
_SAME = 1e-10  # of the time: two dates so near are one
_NEVER = -1.0  # less than any value over the strike


@part
def _weigh(theta: float, dt: float, rate: float, years: float, drift: Any, weights: Any) -> None:
    """Write what a step multiplies with: the row before, three points, and the row below; (5, LANES)."""
    diffusion = 0.5 * dt / (STEP * STEP * years)
    lost, explicit = 2.0 * diffusion + rate * dt, 1.0 - theta
    implied = 1.0 + theta * lost
    for k in range(LANES):
        below, above = diffusion - drift[k] * dt, diffusion + drift[k] * dt
        pivot = 2.0 / (implied + sqrt(implied * implied - 4.0 * theta * theta * below * above))
        weights[_CARRIED, k], weights[_DOWN, k] = theta * above * pivot, theta * below * pivot
        weights[_BELOW, k], weights[_ABOVE, k] = explicit * below * pivot, explicit * above * pivot
        weights[_HERE, k] = (1.0 - explicit * lost) * pivot


@part
def _advance(left: float, weights: Any, least: Any, ends: Any, state: Any) -> None:
    """Move the three systems one step back in time, in place.

    `left` is the time to expiration after the step, `ends` what the low ends are worth then, (3, LANES).
    """
    wide()
    american, european, sooner = state[_AMERICAN], state[_EUROPEAN], state[_SOONER]
    carried, below, here = load(weights, _CARRIED), load(weights, _BELOW), load(weights, _HERE)
    above, down, exercised = load(weights, _ABOVE), load(weights, _DOWN), splat(left)
    a_over, e_over, c_over = load(american, POINTS - 1), load(european, POINTS - 1), load(sooner, POINTS - 1)
    a_at, e_at, c_at = load(american, POINTS - 2), load(european, POINTS - 2), load(sooner, POINTS - 2)
    a, e, c = splat(0.0), splat(0.0), splat(0.0)
    for i in range(POINTS - 2, 0, -1):
        a_under, e_under, c_under = load(american, i - 1), load(european, i - 1), load(sooner, i - 1)
        a = fused(carried, a, fused(here, a_at, fused(below, a_under, times(above, a_over))))
        e = fused(carried, e, fused(here, e_at, fused(below, e_under, times(above, e_over))))
        c = fused(carried, c, fused(here, c_at, fused(below, c_under, times(above, c_over))))
        store(american, i, a)
        store(european, i, e)
        store(sooner, i, c)
        a_over, e_over, c_over = a_at, e_at, c_at
        a_at, e_at, c_at = a_under, e_under, c_under
    a, e, c = load(ends, _AMERICAN), load(ends, _EUROPEAN), load(ends, _SOONER)
    store(american, 0, a)
    store(european, 0, e)
    store(sooner, 0, c)
    for i in range(1, POINTS - 1):
        bound = load(least, i)
        a = fused(down, a, load(american, i))
        e = fused(down, e, load(european, i))
        c = where_above(a, bound, fused(down, c, load(sooner, i)), exercised)
        a = where_above(a, bound, a, bound)
        store(american, i, a)
        store(european, i, e)
        store(sooner, i, c)


@part
def _pay(left: float, moved: Any, least: Any, before: Any, state: Any) -> None:
    """Put an ex-date: what holds just before is what holds at the spot that is left, or exercise."""
    for kind in range(3):
        value = state[kind]
        for i in range(POINTS):
            for k in range(LANES):
                before[i, k] = value[i, k]
        for k in range(LANES):
            whole = floor(moved[k])
            f = moved[k] - whole
            a, b = -f * (f - 1.0) * (f - 2.0) / 6.0, (f + 1.0) * (f - 1.0) * (f - 2.0) / 2.0
            c, d = -(f + 1.0) * f * (f - 2.0) / 2.0, (f + 1.0) * f * (f - 1.0) / 6.0
            for i in range(POINTS):
                j = i + whole
                if j < 1 or j > POINTS - 3:
                    value[i, k] = before[min(max(j, 0), POINTS - 1), k]
                else:
                    value[i, k] = (
                        a * before[j - 1, k] + b * before[j, k] + c * before[j + 1, k] + d * before[j + 2, k]
                    )
    american, sooner = state[_AMERICAN], state[_SOONER]
    for i in range(POINTS):
        for k in range(LANES):
            before[i, k] = american[i, k] - least[i, k]
    for i in range(POINTS):
        for k in range(LANES):
            gain, waits = before[i, k], 1.0 if before[i, k] > 0.0 else 0.0
            if 0 < i < POINTS - 1 and least[i + 1, k] != _NEVER:
                # C jumps where waiting begins to pay: of what is nearest to this point, some may wait.
                slope = 0.5 * abs(before[i + 1, k] - before[i - 1, k])
                waits = min(max(0.5 + gain / slope, 0.0), 1.0) if slope > 0.0 else waits
            american[i, k] = max(american[i, k], least[i, k])
            sooner[i, k] = left + waits * (sooner[i, k] - left)


@part
def _hold(side: float, left: float, decay: Any, spot: Any, held: Any, ends: Any) -> None:
    """Move what is held at the low end by a step, or a dividend, and write what it is worth.

    There the strike is sure to be exchanged for the stock; the American holder does it as soon as waiting is
    worth no more. `held` is, for each of the two, the strike's part, the stock's, and the time that was left
    to expiration; (2, 3, LANES). `decay` is what becomes of the first two.
    """
    american, european = held[_AMERICAN], held[_EUROPEAN]
    for k in range(LANES):
        for own in (american, european):
            own[_BOND, k] *= decay[0]
            own[_STOCK, k] *= decay[1]
        now, later = side * (1.0 - spot[k]), side * (american[_BOND, k] - spot[k] * american[_STOCK, k])
        if now >= later:
            american[_BOND, k], american[_STOCK, k], american[_LEFT, k] = 1.0, 1.0, left
        ends[_AMERICAN, k] = max(now, later)
        ends[_EUROPEAN, k] = side * (european[_BOND, k] - spot[k] * european[_STOCK, k])
        ends[_SOONER, k] = american[_BOND, k] * american[_LEFT, k]


@part
def solve_grid(
    side: float,
    rate: float,
    carry: float,
    moments: Any,
    dates: Any,
    shares: Any,
    vols: Any,
    tables: Any,
) -> None:
    """Write American less European value, over the strike, and C at some moments.

    Parameters
    ----------
    side
        1 for a put, -1 for a call.
    moments
        Years to expiration, ascending; (m,).
    dates, shares
        Dividends ahead: years to expiration, ascending, and share of the price; (d,).
    vols
        (LANES,).
    tables
        Written; (2, m, POINTS, LANES).
    """
    longest = moments[-1]
    root, state, scratch = scalar_sqrt(longest), np.zeros((3, POINTS, LANES)), np.empty((POINTS, LANES))
    least, drift, moved, spot = np.empty((POINTS, LANES)), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    held, ends = np.ones((2, 3, LANES)), np.empty((3, LANES))
    for k in range(LANES):
        s = vols[k] * root
        drift[k] = side * (rate - carry - 0.5 * vols[k] * vols[k]) / (2.0 * STEP * s)
        spot[k] = scalar_exp(-side * REACH * s)
        held[_AMERICAN, _LEFT, k] = 0.0
        for i in range(POINTS):
            pays = side * (1.0 - scalar_exp(side * (i * STEP - REACH) * s))
            state[_AMERICAN, i, k] = state[_EUROPEAN, i, k] = max(pays, 0.0)
            least[i, k] = pays if pays > 0.0 else _NEVER
    now, paid, done = 0.0, 0, 0
    while done < moments.size:
        stop = min(dates[paid], moments[done]) if paid < dates.size else moments[done]
        if stop - now > _SAME * longest:
            _march((side, rate, carry, longest), now, stop, drift, spot, least, (held, ends), state)
        now = stop
        if paid < dates.size and stop == dates[paid]:
            for k in range(LANES):
                moved[k] = side * log(1.0 - shares[paid]) / (vols[k] * root * STEP)
            _pay(now, moved, least, scratch, state)
            _hold(side, now, (1.0, 1.0 - shares[paid]), spot, held, ends)
            paid += 1
        while done < moments.size and stop == moments[done]:
            for i in range(POINTS):
                for k in range(LANES):
                    tables[PREMIUM, done, i, k] = state[_AMERICAN, i, k] - state[_EUROPEAN, i, k]
                    tables[SOONER, done, i, k] = state[_SOONER, i, k]
            done += 1


@part
def _march(
    market: Any, now: float, stop: float, drift: Any, spot: Any, least: Any, low: Any, state: Any
) -> None:
    """Move every system from one time to another; from expiration, with implicit half steps first.

    `market` is side, rate, yield and longest time; `low` is what is held at the low end, and its values.
    """
    side, rate, carry, longest = market
    held, ends = low
    weights = np.empty((5, LANES))
    steps = max(_FEWEST, round(STEPS * (stop - now) / longest))
    half = _STARTING if now == 0.0 else 0
    dt = (stop - now) / steps
    decay = (1.0, 1.0)
    for step in range(half + steps - half // 2):
        theta, size = (1.0, 0.5 * dt) if step < half else (0.5, dt)
        if step in (0, half):
            _weigh(theta, size, rate, longest, drift, weights)
            decay = (scalar_exp(-rate * size), scalar_exp(-carry * size))
        now += size
        _hold(side, now, decay, spot, held, ends)
        _advance(now, weights, least, ends, state)
