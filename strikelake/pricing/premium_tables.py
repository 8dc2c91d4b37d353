"""The early-exercise premium of one cell of rows as polynomials, from its exercise boundary, compiled.

A cell is a side, a rate, a yield, a narrow range of times and a range of volatilities. The premium of the put
with strike 1 is

    e(S, vol, T) = int_0^T r exp(-r m) N(-d2) - q S exp(-q m) N(-d1) dm,   d at S / B(T - m) and m.

With u = ln(S / B) / (vol sqrt(T)), how many standard deviations the spot is above the boundary, ln(e) bends
like -u^2 / 2 and hardly with ln(vol): POWERS_U by POWERS_VOL powers hold it to some 1e-5, where e itself
would need a quadrature for every row. What the shortest time adds, and what a change of the rate adds, are
small and keep FEW_U by FEW_VOL.

Sources: I. Kim, "The analytic valuation of American options", Review of Financial Studies 1990, and P. Carr,
R. Jarrow and R. Myneni, "Alternative characterizations of American put options", Mathematical Finance 1992.
"""

from __future__ import annotations

from math import exp as scalar_exp
from math import log
from math import sqrt as scalar_sqrt
from typing import Any

import numpy as np

from strikelake.fused import fma
from strikelake.pricing.boundary_nodes import FAR, FEW_U, FEW_VOL, POWERS_U, POWERS_VOL, VOLS
from strikelake.pricing.boundary_start import limit_at_expiration
from strikelake.pricing.elementary import exp, ln, loop, merged, normal, part, select, sqrt, wide
from strikelake.pricing.exercise_boundary import solve_boundary

LN_LOW, PER_WIDTH, LN_LIMIT, LN_LONGEST, PER_SPAN, DISTANCE = range(6)
NEARER = DISTANCE + POWERS_VOL
SURFACE = NEARER + FEW_VOL
SHORTER = SURFACE + POWERS_U * POWERS_VOL
SWAY = SHORTER + FEW_U * FEW_VOL
SIZE = SWAY + FEW_U * FEW_VOL
"""Where a cell's table has what: ln(vol) at -1 and how fast the place of a volatility moves with it; ln(X);
ln(T) of the longest time and what takes ln(T) to 0 there and to 1 at the shortest; then, in powers of the
place, the deviations from X to B at the longest time and what the shortest adds, and in powers of u and of
the place, ln(e) at the longest time, what the shortest adds, and what a unit of rate adds."""

_BUMP = 1e-3
_TINY = 1e-8  # rate times years below which the premium is no more than rounding
_NOTHING = -690.0  # a logarithm whose exponential is


@part
def _levels(ln_limit: float, from_nodes: Any, h: Any, levels: Any) -> None:
    """Write ln(B) where `from_nodes` (p, n + 1) interpolates to, for each volatility; (p, VOLS)."""
    for j in range(levels.shape[0]):
        for i in range(VOLS):
            levels[j, i] = 0.0
        for k in range(h.shape[0]):
            for i in range(VOLS):
                levels[j, i] = fma(from_nodes[j, k], h[k, i], levels[j, i])
        for i in range(VOLS):
            levels[j, i] = ln_limit - sqrt(select(levels[j, i] > 0.0, levels[j, i], 0.0))


@part
def _interpolate(shares: Any, chebyshev: Any, from_nodes: Any) -> None:
    """Write the weights that interpolate H to shares of the solved time; (p, n + 1)."""
    for j in range(shares.size):
        z = 2.0 * scalar_sqrt(shares[j]) - 1.0
        before, basis = z, 1.0
        for m in range(chebyshev.shape[1]):
            from_nodes[j, m] = 0.0
        for k in range(chebyshev.shape[0]):
            for m in range(chebyshev.shape[1]):
                from_nodes[j, m] = fma(basis, chebyshev[k, m], from_nodes[j, m])
            before, basis = basis, (z if k == 0 else 2.0 * z * basis - before)


