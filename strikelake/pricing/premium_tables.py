"""The early-exercise premium of one cell of rows as polynomials, from its exercise boundary, compiled.

A cell is a side, a rate, a yield, a narrow range of times and a range of volatilities. The premium of the put
with strike 1 is

    e(S, vol, T) = int_0^T r exp(-r m) N(-d2) - q S exp(-q m) N(-d1) dm,   d at S / B(T - m) and m.

With u = ln(S / B) / (vol sqrt(T)), how many standard deviations the spot is above the boundary, ln(e) bends
like -u^2 / 2 and hardly with ln(vol): POWERS_U by POWERS_VOL powers hold it to some 1e-5, where e itself would
need a quadrature for every row. What the shortest time adds, and what a change of the rate adds, are small and
keep FEW_U by FEW_VOL.

Sources: I. Kim, "The analytic valuation of American options", Review of Financial Studies 1990, and P. Carr,
R. Jarrow and R. Myneni, "Alternative characterizations of American put options", Mathematical Finance 1992.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import exp as scalar_exp
from math import log
from math import sqrt as scalar_sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from strikelake.pricing.boundary_start import VOLS, limit_at_expiration
from strikelake.pricing.elementary import exp, ln, loop, normal, select, sqrt
from strikelake.pricing.exercise_boundary import solve_boundary

if TYPE_CHECKING:
    from strikelake.pricing.arrays import FloatArray

POWERS_U, POWERS_VOL = 10, VOLS
FEW_U, FEW_VOL = 6, 4
FAR = 7.0
"""Standard deviations above the boundary from which on the premium is as good as nothing."""

LN_LOW, PER_WIDTH, LN_LIMIT, LN_LONGEST, PER_SPAN, DISTANCE = range(6)
NEARER = DISTANCE + POWERS_VOL
SURFACE = NEARER + FEW_VOL
SHORTER = SURFACE + POWERS_U * POWERS_VOL
SWAY = SHORTER + FEW_U * FEW_VOL
SIZE = SWAY + FEW_U * FEW_VOL
"""Where a cell's table has what: ln(vol) at -1 and how fast the place of a volatility moves with it; ln(X);
ln(T) of the longest time and what takes ln(T) to 0 there and to 1 at the shortest; then, in powers of the
place, the deviations from X to B at the longest time and what the shortest adds, and in powers of u and of the
place, ln(e) at the longest time, what the shortest adds, and what a unit of rate adds."""

_TIMES, _INNER, _OUTER = 6, 10, 16
_BUMP = 1e-3
_TINY = 1e-8  # rate times years below which the premium is no more than rounding
_NOTHING = -690.0


@dataclass(frozen=True, slots=True)
class Nodes:
    """Nodes and weights, the same for every cell.

    Attributes
    ----------
    times
        Boundary nodes as shares of the longest time, descending, without 0; (n,).
    points, weights, lags
        Gauss-Legendre on [-1, 1] for the boundary's integrals, and (tau - u) / tau there; (l,).
    inner
        From H at the nodes (and 0) to H at u, for each node and volatility; (l, n + 1, n VOLS).
    outer_lags, outer_weights
        Share of the time that has passed and weight of it in the premium's integral; (p,).
    outer
        From H at the nodes to H at those points; (p, n + 1).
    chebyshev
        From H at the nodes to its Chebyshev coefficients in 2 sqrt(tau / T) - 1; (n + 1, n + 1).
    vols, deviations, few_deviations
        Chebyshev nodes of the places of volatilities (VOLS,), and of u (POWERS_U,) and (FEW_U,).
    to_vol, to_few_vol, to_u, to_few_u
        From values at those nodes to coefficients of powers; those of few volatilities are a projection.
    """

    times: FloatArray
    points: FloatArray
    weights: FloatArray
    lags: FloatArray
    inner: FloatArray
    outer_lags: FloatArray
    outer_weights: FloatArray
    outer: FloatArray
    chebyshev: FloatArray
    vols: FloatArray
    deviations: FloatArray
    few_deviations: FloatArray
    to_vol: FloatArray
    to_few_vol: FloatArray
    to_u: FloatArray
    to_few_u: FloatArray

    def arguments(self) -> tuple[Any, ...]:
        """Return what `fill_tables` takes."""
        rule, outer = (self.points, self.weights, self.lags), (self.outer_lags, self.outer_weights)
        places = (self.vols, self.deviations, self.few_deviations)
        powers = (self.to_vol, self.to_few_vol, self.to_u, self.to_few_u)
        return self.times, rule, self.inner, outer, self.outer, self.chebyshev, places, powers


@cache
def nodes() -> Nodes:
    """Return the nodes and weights."""
    from numpy.polynomial import chebyshev, legendre

    z = np.cos(np.pi * np.arange(_TIMES + 1) / _TIMES)  # the last, -1, is expiration
    to_chebyshev = np.linalg.inv(chebyshev.chebvander(z, _TIMES))
    times = (0.5 * (1.0 + z[:-1])) ** 2
    points, weights = legendre.leggauss(_INNER)
    lags = 0.25 * (1.0 + points) ** 2
    left = np.sqrt(times[:, None] * (1.0 - lags))
    inner = chebyshev.chebvander(2.0 * left - 1.0, _TIMES) @ to_chebyshev
    outer_points, outer_weights = legendre.leggauss(_OUTER)
    outer_lags = 0.25 * (1.0 + outer_points) ** 2
    vols, some, few = (np.cos(np.pi * (np.arange(n) + 0.5) / n) for n in (VOLS, POWERS_U, FEW_U))
    return Nodes(
        times=times,
        points=points,
        weights=weights,
        lags=lags,
        inner=np.repeat(np.moveaxis(inner, 0, -1), VOLS, axis=-1),
        outer_lags=outer_lags,
        outer_weights=0.5 * outer_weights * (1.0 + outer_points),
        outer=chebyshev.chebvander(2.0 * np.sqrt(1.0 - outer_lags) - 1.0, _TIMES) @ to_chebyshev,
        chebyshev=np.asarray(to_chebyshev, dtype=np.float64),
        vols=vols,
        deviations=0.5 * FAR * (some + 1.0),
        few_deviations=0.5 * FAR * (few + 1.0),
        to_vol=_to_powers(vols, POWERS_VOL),
        to_few_vol=_to_powers(vols, FEW_VOL),
        to_u=_to_powers(some, POWERS_U),
        to_few_u=_to_powers(few, FEW_U),
    )


def _to_powers(places: FloatArray, kept: int) -> FloatArray:
    """Return the matrix (kept, n) from values at Chebyshev nodes to powers of the first terms."""
    from numpy.polynomial import chebyshev

    series = np.linalg.inv(chebyshev.chebvander(places, len(places) - 1))[:kept]
    powers = np.zeros((kept, kept))
    for k in range(kept):
        coefficients = chebyshev.cheb2poly(np.eye(kept)[k])
        powers[k, : len(coefficients)] = coefficients
    return np.ascontiguousarray(powers.T @ series)


@loop
def _levels(ln_limit: float, from_nodes: Any, h: Any, levels: Any) -> None:
    """Write ln(B) where `from_nodes` (p, n + 1) interpolates to, for each volatility; (p, VOLS)."""
    for j in range(levels.shape[0]):
        for i in range(VOLS):
            levels[j, i] = 0.0
        for k in range(h.shape[0]):
            for i in range(VOLS):
                levels[j, i] += from_nodes[j, k] * h[k, i]
        for i in range(VOLS):
            levels[j, i] = ln_limit - sqrt(select(levels[j, i] > 0.0, levels[j, i], 0.0))


@loop
def _interpolate(shares: Any, chebyshev: Any, from_nodes: Any) -> None:
    """Write the weights that interpolate H to shares of the solved time; (p, n + 1)."""
    for j in range(shares.size):
        z = 2.0 * scalar_sqrt(shares[j]) - 1.0
        before, basis = z, 1.0
        for m in range(chebyshev.shape[1]):
            from_nodes[j, m] = 0.0
        for k in range(chebyshev.shape[0]):
            for m in range(chebyshev.shape[1]):
                from_nodes[j, m] += basis * chebyshev[k, m]
            before, basis = basis, (z if k == 0 else 2.0 * z * basis - before)


@loop
def _ln_premiums(
    rate: float, carry: float, years: float, outer: Any, levels: Any, vols: Any, ln_spots: Any, values: Any
) -> None:
    """Write ln(e) at `ln_spots` (k, VOLS); `levels` (p, VOLS) is ln(B) at the integral's points."""
    lags, weights = outer
    flat, ln_spot = values.reshape(values.size), ln_spots.reshape(values.size)
    spot, level, s = np.empty(flat.size), np.empty(flat.size), np.empty(flat.size)
    for i in range(flat.size):
        flat[i], spot[i] = 0.0, exp(ln_spot[i])
    for j in range(lags.size):
        passed = years * lags[j]
        root, drift = scalar_sqrt(passed), (rate - carry) * passed
        bond = years * weights[j] * rate * scalar_exp(-rate * passed)
        stock = years * weights[j] * carry * scalar_exp(-carry * passed)
        for k in range(values.shape[0]):
            for i in range(VOLS):
                level[k * VOLS + i], s[k * VOLS + i] = levels[j, i] - drift, vols[i] * root
        for i in range(flat.size):
            d1 = (ln_spot[i] - level[i]) / s[i] + 0.5 * s[i]
            n1, _ = normal(-d1)
            n2, _ = normal(s[i] - d1)
            flat[i] += bond * n2 - stock * spot[i] * n1
    for i in range(flat.size):
        flat[i] = ln(select(flat[i] > 1e-300, flat[i], 1e-300))


