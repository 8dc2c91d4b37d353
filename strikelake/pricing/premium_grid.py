"""A row's value with discrete dividends ahead, from the grid that serves its whole cell, compiled.

What is kept of the grid (`grid_kernels`) is American less European value, whose errors are small and partly
cancel; the European part of a row is exact. The premium of a row is interpolated by cubics in z and in
ln(vol), and between some moments linearly in the root of the time that is left behind the last dividend: just
before an ex-date, waiting for it is worth what the spot may move until then, and far in the money there is a
day from which on waiting pays.
"""

from __future__ import annotations

from math import exp as scalar_exp
from math import floor, log
from math import sqrt as scalar_sqrt
from typing import Any

import numpy as np

from strikelake.fused import fma
from strikelake.pricing.elementary import inlined, normal, part
from strikelake.pricing.grid_kernels import POINTS, PREMIUM, REACH, SOONER, STEP, solve_grid
from strikelake.pricing.lanes import LANES, fused, load, splat, store

MOMENTS = 5
"""Times that are tabulated, from a task's shortest to its longest."""

_VALUE, _SLOPE, _BEND = range(3)
_OUTSIDE = REACH - 2.0 * STEP  # farther out there are not four points around a row


@part
def fill_tables(market: Any, owed: Any, reach: Any, tables: Any) -> None:
    """Solve a cell's grid.

    Parameters
    ----------
    market
        1 for puts or -1 for calls, rate, yield, and the share of the spot that the dividends leave.
    owed
        Years to expiration, ascending, and share of each dividend; both (d,).
    reach
        Logarithms of the lowest and the highest volatility; the shortest and the longest time, and the time
        of the last of the dividends, 0 where there is none.
    tables
        Written, as `grid_kernels.solve_grid` does; (2, MOMENTS, POINTS, LANES).
    """
    side, rate, carry, _ = market
    ln_low, ln_high, shortest, longest, paid = reach
    vols, moments = np.empty(LANES), np.empty(MOMENTS)
    for k in range(LANES):
        vols[k] = scalar_exp(ln_low + (ln_high - ln_low) * k / (LANES - 1))
    first, last = scalar_sqrt(shortest - paid), scalar_sqrt(longest - paid)
    for k in range(MOMENTS):
        moments[k] = paid + (first + (last - first) * k / (MOMENTS - 1)) ** 2
    solve_grid(side, rate, carry, moments, owed[0], owed[1], vols, tables)


@inlined
def _cubic(f: Any) -> Any:
    """Return Lagrange's cubic weights at f behind the second of four points."""
    before, behind, last = f + 1.0, f - 1.0, f - 2.0
    return (
        -f * behind * last * (1.0 / 6.0),
        before * behind * last * 0.5,
        -before * f * last * 0.5,
        before * f * behind * (1.0 / 6.0),
    )


@inlined
def _cubic_slope(f: Any) -> Any:
    """Return the derivative of those weights."""
    square = 3.0 * f * f
    return (
        -(square - 6.0 * f + 2.0) * (1.0 / 6.0),
        (square - 4.0 * f - 1.0) * 0.5,
        -(square - 2.0 * f - 2.0) * 0.5,
        (square - 1.0) * (1.0 / 6.0),
    )


@inlined
def _cubic_bend(f: Any) -> Any:
    """Return their second derivative."""
    return 1.0 - f, 3.0 * f - 2.0, 1.0 - 3.0 * f, f


@inlined
def _across(tables: Any, first: int, share: float, weights: Any, total: Any) -> Any:
    """Return `total` and a share of four rows of the tables, weighed; of every lane."""
    total = fused(splat(share * weights[0]), load(tables, first), total)
    total = fused(splat(share * weights[1]), load(tables, first + 1), total)
    total = fused(splat(share * weights[2]), load(tables, first + 2), total)
    return fused(splat(share * weights[3]), load(tables, first + 3), total)


@inlined
def _between(tables: Any, kind: int, moment: Any, i: int, weights: Any) -> Any:
    """Return four rows around `i`, weighed, between two of a kind's moments."""
    whole, share = moment
    first = (kind * MOMENTS + whole) * POINTS + i - 1
    before = _across(tables, first, 1.0 - share, weights, splat(0.0))
    return _across(tables, first + POINTS, share, weights, before)


