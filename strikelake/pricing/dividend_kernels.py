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
from strikelake.pricing.elementary import loop, part
from strikelake.pricing.grid_kernels import POINTS
from strikelake.pricing.lanes import LANES
from strikelake.pricing.premium_grid import MOMENTS, fill_tables, place_row, rho_at, value_at
from strikelake.pricing.premium_kernels import SPOT, VOL, YEARS
from strikelake.pricing.statuses import (
    ABOVE_CAP,
    BELOW_INTRINSIC,
    BELOW_TICK_VEGA,
    EXPIRED,
    LOOK_AGAIN,
    MISSING_INPUT,
    NOT_CONVERGED,
    SOLVED,
)

_EXACT = 1e-7  # a last step below it leaves its square
_ROUNDS, _ATTEMPTS = 60, 14


@loop
def dividend_tasks(
    given: bool,
    first: int,
    last: int,
    starts: Any,
    order: Any,
    terms: Any,
    quotes: Any,
    limits: Any,
    found: Any,
) -> None:
    """Analyse the rows of the tasks from `first` to `last` and write them where they came from.

    Parameters
    ----------
    given
        Whether volatilities are given: `error` then takes the values, and prices say nothing.
    starts, order
        Where each task's rows begin in `order`, (t + 1,), which numbers the rows, task by task.
    terms, quotes, found
        As in `dividend_columns`.
    limits
        Tick and cap.
    """
    memory = (np.empty((2, MOMENTS, POINTS, LANES)), np.empty((3, LANES)))
    for task in range(first, last):
        rows = order[starts[task] : starts[task + 1]]
        _analyse_task(given, rows, task, terms, quotes, limits, found, memory)


@part
def _analyse_task(
    given: bool, rows: Any, task: int, terms: Any, quotes: Any, limits: Any, found: Any, memory: Any
) -> None:
    """Analyse the rows of one task."""
    put, rate, carry = terms.puts[task], terms.rates[task], terms.carries[task]
    shortest, longest, paid = terms.spans[task]
    dates, shares = terms.dates[task], terms.shares[task]
    block, state = np.empty((COLUMNS, rows.size)), np.empty(rows.size, np.int8)
    _gather(rows, quotes, block)
    count, kept = 0, 1.0
    while count < dates.size and dates[count] <= paid:
        kept *= 1.0 - shares[count]
        count += 1
    yielded = carry - log(kept) / longest
    normalise(put, rate if put else yielded, yielded if put else rate, limits[0], limits[1], block, state)
    market, owed = (1.0 if put else -1.0, rate, carry, kept), (dates[:count], shares[:count])
    if given:
        _take_given(rows, found.vol, block, state)
    else:
        _refuse(rows, market, owed, quotes, state)
    _write_reasons(given, rows, state, found)
    places = (block[VOL], state, seats(block[VOL]), np.zeros(rows.size, np.bool_))
    for _ in range(_ATTEMPTS):
        for here in range(highest(state, places[2]), -1, -1):  # downwards, as most starts are too high
            waiting = members(here, state, places[2])
            if waiting.size:
                reach = (*bracket(here), shortest, longest, paid)
                fill_tables(market, owed, reach, memory[0])
                _search(given, rows, waiting, (market, reach, limits), quotes, places, memory, found)
    for i in range(rows.size):
        if state[i] == LOOK_AGAIN:
            _write_reason(given, rows[i], NOT_CONVERGED, found)


@part
def _gather(rows: Any, quotes: Any, block: Any) -> None:
    """Copy what `normalise` reads."""
    for i in range(rows.size):
        row = rows[i]
        block[VALUE, i], block[SPOT, i] = quotes.price[row], quotes.spot[row]
        block[SCALE, i], block[YEARS, i] = quotes.strike[row], quotes.years[row]


@part
def _take_given(rows: Any, vol: Any, block: Any, state: Any) -> None:
    """Put given volatilities in place of the starts."""
    for i in range(rows.size):
        if state[i] not in (MISSING_INPUT, EXPIRED):
            at = vol[rows[i]]
            known = 0.0 < at < np.inf
            state[i] = LOOK_AGAIN if known else MISSING_INPUT
            block[VOL, i] = max(at, LOWEST) if known else 1.0


