"""The early-exercise boundary of an American put, for many volatilities at once, compiled.

The strike is 1. A put with rate r and yield q is exercised when the spot falls to B(tau), tau years before
expiration; B(0) = X = min(1, r / q). The call with strike K on a spot S is the put with strike S on a spot K,
rate q and yield r, so that one solver serves both. B solves the fixed-point equation

    B(tau) = exp(-(r - q) tau) N(tau) / D(tau),
    N = n(d-) / (vol sqrt(tau)) + r int_0^tau exp(r u) n(d-) / (vol sqrt(tau - u)) du,
    D = n(d+) / (vol sqrt(tau)) + N(d+) + q int_0^tau exp(q u) (N(d+) + n(d+) / (vol sqrt(tau - u))) du,

with d at ln(B(tau)) outside and at ln(B(tau) / B(u)), tau - u under the integrals ("FP-A"); or, where drift
outweighs volatility and that one does not settle, with N = N(d-) + r int exp(r u) N(d-) du and D = N(d+) + q
int exp(q u) N(d+) du ("FP-B"). What is stored is
H = ln(B / X)^2 on Chebyshev nodes in sqrt(tau), where it is nearly a straight line.

Sources: L. Andersen, M. Lake, D. Offengenden, "High-performance American option pricing", Journal of
Computational Finance 2016, for the equations, their variables and quadrature; M. Li, "Analytical
approximations for the critical stock prices of American options", Review of Derivatives Research 2010
("QD+"), and G. Barone-Adesi and R. Whaley, Journal of Finance 1987, for the start; J. Evans, R. Kuske and J.
Keller, "American options on assets with dividends near expiry", Mathematical Finance 2002, for short times.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import exp as scalar_exp
from math import log
from math import sqrt as scalar_sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from strikelake.pricing.elementary import exp, fma, inlined, ln, loop, normal, select, sqrt

if TYPE_CHECKING:
    from strikelake.pricing.arrays import FloatArray

VOLS = 16
"""Volatilities that are solved together: Chebyshev nodes in the logarithm, and lanes of SIMD."""

FEW = 8
"""Powers that are kept of what is small itself."""

_TIMES, _INNER, OUTER = 8, 8, 12
_FEWEST, _MOST, _LAST = 2, 24, 2
_SETTLED = 0.05  # change of ln(B) in standard deviations; the last rounds make a twentieth of it or less
_BUMP = 1e-3
_WORK = 7
_SECANTS = 3
_CALM = 2.0  # volatility over drift per root of time above which FP-A settles
_CLOSE = 1.3  # yield over rate below which QD+ and Newton's first step lead astray


@dataclass(frozen=True, slots=True)
class Tables:
    """Nodes and weights, the same for every boundary.

    Attributes
    ----------
    times
        Boundary nodes as shares of the longest time, descending, without 0; (n,).
    points, weights
        Gauss-Legendre on [-1, 1] for the integrals of the equation; (l,).
    lags
        (tau - u) / tau at those points, (1 + point)^2 / 4; (l,).
    inner
        From H at the nodes (and 0) to H at u; (n, l, n + 1).
    outer_lags, outer_weights
        Share of the time that has passed and weight of it in the premium's integral; (p,).
    chebyshev
        From H at the nodes to its Chebyshev coefficients in 2 sqrt(tau / T) - 1; (n + 1, n + 1).
    vols
        Chebyshev nodes of the volatilities, (VOLS,).
    powers, few_powers
        From values at those nodes to coefficients of powers: of the polynomial through them, (VOLS, VOLS),
        and of its projection on FEW; (VOLS, FEW).
    """

    times: FloatArray
    points: FloatArray
    weights: FloatArray
    lags: FloatArray
    inner: FloatArray
    outer_lags: FloatArray
    outer_weights: FloatArray
    chebyshev: FloatArray
    vols: FloatArray
    powers: FloatArray
    few_powers: FloatArray

    def of_boundary(self) -> tuple[FloatArray, ...]:
        """Return what `boundary_series` takes, in its order."""
        solving = (self.times, self.points, self.weights, self.lags, self.inner, self.outer_lags)
        return (*solving, self.chebyshev, self.vols, self.powers, self.few_powers)


@inlined
def _critical(spot: Any, years: Any, root: Any, rate: Any, carry: Any, vol: Any, discounts: Any) -> Any:
    """Return the gap in the QD+ equation; `discounts` are those of rate and yield, and QD+'s h."""
    bond, stock, h = discounts
    v2 = vol * vol
    drift = 2.0 * (rate - carry) / v2 - 1.0
    width = sqrt(drift * drift + 8.0 * h / v2)
    power = 0.5 * (-drift - width)
    slope = 2.0 * h * h / (v2 * width)
    a = 2.0 * bond / (v2 * (2.0 * power + drift))
    b = a * (h + slope / (2.0 * power + drift)) - power
    s = vol * root
    d1 = (ln(spot) + (rate - carry) * years) / s + 0.5 * s
    n1, density = normal(-d1)
    n2, _ = normal(s - d1)
    european = bond * n2 - spot * stock * n1
    theta = rate * bond * n2 - carry * spot * stock * n1 - v2 * spot / (2.0 * s) * stock * density
    premium = 1.0 - spot - european
    premium = select(abs(premium) < 1e-12, 1e-12, premium)
    return (1.0 - stock * n1) * spot + (a * theta / (bond * premium) - b) * premium


