"""From a direction to a structure: which contracts, bought and sold how.

Only structures with a defined risk exist here: a long option, or a vertical debit spread. What is paid is the
most that can be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from strikelake.contracts import expiry_ns
from strikelake.orders import Effect, Leg, Side
from strikelake.strategy.prices import decimal_price

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl
    from numpy.typing import NDArray

    from strikelake.strategy.signals import Signal

LONG_LEVEL = 2
"""Alpaca's options level for buying calls and puts."""
SPREAD_LEVEL = 3
"""Alpaca's options level for spreads."""

_OCC_TAIL = 15
"""Characters of an OCC symbol after its root."""
_COLUMNS = ("occ_symbol", "expiration", "strike", "bid_price", "ask_price", "quote_ts_ns", "delta")


class Listed(NamedTuple):
    """One contract of the chain.

    Attributes
    ----------
    occ_symbol, expiration
        Which.
    strike, bid_price, ask_price
        Dollars per share as in the chain; None where a side is missing.
    quote_ts_ns
        When it was quoted, ns UTC.
    delta
        None where it is not solved.
    expires_at
        When it stops trading, ns UTC.
    """

    occ_symbol: str
    expiration: date
    strike: float
    bid_price: float | None
    ask_price: float | None
    quote_ts_ns: int
    delta: float | None
    expires_at: int

    @property
    def bid(self) -> Decimal | None:
        """The bid as money."""
        return decimal_price(self.bid_price)

    @property
    def ask(self) -> Decimal | None:
        """The ask as money."""
        return decimal_price(self.ask_price)


@dataclass(frozen=True, slots=True, eq=False)
class Contracts:
    """Some contracts of a chain, in the order of expiration and strike.

    A decision has thousands and looks at a few: one becomes a `Listed` when it is looked at.

    Attributes
    ----------
    chain
        The columns of `Listed`, but `expires_at`.
    symbols
        Its column occ_symbol.
    rows
        Which, in any order.
    """

    chain: pl.DataFrame
    symbols: list[str]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Listed]:
        """Look at every one."""
        found = [_listed(row) for row in self.chain[self.rows].rows()]
        return iter(sorted(found, key=attrgetter("expiration", "strike", "occ_symbol")))

    def by_delta(self, target: float, tolerance: float) -> Iterator[Listed]:
        """Yield the contracts with a delta near the target, the best first.

        The nearest expiration comes first, then the absolute delta closest to `target`, then the lower
        strike. Contracts without a solved delta, or further than `tolerance` away, are left out.
        """
        distance = np.abs(np.abs(self.chain["delta"].to_numpy()[self.rows]) - target)
        near = self.rows[distance <= tolerance]
        expirations, strikes = (
            self.chain[name].to_numpy()[near].tolist() for name in ("expiration", "strike")
        )
        rows, distances = near.tolist(), distance[distance <= tolerance].tolist()
        symbols = [self.symbols[row] for row in rows]
        for *_, row in sorted(zip(expirations, distances, strikes, symbols, rows, strict=True)):
            yield _listed(self.chain.row(row))


def _listed(values: tuple[Any, ...]) -> Listed:
    return Listed._make((*values, expiry_ns(values[1])))


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
    width
        Dollars between the strikes of a spread, the most it can be worth; None for a single option.
    """

    strategy: str
    legs: tuple[Leg, ...]
    debit: Decimal
    level: int
    width: Decimal | None = None


Sides: TypeAlias = Callable[[str, date], str]
"""From an underlying and an expiration to the sides that matter: "C", "P", both or none."""

Tradable: TypeAlias = Mapping[tuple[str, int], Contracts]
"""Contracts by underlying and direction, as `tradable_contracts` returns them."""


def tradable_contracts(
    chain: pl.DataFrame, signals: Iterable[Signal], today: date, dte: tuple[int, int]
) -> Tradable:
    """Return the contracts that could carry the signals: calls for a rise (+1), puts for a fall (-1).

    Parameters
    ----------
    chain
        As `pipelines.chain.chain_at` returns it. Adjusted contracts are left out: they do not deliver 100
        shares.
    signals
        Those to act on.
    today
        Session of the decision; days to expiration are counted from it.
    dte
        Fewest and most calendar days to expiration, both included.

    Returns
    -------
    Mapping
        By underlying and direction.
    """
    narrow = chain[list(_COLUMNS)]
    symbols, expirations = chain["occ_symbol"].to_list(), chain["expiration"].to_numpy()
    first, last = (np.datetime64(today + timedelta(days=days)) for days in dte)
    in_time, calls = (first <= expirations) & (expirations <= last), (chain["option_type"] == "C").to_numpy()
    found = {}
    for name, direction in {(signal.underlying, signal.direction) for signal in signals}:
        wanted = (chain["underlying"] == name).to_numpy() & in_time & (calls if direction > 0 else ~calls)
        rows = np.flatnonzero(wanted)
        plain = [not symbols[row][:-_OCC_TAIL][-1:].isdigit() for row in rows.tolist()]
        found[name, direction] = Contracts(narrow, symbols, rows[np.array(plain, dtype=np.bool_)])
    return found


def entry_contracts(signals: Iterable[Signal], today: date, dte: tuple[int, int]) -> Sides:
    """Return which contracts could carry one of the signals: the only ones whose delta is looked at.

    Parameters
    ----------
    signals
        Those to act on.
    today, dte
        As in `tradable_contracts`.
    """
    sides: dict[str, str] = {}
    for signal in signals:
        sides[signal.underlying] = sides.get(signal.underlying, "") + ("C" if signal.direction > 0 else "P")
    first, last = (today + timedelta(days=days) for days in dte)
    return lambda name, expiration: sides.get(name, "") if first <= expiration <= last else ""


def listed(tradable: Tradable, underlying: str, direction: int, exit_at: int) -> Contracts:
    """Return the contracts for one signal, quoted or not.

    Contracts that stop trading by `exit_at` (ns UTC), the planned exit, are left out.
    """
    known = tradable[underlying, direction]
    days, place = np.unique(known.chain["expiration"].to_numpy()[known.rows], return_inverse=True)
    lasts = np.array([expiry_ns(day) > exit_at for day in days.tolist()], dtype=np.bool_)
    return replace(known, rows=known.rows[lasts[place]])


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
    paid = long.ask
    if paid is None:
        return []
    found: list[tuple[Decimal, Structure, Listed]] = []
    for short in contracts:
        beyond = (short.strike - long.strike) * direction
        received = short.bid
        if short.expiration != long.expiration or beyond <= 0 or not received or short.ask is None:
            continue
        width, debit = Decimal(str(beyond)), paid - received
        if 0 < debit < width:
            legs = (
                Leg(long.occ_symbol, Side.BUY, Effect.OPEN),
                Leg(short.occ_symbol, Side.SELL, Effect.OPEN),
            )
            name = "call_debit_spread" if direction > 0 else "put_debit_spread"
            found.append((width, Structure(name, legs, debit, SPREAD_LEVEL, width), short))
    found.sort(key=lambda entry: (-entry[0], entry[2].occ_symbol))
    return [(structure, short) for _, structure, short in found]
