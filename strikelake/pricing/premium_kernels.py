"""American rows given their cell's table: Newton's method for the volatility, and value and slopes, compiled.

Rows are puts with strike 1 (`exercise_boundary` says why that is enough), worth the European put plus the
early-exercise premium exp(f(u, vol)) of the table (`premium_tables`). Every slope is the formula's own.

In the money, the time value over exercising at once is nearly a square near the boundary, so that Newton's
step is taken for its root; below the boundary, where there is nothing to follow, the step leads just above.
"""

from __future__ import annotations

from typing import Any

from strikelake.fused import fma
from strikelake.pricing.boundary_nodes import FAR, FEW_U, FEW_VOL, POWERS_U, POWERS_VOL
from strikelake.pricing.elementary import (
    clip,
    exp,
    inlined,
    ln,
    loop,
    normal,
    part,
    power_series,
    select,
    sqrt,
    wide,
)
from strikelake.pricing.polynomials import coefficients, power_surface
from strikelake.pricing.premium_tables import (
    DISTANCE,
    LN_LIMIT,
    LN_LONGEST,
    LN_LOW,
    NEARER,
    PER_SPAN,
    PER_WIDTH,
    SHORTER,
    SURFACE,
    SWAY,
)

LN_SPOT, SPOT, YEARS, LN_YEARS, ROOT, BOND, STOCK, LN_FORWARD, VALUE, SCALE, VOL = range(11)
LOW, HIGH, STEP, DELTA, GAMMA, VEGA, THETA, RHO = range(11, 19)
COLUMNS = 19
"""Columns of a block of rows: ln(S), S, time, its logarithm and root, the discount factor, S less its yield,
ln(F), price, what a share of the scale is worth in dollars, and volatility; then the bracket around the
volatility, its last step, and the slopes in dollars."""

_BLOCK = 1_024  # rows whose columns stay in the processor's cache
_STILL = 1e-9
_JUMP, _NEAR = 0.1, 3e-3  # deviations above the boundary: where a row below it goes, and what counts as below

_distance, _nearer = coefficients(DISTANCE, POWERS_VOL), coefficients(NEARER, FEW_VOL)
_whole, _shorter = coefficients(SURFACE, POWERS_U * POWERS_VOL), coefficients(SHORTER, FEW_U * FEW_VOL)
_sway = coefficients(SWAY, FEW_U * FEW_VOL)
_surface, _few_surface = power_surface(POWERS_U, POWERS_VOL), power_surface(FEW_U, FEW_VOL)
_scalars = coefficients(0, DISTANCE)


@inlined
def _columns(block: Any, first: int, last: int) -> Any:
    """Return what is read of some rows: ln(S), S, ln(T), root of T, the discounted bond and stock, ln(F)."""
    return (
        block[LN_SPOT][first:last],
        block[SPOT][first:last],
        block[LN_YEARS][first:last],
        block[ROOT][first:last],
        block[BOND][first:last],
        block[STOCK][first:last],
        block[LN_FORWARD][first:last],
    )


@inlined
def _above(scalars: Any, distance: Any, nearer: Any, ln_spot: Any, ln_years: Any, vol: Any, s: Any) -> Any:
    """Return the deviations above the boundary, their slope in ln(vol), and the places of vol and time."""
    place = fma(ln(vol) - scalars[LN_LOW], scalars[PER_WIDTH], -1.0)
    time = (ln_years - scalars[LN_LONGEST]) * scalars[PER_SPAN]
    far, far_slope = power_series(distance, place)
    near, near_slope = power_series(nearer, place)
    from_limit = (ln_spot - scalars[LN_LIMIT]) / s
    slope = fma(fma(time, near_slope, far_slope), scalars[PER_WIDTH], -from_limit)
    return from_limit + fma(time, near, far), slope, place, time


@inlined
def _place_of(u: Any) -> Any:
    """Return where on [-1, 1] a number of deviations above the boundary is."""
    return clip(fma(u, 2.0 / FAR, -1.0), -1.0, 1.0)


