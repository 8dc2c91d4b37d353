"""True values of the simulated options: American, with discrete dividends."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, log, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from strikelake.compiled import njit
from strikelake.contracts import MULTIPLIER
from strikelake.pricing.rates import interpolate, years_between
from strikelake.sandbox.curves import TENORS, known_curve
from strikelake.sandbox.early_exercise import LANES, NODES, premium, solve
from strikelake.sandbox.surface import VarianceClock, at_the_money, smile, total_variance

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from strikelake.calendar import Session
    from strikelake.sandbox.config import SimulatorConfig
    from strikelake.sandbox.paths import StockPaths
    from strikelake.sandbox.schedule import Schedule

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_MINUTE = 1.0 / (365.0 * 24.0 * 60.0)
_SMALL, _ROOT_HALF = 1e-12, 0.7071067811865476


NEEDED = ("ticker", "symbol", "sign", "strike", "shares_per_contract")
"""Columns of contracts that a row to value must have, and its name."""


@dataclass(frozen=True, slots=True)
class OptionState:
    """True option values, arrays of one shape.

    Attributes
    ----------
    implied_vol
        Of the American model with discrete dividends, per root of a calendar year.
    value
        Dollars for a hundredth of a contract.
    spot, forward
        Dollars per share.
    years
        Calendar time to expiration, whole minutes.
    rate
        Continuously compounded.
    """

    implied_vol: Floats
    value: Floats
    spot: Floats
    forward: Floats
    years: Floats
    rate: Floats


(
    _SYMBOL,
    _EXPIRY,
    _RATE,
    _GROWTH,
    _OPENING,
    _CLOSING,
    _REFERENCE,
    _REPORTS,
    _LONG_RUN,
    _RHO,
    _ETA,
    _PREMIUM,
) = range(12)
_CALLS, _PUTS = 12, 13


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """What values of one session share, per group of symbol and expiration, in that order.

    Attributes
    ----------
    expiry_ns
        When trading stops; shape (groups,).
    numbers
        Per group: column of the symbol, trading time of the expiry, rate, what dividends leave of the
        forward, calendar years to expiry from the open and from the close, the volatility that the tables
        are placed around, variance of the reports, the stock's long-run variance, its smile, and the tables
        of early-exercise premiums for calls and puts (-1: worth nothing); shape (groups, 14).
    tables
        As `strikelake.sandbox.early_exercise.solve` fills them; shape (tables, 2, NODES, LANES).
    """

    expiry_ns: Ints
    numbers: Floats
    tables: Floats

    @property
    def rate(self) -> Floats:
        """Continuously compounded, per group."""
        return np.asarray(self.numbers[:, _RATE])


def session_terms(
    config: SimulatorConfig,
    paths: StockPaths,
    clock: VarianceClock,
    plan: Schedule,
    curves: pl.DataFrame,
    contracts: pl.DataFrame,
    index: int,
) -> tuple[SessionTerms, Ints]:
    """Prepare the values of one session's contracts.

    Parameters
    ----------
    contracts
        Those listed in the session: symbol, expiration, expiry_ns.
    index
        Of the session.

    Returns
    -------
    terms : SessionTerms
        Per group.
    group : ndarray of int64
        Each contract's group; shape (contracts,).
    """
    pairs = contracts.select("symbol", "expiration", "expiry_ns")
    groups = pairs.unique().sort("symbol", "expiration").with_row_index("group")
    group = pairs.join(groups, on=["symbol", "expiration"], how="left", maintain_order="left")["group"]
    session, node = paths.sessions[index], int(paths.first_node[index])
    symbols, expiries, days = (
        groups["symbol"].to_numpy(),
        groups["expiry_ns"].to_numpy(),
        groups["expiration"],
    )
    spans = list(zip(symbols.tolist(), days.to_list(), strict=True))
    opening = years_between(session.open_ns, expiries)
    smiles = [smile(config.stocks[symbol]) for symbol, _ in spans]
    numbers = np.empty((len(spans), 14))
    numbers[:, _SYMBOL] = symbols
    numbers[:, _EXPIRY] = [clock.closes[day] for _, day in spans]
    numbers[:, _RATE] = interpolate(list(TENORS.values()), known_curve(curves, index), opening * 365.0)
    numbers[:, _OPENING] = opening
    numbers[:, _CLOSING] = np.maximum(years_between(session.close_ns, expiries), 0.0)
    numbers[:, _REPORTS] = [plan.report_variance(symbol, session.date, day) for symbol, day in spans]
    numbers[:, _LONG_RUN] = [config.stocks[symbol].vol ** 2 for symbol, _ in spans]
    for column, name in ((_RHO, "rho"), (_ETA, "eta"), (_PREMIUM, "premium")):
        numbers[:, column] = [getattr(found, name) for found in smiles]
    for row, variance in zip(numbers, paths.variance[node, symbols], strict=True):
        theta = at_the_money(
            row[_EXPIRY] - clock.node[node], variance, row[_LONG_RUN], row[_PREMIUM], row[_REPORTS]
        )
        row[_REFERENCE] = sqrt(theta / row[_OPENING])
    paid = [plan.cash(symbol, session.date, day) for symbol, day in spans]
    tables = _premiums(session, paths.price[node, symbols], numbers, paid)
    return SessionTerms(expiries, numbers, tables), group.to_numpy()


def option_state(
    paths: StockPaths,
    clock: VarianceClock,
    terms: SessionTerms,
    contracts: pl.DataFrame,
    group: Ints,
    nodes: Ints,
    moments: Ints,
    spot: Floats | None = None,
) -> OptionState:
    """Return the true values of contracts at given moments.

    Parameters
    ----------
    contracts
        One row per value: symbol, sign, strike, shares_per_contract. One that delivers other than 100 shares
        is that share of a contract at the strike of whole ones.
    group
        Each row's group in `terms`.
    nodes
        Row of the paths whose price and variance hold; shape (rows,).
    moments
        Time of each value, ns UTC, at or after its node.
    spot
        Prices to use instead of those at the nodes.
    """
    symbol = contracts["symbol"].to_numpy()
    price = paths.price[nodes, symbol] if spot is None else spot
    years = np.maximum(years_between(moments, terms.expiry_ns[group]), 0.0)
    part = contracts["shares_per_contract"].to_numpy() / MULTIPLIER
    vol, value, forward = (np.empty(years.size) for _ in range(3))
    _value_rows(
        group,
        contracts["sign"].to_numpy().astype(np.float64),
        contracts["strike"].to_numpy() / part,
        price,
        paths.variance[nodes, symbol],
        clock.node[nodes],
        years,
        terms.numbers,
        terms.tables,
        vol,
        value,
        forward,
    )
    return OptionState(vol, value * part, price, forward, years, terms.rate[group])


def _premiums(
    session: Session, spots: Floats, numbers: Floats, paid: list[list[tuple[int, float]]]
) -> Floats:
    """Solve the tables of a session, for puts always and for calls where a dividend lies ahead.

    Fills in what dividends leave of the forward and the numbers of the tables.
    """
    elapsed = float(years_between(session.open_ns, session.close_ns))
    tables: list[Floats] = []
    for row, spot, cash in zip(numbers, spots.tolist(), paid, strict=True):
        rate, years, reference = row[_RATE], row[_OPENING], row[_REFERENCE]
        after = np.array([years_between(session.open_ns, open_ns) for open_ns, _ in cash])
        worth = np.array([amount for _, amount in cash]) * np.exp(-rate * after)
        # Shares of the price that keep the forward of the cash dividends.
        fractions = worth / (spot - np.concatenate([[0.0], np.cumsum(worth)[:-1]])[: worth.size])
        row[_GROWTH] = np.prod(1.0 - fractions)
        row[_CALLS] = -1.0
        for sign, column in ((-1.0, _PUTS), (1.0, _CALLS)) if cash else ((-1.0, _PUTS),):
            row[column] = len(tables)
            tables.append(np.empty((2, NODES, LANES)))
            solve(sign, rate, years, min(elapsed, years), after, fractions, reference, tables[-1])
    return np.stack(tables)


@njit(**_JIT)
def _value_rows(
    group: Ints,
    sign: Floats,
    strike: Floats,
    spot: Floats,
    variance: Floats,
    now: Floats,
    years: Floats,
    numbers: Floats,
    tables: Floats,
    vol: Floats,
    value: Floats,
    forward: Floats,
) -> None:
    """Fill implied volatility, value and forward of each row; `numbers` has a row per group, see `_stack`."""
    for i in range(group.size):
        g = group[i]
        given = (sign[i], strike[i], spot[i], variance[i], now[i])
        vol[i], value[i], forward[i] = _value(given, years[i], numbers[g], tables)
        exercised = max(sign[i] * (spot[i] - strike[i]), 0.0)
        value[i] = max(value[i], exercised)
        # A volatility per expiration values early exercise as if variance came evenly. Where a report makes
        # it come in a lump, an option in the money could be worth less than one that expires earlier.
        h = g - 1
        while exercised > 0.0 and h >= 0 and numbers[h, _SYMBOL] == numbers[g, _SYMBOL]:
            left = years[i] - (numbers[g, _OPENING] - numbers[h, _OPENING])
            if left > 0.0:
                value[i] = max(value[i], _value(given, left, numbers[h], tables)[1])
            h -= 1


@njit(entry=False, error_model="numpy")
def _value(
    given: tuple[float, float, float, float, float], left: float, numbers: Floats, tables: Floats
) -> tuple[float, float, float]:
    """Return implied volatility, value and forward of one option, years `left` before expiration."""
    sign, strike, spot, variance, now = given
    carried = np.exp(numbers[_RATE] * left)
    forward = spot * carried * numbers[_GROWTH]
    theta = at_the_money(
        numbers[_EXPIRY] - now, variance, numbers[_LONG_RUN], numbers[_PREMIUM], numbers[_REPORTS]
    )
    moneyness = log(strike / forward)
    vol = sqrt(total_variance(moneyness, theta, numbers[_RHO], numbers[_ETA]) / max(left, _MINUTE))
    if left <= 0.0:
        return vol, max(sign * (spot - strike), 0.0), forward
    deviation = vol * sqrt(left)
    d1 = -moneyness / deviation + 0.5 * deviation
    held = 0.5 * erfc(-sign * d1 * _ROOT_HALF)
    owed = 0.5 * erfc(-sign * (d1 - deviation) * _ROOT_HALF)
    value = sign * (forward * held - strike * owed) / carried
    table = int(numbers[_CALLS] if sign > 0.0 else numbers[_PUTS])
    if table >= 0:
        whole = max(numbers[_OPENING] - numbers[_CLOSING], _SMALL)
        deviations = log(spot / strike) / (vol * sqrt(numbers[_OPENING]))
        share = min(max((left - numbers[_CLOSING]) / whole, 0.0), 1.0)
        value += strike * premium(tables[table], deviations, log(vol / numbers[_REFERENCE]), share)
    return vol, value, forward
