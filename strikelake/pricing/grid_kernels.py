"""Values of options with discrete dividends ahead on a grid, for many volatilities side by side, compiled.

The unknown is V / K on a grid in z = ln(S / K) / (vol sqrt(T)), mirrored for calls so that early exercise is
at its low end, for LANES volatilities side by side: what the processor multiplies at once.

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

from strikelake.pricing.elementary import fma, loop, select, wide

LANES, POINTS, STEPS = 8, 299, 120
"""Volatilities; points, odd so that one is the strike and with two ends beside a multiple of three; steps."""

REACH = 6.0
"""Standard deviations on either side of the strike."""

STEP = 2.0 * REACH / (POINTS - 1)
"""Standard deviations between two points."""

_STARTING = 4  # implicit half steps
_FEWEST = 2  # steps between two dates
_SAME = 1e-10  # of the time: two dates so near are one


@loop
def _factor(
    theta: float, dt: float, rate: float, drift: Any, years: float, low: Any, up: Any, pivot: Any
) -> None:
    """Write the implicit matrix's off-diagonals of each lane, and the inverse pivots from the top down."""
    diffusion = 0.5 * dt / (STEP * STEP * years)
    middle = 1.0 + theta * (2.0 * diffusion + rate * dt)
    for k in range(LANES):
        low[k] = diffusion - drift[k] * dt
        up[k] = diffusion + drift[k] * dt
        pivot[POINTS - 2, k] = 1.0 / middle
    for i in range(POINTS - 3, 0, -1):
        for k in range(LANES):
            pivot[i, k] = 1.0 / (middle - theta * theta * low[k] * up[k] * pivot[i + 1, k])


@loop
def _advance(
    theta: float,
    dt: float,
    rate: float,
    years: float,
    low: Any,
    up: Any,
    pivot: Any,
    least: Any,
    edge: Any,
    right: Any,
    value: Any,
) -> None:
    """Move every lane one step back in time; `edge` is the value at the low end."""
    explicit = 1.0 - theta
    middle = 1.0 - explicit * (dt / (STEP * STEP * years) + rate * dt)
    wide()
    for k in range(LANES):
        right[POINTS - 1, k] = value[POINTS - 1, k] = 0.0
    for i in range(POINTS - 2, 0, -3):
        for k in range(LANES):
            a, b, c, d, e = value[i + 1, k], value[i, k], value[i - 1, k], value[i - 2, k], value[i - 3, k]
            from_low, from_up, implied = explicit * low[k], explicit * up[k], theta * up[k]
            one = fma(middle, b, fma(from_low, c, from_up * a))
            one = fma(implied, right[i + 1, k], one) * pivot[i, k]
            two = fma(middle, c, fma(from_low, d, from_up * b))
            two = fma(implied, one, two) * pivot[i - 1, k]
            three = fma(middle, d, fma(from_low, e, from_up * c))
            right[i, k], right[i - 1, k] = one, two
            right[i - 2, k] = fma(implied, two, three) * pivot[i - 2, k]
    for k in range(LANES):
        value[0, k] = edge[k]
    for i in range(1, POINTS - 1, 3):
        for k in range(LANES):
            down = theta * low[k]
            one = fma(down * pivot[i, k], value[i - 1, k], right[i, k])
            one = select(one > least[i, k], one, least[i, k])
            two = fma(down * pivot[i + 1, k], one, right[i + 1, k])
            two = select(two > least[i + 1, k], two, least[i + 1, k])
            three = fma(down * pivot[i + 2, k], two, right[i + 2, k])
            value[i, k], value[i + 1, k] = one, two
            value[i + 2, k] = select(three > least[i + 2, k], three, least[i + 2, k])


@loop
def _pay(moved: Any, least: Any, before: Any, value: Any) -> None:
    """Put an ex-date: the value just before is the value at the spot that is left, or exercise."""
    before[:] = value
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
            value[i, k] = max(value[i, k], least[i, k])


@loop
def solve_grid(
    american: bool,
    side: float,
    rate: float,
    carry: float,
    moments: Any,
    times: Any,
    shares: Any,
    vols: Any,
    values: Any,
) -> None:
    """Write V / K at some moments, (moments, POINTS, LANES).

    Parameters
    ----------
    side
        1 for a put, -1 for a call.
    moments
        Years to expiration, ascending.
    times, shares
        Dividends ahead: years to expiration, ascending, and share of the price; (d,).
    """
    longest = moments[-1]
    shape, root = (POINTS, LANES), scalar_sqrt(longest)
    payoff, value, scratch = np.empty(shape), np.empty(shape), (np.empty(shape), np.empty(shape))
    drift, moved, spot = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    for k in range(LANES):
        s = vols[k] * root
        drift[k] = side * (rate - carry - 0.5 * vols[k] * vols[k]) / (2.0 * STEP * s)
        spot[k] = scalar_exp(-side * REACH * s)
        for i in range(POINTS):
            payoff[i, k] = max(side * (1.0 - scalar_exp(side * (i * STEP - REACH) * s)), 0.0)
    value[:] = payoff
    least = payoff if american else np.full(shape, -np.inf)
    now, kept, paid, done = 0.0, 1.0, 0, 0
    while done < moments.size:
        stop = min(times[paid], moments[done]) if paid < times.size else moments[done]
        if stop - now > _SAME * longest:
            market = (american, side, rate, carry, longest, kept)
            _march(market, now, stop, drift, spot, least, scratch, value)
        now = stop
        if paid < times.size and stop == times[paid]:
            for k in range(LANES):
                moved[k] = side * log(1.0 - shares[paid]) / (vols[k] * root * STEP)
            _pay(moved, least, scratch[0], value)
            kept *= 1.0 - shares[paid]
            paid += 1
        while done < moments.size and stop == moments[done]:
            values[done] = value
            done += 1


@loop
def _march(
    market: Any, now: float, stop: float, drift: Any, spot: Any, least: Any, scratch: Any, value: Any
) -> None:
    """Move every lane from one time to another; from expiration, with implicit half steps first.

    `market` is whether exercise is early, side, rate, yield, longest time and the share of the spot that the
    dividends so far leave; `spot` is the low end's.
    """
    american, side, rate, carry, longest, kept = market
    right, pivot = scratch
    low, up, edge = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    steps = max(_FEWEST, round(STEPS * (stop - now) / longest))
    half = _STARTING if now == 0.0 else 0
    dt = (stop - now) / steps
    for step in range(half + steps - half // 2):
        theta, size = (1.0, 0.5 * dt) if step < half else (0.5, dt)
        if step in (0, half):
            _factor(theta, size, rate, drift, longest, low, up, pivot)
        now += size
        bond, stock = scalar_exp(-rate * now), kept * scalar_exp(-carry * now)
        for k in range(LANES):
            held = side * (bond - spot[k] * stock)
            edge[k] = max(side * (1.0 - spot[k]), held) if american else held
        _advance(theta, size, rate, longest, low, up, pivot, least, edge, right, value)
