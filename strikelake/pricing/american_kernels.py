"""From rows of American prices to volatilities and slopes, and from volatilities to prices, compiled.

Rows are worked on in tasks (see `premium_kernels`) and, inside one, in blocks that fit the processor's
cache. A row starts at the European volatility of its price, or where it is in the money at that of its time
value without carry; two rounds of Newton's method follow, and a third that also gives the slopes. Few rows
need more; those whose start was too far off are bracketed on a grid of all volatilities first.
"""

from __future__ import annotations

from math import exp as scalar_exp
from math import log
from typing import Any

import numpy as np

from strikelake.pricing.elementary import (
    clip,
    exp,
    finite,
    fma,
    inlined,
    ln,
    loop,
    power_series,
    select,
    sqrt,
)
from strikelake.pricing.exercise_boundary import FEW, VOLS, boundary_series
from strikelake.pricing.normalised import first_guess, householder
from strikelake.pricing.premium_kernels import (
    BLEND,
    DELTA,
    GAMMA,
    LN_SPOT,
    PLACE,
    PRICED,
    RHO,
    ROOT,
    SPOT,
    VEGA,
    VOL,
    YEARS,
    european,
    european_slopes,
    premium,
    premium_slopes,
)
from strikelake.pricing.statuses import (
    ABOVE_BOUND,
    ABOVE_CAP,
    AT_AMERICAN_INTRINSIC,
    BELOW_INTRINSIC,
    BELOW_TICK_VEGA,
    EXPIRED,
    LOOK_AGAIN,
    MISSING_INPUT,
    NON_POSITIVE_PRICE,
    NOT_CONVERGED,
    SOLVED,
)

VALUE, LOW, HIGH, STEP, SCALE = range(12, 17)
COLUMNS = 17

_WIDTH = 1_024
_LANES = 8
_ROUNDS, _MORE, _MOST, _ATTEMPTS = 2, 12, 45, 3
_BELOW, _ABOVE = -0.6, 0.35  # how far outside the starts a volatility is looked for, in its logarithm
_CELL = 1.6  # most that the logarithms of the starts of one search differ
_STILL = 1e-9
_CARRIED = (VALUE, LN_SPOT, SPOT, YEARS, ROOT, SCALE)
_EXACT = 1e-5  # a last step below it leaves 1e-10 of the volatility, and 1e-5 of the slopes
_WIDE_LOW, _PLAIN_VOL = 0.003, 0.3
_TINY = 1e-8  # rate times years below which the premium is no more than rounding


