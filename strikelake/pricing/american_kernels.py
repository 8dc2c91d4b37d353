"""American rows before and after the search for their volatility, compiled: statuses, starts, answers.

A row starts at the European volatility of its price, or where it is in the money at that of its time value
without carry. `american_search` says what comes between.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strikelake.fused import fma
from strikelake.pricing.elementary import clip, exp, finite, inlined, ln, loop, part, select, sqrt, wide
from strikelake.pricing.normalised import first_guess, householder
from strikelake.pricing.premium_kernels import (
    BOND,
    COLUMNS,
    DELTA,
    GAMMA,
    LN_FORWARD,
    LN_SPOT,
    LN_YEARS,
    RHO,
    ROOT,
    SCALE,
    SPOT,
    STOCK,
    THETA,
    VALUE,
    VEGA,
    VOL,
    YEARS,
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

__all__ = ["COLUMNS", "LOWEST", "SCALE", "VALUE", "normalise", "start_rows", "write_rows"]

LOWEST = 0.003
"""No volatility is looked for below it."""

_PLAIN_VOL = 0.3


@inlined
def _status(v: Any, price: Any, years: Any, known: Any, exercised: Any, held: Any, half_tick: Any) -> Any:
    """Return a row's status, or LOOK_AGAIN where there is a volatility to be found.

    `v` is the price, `exercised` what exercising now pays and `held` the European lower bound, in shares.
    """
    at = (exercised > 0.0) & (abs(v - exercised) <= half_tick) & (exercised >= held)
    status = select(v >= 1.0, ABOVE_BOUND, LOOK_AGAIN)
    status = select((v <= exercised) | (v <= held), BELOW_INTRINSIC, status)
    status = select(at, AT_AMERICAN_INTRINSIC, status)
    status = select(price <= 0.0, NON_POSITIVE_PRICE, status)
    status = select(years <= 0.0, EXPIRED, status)
    return select(known, status, MISSING_INPUT)


@inlined
def _start(v: Any, s: Any, bond: Any, stock: Any, exercised: Any, held: Any, root: Any, good: Any) -> Any:
    """Return the volatility from which a row's search starts.

    In the money, a European volatility need not exist: start from the time value over zero carry.
    """
    left = v - held
    inside = (s < 1.0) | (left <= 0.0) | (left >= select(bond < stock, bond, stock))
    f, k = select(inside, s, stock), select(inside, 1.0, bond)
    k, f = select(good, k, 1.0), select(good, f, 1.0)
    per_root = 1.0 / (sqrt(f) * sqrt(k))
    b = select(good, select(inside, v - exercised, left), 0.1) * per_root
    x = -abs(ln(f) - ln(k))
    guess = first_guess(x, abs(f - k) * per_root, 1.0 / b, b)
    step = householder(x, guess, 1.0 / b)
    guess = fma(guess, clip(step, -0.5, 1.0), guess) / root
    return select(guess == guess, guess, _PLAIN_VOL)


@inlined
def _start_row(put: Any, rate: Any, carry: Any, tick: Any, cap: Any, market: Any) -> Any:
    """Return status, price, scale, spot and time in shares, both discount factors, and the start."""
    price, spot, strike, years = market
    known = finite(price + years) & finite(spot + strike) & (spot > 0.0) & (strike > 0.0)
    dollars = select(put, strike, spot)
    s = select(known, select(put, spot / strike, strike / spot), 1.0)
    v = price / dollars
    time = select(known & (years > 0.0), years, 1.0)
    bond, stock = exp(-rate * time), s * exp(-carry * time)
    exercised, held = select(s < 1.0, 1.0 - s, 0.0), select(bond > stock, bond - stock, 0.0)
    status = _status(v, price, years, known, exercised, held, 0.5 * tick / dollars)
    start = _start(v, s, bond, stock, exercised, held, sqrt(time), status == LOOK_AGAIN)
    return status, v, dollars, s, time, bond, stock, clip(start, LOWEST, cap)


@part
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
        market = (value[i], spot[i], scale[i], years[i])
        status, v, dollars, s, time, _, _, start = _start_row(put, rate, carry, tick, cap, market)
        state[i] = np.int8(status)
        value[i], scale[i], spot[i], vol[i] = v, dollars, s, start
        ln_spot[i], root[i] = ln(s), sqrt(time)


@loop
def start_rows(
    starts: Any,
    order: Any,
    puts: Any,
    rates: Any,
    carries: Any,
    price: Any,
    spot: Any,
    strike: Any,
    years: Any,
    tick: float,
    cap: float,
    block: Any,
    state: Any,
) -> None:
    """Fill a block with the rows of some tasks, each as a put with strike 1, and write their statuses.

    Parameters
    ----------
    starts
        Where each task's rows begin in `order`; (t + 1,).
    order
        Rows of the columns from `price` on, task by task; (n,) from `starts[0]` on.
    puts, rates, carries
        Of each task; the market's rate and yield; (t,).
    block, state
        Written; (COLUMNS, n) and (n,).
    """
    wide()
    value, s, scale, time = block[VALUE], block[SPOT], block[SCALE], block[YEARS]
    ln_spot, root, vol, ln_years = block[LN_SPOT], block[ROOT], block[VOL], block[LN_YEARS]
    bond, stock, ln_forward = block[BOND], block[STOCK], block[LN_FORWARD]
    rate, carry, side = block[DELTA], block[GAMMA], block[VEGA]  # of no other use until the end
    for task in range(starts.size - 1):
        put = puts[task]
        for i in range(starts[task] - starts[0], starts[task + 1] - starts[0]):
            row = order[starts[0] + i]
            value[i], s[i], scale[i], time[i] = price[row], spot[row], strike[row], years[row]
            rate[i], carry[i] = (rates[task], carries[task]) if put else (carries[task], rates[task])
            side[i] = 1.0 if put else 0.0
    for i in range(state.size):
        market = (value[i], s[i], scale[i], time[i])
        status, v, dollars, moneyness, t, b, f, start = _start_row(
            side[i] > 0.0, rate[i], carry[i], tick, cap, market
        )
        state[i] = np.int8(status)
        value[i], scale[i], s[i], time[i], vol[i] = v, dollars, moneyness, t, start
        bond[i], stock[i], root[i] = b, f, sqrt(t)
        ln_spot[i], ln_years[i] = ln(moneyness), ln(t)
        ln_forward[i] = fma(rate[i] - carry[i], t, ln_spot[i])


@loop
def write_rows(
    given: bool,
    tick: float,
    cap: float,
    rows: Any,
    state: Any,
    block: Any,
    code: Any,
    vol: Any,
    error: Any,
    delta: Any,
    gamma: Any,
    vega: Any,
    theta: Any,
    rho: Any,
) -> None:
    """Write rows where they came from; numbers only where they are solved.

    `given` says that the volatilities were the question: `error` then takes the values.
    """
    for i in range(rows.size):
        row, status, sway = rows[i], state[i], block[VEGA, i]
        if status in (SOLVED, NOT_CONVERGED) and not given:
            if block[VOL, i] > cap:
                status = ABOVE_CAP
            elif not sway >= tick:  # a search that has not ended was on a plain
                status = BELOW_TICK_VEGA
        code[row] = status
        solved = status == SOLVED
        if given:
            error[row] = block[VALUE, i] if solved else np.nan
        else:
            vol[row] = block[VOL, i] if solved else np.nan
            error[row] = 0.5 * tick / sway if solved else np.nan
        delta[row] = block[DELTA, i] if solved else np.nan
        gamma[row] = block[GAMMA, i] if solved else np.nan
        vega[row] = sway if solved else np.nan
        theta[row] = block[THETA, i] if solved else np.nan
        rho[row] = block[RHO, i] if solved else np.nan