@inlined
def _ln_premium(whole: Any, shorter: Any, z: Any, place: Any, time: Any) -> Any:
    """Return ln(e), its slope and bend in u, and its slope in the place of the volatility."""
    f, f_z, f_zz, f_place = _surface(whole, z, place)
    g, g_z, g_zz, g_place = _few_surface(shorter, z, place)
    by_u, bend = fma(time, g_z, f_z) * (2.0 / FAR), fma(time, g_zz, f_zz) * (4.0 / (FAR * FAR))
    return fma(time, g, f), by_u, bend, fma(time, g_place, f_place)


@inlined
def _european(bond: Any, stock: Any, ln_forward: Any, s: Any) -> Any:
    """Return N(-d2) and N(-d1) times what they multiply, and the stock times the density."""
    d1 = fma(0.5, s, ln_forward / s)
    n1, density = normal(-d1)
    n2, _ = normal(s - d1)
    return bond * n2, stock * n1, stock * density


@inlined
def _wanted_step(at: Any, u: Any, u_slope: Any, left: Any, sought: Any, vega: Any, inside: Any) -> Any:
    """Return how far value and price differ, the step that this asks for, and whether it may be trusted.

    `left` is the row's time value over exercising now and `sought` that of its price.
    """
    sunk = inside & ((u < _NEAR) | (left <= 0.0))
    gap = select(sunk, -sought, left - sought)
    damped = select(inside, 2.0 / (1.0 + sqrt(sought / select(left > 0.0, left, 1.0))), 1.0)
    change = select(sunk, at * (_JUMP - u) / u_slope, -gap / vega * damped)
    return gap, change, select(sunk, u_slope, vega) > 0.0, sunk


@part
def _newton(table: Any, low: float, high: float, block: Any, first: int, last: int) -> None:
    """Move each volatility once: Newton's step, or the middle of what is left of its bracket."""
    wide()
    scalars, distance, nearer = _scalars(table), _distance(table), _nearer(table)
    whole, shorter = _whole(table), _shorter(table)
    ln_spot, spot, ln_years, root, bond, stock, ln_forward = _columns(block, first, last)
    wanted, vol, step = block[VALUE][first:last], block[VOL][first:last], block[STEP][first:last]
    below, above = block[LOW][first:last], block[HIGH][first:last]
    for i in range(last - first):
        at = vol[i]
        s = at * root[i]
        u, u_slope, place, time = _above(scalars, distance, nearer, ln_spot[i], ln_years[i], at, s)
        f, f_u, _, f_place = _ln_premium(whole, shorter, _place_of(u), place, time)
        e = exp(f)
        owed, held, dense = _european(bond[i], stock[i], ln_forward[i], s)
        vega = fma(dense, root[i], e * fma(f_u, u_slope, f_place * scalars[PER_WIDTH]) / at)

        exercised = select(spot[i] < 1.0, 1.0 - spot[i], 0.0)
        left, sought = owed - held + e - exercised, wanted[i] - exercised
        gap, change, rising, sunk = _wanted_step(at, u, u_slope, left, sought, vega, ln_spot[i] < 0.0)
        under, over = select(gap < 0.0, at, below[i]), select(gap < 0.0, above[i], at)
        moved = at + change
        still = (abs(change) <= _STILL * at) & rising  # rounding may have shut the bracket
        inside = (still | ((moved > under) & (moved < over) & rising)) & (moved > 0.0)
        moved = select(inside, moved, sqrt(under * over))
        below[i], above[i], vol[i] = under, over, moved
        step[i] = select(inside & ~sunk, moved - at, high - low)


@loop
def search(rounds: int, tables: Any, starts: Any, brackets: Any, block: Any) -> None:
    """Move the volatilities of each cell's rows by some rounds.

    Parameters
    ----------
    tables
        (c, SIZE).
    starts
        Where each cell's rows begin; (c + 1,).
    brackets
        Lowest and highest volatility of each cell; (c, 2).
    block
        (COLUMNS, n). VOL moves, LOW and HIGH close in on it, STEP is the last change.
    """
    for cell in range(starts.size - 1):
        for first in range(starts[cell], starts[cell + 1], _BLOCK):
            last = min(first + _BLOCK, starts[cell + 1])
            for _ in range(rounds):
                _newton(tables[cell], brackets[cell, 0], brackets[cell, 1], block, first, last)