@inlined
def _along(work: Any, line: int, j: int, weights: Any) -> Any:
    """Return the weighed sum of four neighbours."""
    some = fma(weights[0], work[line, j - 1], weights[1] * work[line, j])
    return fma(weights[2], work[line, j + 1], fma(weights[3], work[line, j + 2], some))


@inlined
def _place(side: Any, row: Any, vol: Any, reach: Any) -> Any:
    """Return where in the tables a row is: z, the point and how far behind it, the lane and how far."""
    wide = vol * scalar_sqrt(reach[3])
    z, lane = side * row[0] / wide, (log(vol) - reach[0]) * ((LANES - 1) / (reach[1] - reach[0]))
    point = (z + REACH) * (1.0 / STEP)
    i, j = min(max(floor(point), 1), POINTS - 3), min(max(floor(lane), 1), LANES - 3)
    return z, i, point - i, j, lane - j


@inlined
def place_row(market: Any, spot: Any, years: Any, reach: Any) -> Any:
    """Return what does not change with a row's volatility; `spot` is S / K, the rest as in `fill_tables`.

    That is ln(S / K), S / K, time and its root, the discounted strike and stock over the strike, the
    logarithm of their ratio, and behind which of the moments the time is and how far.
    """
    _, rate, carry, kept = market
    shortest, longest, paid = reach[2], reach[3], reach[4]
    least = scalar_sqrt(shortest - paid)
    passed = (scalar_sqrt(max(years - paid, 0.0)) - least) / (scalar_sqrt(longest - paid) - least)
    moment = min(max(passed, 0.0), 1.0) * (MOMENTS - 1)
    whole = min(floor(moment), MOMENTS - 2)
    bond, stock = scalar_exp(-rate * years), spot * kept * scalar_exp(-carry * years)
    return log(spot), spot, years, scalar_sqrt(years), bond, stock, log(stock / bond), (whole, moment - whole)


@part
def value_at(side: float, row: Any, vol: float, reach: Any, tables: Any, work: Any) -> Any:
    """Return V / K, delta, gamma K and vega / K of a row; `work` is (3, LANES)."""
    _, spot, _, root, bond, stock, ln_forward, moment = row
    s = vol * root
    d1 = fma(0.5, s, ln_forward / s)
    n1, density = normal(-side * d1)
    n2, _ = normal(side * (s - d1))
    value, delta = side * fma(bond, n2, -stock * n1), -side * stock * n1 / spot
    dense = stock * density
    gamma, vega = dense / (spot * spot * s), dense * root
    z, i, f, j, g = _place(side, row, vol, reach)
    if abs(z) < _OUTSIDE:
        store(work, _VALUE, _between(tables, PREMIUM, moment, i, _cubic(f)))
        store(work, _SLOPE, _between(tables, PREMIUM, moment, i, _cubic_slope(f)))
        store(work, _BEND, _between(tables, PREMIUM, moment, i, _cubic_bend(f)))
        per_wide, weights = 1.0 / (vol * scalar_sqrt(reach[3])), _cubic(g)
        by_z = _along(work, _SLOPE, j, weights) * (1.0 / STEP)
        bend = _along(work, _BEND, j, weights) * (1.0 / (STEP * STEP))
        by_lane = _along(work, _VALUE, j, _cubic_slope(g)) * ((LANES - 1) / (reach[1] - reach[0]))
        slope = side * by_z * per_wide
        value += _along(work, _VALUE, j, weights)
        delta += slope / spot
        gamma += fma(bend * per_wide, per_wide, -slope) / (spot * spot)
        vega += fma(-z, by_z, by_lane) / vol
    return value, delta, gamma, vega


@part
def rho_at(side: float, row: Any, vol: float, found: Any, reach: Any, tables: Any, work: Any) -> Any:
    """Return rho / K of a row (`grid_kernels` says how) from its value and delta."""
    _, spot, years, _, _, _, _, moment = row
    z, i, f, j, g = _place(side, row, vol, reach)
    rho = years * fma(spot, found[1], -found[0])
    if abs(z) < _OUTSIDE:
        store(work, _VALUE, _between(tables, SOONER, moment, i, _cubic(f)))
        rho += side * _along(work, _VALUE, j, _cubic(g))
    return rho
