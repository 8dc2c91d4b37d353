"""The early-exercise premium with discrete dividends ahead, from tables that serve a whole task, compiled.

What is kept of two grids (`grid_kernels`) is American less European value, whose errors are small and partly
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

from strikelake.pricing.elementary import loop, normal
from strikelake.pricing.grid_kernels import LANES, POINTS, REACH, STEP, solve_grid

MOMENTS = 5
"""Times that are tabulated, from a task's shortest to its longest."""

_BUMP = 1e-4


@loop
def fill_tables(market: Any, owed: Any, reach: Any, tables: Any, scratch: Any) -> None:
    """Write the premium at each moment, and its slope in the rate less the European one.

    Parameters
    ----------
    market
        1 for puts or -1 for calls, rate, yield, and the share of the spot that the dividends leave.
    owed
        Years to expiration, ascending, and share of each dividend; both (d,).
    reach
        Logarithms of the lowest and the highest volatility; the shortest and the longest time, and the time
        of the last of the dividends, 0 where there is none.
    tables, scratch
        (2, MOMENTS, POINTS, LANES) and (MOMENTS, POINTS, LANES).
    """
    side, rate, carry, _ = market
    ln_low, ln_high, shortest, longest, paid = reach
    vols, moments = np.empty(LANES), np.empty(MOMENTS)
    for k in range(LANES):
        vols[k] = scalar_exp(ln_low + (ln_high - ln_low) * k / (LANES - 1))
    first, last = scalar_sqrt(shortest - paid), scalar_sqrt(longest - paid)
    for k in range(MOMENTS):
        moments[k] = paid + (first + (last - first) * k / (MOMENTS - 1)) ** 2
    bump = 0.0
    for level in range(2):
        for american, values in ((True, tables[level]), (False, scratch)):
            solve_grid(american, side, rate + bump, carry, moments, *owed, vols, values)
        tables[level] -= scratch
        bump = _BUMP
    for m in range(MOMENTS):
        for i in range(POINTS):
            for k in range(LANES):
                tables[1, m, i, k] = (tables[1, m, i, k] - tables[0, m, i, k]) / _BUMP


@loop
def _weights(f: float, out: Any) -> None:
    """Write Lagrange's cubic weights at f behind the second of four points, and two derivatives."""
    out[0, 0], out[0, 1] = -f * (f - 1.0) * (f - 2.0) / 6.0, (f + 1.0) * (f - 1.0) * (f - 2.0) / 2.0
    out[0, 2], out[0, 3] = -(f + 1.0) * f * (f - 2.0) / 2.0, (f + 1.0) * f * (f - 1.0) / 6.0
    out[1, 0], out[1, 1] = -(3.0 * f * f - 6.0 * f + 2.0) / 6.0, (3.0 * f * f - 4.0 * f - 1.0) / 2.0
    out[1, 2], out[1, 3] = -(3.0 * f * f - 2.0 * f - 2.0) / 2.0, (3.0 * f * f - 1.0) / 6.0
    out[2, 0], out[2, 1], out[2, 2], out[2, 3] = 1.0 - f, 3.0 * f - 2.0, 1.0 - 3.0 * f, f


@loop
def _look_up(table: Any, i: int, j: int, by_z: Any, by_vol: Any, out: Any) -> None:
    """Write value, slope and curvature in z, and slope in the lane, from four by four entries of a table."""
    out[:] = 0.0
    for b in range(4):
        value, slope, bend = 0.0, 0.0, 0.0
        for a in range(4):
            entry = table[i - 1 + a, j - 1 + b]
            value += by_z[0, a] * entry
            slope += by_z[1, a] * entry
            bend += by_z[2, a] * entry
        out[0] += by_vol[0, b] * value
        out[1] += by_vol[0, b] * slope
        out[2] += by_vol[0, b] * bend
        out[3] += by_vol[1, b] * value


@loop
def _premium_at(z: float, lane: float, moment: float, table: Any, work: Any) -> None:
    """Write a table's value, slopes and curvature at a place, between two times, to row 6 of `work`."""
    by_z, by_vol, out, later = work[0:3], work[3:6], work[6], work[7]
    i = min(max(floor((z + REACH) / STEP), 1), POINTS - 3)
    j = min(max(floor(lane), 1), LANES - 3)
    _weights((z + REACH) / STEP - i, by_z)
    _weights(lane - j, by_vol)
    m = min(max(floor(moment), 0), MOMENTS - 2)
    _look_up(table[m], i, j, by_z, by_vol, out)
    _look_up(table[m + 1], i, j, by_z, by_vol, later)
    for k in range(4):
        out[k] += (moment - m) * (later[k] - out[k])
    out[1] /= STEP
    out[2] /= STEP * STEP


@loop
def value_at(
    market: Any, spot: float, years: float, vol: float, reach: Any, tables: Any, work: Any, found: Any
) -> None:
    """Write V / K, delta, gamma K, vega / K and rho / K of one row; `spot` is S / K.

    `market` and `reach` are those of `fill_tables`, `work` is (8, 4).
    """
    side, rate, carry, kept = market
    ln_low, ln_high, shortest, longest, paid = reach
    per_lane = (LANES - 1) / (ln_high - ln_low)
    least = scalar_sqrt(shortest - paid)
    passed = (scalar_sqrt(max(years - paid, 0.0)) - least) / (scalar_sqrt(longest - paid) - least)
    moment = min(passed, 1.0) * (MOMENTS - 1)
    s, bond = vol * scalar_sqrt(years), scalar_exp(-rate * years)
    stock = spot * kept * scalar_exp(-carry * years)
    d1 = log(stock / bond) / s + 0.5 * s
    n1, density = normal(-side * d1)
    n2, _ = normal(side * (s - d1))
    found[0] = side * (bond * n2 - stock * n1)
    found[1] = -side * stock * n1 / spot
    found[2] = stock * density / (spot * spot * s)
    found[3] = stock * density * scalar_sqrt(years)
    found[4] = -side * years * bond * n2
    wide = vol * scalar_sqrt(longest)
    z, lane = side * log(spot) / wide, (log(vol) - ln_low) * per_lane
    if abs(z) >= REACH - 2.0 * STEP:
        return
    _premium_at(z, lane, moment, tables[0], work)
    slope = side * work[6, 1] / wide
    found[0] += work[6, 0]
    found[1] += slope / spot
    found[2] += (work[6, 2] / (wide * wide) - slope) / (spot * spot)
    found[3] += (work[6, 3] * per_lane - z * work[6, 1]) / vol
    _premium_at(z, lane, moment, tables[1], work)
    found[4] += work[6, 0]