@inlined
def _in_dollars(put: Any, terms: Any, scale: Any, x: Any, vol: Any, found: Any) -> Any:
    """Return value, delta, gamma, vega, theta and rho per share from those of the put with strike 1.

    A call is worth its spot S times p(K / S). Theta is what Black and Scholes' equation leaves, which holds
    wherever the option is `kept`.
    """
    worth, slope, bend, sway, by_rate, kept = found
    rate, carry = terms
    market, dollars = select(put, scale * x, scale), scale * worth
    slope, bend = select(put, slope, worth - x * slope), select(put, bend, x * x * bend) / scale
    decay = rate * dollars - (rate - carry) * market * slope - 0.5 * vol * vol * market * market * bend
    return dollars, slope, bend, scale * sway, kept * decay, scale * by_rate


@part
def _slopes(put: bool, given: bool, terms: Any, table: Any, block: Any, first: int, last: int) -> None:
    """Write the slopes of some rows of one cell, as `slopes` says."""
    wide()
    scalars, distance, nearer = _scalars(table), _distance(table), _nearer(table)
    whole, shorter, swayed = _whole(table), _shorter(table), _sway(table)
    ln_spot, spot, ln_years, root, bond, stock, ln_forward = _columns(block, first, last)
    years, value, scale = block[YEARS][first:last], block[VALUE][first:last], block[SCALE][first:last]
    vol, delta, gamma = block[VOL][first:last], block[DELTA][first:last], block[GAMMA][first:last]
    vega, theta, rho = block[VEGA][first:last], block[THETA][first:last], block[RHO][first:last]
    for i in range(last - first):
        at, x = vol[i], spot[i]
        s = at * root[i]
        u, u_slope, place, time = _above(scalars, distance, nearer, ln_spot[i], ln_years[i], at, s)
        z = _place_of(u)
        f, f_u, f_uu, f_place = _ln_premium(whole, shorter, z, place, time)
        by_rate, _, _, _ = _few_surface(swayed, z, place)
        e = exp(f)
        owed, held, dense = _european(bond[i], stock[i], ln_forward[i], s)
        per_s, per_spot = 1.0 / s, 1.0 / x
        worth = owed - held + e
        slope = (e * f_u * per_s - held) * per_spot
        bend = (dense * per_s + e * per_s * fma(fma(f_u, f_u, f_uu), per_s, -f_u)) * per_spot * per_spot
        sway = fma(dense, root[i], e * fma(f_u, u_slope, f_place * scalars[PER_WIDTH]) / at)
        by_rate = fma(e, by_rate, years[i] * select(put, -owed, held))

        # Where a volatility is given and exercising now is best, those of the exercise.
        kept = select(given & (x < 1.0) & ((u <= 0.0) | (worth <= 1.0 - x)), 0.0, 1.0)
        worth, slope = select(kept > 0.0, worth, 1.0 - x), select(kept > 0.0, slope, -1.0)
        found = (worth, slope, kept * bend, kept * sway, kept * by_rate, kept)
        dollars, a, b, c, d, r = _in_dollars(put, terms, scale[i], x, at, found)
        value[i] = select(given, dollars, value[i])
        delta[i], gamma[i], vega[i], theta[i], rho[i] = a, b, c, d, r


@loop
def slopes(given: bool, puts: Any, rates: Any, carries: Any, tables: Any, starts: Any, block: Any) -> None:
    """Write the slopes of each cell's rows at their volatilities, in dollars per share.

    Parameters
    ----------
    given
        Whether the volatilities were the question: VALUE then takes dollars, and rows where exercising now is
        best have its slopes.
    puts, rates, carries
        Of each cell, the market's; (c,).
    tables, starts, block
        As in `search`.
    """
    for cell in range(starts.size - 1):
        for first in range(starts[cell], starts[cell + 1], _BLOCK):
            last = min(first + _BLOCK, starts[cell + 1])
            _slopes(puts[cell], given, (rates[cell], carries[cell]), tables[cell], block, first, last)