@loop
def _to_surface(to_u: Any, to_vol: Any, values: Any, coefficients: Any) -> None:
    """Write the coefficients of powers of u and of the place of the volatility, from values at the nodes."""
    rows = np.empty((to_u.shape[0], VOLS))
    for a in range(to_u.shape[0]):
        for i in range(VOLS):
            rows[a, i] = 0.0
            for k in range(values.shape[0]):
                rows[a, i] += to_u[a, k] * values[k, i]
        for b in range(to_vol.shape[0]):
            total = 0.0
            for i in range(VOLS):
                total += to_vol[b, i] * rows[a, i]
            coefficients[a * to_vol.shape[0] + b] = total


@loop
def _place(
    ln_limit: float, years: float, distance: Any, vols: Any, deviations: Any, ln_spots: Any
) -> None:
    """Write the logarithms of the spots some deviations above the boundary, which is `distance` below X."""
    root = scalar_sqrt(years)
    for k in range(deviations.size):
        for i in range(VOLS):
            ln_spots[k, i] = ln_limit + (deviations[k] - distance[i]) * vols[i] * root


@loop
def _multiply(matrix: Any, vector: Any, product: Any) -> None:
    """Write the product of a matrix and a vector."""
    for a in range(matrix.shape[0]):
        total = 0.0
        for b in range(matrix.shape[1]):
            total += matrix[a, b] * vector[b]
        product[a] = total


