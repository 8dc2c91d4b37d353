"""The early-exercise boundary of an American put, for many volatilities at once, compiled.

The strike is 1. A put with rate r and yield q is exercised when the spot falls to B(tau), tau years before
expiration; B(0) = X = min(1, r / q). The call with strike K on a spot S is the put with strike S on a spot K,
rate q and yield r, so that one solver serves both. B solves the fixed-point equation

    B(tau) = exp(-(r - q) tau) N(tau) / D(tau),
    N = n(d-) / (vol sqrt(tau)) + r int_0^tau exp(r u) n(d-) / (vol sqrt(tau - u)) du,
    D = n(d+) / (vol sqrt(tau)) + N(d+) + q int_0^tau exp(q u) (N(d+) + n(d+) / (vol sqrt(tau - u))) du,

with d at ln(B(tau)) outside and at ln(B(tau) / B(u)), tau - u under the integrals ("FP-A"); or, where drift
outweighs volatility and that one does not settle, with N = N(d-) + r int exp(r u) N(d-) du and D = N(d+) + q
int exp(q u) N(d+) du ("FP-B"). What is stored is H = ln(B / X)^2 on Chebyshev nodes in sqrt(tau), where it is
nearly a straight line.

When there is one boundary. Exercising gives up q S and gains r, per unit of time: it can pay only where
q S < r. With r > 0 that is everywhere below a level: one boundary. With r = 0 and q < 0 it is everywhere, and
a spot near 0 is exercised at once, for the put is worth at most 1 and its holder pays on waiting: again one
boundary, and the equations hold as they stand. With r <= 0 and q >= r, q S < r holds for no S below 1, so
that exercising never pays and the European formula is exact. With q < r < 0 it holds between r / q and 1
only: two boundaries, which are left to the grid (`dividend_kernels`).

Sources: L. Andersen, M. Lake, D. Offengenden, "High-performance American option pricing", Journal of
Computational Finance 2016, for the equations, their variables and quadrature; A. Battauz, M. De Donno and A.
Sbuelz, "Real options and American derivatives: the double continuation region", Management Science 2015, for
the boundaries by the signs of r and q.
"""

from __future__ import annotations

from math import sqrt as scalar_sqrt
from typing import Any

import numpy as np

from strikelake.fused import fma
from strikelake.pricing.boundary_nodes import VOLS
from strikelake.pricing.boundary_start import CLOSE, limit_at_expiration, start_boundary
from strikelake.pricing.elementary import exp, inlined, ln, merged, normal, part, select, sqrt, wide

_FEWEST, _MOST, _LAST = 2, 24, 2
_SETTLED = 0.05  # change of ln(B) in standard deviations; the last rounds make a twentieth of it or less
_CALM = 2.0  # volatility over drift per root of time above which FP-A settles

_S, _DRIFT, _N1, _DENSITY1, _N2, _DENSITY2 = range(6)


@part
def _weigh(
    rate: float, carry: float, longest: float, years: Any, vols: Any, nodes: Any, weighed: Any
) -> None:
    """Write what does not change from round to round: at each point of the integrals, and each pair.

    `weighed` is (6, l, m): deviation and drift over the lag, and what the normal distributions and densities
    at d+ and d- count for in the two integrals, by FP-A or by FP-B.
    """
    wide()
    points, weights, lags = nodes.points, nodes.weights, nodes.lags
    calm = _CALM * abs(rate - carry) * scalar_sqrt(longest)
    for j in range(points.size):
        s, drift, n1, density1 = (
            weighed[_S, j],
            weighed[_DRIFT, j],
            weighed[_N1, j],
            weighed[_DENSITY1, j],
        )
        n2, density2 = weighed[_N2, j], weighed[_DENSITY2, j]
        half, weight, left = 0.5 * (1.0 + points[j]), weights[j], 1.0 - lags[j]
        for i in range(vols.size):
            lag = years[i] * lags[j]
            s[i], drift[i] = vols[i] * sqrt(lag), (rate - carry) * lag
            grown_rate = rate * weight * exp(rate * years[i] * left)
            grown_carry = carry * weight * exp(carry * years[i] * left)
            smooth = select(vols[i] > calm, sqrt(years[i]) / vols[i], 0.0)
            n1[i], density1[i] = grown_carry * half * years[i], grown_carry * smooth
            n2[i] = select(vols[i] > calm, 0.0, grown_rate * half * years[i])
            density2[i] = grown_rate * smooth


@part
def _integrals(weighed: Any, inner: Any, h: Any, spread: Any, top: Any, bottom: Any) -> None:
    """Write the integrals of N and D, times r and q, for each pair.

    `inner` (l, n + 1, m) interpolates H to the points of the integrals; `spread` (n + 1, m) is H at every
    node for the volatility of each pair.
    """
    wide()
    mixed = np.empty(h.size)
    for i in range(h.size):
        top[i], bottom[i] = 0.0, 0.0
    for j in range(inner.shape[0]):
        for i in range(h.size):
            mixed[i] = 0.0
        for k in range(inner.shape[1]):
            weight, value = inner[j, k], spread[k]
            for i in range(h.size):
                mixed[i] = fma(weight[i], value[i], mixed[i])
        s, drift, w1, w2 = weighed[_S, j], weighed[_DRIFT, j], weighed[_N1, j], weighed[_DENSITY1, j]
        w3, w4 = weighed[_N2, j], weighed[_DENSITY2, j]
        for i in range(h.size):
            at_lag = select(mixed[i] > 0.0, mixed[i], 0.0)
            d = (sqrt(at_lag) - sqrt(h[i]) + drift[i]) / s[i]
            n1, density1 = normal(fma(0.5, s[i], d))
            n2, density2 = normal(fma(-0.5, s[i], d))
            bottom[i] += fma(w1[i], n1, w2[i] * density1)
            top[i] += fma(w3[i], n2, w4[i] * density2)


