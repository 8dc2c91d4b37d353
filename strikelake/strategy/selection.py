"""From a direction to a structure: which contracts, bought and sold how.

Only structures with a defined risk exist here: a long option, or a vertical debit spread. What is paid is the
most that can be lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from strikelake.contracts import expiry_ns
from strikelake.orders import Effect, Leg, Side
from strikelake.strategy.prices import decimal_price

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

LONG_LEVEL = 2
"""Alpaca's options level for buying calls and puts."""
SPREAD_LEVEL = 3
"""Alpaca's options level for spreads."""

_OCC_TAIL = 15
"""Characters of an OCC symbol after its root."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One contract of the chain: dollars per share, None where a side or the delta is unknown."""

    occ_symbol: str
    expiration: date
    strike: Decimal
    bid: Decimal | None
    ask: Decimal | None
    quote_ts_ns: int
    delta: float | None


@dataclass(frozen=True, slots=True)
class Structure:
    """A priced structure.

    Attributes
    ----------
    strategy
        `long_call`, `long_put`, `call_debit_spread` or `put_debit_spread`.
    legs
        The long leg first.
    debit
        Net dollars per share at our side of the quotes: ask of the long leg less bid of the short one.
    level
        Options level it needs.
    """

    strategy: str
    legs: tuple[Leg, ...]
    debit: Decimal
    level: int


def listed(
    chain: pl.DataFrame, underlying: str, direction: int, today: date, exit_at: int, dte: tuple[int, int]
) -> list[Listed]:
    """Return the contracts that could carry a direction: calls for a rise, puts for a fall.

    Parameters
    ----------
    chain
        As `pipelines.chain.chain_at` returns it.
    direction
        +1 or -1.
    today
        Session of the decision; days to expiration are counted from it.
    exit_at
        Planned exit, ns UTC; contracts that stop trading by then are left out.
    dte
        Fewest and most calendar days to expiration, both included.

    Returns
    -------
    list of Listed
        By expiration and strike, whether quoted or not.
    """
    days = (pl.col("expiration") - pl.lit(today)).dt.total_days()
    rows = (
        chain.filter(
            pl.col("underlying") == underlying,
            pl.col("option_type") == ("C" if direction > 0 else "P"),
            days.is_between(*dte),
            _standard(),
        )
        .select("occ_symbol", "expiration", "strike", "bid_price", "ask_price", "quote_ts_ns", "delta")
        .sort("expiration", "strike", "occ_symbol")
    )
    lasting = {day for day in rows["expiration"].unique() if expiry_ns(day) > exit_at}
    return [_listed(row) for row in rows.iter_rows() if row[1] in lasting]


def by_delta(contracts: Iterable[Listed], target: float, tolerance: float) -> list[Listed]:
    """Return the contracts with a delta near the target, the best first.

    The nearest expiration comes first, then the absolute delta closest to `target`, then the lower strike.
    Contracts without a solved delta, or further than `tolerance` away, are left out.
    """
    near: list[tuple[date, float, Decimal, str, Listed]] = []
    for contract in contracts:
        if contract.delta is None:
            continue
        distance = abs(abs(contract.delta) - target)
        if distance <= tolerance:
            near.append((contract.expiration, distance, contract.strike, contract.occ_symbol, contract))
    return [entry[-1] for entry in sorted(near, key=lambda entry: entry[:-1])]


def long_option(contract: Listed, ask: Decimal, direction: int) -> Structure:
    """Return the purchase of one contract at its ask."""
    leg = Leg(contract.occ_symbol, Side.BUY, Effect.OPEN)
    return Structure("long_call" if direction > 0 else "long_put", (leg,), ask, LONG_LEVEL)


def debit_spreads(
    long: Listed, contracts: Iterable[Listed], direction: int
) -> list[tuple[Structure, Listed]]:
    """Return the vertical debit spreads on a long leg, the widest first, each with its short leg.

    The short leg has the same expiration, lies further out of the money and is quoted on both sides; the
    debit is positive and less than the width, so that both the loss and the gain are bounded.
    """
    if long.ask is None:
        return []
    found: list[tuple[Decimal, Structure, Listed]] = []
    for short in contracts:
        width = (short.strike - long.strike) * direction
        if short.expiration != long.expiration or width <= 0 or not short.bid or short.ask is None:
            continue
        debit = long.ask - short.bid
        if 0 < debit < width:
            legs = (
                Leg(long.occ_symbol, Side.BUY, Effect.OPEN),
                Leg(short.occ_symbol, Side.SELL, Effect.OPEN),
            )
            name = "call_debit_spread" if direction > 0 else "put_debit_spread"
            found.append((width, Structure(name, legs, debit, SPREAD_LEVEL), short))
    found.sort(key=lambda entry: (-entry[0], entry[2].occ_symbol))
    return [(structure, short) for _, structure, short in found]


def _standard() -> pl.Expr:
    """Leave out adjusted contracts, whose root ends in a digit: they do not deliver 100 shares."""
    root = pl.col("occ_symbol").str.head(pl.col("occ_symbol").str.len_chars() - _OCC_TAIL)
    return ~root.str.contains(r"\d$")


def _listed(row: tuple[str, date, float, float | None, float | None, int, float | None]) -> Listed:
    occ_symbol, expiration, strike, bid, ask, quote_ts_ns, delta = row
    return Listed(
        occ_symbol=occ_symbol,
        expiration=expiration,
        strike=Decimal(str(strike)),
        bid=decimal_price(bid),
        ask=decimal_price(ask),
        quote_ts_ns=quote_ts_ns,
        delta=delta,
    )
