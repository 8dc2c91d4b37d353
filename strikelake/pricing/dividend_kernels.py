"""American rows with discrete dividends ahead: one finite-difference solve serves a whole task, compiled.

The unknown is V / K on a grid in z = ln(S / K) / (vol sqrt(T)), mirrored for calls so that early exercise is
at its low end, for LANES volatilities side by side. What is kept is the early-exercise premium, American less
European on the same grid, whose errors are small and partly cancel; the European part of a row is exact. The
premium of a row is interpolated by cubics in z and in ln(vol), and linearly in time.

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

from strikelake.pricing.american_kernels import COLUMNS, SCALE, VALUE, normalise
from strikelake.pricing.elementary import loop, normal
from strikelake.pricing.premium_kernels import SPOT, VOL, YEARS
from strikelake.pricing.statuses import (
    ABOVE_CAP,
    BELOW_TICK_VEGA,
    EXPIRED,
    LOOK_AGAIN,
    MISSING_INPUT,
    NOT_CONVERGED,
    SOLVED,
)

LANES, POINTS, STEPS = 16, 301, 120
_REACH = 6.0  # standard deviations on either side
_STEP = 2.0 * _REACH / (POINTS - 1)
_STARTING = 4  # implicit half steps
_LOWEST = 0.003
_BELOW, _ABOVE, _CELL = 0.6, 0.35, 1.6  # as in `american_kernels`
_BUMP = 1e-4
_EXACT = 1e-9
_ROUNDS, _ATTEMPTS = 60, 3


@loop
def _factor(
    theta: float, dt: float, rate: float, drift: Any, years: float, low: Any, up: Any, pivot: Any
) -> None:
    """Write the implicit matrix's off-diagonals of each lane, and the inverse pivots from the top down."""
    diffusion = 0.5 * dt / (_STEP * _STEP * years)
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
    american: bool,
    theta: float,
    dt: float,
    rate: float,
    years: float,
    low: Any,
    up: Any,
    pivot: Any,
    payoff: Any,
    edge: Any,
    right: Any,
    value: Any,
) -> None:
    """Move every lane one step back in time; `edge` is the value at the low end."""
    explicit = 1.0 - theta
    middle = 1.0 - explicit * (dt / (_STEP * _STEP * years) + rate * dt)
    for i in range(POINTS - 2, 0, -1):
        below, here, above, out = value[i - 1], value[i], value[i + 1], right[i]
        for k in range(LANES):
            out[k] = middle * here[k] + explicit * (low[k] * below[k] + up[k] * above[k])
        if i < POINTS - 2:
            later, scale = right[i + 1], pivot[i + 1]
            for k in range(LANES):
                out[k] += theta * up[k] * scale[k] * later[k]
    for k in range(LANES):
        value[0, k] = edge[k]
        value[POINTS - 1, k] = 0.0
    for i in range(1, POINTS - 1):
        before, here, out, scale, least = value[i - 1], value[i], right[i], pivot[i], payoff[i]
        for k in range(LANES):
            here[k] = (out[k] + theta * low[k] * before[k]) * scale[k]
        if american:
            for k in range(LANES):
                here[k] = max(here[k], least[k])


@loop
def _pay(american: bool, moved: Any, payoff: Any, before: Any, value: Any) -> None:
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
            if american:
                value[i, k] = max(value[i, k], payoff[i, k])