@inlined
def _image(level: Any, s: Any, drift: Any, smooth: Any, top: Any, bottom: Any) -> Any:
    """Return N / D at level = ln(B), and its slope in ln(B)."""
    per = 1.0 / s
    d1 = fma(level + drift, per, 0.5 * s)
    n1, density1 = normal(d1)
    n2, density2 = normal(d1 - s)
    n = top + select(smooth, density2 * per, n2)
    d = bottom + fma(density1, select(smooth, per, 0.0), n1)
    n_slope = density2 * per * select(smooth, (s - d1) * per, 1.0)
    d_slope = density1 * per * select(smooth, 1.0 - d1 * per, 1.0)
    return n / d, (n_slope - d_slope * n / d) / d


@part
def _round(
    rate: float,
    carry: float,
    longest: float,
    newton: bool,
    years: Any,
    vols: Any,
    weighed: Any,
    inner: Any,
    h: Any,
    spread: Any,
    work: Any,
) -> float:
    """Put the boundary through its equation once; return the largest change in standard deviations."""
    wide()
    ln_limit, calm = limit_at_expiration(rate, carry), _CALM * abs(rate - carry) * scalar_sqrt(longest)
    for k in range(spread.shape[0] - 1):  # at expiration H stays 0
        for i in range(h.size):
            spread[k, i] = h[k * VOLS + i % VOLS]
    top, bottom, change = work[0], work[1], work[2]
    _integrals(weighed, inner, h, spread, top, bottom)
    for i in range(h.size):
        level, s, drift = ln_limit - sqrt(h[i]), vols[i] * sqrt(years[i]), (rate - carry) * years[i]
        at, back = exp(level), exp(-drift)
        image, slope = _image(level, s, drift, vols[i] > calm, top[i], bottom[i])
        image, slope = back * image, back * slope / at
        moved = select(newton, at - (image - at) / (slope - 1.0), image)
        moved = select(moved > 0.2 * at, moved, 0.2 * at)
        after = ln(moved) - ln_limit
        after = select(after < 0.0, after, 0.0)
        change[i] = abs(after + sqrt(h[i])) / s
        h[i] = after * after
    worst = 0.0
    for i in range(h.size):
        worst = max(worst, change[i])
    return worst


@merged
def solve_boundary(
    rate: float,
    carry: float,
    longest: float,
    bumps: Any,
    nodes: Any,
    vols: Any,
    h: Any,
    bumped: Any,
) -> None:
    """Write H of every time and volatility, and again with rate and yield a little off.

    Parameters
    ----------
    rate, carry, longest
        Those of the put, and years to expiration; one boundary must exist (see above).
    bumps
        What the second boundary's rate and yield differ by.
    nodes
        `boundary_nodes.Nodes`: n times, l points of the integrals; m = n VOLS pairs, time by time.
    vols
        (VOLS,).
    h, bumped
        Written; (n + 1, VOLS), 0 in the last row. Both go the same way from where the first has settled, so
        that their difference is the bump's alone.
    """
    times, inner, pairs = nodes.times, nodes.inner, nodes.times.size * VOLS
    years, vol, work = np.empty(pairs), np.empty(pairs), np.empty((3, pairs))
    spread, weighed = np.zeros((times.size + 1, pairs)), np.empty((6, nodes.lags.size, pairs))
    for i in range(pairs):
        years[i], vol[i] = longest * times[i // VOLS], vols[i % VOLS]
    flat, flat_bumped = h.reshape(h.size)[:pairs], bumped.reshape(h.size)[:pairs]
    for i in range(VOLS):
        h[times.size, i], bumped[times.size, i] = 0.0, 0.0
    start_boundary(rate, carry, limit_at_expiration(rate, carry), years, vol, flat)
    _weigh(rate, carry, longest, years, vol, nodes, weighed)
    close, settled, left = rate < carry < CLOSE * rate, False, _LAST
    r, q, boundary = rate, carry, flat
    for done in range(_MOST + 2 * _LAST):
        newton = done == 0 and not close
        change = _round(r, q, longest, newton, years, vol, weighed, inner, boundary, spread, work)
        if settled:
            left -= 1
        elif (done + 1 >= _FEWEST and change < _SETTLED) or done + 1 == _MOST:
            settled = True
            for i in range(pairs):
                flat_bumped[i] = flat[i]
        if left == 0:
            if r != rate or q != carry:
                break
            r, q, boundary, left = rate + bumps[0], carry + bumps[1], flat_bumped, _LAST
            _weigh(r, q, longest, years, vol, nodes, weighed)