@loop
def normalise(put: bool, rate: float, carry: float, tick: float, cap: float, block: Any, state: Any) -> None:
    """Turn dollars into shares of the scale and write each row's status, or its starting volatility.

    Parameters
    ----------
    put
        Whether the rows are puts; `rate` and `carry` are those of the put they are worked on as.
    block
        (COLUMNS, n). VALUE holds prices, SPOT spots and SCALE strikes; all are overwritten.
    state
        (n,), a status, or LOOK_AGAIN where there is a volatility to be found.
    """
    value, spot, scale, years = block[VALUE], block[SPOT], block[SCALE], block[YEARS]
    ln_spot, root, vol = block[LN_SPOT], block[ROOT], block[VOL]
    for i in range(state.size):
        price, time = value[i], years[i]
        known = finite(price + time) & finite(spot[i] + scale[i]) & (spot[i] > 0.0) & (scale[i] > 0.0)
        live = known & (time > 0.0)
        dollars = select(put, scale[i], spot[i])
        s = select(known, select(put, spot[i] / scale[i], scale[i] / spot[i]), 1.0)
        v = price / dollars
        time = select(live, time, 1.0)
        bond, stock = exp(-rate * time), s * exp(-carry * time)
        exercised, held = select(s < 1.0, 1.0 - s, 0.0), select(bond > stock, bond - stock, 0.0)
        at = (exercised > 0.0) & (abs(v - exercised) <= 0.5 * tick / dollars) & (exercised >= held)
        status = select(v >= 1.0, ABOVE_BOUND, LOOK_AGAIN)
        status = select((v <= exercised) | (v <= held), BELOW_INTRINSIC, status)
        status = select(at, AT_AMERICAN_INTRINSIC, status)
        status = select(price <= 0.0, NON_POSITIVE_PRICE, status)
        status = select(years[i] <= 0.0, EXPIRED, status)
        status = select(known, status, MISSING_INPUT)
        state[i] = np.int8(status)
        good = status == LOOK_AGAIN

        # In the money, a European volatility need not exist: start from the time value over zero carry.
        left = v - held
        inside = (s < 1.0) | (left <= 0.0) | (left >= select(bond < stock, bond, stock))
        f, k = select(inside, s, stock), select(inside, 1.0, bond)
        k, f = select(good, k, 1.0), select(good, f, 1.0)
        per_root = 1.0 / (sqrt(f) * sqrt(k))
        b = select(good, select(inside, v - exercised, left), 0.1) * per_root
        x = -abs(ln(f) - ln(k))
        guess = first_guess(x, abs(f - k) * per_root, 1.0 / b, b)
        step = householder(x, guess, 1.0 / b)
        guess = fma(guess, clip(step, -0.5, 1.0), guess) / sqrt(time)
        vol[i] = select(guess == guess, clip(guess, _WIDE_LOW, cap), _PLAIN_VOL)
        value[i], scale[i], spot[i], ln_spot[i], root[i] = v, dollars, s, ln(s), sqrt(time)


@loop
def _step(low: float, high: float, block: Any) -> None:
    """Move each volatility by Newton's step, or to the middle of what is left of its bracket."""
    wanted, value, vega, vol = block[VALUE], block[PRICED], block[VEGA], block[VOL]
    below, above, step = block[LOW], block[HIGH], block[STEP]
    for i in range(vol.size):
        gap = value[i] - wanted[i]
        at = vol[i]
        under = select(gap < 0.0, at, below[i])
        over = select(gap < 0.0, above[i], at)
        moved = at - gap / vega[i]
        still = (abs(moved - at) <= _STILL * at) & (vega[i] > 0.0)  # rounding may have shut the bracket
        inside = still | ((moved > under) & (moved < over) & (vega[i] > 0.0))
        moved = select(inside, moved, sqrt(under * over))
        below[i], above[i], vol[i] = under, over, moved
        step[i] = select(inside, moved - at, high - low)


@inlined
def _few(c: Any) -> Any:
    return (c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7])


@inlined
def _all(c: Any) -> Any:
    return (*_few(c), *_few(c[8:]))


@loop
def evaluate(
    slopes: bool,
    rate: float,
    carry: float,
    of_carry: float,
    ln_low: float,
    ln_high: float,
    shortest: float,
    longest: float,
    lags: Any,
    outer_weights: Any,
    level: Any,
    back: Any,
    sway: Any,
    block: Any,
) -> None:
    """Write value and vega of a block, and the other slopes where they are asked for."""
    per_width = 2.0 / (ln_high - ln_low)
    european(rate, carry, ln_low, per_width, block)
    if slopes:
        european_slopes(rate, carry, of_carry, block)
    if rate * longest < _TINY:
        return
    for j in range(lags.size):
        weight, lag = outer_weights[j], lags[j]
        bond, stock = (
            weight * scalar_exp(-rate * shortest * lag),
            weight * scalar_exp(-carry * shortest * lag),
        )
        bonds = (bond, weight * scalar_exp(-rate * longest * lag) - bond)
        stocks = (stock, weight * scalar_exp(-carry * longest * lag) - stock)
        if slopes:
            premium_slopes(
                lag,
                (rate, carry),
                of_carry,
                bonds,
                stocks,
                _all(level[j]),
                _few(back[j]),
                _few(sway[j]),
                per_width,
                block,
            )
        else:
            premium(lag, (rate, carry), bonds, stocks, _all(level[j]), _few(back[j]), per_width, block)


