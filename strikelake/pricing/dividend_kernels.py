"""American rows with discrete dividends ahead: one finite-difference solve serves a whole task, compiled.

A row starts at the European volatility of its price (`american_kernels.normalise`) and is searched by
Newton's method inside the bracket of a cell, on the premium that `premium_grid` tabulates there. Cells, a
task and a range of volatilities each, are the same whichever rows there are, and a row's way from cell to
cell is its own: what is found for it does not depend on others.
"""

from __future__ import annotations

from math import exp as scalar_exp
from math import log
from math import sqrt as scalar_sqrt
from typing import Any

import numpy as np

from strikelake.pricing.american_kernels import COLUMNS, LOWEST, SCALE, VALUE, normalise
from strikelake.pricing.dividend_cells import bracket, edges, highest, members, seats
from strikelake.pricing.elementary import loop
from strikelake.pricing.grid_kernels import LANES, POINTS
from strikelake.pricing.premium_grid import MOMENTS, fill_tables, value_at
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

_EXACT = 1e-9
_ROUNDS, _ATTEMPTS = 60, 14


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
    spans: Any,
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

    `times` and `shares` are each task's dividends, (tasks, most), and infinite where there are fewer. `spans`
    is each task's shortest and longest time and that of the last dividend ahead; (tasks, 3). The other
    parameters are those of `american_search.analyse_tasks`.
    """
    quotes, limits = (price, spot, strike, years), (tick, cap)
    outputs = (code, vol, error, delta, gamma, vega, theta, rho)
    shape = (MOMENTS, POINTS, LANES)
    memory = (np.empty((2, *shape)), np.empty(shape), np.empty((8, 4)), np.empty(6))
    for task in range(first, last):
        rows = order[starts[task] : starts[task + 1]]
        rated = (puts[task], rates[task], carries[task])
        owed = (times[task], shares[task])
        _analyse_task(given, rows, rated, owed, spans[task], quotes, limits, outputs, memory)


@loop
def _analyse_task(
    given: bool,
    rows: Any,
    rated: Any,
    owed: Any,
    span: Any,
    quotes: Any,
    limits: Any,
    outputs: Any,
    memory: Any,
) -> None:
    """Analyse the rows of one task; `rated` is whether they are puts, their rate and their yield."""
    put, rate, carry = rated
    times, shares = owed
    tick, cap = limits
    source, state = np.empty((COLUMNS, rows.size)), np.empty(rows.size, np.int8)
    _gather(rows, quotes, source)
    longest, paid = span[1], span[2]
    count, kept = 0, 1.0
    while count < times.size and times[count] <= paid:
        kept *= 1.0 - shares[count]
        count += 1
    yielded = carry - log(kept) / longest
    normalise(put, rate if put else yielded, yielded if put else rate, tick, cap, source, state)
    if given:
        _take_given(rows, outputs[1], source, state)
    _blank(given, rows, state, outputs)
    market, ahead = (1.0 if put else -1.0, rate, carry, kept), (times[:count], shares[:count])
    places = (seats(source[VOL]), np.zeros(rows.size, np.bool_))
    for _ in range(_ATTEMPTS):
        for seat in range(highest(state, places[0]), -1, -1):  # downwards, as most starts are too high
            waiting = members(seat, state, places[0])
            reach = (*bracket(seat), span[0], longest, paid)
            if waiting.size:
                fill_tables(market, ahead, reach, memory[0], memory[1])
            for i in waiting:
                rest = (source, state, places, outputs, memory)
                _search(given, rows[i], i, market, reach, quotes, limits, rest)
    for i in range(rows.size):
        if state[i] == LOOK_AGAIN:
            _write(given, rows[i], NOT_CONVERGED, market, limits, 1.0, 1.0, memory[3], outputs)


@loop
def _gather(rows: Any, quotes: Any, source: Any) -> None:
    """Copy what `normalise` reads."""
    price, spot, strike, years = quotes
    for i in range(rows.size):
        row = rows[i]
        source[VALUE, i], source[SPOT, i] = price[row], spot[row]
        source[SCALE, i], source[YEARS, i] = strike[row], years[row]


@loop
def _take_given(rows: Any, vol: Any, source: Any, state: Any) -> None:
    """Put given volatilities in place of the starts."""
    for i in range(rows.size):
        if state[i] not in (MISSING_INPUT, EXPIRED):
            at = vol[rows[i]]
            known = 0.0 < at < np.inf
            state[i] = LOOK_AGAIN if known else MISSING_INPUT
            source[VOL, i] = max(at, LOWEST) if known else 1.0


@loop
def _blank(given: bool, rows: Any, state: Any, outputs: Any) -> None:
    """Write the rows for which there is nothing to be found."""
    code, vol, error, delta, gamma, vega, theta, rho = outputs
    for i in range(rows.size):
        if state[i] != LOOK_AGAIN:
            row = rows[i]
            code[row] = state[i]
            if not given:
                vol[row] = np.nan
            error[row], delta[row], gamma[row] = np.nan, np.nan, np.nan
            vega[row], theta[row], rho[row] = np.nan, np.nan, np.nan


@loop
def _search(
    given: bool,
    row: int,
    i: int,
    market: Any,
    reach: Any,
    quotes: Any,
    limits: Any,
    rest: Any,
) -> None:
    """Search one row in its cell and write it, or send it to the next where its volatility lies there.

    What has come up does not go down again, or two cells that disagree would send it on for ever.
    """
    price, spot, strike, years = quotes
    source, state, (seat, risen), outputs, (tables, _, work, found) = rest
    bottom, top = edges(seat[i])
    start = source[VOL, i] if given else min(max(source[VOL, i], bottom), top)
    at, wanted = (spot[row] / strike[row], years[row]), price[row] / strike[row]
    status = _newton(given, limits[1], market, at, wanted, start, reach, tables, work, found)
    if not given and top <= found[0] <= limits[1]:
        seat[i], risen[i] = seat[i] + 1, True
    elif not given and found[0] < bottom and seat[i] > 0 and not risen[i]:
        seat[i] -= 1
    else:
        state[i] = NOT_CONVERGED if status == LOOK_AGAIN else status
        _write(given, row, state[i], market, limits, spot[row], strike[row], found, outputs)


@loop
def _newton(
    given: bool,
    cap: float,
    market: Any,
    at: Any,
    wanted: float,
    start: float,
    reach: Any,
    tables: Any,
    work: Any,
    found: Any,
) -> int:
    """Write volatility and slopes of one row, and return its status; `at` is S / K and time."""
    spot, years = at
    low, high, vol = scalar_exp(reach[0]), scalar_exp(reach[1]), start
    for _ in range(_ROUNDS):
        value_at(market, spot, years, vol, reach, tables, work, found[1:])
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
def _write(
    given: bool,
    row: int,
    status: int,
    market: Any,
    limits: Any,
    spot: float,
    strike: float,
    found: Any,
    outputs: Any,
) -> None:
    """Write one row in dollars; a row at or below its exercise value has that one's slopes."""
    code, vol, error, delta, gamma, vega, theta, rho = outputs
    side, rate, carry, _ = market
    tick, cap = limits
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
