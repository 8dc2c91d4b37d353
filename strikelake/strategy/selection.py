"""From a direction to a structure: which contracts, bought and sold how.

Only structures with a defined risk exist here: a long option, or a vertical debit spread. What is paid is the
most that can be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from strikelake.contracts import expiry_ns
from strikelake.orders import Effect, Leg, Side
from strikelake.strategy.prices import decimal_price

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from strikelake.strategy.signals import Signal

LONG_LEVEL = 2
"""Alpaca's options level for buying calls and puts."""
SPREAD_LEVEL = 3
"""Alpaca's options level for spreads."""

_OCC_TAIL = 15
"""Characters of an OCC symbol after its root."""
_NUMBERS = ("strike", "bid_price", "ask_price", "quote_ts_ns", "delta")


class Listed(NamedTuple):
    """One contract of the chain; a tuple, as a decision makes hundreds and looks at a few.

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

Tradable: TypeAlias = Mapping[tuple[str, int], Sequence[Listed]]
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
        By underlying and direction, sorted by expiration and strike; none where nothing is listed.
    """
    sides = entry_contracts(signals, today, dte)
    names, kinds, symbols = (chain[name].to_list() for name in ("underlying", "option_type", "occ_symbol"))
    days: list[date] = chain["expiration"].to_numpy().tolist()
    strikes, bids, asks, quoted, deltas = (chain[name].to_list() for name in _NUMBERS)
    expiries = {day: expiry_ns(day) for day in set(days)}
    found: dict[tuple[str, int], list[Listed]] = {}
    for i, (name, kind, symbol, day) in enumerate(zip(names, kinds, symbols, days, strict=True)):
        if kind in sides(name, day) and not symbol[:-_OCC_TAIL][-1:].isdigit():
            numbers = strikes[i], bids[i], asks[i], quoted[i], deltas[i]
            contract = Listed(symbol, day, *numbers, expiries[day])
            found.setdefault((name, 1 if kind == "C" else -1), []).append(contract)
    for contracts in found.values():
        contracts.sort(key=attrgetter("expiration", "strike", "occ_symbol"))
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


def listed(tradable: Tradable, underlying: str, direction: int, exit_at: int) -> list[Listed]:
    """Return the contracts for one signal, quoted or not, by expiration and strike.

    Contracts that stop trading by `exit_at` (ns UTC), the planned exit, are left out.
    """
    found = tradable.get((underlying, direction), ())
    return [contract for contract in found if contract.expires_at > exit_at]


def by_delta(contracts: Iterable[Listed], target: float, tolerance: float) -> list[Listed]:
    """Return the contracts with a delta near the target, the best first.

    The nearest expiration comes first, then the absolute delta closest to `target`, then the lower strike.
    Contracts without a solved delta, or further than `tolerance` away, are left out.
    """
    near: list[tuple[date, float, float, str, Listed]] = []
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
