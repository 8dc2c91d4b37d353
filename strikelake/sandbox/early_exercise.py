"""What the right to exercise early is worth, with discrete dividends: tables from finite differences.

With dividends proportional to the price, an option's value over its strike depends on spot / strike alone, so
one solution per (underlying, expiration, side) holds for all strikes. It is solved for several volatilities
side by side, as American and as European option on the same grid; their difference is smooth and small, and
what the grid gets wrong cancels in it. The table keeps it at two moments, a session's open and its close.

Brennan and Schwartz (1977): the equations of a step are solved towards the region of exercise, where the
payoff bounds the value from below as the substitution goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from strikelake.compiled import njit
from strikelake.fused import fma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NODES, LANES = 121, 8
"""Grid of ln(spot / strike) in standard deviations, and volatilities per table."""

REACH = 6.0
"""Deviations that the grid covers on each side."""

LOWEST_VOL, VOL_RATIO = 0.55, 1.29
"""The first volatility as a multiple of the reference, and the ratio of one to the one before."""

_STEP = 2.0 * REACH / (NODES - 1)
_STEPS, _EVENT_STEPS, _IMPLICIT = 28, 4, 3
_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_JIT)
def solve(
    sign: float,
    rate: float,
    years: float,
    elapsed: float,
    ex_after: Floats,
    fractions: Floats,
    reference_vol: float,
    table: Floats,
) -> None:
    """Fill one table of early-exercise premiums.

    Parameters
    ----------
    sign
        +1 for calls, -1 for puts.
    rate
        Continuously compounded, per year.
    years, elapsed
        From the first moment to expiration, and to the second moment; both in years, elapsed <= years.
    ex_after, fractions
        Years from the first moment to each ex-date, ascending, in (0, years), and the share of the price
        that is paid.
    reference_vol
        Volatility that the lanes are placed around; per square root of a year.
    table
        Output, shape (2, NODES, LANES): premium over the strike at the first and the second moment.
    """
    root = np.sqrt(years)
    vols, spots, payoff = np.empty(LANES), np.empty((NODES, LANES)), np.empty((NODES, LANES))
    # American and European value, side by side; deep in the money they are cash against a part of the stock.
    value, work, held = np.empty((2, NODES, LANES)), np.empty((4, NODES, LANES)), np.ones((2, 2, LANES))
    for lane in range(LANES):
        vols[lane] = reference_vol * LOWEST_VOL * VOL_RATIO**lane
        for i in range(NODES):
            spots[i, lane] = np.exp((i * _STEP - REACH) * vols[lane] * root)
            payoff[i, lane] = max(sign * (spots[i, lane] - 1.0), 0.0)
            value[0, i, lane] = value[1, i, lane] = payoff[i, lane]
    ahead, coming = years, ex_after.size - 1
    seen, kinked = False, True
    while ahead > 0.0 or not seen:
        if not seen and ahead <= elapsed:
            _keep(value, table, 1)
            seen = True
        target = 0.0 if seen else elapsed
        ex_date = coming >= 0 and ex_after[coming] > target
        if ex_date:
            target = ex_after[coming]
        span = ahead - target
        if span > 0.0:
            count = max(_EVENT_STEPS, int(_STEPS * span / years) + 1)
            for step in range(count):
                # Steps grow after a kink, and the first are implicit: the boundary moves fast there.
                size = span * ((2.0 * step + 1.0) / (count * count) if kinked else 1.0 / count)
                if kinked or step == 0:
                    theta = 1.0 if kinked and step < _IMPLICIT else 0.5
                    _factor(rate, years, size, theta, sign, vols, work)
                _step(sign, np.exp(-rate * size), held, value, payoff, spots, work)
            ahead, kinked = target, False
        if ex_date:
            _go_ex(sign, fractions[coming], vols, root, held, value, payoff, spots, work[0])
            coming -= 1
            kinked = True
    _keep(value, table, 0)


@njit(entry=False, error_model="numpy")
def _keep(value: Floats, table: Floats, moment: int) -> None:
    """Store what early exercise is worth."""
    for i in range(NODES):
        for lane in range(LANES):
            table[moment, i, lane] = value[0, i, lane] - value[1, i, lane]


@njit(entry=False, error_model="numpy")
def _factor(
    rate: float, years: float, size: float, theta: float, sign: float, vols: Floats, work: Floats
) -> None:
    """Eliminate the tridiagonal system of a step towards the region of exercise.

    `work` gets the inverse pivots and the multipliers; its last rows keep the step's coefficients.
    """
    inverse, multiplier, coefficients = work[1], work[2], work[3]
    spread = 0.5 * size / (_STEP * _STEP * years)
    for lane in range(LANES):
        vol = vols[lane]
        slope = (rate - 0.5 * vol * vol) * size / (2.0 * _STEP * vol * np.sqrt(years))
        coefficients[0, lane] = spread - slope
        coefficients[1, lane] = -2.0 * spread - rate * size
        coefficients[2, lane] = spread + slope
        coefficients[3, lane] = theta
        below, above = -theta * (spread - slope), -theta * (spread + slope)
        pivot = 1.0 + theta * (2.0 * spread + rate * size)
        product = below * above
        first, last, way = (1, NODES - 1, 1) if sign > 0.0 else (NODES - 2, 0, -1)
        towards = below if sign > 0.0 else above
        inverse[first, lane] = 1.0 / pivot
        for i in range(first + way, last, way):
            multiplier[i, lane] = -towards * inverse[i - way, lane]
            inverse[i, lane] = 1.0 / (pivot - product * inverse[i - way, lane])


@njit(entry=False, error_model="numpy")
def _step(
    sign: float, discount: float, held: Floats, value: Floats, payoff: Floats, spots: Floats, work: Floats
) -> None:
    """Move both values one step back in time."""
    right, inverse, multiplier, coefficients = work[0], work[1], work[2], work[3]
    below, at, above, theta = coefficients[0], coefficients[1], coefficients[2], coefficients[3, 0]
    first, last, way = (1, NODES - 1, 1) if sign > 0.0 else (NODES - 2, 0, -1)
    far, near = (NODES - 1, 0) if sign > 0.0 else (0, NODES - 1)
    for style in range(2):
        now, floor = value[style], 1.0 - style
        for i in range(1, NODES - 1):
            for lane in range(LANES):
                change = fma(above[lane], now[i + 1, lane], at[lane] * now[i, lane])
                change = fma(below[lane], now[i - 1, lane], change)
                right[i, lane] = fma(1.0 - theta, change, now[i, lane])
        for lane in range(LANES):
            now[near, lane] = 0.0
            held[style, 0, lane] *= discount
            now[far, lane] = sign * (held[style, 1, lane] * spots[far, lane] - held[style, 0, lane])
            if floor * payoff[far, lane] > now[far, lane]:
                held[style, 0, lane] = held[style, 1, lane] = 1.0
                now[far, lane] = payoff[far, lane]
        for i in range(first + way, last, way):
            for lane in range(LANES):
                right[i, lane] = fma(multiplier[i, lane], right[i - way, lane], right[i, lane])
        for i in range(last - way, first - way, -way):
            for lane in range(LANES):
                behind = theta * (above[lane] if sign > 0.0 else below[lane])
                found = fma(behind, now[i + way, lane], right[i, lane]) * inverse[i, lane]
                now[i, lane] = max(found, floor * payoff[i, lane])


@njit(entry=False, error_model="numpy")
def _go_ex(
    sign: float,
    fraction: float,
    vols: Floats,
    root: float,
    held: Floats,
    value: Floats,
    payoff: Floats,
    spots: Floats,
    shifted: Floats,
) -> None:
    """Put the values just before an ex-date in place of those just after."""
    for style in range(2):
        now, floor = value[style], 1.0 - style
        for lane in range(LANES):
            held[style, 1, lane] *= 1.0 - fraction
            offset = np.log1p(-fraction) / (vols[lane] * root * _STEP)
            whole = int(np.floor(offset))
            a, b, c, d = _cubic(offset - whole)
            for i in range(NODES):
                j = min(max(i + whole, 1), NODES - 3)
                found = a * now[j - 1, lane] + b * now[j, lane] + c * now[j + 1, lane] + d * now[j + 2, lane]
                outside = sign * (held[style, 1, lane] * spots[i, lane] - held[style, 0, lane])
                shifted[i, lane] = found if j == i + whole else max(outside, 0.0)
        for i in range(NODES):
            for lane in range(LANES):
                now[i, lane] = max(shifted[i, lane], floor * payoff[i, lane])


@njit(inline="always", **_JIT)
def _cubic(part: float) -> tuple[float, float, float, float]:
    """Return the weights of four equidistant points for a place between the second and the third."""
    return (
        -part * (part - 1.0) * (part - 2.0) / 6.0,
        (part + 1.0) * (part - 1.0) * (part - 2.0) / 2.0,
        -(part + 1.0) * part * (part - 2.0) / 2.0,
        (part + 1.0) * part * (part - 1.0) / 6.0,
    )


@njit(inline="always", **_JIT)
def premium(table: Floats, deviations: float, log_vol: float, left: float) -> float:
    """Return the early-exercise premium over the strike.

    Parameters
    ----------
    table
        As `solve` fills it.
    deviations
        ln(spot / strike) over vol times the square root of the years from the *first* moment.
    log_vol
        ln(vol / reference_vol).
    left
        1 at the first moment, 0 at the second.
    """
    place = (deviations + REACH) / _STEP
    place = min(max(place, 1.0), NODES - 2.000001)
    i = int(place)
    across = _cubic(place - i)
    lane = (log_vol - np.log(LOWEST_VOL)) / np.log(VOL_RATIO)
    lane = min(max(lane, 0.0), LANES - 1.0)
    j = min(max(int(lane), 1), LANES - 3)
    along = _cubic(lane - j)
    found = 0.0
    for a in range(4):
        for b in range(4):
            early = table[0, i - 1 + a, j - 1 + b]
            late = table[1, i - 1 + a, j - 1 + b]
            found += across[a] * along[b] * (left * early + (1.0 - left) * late)
    return max(found, 0.0)