@loop
def _pack(rows: Any, source: Any, low: float, high: float, shortest: float, longest: float) -> Any:
    """Return the chosen rows in blocks (count, COLUMNS, width), filled up with the last one."""
    count = (rows.size + _WIDTH - 1) // _WIDTH
    width = (rows.size + count - 1) // count
    width = (width + _LANES - 1) // _LANES * _LANES
    blocks = np.empty((count, COLUMNS, width))
    base, span = sqrt(shortest), sqrt(longest) - sqrt(shortest)
    for block in range(count):
        for i in range(width):
            row = rows[min(block * width + i, rows.size - 1)]
            for column in _CARRIED:
                blocks[block, column, i] = source[column, row]
            blocks[block, BLEND, i] = (source[ROOT, row] - base) / span if span > 0.0 else 0.0
            blocks[block, LOW, i], blocks[block, HIGH, i] = low, high
            blocks[block, VOL, i] = min(max(source[VOL, row], low), high)
    return blocks


@loop
def _exercise(level: Any, back: Any, block: Any) -> None:
    """Make rows whose volatility is given those of the exercised option where the spot is at the boundary."""
    now, later = _all(level), _few(back)
    for i in range(block.shape[1]):
        at, _ = power_series(now, block[PLACE, i])
        more, _ = power_series(later, block[PLACE, i])
        exercised = 1.0 - block[SPOT, i]
        block[VALUE, i], block[STEP, i] = block[PRICED, i], 0.0
        below = block[LN_SPOT, i] <= block[VOL, i] * fma(block[BLEND, i], more, at)
        if below or block[PRICED, i] <= exercised:
            block[VALUE, i], block[DELTA, i], block[GAMMA, i] = exercised, -1.0, 0.0
            block[VEGA, i], block[RHO, i] = 0.0, 0.0


@loop
def _search(
    given: bool,
    cap: float,
    rows: Any,
    source: Any,
    state: Any,
    rates: Any,
    of_carry: float,
    reach: Any,
    rounds: int,
    lags: Any,
    outer_weights: Any,
    level: Any,
    back: Any,
    sway: Any,
    found: Any,
) -> None:
    """Search the chosen rows between two volatilities; write what is found, or leave LOOK_AGAIN.

    Parameters
    ----------
    rows
        (k,) indices of columns of `source` (COLUMNS, n), of `state` (n,) and of `found` (6, n).
    reach
        Logarithms of the volatilities, shortest and longest time.
    rounds
        How many steps of Newton or of halving come before the last, which has the slopes.
    found
        Written: volatility, delta, gamma, vega, rho and value, all in shares.
    """
    rate, carry = rates
    ln_low, ln_high, shortest, longest = reach
    low, high = scalar_exp(ln_low), scalar_exp(ln_high)
    blocks = _pack(rows, source, low, high, shortest, longest)
    for b in range(blocks.shape[0]):
        block = blocks[b]
        for done in range(rounds if given else 0, rounds + 1):
            evaluate(
                done == rounds,
                rate,
                carry,
                of_carry,
                ln_low,
                ln_high,
                shortest,
                longest,
                lags,
                outer_weights,
                level,
                back,
                sway,
                block,
            )
            if not given:
                _step(low, high, block)
        if given:
            _exercise(level[lags.size], back[lags.size], block)
        first = b * block.shape[1]
        for i in range(min(block.shape[1], rows.size - first)):
            row = rows[first + i]
            if abs(block[STEP, i]) <= _EXACT * block[VOL, i]:
                state[row] = SOLVED
                found[0, row], found[1, row], found[2, row] = block[VOL, i], block[DELTA, i], block[GAMMA, i]
                found[3, row], found[4, row], found[5, row] = block[VEGA, i], block[RHO, i], block[VALUE, i]
            elif block[LOW, i] > cap:  # what is worth less there is too cheap, whatever the answer
                state[row], found[0, row], found[3, row] = SOLVED, block[LOW, i], 1.0


