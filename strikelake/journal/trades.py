"""From orders to trades: which entries are still held, and what the closed ones made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from strikelake.contracts import MULTIPLIER
from strikelake.orders import Effect, Side
from strikelake.portfolio import Holding, adjust_holding

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from strikelake.journal.states import IntentRecord
    from strikelake.orders import Leg
    from strikelake.splits import Split

Structure = frozenset[tuple[str, Side, int]]


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """Units that were opened and closed again, counted as they were when they were closed.

    `realised` is dollars before fees; `closed_at` is when the exit was last heard of, ns UTC.
    """

    entry_id: str
    exit_id: str
    underlying: str
    quantity: int
    realised: Decimal
    closed_at: int


@dataclass(frozen=True, slots=True)
class Trades:
    """What an account's orders come to."""

    holdings: tuple[Holding, ...]
    closed: tuple[ClosedTrade, ...]


def match_trades(
    records: Iterable[IntentRecord], settled: frozenset[str] = frozenset(), splits: Iterable[Split] = ()
) -> Trades:
    """Pair exits with the entries they close, the oldest entry of the same legs first.

    Parameters
    ----------
    records
        One account's intents in the order in which they were decided. Only fills count.
    settled
        client_order_ids of entries that ended without an order: expired, exercised, or closed by hand.
    splits
        That have come into force; what was decided before and is still held then is adjusted.

    Returns
    -------
    Trades
        Holdings by time of entry, and closed trades by time of exit. What an exit closes beyond its entries
        is left out here; it shows as a position that nobody can explain.
    """
    held: list[Holding] = []
    closed: list[ClosedTrade] = []
    ahead = sorted(splits, key=lambda split: split.effective_ns)
    for record in records:
        while ahead and ahead[0].effective_ns <= record.intent.asof:
            held = _adjusted(held, ahead.pop(0))
        if record.filled_quantity and record.is_entry:
            held.append(_holding(record))
        elif record.filled_quantity:
            # An exit after a settlement is meant for what is still there.
            held.sort(key=lambda holding: holding.client_order_id in settled)
            held = _close(held, record, closed)
    for split in ahead:
        held = _adjusted(held, split)
    held.sort(key=lambda holding: holding.opened_at)
    return Trades(tuple(holding for holding in held if holding.client_order_id not in settled), tuple(closed))


def structure(legs: Iterable[Leg]) -> Structure:
    """Return what a structure is made of, the same for the order that opens it and the one that closes it."""
    return frozenset((leg.occ_symbol, _opening_side(leg), leg.ratio) for leg in legs)


def _adjusted(held: list[Holding], split: Split) -> list[Holding]:
    return [adjust_holding(holding, split) for holding in held]


def _opening_side(leg: Leg) -> Side:
    if leg.effect is Effect.OPEN:
        return leg.side
    return Side.SELL if leg.side is Side.BUY else Side.BUY


def _holding(record: IntentRecord) -> Holding:
    intent = record.intent
    share = record.filled_quantity, intent.quantity
    return Holding(
        client_order_id=intent.client_order_id,
        underlying=intent.underlying,
        strategy=intent.strategy,
        legs=intent.legs,
        quantity=record.filled_quantity,
        entry_price=intent.limit_price if record.average_price is None else record.average_price,
        opened_at=intent.asof,
        exit_at=intent.asof if intent.exit_at is None else intent.exit_at,
        direction=intent.direction,
        max_loss=intent.max_loss * share[0] / share[1],
    )


def _close(held: list[Holding], exit_: IntentRecord, closed: list[ClosedTrade]) -> list[Holding]:
    """Take an exit's units from the holdings it closes and note what they made."""
    left, wanted = exit_.filled_quantity, structure(exit_.intent.legs)
    price = exit_.intent.limit_price if exit_.average_price is None else exit_.average_price
    kept: list[Holding] = []
    for holding in held:
        units = min(left, holding.quantity) if structure(holding.legs) == wanted else 0
        if units:
            left -= units
            closed.append(
                ClosedTrade(
                    entry_id=holding.client_order_id,
                    exit_id=exit_.intent.client_order_id,
                    underlying=holding.underlying,
                    quantity=units,
                    realised=-(holding.entry_price + price) * units * MULTIPLIER,
                    closed_at=exit_.updated_at,
                )
            )
        if units < holding.quantity:
            rest = holding.quantity - units
            kept.append(replace(holding, quantity=rest, max_loss=holding.max_loss * rest / holding.quantity))
    return kept