@loop
def _start(
    years: float, root: float, rate: float, carry: float, limit: float, discounts: Any, vols: Any, work: Any
) -> None:
    """Write two starting points of the secants, the gap at one, and the perpetual boundary."""
    now, before, gap, perpetual = work[0], work[1], work[2], work[3]
    for i in range(vols.size):
        vol = vols[i]
        omega = (rate - carry) / (vol * vol) - 0.5
        power = -omega - sqrt(omega * omega + 2.0 * rate / (vol * vol))
        bottom = power / (power - 1.0)
        speed = 2.0 * vol * root - (rate - carry) * years
        guess = bottom + (limit - bottom) * exp(-speed * limit / (limit - bottom))
        guess = select(guess < limit, guess, 0.999 * limit)
        now[i], before[i], perpetual[i] = guess, 0.98 * guess, bottom
        gap[i] = _critical(0.98 * guess, years, root, rate, carry, vol, discounts)


@loop
def _secant(
    years: float, root: float, rate: float, carry: float, limit: float, discounts: Any, vols: Any, work: Any
) -> None:
    """Move every lane by one secant step of at most a tenth."""
    now, before, gap, perpetual = work[0], work[1], work[2], work[3]
    for i in range(vols.size):
        at = now[i]
        here = _critical(at, years, root, rate, carry, vols[i], discounts)
        rise = here - gap[i]
        rise = select(abs(rise) < 1e-14, 1e-14, rise)
        step = -here * (at - before[i]) / rise
        step = select(step > 0.1 * at, 0.1 * at, select(step < -0.1 * at, -0.1 * at, step))
        moved = at + step
        moved = select(moved > limit, limit, moved)
        before[i], gap[i] = at, here
        now[i] = select(moved < 0.5 * perpetual[i], 0.5 * perpetual[i], moved)


@loop
def _store_start(
    years: float, root: float, rate: float, carry: float, ln_limit: float, vols: Any, work: Any, h: Any
) -> None:
    """Write H from the secants, or from the asymptote where time is too short for QD+."""
    now = work[0]
    for i in range(vols.size):
        v2 = vols[i] * vols[i]
        level = ln(now[i]) - ln_limit
        level = select(level < 0.0, level, 0.0)
        drift2 = (rate - carry) * (rate - carry) * years / v2
        one, other = -ln(8.0 * np.pi * drift2 + 1e-300), -2.0 * ln(4.0 * sqrt(np.pi) * rate * years)
        depth = select((one < other) & (carry <= rate), one, other)
        short = -vols[i] * root * sqrt(select(depth > 0.0, depth, 0.0))
        above = -0.6388 * vols[i] * root  # where the yield is above the rate
        short = select(carry > rate, select(short - ln_limit < above, short - ln_limit, above), short)
        near = (carry <= rate) & (depth > 4.0)
        near = near | ((carry > rate) & ((carry < _CLOSE * rate) | (drift2 < 1e-5)))
        level = select(near, short, level)
        h[i] = level * level