@loop
def _add_shorter(
    terms: Any, span: Any, outer: Any, chebyshev: Any, vols: Any, places: Any, powers: Any, solved: Any, table: Any
) -> None:
    """Write what the shortest time adds to the distance and to the premium.

    `terms` is rate, yield and ln(X), `span` the shortest and the longest time, and `solved` is H, the distance
    of the boundary at the longest time and ln(e) there at few deviations.
    """
    rate, carry, ln_limit = terms
    shortest, longest = span
    h, far, base = solved
    near, level, shares = np.empty(VOLS), np.empty((1, VOLS)), np.full(1, shortest / longest)
    from_nodes = np.empty((outer[0].size, h.shape[0]))
    ln_spots, values, levels = np.empty_like(base), np.empty_like(base), np.empty((outer[0].size, VOLS))
    table[PER_SPAN] = 1.0 / log(shortest / longest)
    _interpolate(shares, chebyshev, from_nodes[:1])
    _levels(0.0, from_nodes[:1], h, level)
    for i in range(VOLS):
        near[i] = -level[0, i] / (vols[i] * scalar_sqrt(shortest)) - far[i]
    _multiply(powers[1], near, table[NEARER:SURFACE])
    for i in range(VOLS):  # where the few powers put it
        near[i] = far[i]
        for b in range(FEW_VOL):
            near[i] += table[NEARER + b] * places[0][i] ** b
    _place(ln_limit, shortest, near, vols, places[2], ln_spots)
    _interpolate(shares[0] * (1.0 - outer[0]), chebyshev, from_nodes)
    _levels(ln_limit, from_nodes, h, levels)
    _ln_premiums(rate, carry, shortest, outer, levels, vols, ln_spots, values)
    _to_surface(powers[3], powers[1], values - base, table[SHORTER:SWAY])


