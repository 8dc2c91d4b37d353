"""Intents as rows of the journal's tables, there and back."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from strikelake.journal.states import IntentRecord, IntentState
from strikelake.orders import Effect, Leg, OrderIntent, Side

if TYPE_CHECKING:
    from collections.abc import Sequence

INSERT_INTENT = "INSERT INTO intents VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"

RECORDS = """
SELECT i.client_order_id, i.account_id, i.asof, i.underlying, i.strategy, i.legs, i.quantity, i.limit_price,
       i.reason, i.max_loss, i.exit_at, i.direction,
       e.state, e.broker_id, e.filled_quantity, e.average_price, e.at, e.detail
FROM intents i JOIN events e ON e.sequence = (
    SELECT max(sequence) FROM events WHERE client_order_id = i.client_order_id)
"""
"""Every intent with its newest event; a WHERE clause may follow."""


def intent_row(intent: OrderIntent, account_id: str) -> tuple[str | int | None, ...]:
    """Return an intent as the values of `INSERT_INTENT`."""
    return (
        intent.client_order_id,
        account_id,
        intent.asof,
        intent.underlying,
        intent.strategy,
        json.dumps([[leg.occ_symbol, leg.side, leg.effect, leg.ratio] for leg in intent.legs]),
        intent.quantity,
        str(intent.limit_price),
        intent.reason,
        str(intent.max_loss),
        intent.exit_at,
        intent.direction,
    )


def read_record(row: Sequence[Any]) -> IntentRecord:
    """Return the record that a row of `RECORDS` holds."""
    name, account_id, asof, underlying, strategy, legs, quantity, limit, reason, max_loss = row[:10]
    exit_at, direction, state, broker_id, filled, price, at, detail = row[10:]
    intent = OrderIntent(
        asof=asof,
        underlying=underlying,
        strategy=strategy,
        legs=tuple(
            Leg(symbol, Side(side), Effect(effect), ratio) for symbol, side, effect, ratio in json.loads(legs)
        ),
        quantity=quantity,
        limit_price=Decimal(limit),
        reason=reason,
        max_loss=Decimal(max_loss),
        client_order_id=name,
        exit_at=exit_at,
        direction=direction,
    )
    average = None if price is None else Decimal(price)
    return IntentRecord(intent, account_id, IntentState(state), broker_id, filled, average, at, detail)