@loop
def _mix(weights: Any, values: Any, mixed: Any) -> None:
    """Write the weighted sum of the rows of `values`."""
    mixed[:] = 0.0
    for j in range(weights.size):
        weight, row = weights[j], values[j]
        for i in range(mixed.size):
            mixed[i] = fma(weight, row[i], mixed[i])


@loop
def _integrate(
    share: float,
    grown_rate: float,
    grown_carry: float,
    root: float,
    lag: float,
    drift: float,
    calm: float,
    vols: Any,
    at_lag: Any,
    here: Any,
    top: Any,
    bottom: Any,
) -> None:
    """Add one point of both integrals to every lane; `share` is half tau times (1 + point)."""
    root_lag = scalar_sqrt(lag)
    for i in range(vols.size):
        h = at_lag[i]
        distance = sqrt(select(h > 0.0, h, 0.0)) - sqrt(here[i])
        s = vols[i] * root_lag
        d = (distance + drift) / s
        n1, density1 = normal(d + 0.5 * s)
        n2, density2 = normal(d - 0.5 * s)
        per = root / vols[i]
        smooth = vols[i] > calm
        bottom[i] += grown_carry * fma(share, n1, select(smooth, per * density1, 0.0))
        top[i] += grown_rate * select(smooth, per * density2, share * n2)


@loop
def _renew(
    years: float,
    root: float,
    rate: float,
    carry: float,
    ln_limit: float,
    newton: bool,
    calm: float,
    vols: Any,
    here: Any,
    top: Any,
    bottom: Any,
    renewed: Any,
) -> float:
    """Write H after one round and return the largest change of ln(B) in standard deviations."""
    back = scalar_exp(-(rate - carry) * years)
    worst = 0.0
    for i in range(vols.size):
        level = ln_limit - sqrt(here[i])
        at, s = exp(level), vols[i] * root
        per = 1.0 / s
        d1 = (level + (rate - carry) * years) * per + 0.5 * s
        n1, density1 = normal(d1)
        n2, density2 = normal(d1 - s)
        smooth = vols[i] > calm
        n = fma(rate, top[i], select(smooth, density2 * per, n2))
        d = fma(carry, bottom[i], fma(density1, select(smooth, per, 0.0), n1))
        n_slope = density2 * per * select(smooth, (s - d1) * per, 1.0) / at
        d_slope = density1 * per * select(smooth, 1.0 - d1 * per, 1.0) / at
        image = back * n / d
        slope = back * (n_slope - d_slope * n / d) / d
        moved = select(newton, at - (image - at) / (slope - 1.0), image)
        moved = select(moved > 0.2 * at, moved, 0.2 * at)
        after = ln(moved) - ln_limit
        after = select(after < 0.0, after, 0.0)
        renewed[i] = after * after
        change = abs(after + sqrt(here[i])) * per
        worst = select(change > worst, change, worst)
    return worst