@part
def _ln_premiums(
    rate: float, carry: float, years: float, nodes: Any, levels: Any, vols: Any, ln_spots: Any, values: Any
) -> None:
    """Write ln(e) at `ln_spots` (k, VOLS); `levels` (p, VOLS) is ln(B) at the integral's points."""
    wide()
    lags, weights = nodes.outer_lags, nodes.outer_weights
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
            d1 = fma(0.5, s[i], (ln_spot[i] - level[i]) / s[i])
            n1, _ = normal(-d1)
            n2, _ = normal(s[i] - d1)
            flat[i] += fma(bond, n2, -stock * spot[i] * n1)
    for i in range(flat.size):
        flat[i] = ln(select(flat[i] > 1e-300, flat[i], 1e-300))


@part
def _multiply(matrix: Any, vector: Any, product: Any) -> None:
    """Write the product of a matrix and a vector."""
    for a in range(matrix.shape[0]):
        total = 0.0
        for b in range(matrix.shape[1]):
            total = fma(matrix[a, b], vector[b], total)
        product[a] = total


@part
def _to_surface(to_u: Any, to_vol: Any, values: Any, base: Any, unit: float, coefficients: Any) -> None:
    """Write coefficients of powers of u and of the place of the volatility, from (values - base) / unit."""
    row = np.empty(VOLS)
    for a in range(to_u.shape[0]):
        for i in range(VOLS):
            row[i] = 0.0
        for k in range(values.shape[0]):
            for i in range(VOLS):
                row[i] = fma(to_u[a, k], (values[k, i] - base[k, i]) / unit, row[i])
        _multiply(to_vol, row, coefficients[a * to_vol.shape[0] : (a + 1) * to_vol.shape[0]])


@part
def _place(ln_limit: float, years: float, distance: Any, vols: Any, deviations: Any, ln_spots: Any) -> None:
    """Write the logarithms of the spots some deviations above the boundary, which is `distance` below X."""
    root = scalar_sqrt(years)
    for k in range(deviations.size):
        for i in range(VOLS):
            ln_spots[k, i] = ln_limit + (deviations[k] - distance[i]) * vols[i] * root


@merged
def _add_shorter(terms: Any, span: Any, nodes: Any, vols: Any, solved: Any, table: Any) -> None:
    """Write what the shortest time adds to the distance and to the premium.

    `terms` is rate, yield and ln(X), `span` the shortest and the longest time, and `solved` is H, the
    distance of the boundary at the longest time and ln(e) there at few deviations.
    """
    rate, carry, ln_limit = terms
    shortest, longest = span
    h, far, base = solved
    points = nodes.outer_lags.size
    near, level, shares = np.empty(VOLS), np.empty((1, VOLS)), np.empty(points)
    from_nodes, levels = np.empty((points, h.shape[0])), np.empty((points, VOLS))
    ln_spots, values = np.empty((FEW_U, VOLS)), np.empty((FEW_U, VOLS))
    table[PER_SPAN] = 1.0 / log(shortest / longest)
    shares[0] = shortest / longest
    _interpolate(shares[:1], nodes.chebyshev, from_nodes[:1])
    _levels(0.0, from_nodes[:1], h, level)
    for i in range(VOLS):
        near[i] = -level[0, i] / (vols[i] * scalar_sqrt(shortest)) - far[i]
    _multiply(nodes.to_few_vol, near, table[NEARER:SURFACE])
    for i in range(VOLS):  # where the few powers put it
        near[i] = far[i]
        for b in range(FEW_VOL):
            near[i] += table[NEARER + b] * nodes.vols[i] ** b
    _place(ln_limit, shortest, near, vols, nodes.few_deviations, ln_spots)
    for j in range(points):
        shares[j] = shortest / longest * (1.0 - nodes.outer_lags[j])
    _interpolate(shares, nodes.chebyshev, from_nodes)
    _levels(ln_limit, from_nodes, h, levels)
    _ln_premiums(rate, carry, shortest, nodes, levels, vols, ln_spots, values)
    _to_surface(nodes.to_few_u, nodes.to_few_vol, values, base, 1.0, table[SHORTER:SWAY])


