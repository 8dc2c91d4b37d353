"""American rows with discrete dividends ahead: one finite-difference solve serves a whole task, compiled.

A row starts at the European volatility of its price (`american_kernels.normalise`) and is searched by
Newton's method inside a bracket, on the premium that `premium_grid` tabulates around the starts.
"""

from __future__ import annotations

from math import exp as scalar_exp
from math import log
from math import sqrt as scalar_sqrt
from typing import Any

import numpy as np

from strikelake.pricing.american_kernels import COLUMNS, SCALE, VALUE, normalise
from strikelake.pricing.elementary import loop
from strikelake.pricing.grid_kernels import LANES, POINTS
from strikelake.pricing.premium_grid import fill_tables, value_at
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

_LOWEST = 0.003
_BELOW, _ABOVE = 0.6, 0.35  # how far outside the starts a volatility is looked for, in its logarithm
_CELL = 0.8  # of the starts; with the margins a lane is a quarter at most, in the logarithm
_EXACT = 1e-9
_ROUNDS, _ATTEMPTS = 60, 3


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
    other parameters are those of `american_search.analyse_tasks`.
    """
    quotes, limits = (price, spot, strike, years), (tick, cap)
    outputs = (code, vol, error, delta, gamma, vega, theta, rho)
    memory = (np.empty((4, POINTS, LANES)), np.empty((2, POINTS, LANES)), np.empty((8, 4)), np.empty(6))
    for task in range(first, last):
        rows = order[starts[task] : starts[task + 1]]
        rated = (puts[task], rates[task], carries[task])
        _analyse_task(given, rows, rated, (times[task], shares[task]), quotes, limits, outputs, memory)


@loop
def _analyse_task(
    given: bool, rows: Any, rated: Any, owed: Any, quotes: Any, limits: Any, outputs: Any, memory: Any
) -> None:
    """Analyse the rows of one task; `rated` is whether they are puts, their rate and their yield."""
    put, rate, carry = rated
    times, shares = owed
    tick, cap = limits
    source, state = np.empty((COLUMNS, rows.size)), np.empty(rows.size, np.int8)
    shortest, longest = _gather(rows, quotes, source)
    count, kept = 0, 1.0
    while count < times.size and times[count] < shortest:
        kept *= 1.0 - shares[count]
        count += 1
    yielded = carry - log(kept) / longest
    normalise(put, rate if put else yielded, yielded if put else rate, tick, cap, source, state)
    if given:
        _take_given(rows, outputs[1], source, state)
    _blank(given, rows, state, outputs)
    market, ahead = (1.0 if put else -1.0, rate, carry, kept), (times[:count], shares[:count])
    for attempt in range(_ATTEMPTS):
        least, most = _starts(state, source[VOL])
        if most == 0.0:
            return
        rough = attempt == 1
        if rough:
            least, most = _LOWEST * scalar_exp(_BELOW), cap
        cells = 1 + int(log(most / least) / (2.0 * _CELL if rough else _CELL))
        width = max(log(most / least) / cells, 1e-9)
        for cell in range(cells):
            ln_low = log(least) + cell * width
            reach = (ln_low - _BELOW, ln_low + width + _ABOVE, shortest, longest)
            waiting = _members(rough, log(least), width, cell, cells, state, source[VOL])
            if waiting.size:
                fill_tables(market, ahead, reach, memory[0], memory[1])
            for i in waiting:
                _search(
                    given, rough, rows[i], i, market, reach, quotes, limits, source, state, outputs, memory
                )
    for i in range(rows.size):
        if state[i] == LOOK_AGAIN:
            _write(given, rows[i], NOT_CONVERGED, market, limits, 1.0, 1.0, memory[3], outputs)


@loop
def _gather(rows: Any, quotes: Any, source: Any) -> Any:
    """Copy what `normalise` reads, and return the shortest and the longest time."""
    price, spot, strike, years = quotes
    shortest, longest = np.inf, 0.0
    for i in range(rows.size):
        row = rows[i]
        source[VALUE, i], source[SPOT, i] = price[row], spot[row]
        source[SCALE, i], source[YEARS, i] = strike[row], years[row]
        shortest, longest = min(shortest, years[row]), max(longest, years[row])
    return shortest, longest


@loop
def _take_given(rows: Any, vol: Any, source: Any, state: Any) -> None:
    """Put given volatilities in place of the starts."""
    for i in range(rows.size):
        if state[i] not in (MISSING_INPUT, EXPIRED):
            at = vol[rows[i]]
            known = 0.0 < at < np.inf
            state[i] = LOOK_AGAIN if known else MISSING_INPUT
            source[VOL, i] = max(at, _LOWEST) if known else 1.0


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
def _starts(state: Any, vol: Any) -> Any:
    """Return the lowest and the highest start of the rows that wait; infinity and 0 where none does."""
    least, most = np.inf, 0.0
    for i in range(state.size):
        if state[i] == LOOK_AGAIN:
            least, most = min(least, vol[i]), max(most, vol[i])
    return least, most


@loop
def _members(every: bool, ln_least: float, width: float, cell: int, cells: int, state: Any, vol: Any) -> Any:
    """Return the places of the rows that wait and start in a cell, or of all that wait."""
    place = np.empty(state.size, np.int64)
    count = 0
    for i in range(state.size):
        if state[i] == LOOK_AGAIN:
            own = min(int((log(vol[i]) - ln_least) / width), cells - 1)
            if every or own == cell:
                place[count] = i
                count += 1
    return place[:count]


@loop
def _search(
    given: bool,
    rough: bool,
    row: int,
    i: int,
    market: Any,
    reach: Any,
    quotes: Any,
    limits: Any,
    source: Any,
    state: Any,
    outputs: Any,
    memory: Any,
) -> None:
    """Search one row and write it, or where its start was too far off a better one."""
    price, spot, strike, years = quotes
    tables, _, work, found = memory
    start = min(max(source[VOL, i], scalar_exp(reach[0])), scalar_exp(reach[1]))
    at, wanted = (spot[row] / strike[row], years[row]), price[row] / strike[row]
    status = _newton(given, limits[1], market, at, wanted, start, reach, tables, work, found)
    if status == LOOK_AGAIN:
        return
    if rough and status == SOLVED:
        source[VOL, i] = found[0]
        return
    state[i] = status
    _write(given, row, status, market, limits, spot[row], strike[row], found, outputs)


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