@loop
def _round(
    rate: float,
    carry: float,
    years: float,
    ln_limit: float,
    newton: bool,
    vols: Any,
    times: Any,
    points: Any,
    weights: Any,
    lags: Any,
    inner: Any,
    h: Any,
    renewed: Any,
    work: Any,
) -> float:
    """Put the boundary through its equation once at every time; return the largest change."""
    top, bottom, mixed = work[4], work[5], work[6]
    worst, calm = 0.0, _CALM * abs(rate - carry) * scalar_sqrt(years)
    for k in range(times.size):
        tau = years * times[k]
        root = scalar_sqrt(tau)
        top[:], bottom[:] = 0.0, 0.0
        for j in range(points.size):
            lag = tau * lags[j]
            _mix(inner[k, j], h, mixed)
            _integrate(
                0.5 * tau * (1.0 + points[j]),
                weights[j] * scalar_exp(rate * (tau - lag)),
                weights[j] * scalar_exp(carry * (tau - lag)),
                root,
                lag,
                (rate - carry) * lag,
                calm,
                vols,
                mixed,
                h[k],
                top,
                bottom,
            )
        change = _renew(tau, root, rate, carry, ln_limit, newton, calm, vols, h[k], top, bottom, renewed[k])
        worst = max(worst, change)
    for k in range(times.size):
        h[k, :] = renewed[k]
    return worst


@loop
def solve_boundary(
    rate: float,
    carry: float,
    years: float,
    vols: Any,
    times: Any,
    points: Any,
    weights: Any,
    lags: Any,
    inner: Any,
    h: Any,
    renewed: Any,
    work: Any,
) -> float:
    """Write H of every time and volatility; rate and years are positive.

    Returns
    -------
    float
        ln(X), the boundary's limit at expiration.
    """
    ln_limit = log(rate / carry) if carry > rate else 0.0
    limit = scalar_exp(ln_limit)
    for k in range(times.size):
        tau = years * times[k]
        root, bond, stock = scalar_sqrt(tau), scalar_exp(-rate * tau), scalar_exp(-carry * tau)
        small = rate * tau
        per = rate / (1.0 - bond) if small > 1e-5 else 1.0 / (tau * (1.0 - 0.5 * small * (1.0 - small / 3.0)))
        discounts = (bond, stock, per)
        _start(tau, root, rate, carry, limit, discounts, vols, work)
        for _ in range(_SECANTS):
            _secant(tau, root, rate, carry, limit, discounts, vols, work)
        _store_start(tau, root, rate, carry, ln_limit, vols, work, h[k])
    h[times.size, :] = 0.0
    close = rate < carry < _CLOSE * rate
    for done in range(_MOST):
        change = _round(
            rate,
            carry,
            years,
            ln_limit,
            done == 0 and not close,
            vols,
            times,
            points,
            weights,
            lags,
            inner,
            h,
            renewed,
            work,
        )
        if done + 1 >= _FEWEST and change < _SETTLED:
            break
    return ln_limit


@loop
def _levels_at(
    share: float, ln_limit: float, h: Any, to_chebyshev: Any, vols: Any, weights: Any, levels: Any
) -> None:
    """Write ln(B) / vol at a share of the solved time, for each volatility."""
    z = 2.0 * scalar_sqrt(share) - 1.0
    size = weights.size
    weights[:] = 0.0
    before, now = 1.0, z
    for k in range(size):
        basis = 1.0 if k == 0 else now
        for j in range(size):
            weights[j] += basis * to_chebyshev[k, j]
        if k > 0:
            before, now = now, 2.0 * z * now - before
    _mix(weights, h, levels)
    for i in range(vols.size):
        square = levels[i]
        levels[i] = (ln_limit - sqrt(select(square > 0.0, square, 0.0))) / vols[i]