@loop
def _fill(
    rate: float,
    carry: float,
    of_carry: bool,
    reach: Any,
    times: Any,
    rule: Any,
    inner: Any,
    outer: Any,
    from_nodes: Any,
    chebyshev: Any,
    places: Any,
    powers: Any,
    table: Any,
) -> None:
    """Write a cell's table; `reach` is ln(vol) at -1 and 1 and the shortest and longest time."""
    ln_low, ln_high, shortest, longest = reach
    ln_limit = limit_at_expiration(rate, carry)
    table[:] = 0.0
    table[LN_LOW], table[PER_WIDTH] = ln_low, 2.0 / (ln_high - ln_low)
    table[LN_LIMIT], table[LN_LONGEST] = ln_limit, log(longest)
    if max(rate, -carry) * longest < _TINY:
        table[DISTANCE], table[SURFACE] = FAR, _NOTHING
        return
    vols, far, levels = np.empty(VOLS), np.empty(VOLS), np.empty((outer[0].size, VOLS))
    h, bumped = np.empty((times.size + 1, VOLS)), np.empty((times.size + 1, VOLS))
    ln_spots, values = np.empty((POWERS_U + FEW_U, VOLS)), np.empty((POWERS_U + FEW_U, VOLS))
    for i in range(VOLS):
        vols[i] = scalar_exp(ln_low + 0.5 * (ln_high - ln_low) * (places[0][i] + 1.0))
    # Down in the yield, for from r = 0, q < 0 up might lead to where there is no boundary.
    bump = _BUMP * max(rate, 0.01)
    bumps = (0.0, -bump) if of_carry else (bump, 0.0)
    solve_boundary(rate, carry, longest, bumps, times, rule, inner, vols, h, bumped)
    for i in range(VOLS):
        far[i] = sqrt(h[0, i]) / (vols[i] * scalar_sqrt(longest))
    to_vol, to_few_vol, to_u, to_few_u = powers
    _multiply(to_vol, far, table[DISTANCE:NEARER])
    _place(ln_limit, longest, far, vols, places[1], ln_spots)
    _place(ln_limit, longest, far, vols, places[2], ln_spots[POWERS_U:])
    _levels(ln_limit, from_nodes, h, levels)
    _ln_premiums(rate, carry, longest, outer, levels, vols, ln_spots, values)
    base = values[POWERS_U:]
    _to_surface(to_u, to_vol, values[:POWERS_U], table[SURFACE:SHORTER])
    rate_up, carry_up, swayed = rate + bumps[0], carry + bumps[1], np.empty((FEW_U, VOLS))
    _levels(limit_at_expiration(rate_up, carry_up), from_nodes, bumped, levels)
    _ln_premiums(rate_up, carry_up, longest, outer, levels, vols, ln_spots[POWERS_U:], swayed)
    _to_surface(to_few_u, to_few_vol, (swayed - base) / (bumps[0] + bumps[1]), table[SWAY:SIZE])
    if shortest < longest:
        terms, solved = (rate, carry, ln_limit), (h, far, base)
        _add_shorter(terms, (shortest, longest), outer, chebyshev, vols, places, powers, solved, table)


@loop
def fill_tables(
    rates: Any,
    carries: Any,
    of_carry: Any,
    reaches: Any,
    times: Any,
    rule: Any,
    inner: Any,
    outer: Any,
    from_nodes: Any,
    chebyshev: Any,
    places: Any,
    powers: Any,
    tables: Any,
) -> None:
    """Write the table of each cell.

    Parameters
    ----------
    rates, carries
        Of the puts that the cells' rows are worked on as; (c,).
    of_carry
        Whether rho is the slope in the yield: the rows are calls; (c,).
    reaches
        ln(vol) at -1 and 1, and the shortest and longest time of a cell's rows; (c, 4).
    tables
        Written; (c, SIZE).
    """
    for cell in range(rates.size):
        reach = (reaches[cell, 0], reaches[cell, 1], reaches[cell, 2], reaches[cell, 3])
        _fill(
            rates[cell],
            carries[cell],
            of_carry[cell],
            reach,
            times,
            rule,
            inner,
            outer,
            from_nodes,
            chebyshev,
            places,
            powers,
            tables[cell],
        )