@part
def _refuse(rows: Any, market: Any, owed: Any, quotes: Any, state: Any) -> None:
    """Mark prices below what exercising on a date known beforehand is sure to be worth: around an ex-date."""
    side, rate, carry, _ = market
    dates, shares = owed
    for i in range(rows.size):
        if state[i] == LOOK_AGAIN:
            row, kept = rows[i], 1.0
            for paid in range(dates.size - 1, -1, -1):  # in the order in which they come
                until = quotes.years[row] - dates[paid]
                owing, held = (
                    quotes.strike[row] * scalar_exp(-rate * until),
                    quotes.spot[row] * scalar_exp(-carry * until),
                )
                before, kept = kept, kept * (1.0 - shares[paid])
                if quotes.price[row] <= side * (owing - held * (before if side < 0.0 else kept)):
                    state[i] = BELOW_INTRINSIC


@part
def _write_reasons(given: bool, rows: Any, state: Any, found: Any) -> None:
    """Write the rows for which there is nothing to be found."""
    for i in range(rows.size):
        if state[i] != LOOK_AGAIN:
            _write_reason(given, rows[i], state[i], found)


@part
def _write_reason(given: bool, row: int, status: int, found: Any) -> None:
    """Write a row that has no number, and why."""
    found.code[row] = status
    if not given:
        found.vol[row] = np.nan
    found.error[row], found.delta[row], found.gamma[row] = np.nan, np.nan, np.nan
    found.vega[row], found.theta[row], found.rho[row] = np.nan, np.nan, np.nan


@part
def _search(
    given: bool, rows: Any, waiting: Any, cell: Any, quotes: Any, places: Any, memory: Any, found: Any
) -> None:
    """Search some rows in their cell and write them, or send them to the one that they lie in.

    What has come up does not go down again, or two cells that disagree would send it on for ever.
    """
    market, reach, (_, cap) = cell
    start, state, seat, risen = places
    for i in waiting:
        row = rows[i]
        strike = quotes.strike[row]
        placed = place_row(market, quotes.spot[row] / strike, quotes.years[row], reach)
        vol, status = start[i], SOLVED
        if not given:
            bottom, top = edges(seat[i])
            guess, wanted = min(max(vol, bottom), top), quotes.price[row] / strike
            vol, status = _newton(cap, market[0], placed, wanted, guess, reach, memory)
            if top <= vol <= cap:
                seat[i], risen[i] = seat[i] + 1, True
                continue
            if vol < bottom and seat[i] > 0 and not risen[i]:
                seat[i] -= 1
                continue
        state[i] = NOT_CONVERGED if status == LOOK_AGAIN else status
        _write(given, row, state[i], vol, placed, cell, memory, quotes, found)


@part
def _newton(
    cap: float, side: float, placed: Any, wanted: float, start: float, reach: Any, memory: Any
) -> Any:
    """Return the volatility of one row whose value is wanted, and its status."""
    low, high, vol = scalar_exp(reach[0]), scalar_exp(reach[1]), start
    for _ in range(_ROUNDS):
        value, _, _, vega = value_at(side, placed, vol, reach, *memory)
        gap = value - wanted
        if gap < 0.0:
            low = vol
        else:
            high = vol
        moved = vol - gap / vega if vega > 0.0 else -1.0
        if abs(moved - vol) <= _EXACT * vol:
            return moved, SOLVED
        vol = moved if low < moved < high else scalar_sqrt(low * high)
    return low, ABOVE_CAP if low > cap else LOOK_AGAIN


@part
def _write(
    given: bool,
    row: int,
    status: int,
    vol: float,
    placed: Any,
    cell: Any,
    memory: Any,
    quotes: Any,
    found: Any,
) -> None:
    """Write one row in dollars; a row at or below its exercise value has that one's slopes."""
    (side, rate, carry, _), reach, (tick, cap) = cell
    spot, strike = quotes.spot[row], quotes.strike[row]
    slopes = value_at(side, placed, vol, reach, *memory)
    by_rate = strike * rho_at(side, placed, vol, slopes, reach, *memory)
    value, slope, bend, sway = strike * slopes[0], slopes[1], slopes[2] / strike, strike * slopes[3]
    decay = rate * value - (rate - carry) * spot * slope - 0.5 * vol * vol * spot * spot * bend
    if status in (SOLVED, NOT_CONVERGED) and not given:
        if vol > cap:
            status = ABOVE_CAP
        elif not sway >= tick:  # a search that has not ended was on a plain
            status = BELOW_TICK_VEGA
    if status != SOLVED:
        _write_reason(given, row, status, found)
        return
    if given and value <= side * (strike - spot):
        value, slope, bend, sway, by_rate, decay = side * (strike - spot), -side, 0.0, 0.0, 0.0, 0.0
    found.code[row], found.delta[row], found.gamma[row] = status, slope, bend
    found.vega[row], found.theta[row], found.rho[row] = sway, decay, by_rate
    if given:
        found.error[row] = value
    else:
        found.vol[row], found.error[row] = vol, 0.5 * tick / sway