@loop
def boundary_series(
    rate: float,
    carry: float,
    of_carry: float,
    shortest: float,
    longest: float,
    ln_low: float,
    ln_high: float,
    times: Any,
    points: Any,
    weights: Any,
    lags: Any,
    inner: Any,
    outer_lags: Any,
    to_chebyshev: Any,
    nodes: Any,
    powers: Any,
    few_powers: Any,
    level: Any,
    back: Any,
    sway: Any,
) -> None:
    """Solve a task's boundary; write ln(B) / vol at each point of the premium's integral as power series.

    Parameters
    ----------
    of_carry
        1 where `sway` is the slope in the yield, 0 where it is that in the rate.
    shortest, longest
        Years of the task's rows.
    ln_low, ln_high
        Logarithms of the volatilities at -1 and 1.
    level, back, sway
        Written: at the shortest time, what the longest adds, and the slope in a rate at the longest;
        (p + 1, VOLS), (p + 1, FEW) twice, with the boundary of now last.
    """
    size = times.size + 1
    h, renewed, work = np.zeros((size, VOLS)), np.zeros((size, VOLS)), np.empty((_WORK, VOLS))
    vols, mixing = np.empty(VOLS), np.empty(size)
    for i in range(VOLS):
        vols[i] = scalar_exp(ln_low + 0.5 * (ln_high - ln_low) * (nodes[i] + 1.0))
    ln_limit = solve_boundary(
        rate, carry, longest, vols, times, points, weights, lags, inner, h, renewed, work
    )
    bumped = h.copy()  # both go the same way from here, so that their difference is the rate's alone
    bump = _BUMP * max(rate, 0.01)
    rate_up, carry_up = rate + bump * (1.0 - of_carry), carry + bump * of_carry
    limit_up = log(rate_up / carry_up) if carry_up > rate_up else 0.0
    never = of_carry < 0.0  # a literal would be compiled apart
    for _ in range(_LAST):
        _round(
            rate, carry, longest, ln_limit, never, vols, times, points, weights, lags, inner, h, renewed, work
        )
        _round(
            rate_up,
            carry_up,
            longest,
            limit_up,
            never,
            vols,
            times,
            points,
            weights,
            lags,
            inner,
            bumped,
            renewed,
            work,
        )
    for j in range(outer_lags.size + 1):
        left = 1.0 - outer_lags[j] if j < outer_lags.size else 1.0
        _levels_at(left, ln_limit, h, to_chebyshev, vols, mixing, work[0])
        _levels_at(left * shortest / longest, ln_limit, h, to_chebyshev, vols, mixing, work[1])
        _levels_at(left, limit_up, bumped, to_chebyshev, vols, mixing, work[2])
        for i in range(VOLS):
            work[3, i] = work[0, i] - work[1, i]
            work[4, i] = (work[2, i] - work[0, i]) / bump
        _mix(work[1], powers, level[j])
        _mix(work[3], few_powers, back[j])
        _mix(work[4], few_powers, sway[j])


@cache
def tables() -> Tables:
    """Return the nodes and weights."""
    from numpy.polynomial import chebyshev, legendre

    z = np.cos(np.pi * np.arange(_TIMES + 1) / _TIMES)  # the last, -1, is expiration
    to_chebyshev = np.linalg.inv(chebyshev.chebvander(z, _TIMES))
    times = (0.5 * (1.0 + z[:-1])) ** 2
    points, weights = legendre.leggauss(_INNER)
    lags = 0.25 * (1.0 + points) ** 2
    left = np.sqrt(times[:, None] * (1.0 - lags))
    outer_points, outer_weights = legendre.leggauss(OUTER)
    vols = np.cos(np.pi * (np.arange(VOLS) + 0.5) / VOLS)
    return Tables(
        times=times,
        points=points,
        weights=weights,
        lags=lags,
        inner=np.ascontiguousarray(chebyshev.chebvander(2.0 * left - 1.0, _TIMES) @ to_chebyshev),
        outer_lags=0.25 * (1.0 + outer_points) ** 2,
        outer_weights=0.5 * outer_weights * (1.0 + outer_points),
        chebyshev=np.asarray(to_chebyshev, dtype=np.float64),
        vols=vols,
        powers=_to_powers(vols, VOLS),
        few_powers=_to_powers(vols, FEW),
    )


def _to_powers(nodes: FloatArray, kept: int) -> FloatArray:
    """Return the matrix from values at Chebyshev nodes to powers of the first terms of their series."""
    from numpy.polynomial import chebyshev

    series = np.linalg.inv(chebyshev.chebvander(nodes, len(nodes) - 1))[:kept]
    powers = np.zeros((kept, kept))
    for k in range(kept):
        coefficients = chebyshev.cheb2poly(np.eye(kept)[k])
        powers[k, : len(coefficients)] = coefficients
    return np.ascontiguousarray(series.T @ powers)