@loop
def solve_grid(
    american: bool,
    side: float,
    rate: float,
    carry: float,
    shortest: float,
    longest: float,
    times: Any,
    shares: Any,
    vols: Any,
    early: Any,
    late: Any,
) -> None:
    """Write V / K at the shortest and the longest time, (POINTS, LANES).

    Parameters
    ----------
    side
        1 for a put, -1 for a call.
    times, shares
        Dividends ahead: years to expiration, ascending, and share of the price; (d,).
    """
    root = scalar_sqrt(longest)
    shape = (POINTS, LANES)
    payoff, value, right, pivot = np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape)
    low, up, drift, edge, spot = (
        np.empty(LANES),
        np.empty(LANES),
        np.empty(LANES),
        np.empty(LANES),
        np.empty(LANES),
    )
    for k in range(LANES):
        s = vols[k] * root
        drift[k] = side * (rate - carry - 0.5 * vols[k] * vols[k]) / (2.0 * _STEP * s)
        spot[k] = scalar_exp(-side * _REACH * s)
        for i in range(POINTS):
            payoff[i, k] = max(side * (1.0 - scalar_exp(side * (i * _STEP - _REACH) * s)), 0.0)
    value[:] = payoff
    now, kept, paid, starting = 0.0, 1.0, 0, True
    while True:
        stop = longest
        if paid < times.size:
            stop = times[paid]
        if now < shortest < stop:
            stop = shortest
        span = stop - now
        if span > 1e-10 * longest:
            steps = max(4, round(STEPS * span / longest))
            half = _STARTING if starting else 0
            dt = span / steps
            for step in range(half + steps - half // 2):
                theta, size = (1.0, 0.5 * dt) if step < half else (0.5, dt)
                if step in (0, half):
                    _factor(theta, size, rate, drift, longest, low, up, pivot)
                now += size
                for k in range(LANES):
                    exercised = side * (1.0 - spot[k])
                    held = side * (scalar_exp(-rate * now) - spot[k] * kept * scalar_exp(-carry * now))
                    edge[k] = max(exercised, held) if american else held
                _advance(american, theta, size, rate, longest, low, up, pivot, payoff, edge, right, value)
            starting = False
        now = stop
        if paid < times.size and stop == times[paid]:
            for k in range(LANES):
                drift_k = side * log(1.0 - shares[paid]) / (vols[k] * root * _STEP)
                edge[k] = drift_k
            _pay(american, edge, payoff, right, value)
            kept *= 1.0 - shares[paid]
            paid += 1
        if stop == shortest:
            early[:] = value
        if stop == longest:
            break
    late[:] = value
    if shortest >= longest:
        early[:] = value


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
def _premium_at(
    z: float, lane: float, blend: float, early: Any, late: Any, by_z: Any, by_vol: Any, out: Any, other: Any
) -> None:
    """Write a table's value, slopes and curvature at a place, between two times."""
    i = min(max(floor((z + _REACH) / _STEP), 1), POINTS - 3)
    j = min(max(floor(lane), 1), LANES - 3)
    _weights((z + _REACH) / _STEP - i, by_z)
    _weights(lane - j, by_vol)
    _look_up(late, i, j, by_z, by_vol, out)
    if blend < 1.0:
        _look_up(early, i, j, by_z, by_vol, other)
        for k in range(4):
            out[k] = blend * out[k] + (1.0 - blend) * other[k]
    out[1] /= _STEP
    out[2] /= _STEP * _STEP


@loop
def _value(
    side: float,
    rate: float,
    carry: float,
    kept: float,
    spot: float,
    years: float,
    vol: float,
    longest: float,
    blend: float,
    ln_low: float,
    per_lane: float,
    tables: Any,
    work: Any,
    found: Any,
) -> None:
    """Write V / K, delta, gamma K, vega / K and rho / K of one row; `spot` is S / K."""
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
    if abs(z) >= _REACH - 2.0 * _STEP:
        return
    _premium_at(z, lane, blend, tables[0], tables[1], work[0:3], work[3:6], work[6], work[7])
    slope = side * work[6, 1] / wide
    found[0] += work[6, 0]
    found[1] += slope / spot
    found[2] += (work[6, 2] / (wide * wide) - slope) / (spot * spot)
    found[3] += (work[6, 3] * per_lane - z * work[6, 1]) / vol
    _premium_at(z, lane, blend, tables[2], tables[3], work[0:3], work[3:6], work[6], work[7])
    found[4] += work[6, 0]


@loop
def _search_row(
    given: bool,
    cap: float,
    side: float,
    rate: float,
    carry: float,
    kept: float,
    spot: float,
    years: float,
    wanted: float,
    start: float,
    reach: Any,
    blend: float,
    tables: Any,
    work: Any,
    found: Any,
) -> int:
    """Write volatility and slopes of one row, and return its status."""
    ln_low, ln_high, longest = reach
    per_lane = (LANES - 1) / (ln_high - ln_low)
    low, high, vol = scalar_exp(ln_low), scalar_exp(ln_high), start
    for _ in range(_ROUNDS):
        _value(
            side,
            rate,
            carry,
            kept,
            spot,
            years,
            vol,
            longest,
            blend,
            ln_low,
            per_lane,
            tables,
            work,
            found[1:],
        )
        if given:
            found[0] = vol
            return SOLVED
        gap = found[1] - wanted
        if gap < 0.0:
            low = vol
        else:
            high = vol
        moved = vol - gap / found[4] if found[4] > 0.0 else -1.0
        if abs(moved - vol) <= _EXACT * vol:
            found[0] = moved
            return SOLVED
        vol = moved if low < moved < high else scalar_sqrt(low * high)
    found[0] = low
    return ABOVE_CAP if low > cap else LOOK_AGAIN


@loop
def _fill_tables(
    side: float,
    rate: float,
    carry: float,
    shortest: float,
    longest: float,
    times: Any,
    shares: Any,
    ln_low: float,
    ln_high: float,
    tables: Any,
    scratch: Any,
) -> None:
    """Write the premium at the shortest and longest time, and its slope in the rate less the European one."""
    vols = np.empty(LANES)
    for k in range(LANES):
        vols[k] = scalar_exp(ln_low + (ln_high - ln_low) * k / (LANES - 1))
    bump = 0.0
    for level in range(2):
        early, late = tables[2 * level], tables[2 * level + 1]
        for american in (True, False):
            solve_grid(
                american,
                side,
                rate + bump,
                carry,
                shortest,
                longest,
                times,
                shares,
                vols,
                scratch[0],
                scratch[1],
            )
            if american:
                early[:], late[:] = scratch[0], scratch[1]
            else:
                early -= scratch[0]
                late -= scratch[1]
        bump = _BUMP
    for time in range(2):
        for i in range(POINTS):
            for k in range(LANES):
                tables[2 + time, i, k] = (tables[2 + time, i, k] - tables[time, i, k]) / _BUMP


@loop
def dividend_tasks(
    given: bool,
    first: int,
    last: int,
    starts: Any,
    puts: Any,
    rates: Any,
    carries: Any,
    times: Any,
    shares: Any,
    order: Any,
    price: Any,
    spot: Any,
    strike: Any,
    years: Any,
    tick: float,
    cap: float,
    code: Any,
    vol: Any,
    error: Any,
    delta: Any,
    gamma: Any,
    vega: Any,
    theta: Any,
    rho: Any,
) -> None:
    """Analyse the rows of some tasks and write them where they came from.

    `times` and `shares` are each task's dividends, (tasks, most), and infinite where there are fewer. The
    other parameters are those of `american_kernels.analyse_tasks`.
    """
    tables, scratch = np.empty((4, POINTS, LANES)), np.empty((2, POINTS, LANES))
    work, found = np.empty((8, 4)), np.empty(6)
    for task in range(first, last):
        rows = order[starts[task] : starts[task + 1]]
        put, rate, carry = puts[task], rates[task], carries[task]
        side = 1.0 if put else -1.0
        source, state = np.empty((COLUMNS, rows.size)), np.empty(rows.size, np.int8)
        shortest, longest = np.inf, 0.0
        for i in range(rows.size):
            row = rows[i]
            source[VALUE, i], source[SPOT, i] = price[row], spot[row]
            source[SCALE, i], source[YEARS, i] = strike[row], years[row]
            shortest, longest = min(shortest, years[row]), max(longest, years[row])
        count, kept = 0, 1.0
        while count < times.shape[1] and times[task, count] < shortest:
            kept *= 1.0 - shares[task, count]
            count += 1
        yielded = carry - log(kept) / longest
        normalise(put, rate if put else yielded, yielded if put else rate, tick, cap, source, state)
        for i in range(rows.size):
            row, status = rows[i], state[i]
            if given and status not in (MISSING_INPUT, EXPIRED):
                at = vol[row]
                state[i] = LOOK_AGAIN if 0.0 < at < np.inf else MISSING_INPUT
                source[VOL, i] = max(at, _LOWEST) if 0.0 < at < np.inf else 1.0
            if state[i] != LOOK_AGAIN:
                code[row] = state[i]
                if not given:
                    vol[row] = np.nan
                error[row], delta[row], gamma[row] = np.nan, np.nan, np.nan
                vega[row], theta[row], rho[row] = np.nan, np.nan, np.nan
        for attempt in range(_ATTEMPTS):
            least, most, waiting = np.inf, 0.0, 0
            for i in range(rows.size):
                if state[i] == LOOK_AGAIN:
                    waiting += 1
                    least, most = min(least, source[VOL, i]), max(most, source[VOL, i])
            if waiting == 0:
                break
            rough = attempt == 1
            if rough:
                least, most = _LOWEST * scalar_exp(_BELOW), cap
            cells = 1 if rough else 1 + int(log(most / least) / _CELL)
            width = max(log(most / least) / cells, 1e-9)
            for cell in range(cells):
                ready = False
                ln_low = log(least) + cell * width - _BELOW
                ln_high = ln_low + _BELOW + width + _ABOVE
                for i in range(rows.size):
                    if state[i] != LOOK_AGAIN:
                        continue
                    place = log(source[VOL, i] / least) / width
                    if not rough and (min(int(place), cells - 1) != cell):
                        continue
                    if not ready:
                        _fill_tables(
                            side,
                            rate,
                            carry,
                            shortest,
                            longest,
                            times[task, :count],
                            shares[task, :count],
                            ln_low,
                            ln_high,
                            tables,
                            scratch,
                        )
                        ready = True
                    row = rows[i]
                    blend = (years[row] - shortest) / (longest - shortest) if longest > shortest else 1.0
                    start = min(max(source[VOL, i], scalar_exp(ln_low)), scalar_exp(ln_high))
                    status = _search_row(
                        given,
                        cap,
                        side,
                        rate,
                        carry,
                        kept,
                        spot[row] / strike[row],
                        years[row],
                        price[row] / strike[row],
                        start,
                        (ln_low, ln_high, longest),
                        blend,
                        tables,
                        work,
                        found,
                    )
                    if status == LOOK_AGAIN:
                        continue
                    if rough and status == SOLVED:
                        source[VOL, i] = found[0]
                        continue
                    state[i] = status
                    _write(
                        given,
                        row,
                        status,
                        side,
                        rate,
                        carry,
                        tick,
                        cap,
                        spot[row],
                        strike[row],
                        found,
                        code,
                        vol,
                        error,
                        delta,
                        gamma,
                        vega,
                        theta,
                        rho,
                    )
        for i in range(rows.size):
            if state[i] == LOOK_AGAIN:
                _write(
                    given,
                    rows[i],
                    NOT_CONVERGED,
                    side,
                    rate,
                    carry,
                    tick,
                    cap,
                    1.0,
                    1.0,
                    found,
                    code,
                    vol,
                    error,
                    delta,
                    gamma,
                    vega,
                    theta,
                    rho,
                )


@loop
def _write(
    given: bool,
    row: int,
    status: int,
    side: float,
    rate: float,
    carry: float,
    tick: float,
    cap: float,
    spot: float,
    strike: float,
    found: Any,
    code: Any,
    vol: Any,
    error: Any,
    delta: Any,
    gamma: Any,
    vega: Any,
    theta: Any,
    rho: Any,
) -> None:
    """Write one row in dollars; a row at or below its exercise value has that one's slopes."""
    value, slope, bend = strike * found[1], found[2], found[3] / strike
    sway, by_rate = strike * found[4], strike * found[5]
    decay = rate * value - (rate - carry) * spot * slope - 0.5 * found[0] * found[0] * spot * spot * bend
    if status == SOLVED and not given:
        if found[0] > cap:
            status = ABOVE_CAP
        elif not sway >= tick:
            status = BELOW_TICK_VEGA
    if given and value <= side * (strike - spot):
        value, slope, bend, sway, by_rate, decay = side * (strike - spot), -side, 0.0, 0.0, 0.0, 0.0
    code[row] = status
    solved = status == SOLVED
    if given:
        error[row] = value if solved else np.nan
    else:
        vol[row] = found[0] if solved else np.nan
        error[row] = 0.5 * tick / sway if solved else np.nan
    delta[row] = slope if solved else np.nan
    gamma[row] = bend if solved else np.nan
    vega[row] = sway if solved else np.nan
    theta[row] = decay if solved else np.nan
    rho[row] = by_rate if solved else np.nan