@loop
def _choose(rows: Any, vol: Any, state: Any, least: float, width: float, cell: int, last: bool) -> Any:
    """Return the rows still to be solved whose start is in a cell of volatilities, or above the last."""
    chosen = np.empty(rows.size, np.int64)
    count = 0
    for row in rows:
        at = log(vol[row] / least) / width
        if state[row] == LOOK_AGAIN and at >= cell and (last or at < cell + 1):
            chosen[count] = row
            count += 1
    return chosen[:count]


@loop
def _solve_task(
    given: bool,
    rates: Any,
    of_carry: float,
    cap: float,
    source: Any,
    state: Any,
    found: Any,
    outer_weights: Any,
    times: Any,
    points: Any,
    weights: Any,
    lags: Any,
    inner: Any,
    outer_lags: Any,
    to_chebyshev: Any,
    nodes: Any,
    powers: Any,
    few_powers: Any,
    level: Any,
    back: Any,
    sway: Any,
) -> None:
    """Find the volatilities of a task's rows that have one.

    Rows with like starts are searched together: over too wide a range the series loses digits. For those
    whose start was too far off, a rough search of the whole range gives another.
    """
    for attempt in range(_ATTEMPTS):
        least, most, shortest, longest, waiting = np.inf, 0.0, np.inf, 0.0, 0
        for row in range(state.size):
            if state[row] == LOOK_AGAIN:
                waiting += 1
                shortest, longest = min(shortest, source[YEARS, row]), max(longest, source[YEARS, row])
                least, most = min(least, source[VOL, row]), max(most, source[VOL, row])
        if waiting == 0:
            return
        rough = attempt == 1
        if rough:
            least, most = _WIDE_LOW * scalar_exp(-_BELOW), cap
        cells = 1 if rough else 1 + int(log(most / least) / _CELL)
        width = max(log(most / least) / cells, _STILL)
        rows = np.arange(state.size)
        for cell in range(cells):
            chosen = _choose(
                rows, source[VOL], state, least, width, -100 if rough else cell, cell == cells - 1
            )
            if chosen.size == 0:
                continue
            ln_low = log(least) + cell * width + _BELOW
            reach = (ln_low, ln_low - _BELOW + width + _ABOVE, shortest, longest)
            boundary_series(
                rates[0],
                rates[1],
                of_carry,
                shortest,
                longest,
                ln_low,
                reach[1],
                times,
                points,
                weights,
                lags,
                inner,
                outer_lags,
                to_chebyshev,
                nodes,
                powers,
                few_powers,
                level,
                back,
                sway,
            )
            rounds = _ROUNDS if attempt == 0 else _MOST
            while chosen.size > 0 and rounds <= _MOST:
                _search(
                    given,
                    cap,
                    chosen,
                    source,
                    state,
                    rates,
                    of_carry,
                    reach,
                    rounds,
                    outer_lags,
                    outer_weights,
                    level,
                    back,
                    sway,
                    found,
                )
                chosen = chosen[state[chosen] == LOOK_AGAIN]
                rounds += _MORE if rounds == _ROUNDS else _MOST
        if rough:
            for row in range(state.size):
                if state[row] == SOLVED and source[STEP, row] > 0.0:
                    source[VOL, row], state[row] = found[0, row], LOOK_AGAIN
        else:
            for row in range(state.size):
                source[STEP, row] = 1.0 if state[row] == LOOK_AGAIN else 0.0


@loop
def _give(rows: Any, vol: Any, source: Any, state: Any) -> None:
    """Take the volatilities from the caller's column in place of prices."""
    for i in range(rows.size):
        at = vol[rows[i]]
        if state[i] != MISSING_INPUT and state[i] != EXPIRED:
            state[i] = LOOK_AGAIN if at > 0.0 and finite(at) else MISSING_INPUT
        if state[i] == LOOK_AGAIN:
            source[VOL, i] = max(at, _WIDE_LOW)