@merged
def _fill(rate: float, carry: float, of_carry: bool, reach: Any, nodes: Any, table: Any) -> None:
    """Write a cell's table where there is a premium; `reach` is one cell's."""
    longest, ln_limit, points = reach[3], limit_at_expiration(rate, carry), nodes.outer_lags.size
    vols, far, levels = np.empty(VOLS), np.empty(VOLS), np.empty((points, VOLS))
    h, bumped = np.empty((nodes.times.size + 1, VOLS)), np.empty((nodes.times.size + 1, VOLS))
    for i in range(VOLS):
        vols[i] = scalar_exp(reach[0] + 0.5 * (reach[1] - reach[0]) * (nodes.vols[i] + 1.0))
    # Down in the yield, for from r = 0, q < 0 up might lead to where there is no boundary.
    bump = _BUMP * max(rate, 0.01)
    bumps = (0.0, -bump) if of_carry else (bump, 0.0)
    solve_boundary(rate, carry, longest, bumps, nodes, vols, h, bumped)
    for i in range(VOLS):
        far[i] = sqrt(h[0, i]) / (vols[i] * scalar_sqrt(longest))
    _multiply(nodes.to_vol, far, table[DISTANCE:NEARER])

    ln_spots, values = np.empty((POWERS_U + FEW_U, VOLS)), np.empty((POWERS_U + FEW_U, VOLS))
    nothing, swayed = np.zeros((POWERS_U, VOLS)), np.empty((FEW_U, VOLS))
    few_spots, base = ln_spots[POWERS_U:], values[POWERS_U:]
    _place(ln_limit, longest, far, vols, nodes.deviations, ln_spots)
    _place(ln_limit, longest, far, vols, nodes.few_deviations, few_spots)
    _levels(ln_limit, nodes.outer, h, levels)
    _ln_premiums(rate, carry, longest, nodes, levels, vols, ln_spots, values)
    _to_surface(nodes.to_u, nodes.to_vol, values[:POWERS_U], nothing, 1.0, table[SURFACE:SHORTER])
    rate_up, carry_up = rate + bumps[0], carry + bumps[1]
    _levels(limit_at_expiration(rate_up, carry_up), nodes.outer, bumped, levels)
    _ln_premiums(rate_up, carry_up, longest, nodes, levels, vols, few_spots, swayed)
    _to_surface(nodes.to_few_u, nodes.to_few_vol, swayed, base, bumps[0] + bumps[1], table[SWAY:SIZE])
    if reach[2] < longest:
        terms, solved = (rate, carry, ln_limit), (h, far, base)
        _add_shorter(terms, (reach[2], longest), nodes, vols, solved, table)


@loop
def fill_tables(rates: Any, carries: Any, of_carry: Any, reaches: Any, nodes: Any, tables: Any) -> None:
    """Write the table of each cell.

    Parameters
    ----------
    rates, carries
        Of the puts that the cells' rows are worked on as; (c,).
    of_carry
        Whether rho is the slope in the yield: the rows are calls; (c,).
    reaches
        ln(vol) at -1 and 1, and the shortest and longest time of a cell; (c, 4).
    nodes
        `boundary_nodes.Nodes`.
    tables
        Written; (c, SIZE).
    """
    for cell in range(rates.size):
        reach, table, rate, carry = reaches[cell], tables[cell], rates[cell], carries[cell]
        for k in range(SIZE):
            table[k] = 0.0
        table[LN_LOW], table[PER_WIDTH] = reach[0], 2.0 / (reach[1] - reach[0])
        table[LN_LIMIT], table[LN_LONGEST] = limit_at_expiration(rate, carry), log(reach[3])
        if max(rate, -carry) * reach[3] < _TINY:
            table[DISTANCE], table[SURFACE] = FAR, _NOTHING
        else:
            _fill(rate, carry, of_carry[cell], reach, nodes, table)