@loop
def analyse_tasks(
    given: bool,
    first: int,
    last: int,
    starts: Any,
    puts: Any,
    rates: Any,
    carries: Any,
    order: Any,
    price: Any,
    spot: Any,
    strike: Any,
    years: Any,
    tick: float,
    cap: float,
    outer_weights: Any,
    times: Any,
    points: Any,
    weights: Any,
    lags: Any,
    inner: Any,
    outer_lags: Any,
    to_chebyshev: Any,
    nodes: Any,
    powers: Any,
    few_powers: Any,
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

    Parameters
    ----------
    given
        Whether `vol` holds volatilities: then `price` says nothing and `error` takes the values.
    first, last
        Tasks to work on.
    starts
        (tasks + 1,) where each task's rows begin in `order`.
    puts, rates, carries
        (tasks,); the market's rate and yield.
    order
        (n,) rows of the columns from `price` on, and of the outputs.
    """
    points_out = outer_lags.size + 1
    level, back = np.empty((points_out, VOLS)), np.empty((points_out, FEW))
    sway = np.empty((points_out, FEW))
    for task in range(first, last):
        rows = order[starts[task] : starts[task + 1]]
        put = puts[task]
        rate, carry = (rates[task], carries[task]) if put else (carries[task], rates[task])
        of_carry = 0.0 if put else 1.0
        source, state, found = (
            np.empty((COLUMNS, rows.size)),
            np.empty(rows.size, np.int8),
            np.empty((6, rows.size)),
        )
        for i in range(rows.size):
            row = rows[i]
            source[VALUE, i], source[SPOT, i] = price[row], spot[row]
            source[SCALE, i], source[YEARS, i] = strike[row], years[row]
        normalise(put, rate, carry, tick, cap, source, state)
        if given:
            _give(rows, vol, source, state)
        _solve_task(
            given,
            (rate, carry),
            of_carry,
            cap,
            source,
            state,
            found,
            outer_weights,
            times,
            points,
            weights,
            lags,
            inner,
            outer_lags,
            to_chebyshev,
            nodes,
            powers,
            few_powers,
            level,
            back,
            sway,
        )
        for i in range(rows.size):
            row, status = rows[i], state[i]
            in_dollars = _dollars(
                put, rates[task], carries[task], source[SPOT, i], source[SCALE, i], found[:, i]
            )
            if status == LOOK_AGAIN:
                status = NOT_CONVERGED
            elif status == SOLVED and not given and found[0, i] > cap:
                status = ABOVE_CAP
            elif status == SOLVED and not given and not in_dollars[2] >= tick:
                status = BELOW_TICK_VEGA
            code[row] = status
            solved = status == SOLVED
            if given:
                error[row] = source[SCALE, i] * found[5, i] if solved else np.nan
            else:
                vol[row] = found[0, i] if solved else np.nan
                error[row] = 0.5 * tick / in_dollars[2] if solved else np.nan
            delta[row] = in_dollars[0] if solved else np.nan
            gamma[row] = in_dollars[1] if solved else np.nan
            vega[row] = in_dollars[2] if solved else np.nan
            theta[row] = in_dollars[3] if solved else np.nan
            rho[row] = in_dollars[4] if solved else np.nan


@inlined
def _dollars(put: Any, rate: Any, carry: Any, spot: Any, scale: Any, found: Any) -> Any:
    """Return delta, gamma, vega, theta and rho per share from those of the put with strike 1.

    A call is worth its spot S times p(K / S). Theta is what Black and Scholes' equation leaves, which holds
    wherever the option is kept.
    """
    vol, delta, gamma, vega, rho, value = found[0], found[1], found[2], found[3], found[4], found[5]
    dollars = scale * value
    if put:
        market, gamma = scale * spot, gamma / scale
    else:
        market, delta, gamma = scale, value - spot * delta, spot * spot * gamma / scale
    kept = 1.0 if vega > 0.0 else 0.0
    theta = rate * dollars - (rate - carry) * market * delta - 0.5 * vol * vol * market * market * gamma
    return delta, gamma, scale * vega, kept * theta, scale * rho
