"""The life of an intent, from written down to ended, and which step may follow which."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from strikelake.errors import JournalError
from strikelake.orders import Effect, OrderState, OrderStatus

if TYPE_CHECKING:
    from decimal import Decimal

    from strikelake.orders import OrderIntent


class IntentState(StrEnum):
    """What is known of an intent: our own three words, then the broker's.

    INTENDED is written before the order is sent, so after a crash it means that nobody has looked yet.
    UNKNOWN is an order that was sent without a definite answer. NEVER_SENT is the broker's word that it has
    none.
    """

    INTENDED = "intended"
    UNKNOWN = "unknown"
    NEVER_SENT = "never_sent"
    NEW = "new"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def is_open(self) -> bool:
        """Whether the intent can still become a fill, as far as is known."""
        return self in _OPEN

    @property
    def has_ended(self) -> bool:
        """Whether the broker has said its last word on the order."""
        return self in _ENDS

    @property
    def at_broker(self) -> bool:
        """Whether the broker has answered for the order."""
        return self not in _OURS


_OURS = {IntentState.INTENDED, IntentState.UNKNOWN, IntentState.NEVER_SENT}
_WORKING = {IntentState.NEW, IntentState.ACCEPTED, IntentState.PARTIALLY_FILLED}
_OPEN = {IntentState.INTENDED, IntentState.UNKNOWN} | _WORKING
_ENDS = {IntentState.FILLED, IntentState.CANCELED, IntentState.EXPIRED, IntentState.REJECTED}
_BROKER = _WORKING | _ENDS
_NEXT: dict[IntentState, set[IntentState]] = {
    IntentState.INTENDED: {IntentState.UNKNOWN, IntentState.NEVER_SENT} | _BROKER,
    IntentState.UNKNOWN: {IntentState.UNKNOWN, IntentState.NEVER_SENT} | _BROKER,
    # A request that was on its way when the broker was asked can still arrive, or be sent again.
    IntentState.NEVER_SENT: {IntentState.UNKNOWN, IntentState.NEVER_SENT} | _BROKER,
    IntentState.NEW: _BROKER,
    IntentState.ACCEPTED: _BROKER,
    IntentState.PARTIALLY_FILLED: {IntentState.PARTIALLY_FILLED} | (_ENDS - {IntentState.REJECTED}),
} | {end: {end} for end in _ENDS}


@dataclass(frozen=True, slots=True)
class IntentRecord:
    """An intent and the last thing known of it.

    Attributes
    ----------
    intent, account_id
        What was decided, and for which account.
    state
        Where it is in its life.
    broker_id
        The broker's name for the order; None before the broker answered.
    filled_quantity
        Units filled so far; kept when the rest is canceled.
    average_price
        Net dollars per share and unit, signed as `OrderIntent.limit_price`; None before a fill.
    updated_at
        When this was learned, ns UTC.
    detail
        The broker's words, for example why it refused.
    is_new
        Whether the very call that returned this wrote it down, so that nobody can have sent it.
    """

    intent: OrderIntent
    account_id: str
    state: IntentState
    broker_id: str | None
    filled_quantity: int
    average_price: Decimal | None
    updated_at: int
    detail: str
    is_new: bool = False

    @property
    def is_entry(self) -> bool:
        """Whether every leg opens a position."""
        return all(leg.effect is Effect.OPEN for leg in self.intent.legs)

    @property
    def order_state(self) -> OrderState | None:
        """The order as last seen at the broker; None when the broker has not answered for it."""
        if not self.state.at_broker:
            return None
        return OrderState(
            client_order_id=self.intent.client_order_id,
            broker_id=self.broker_id or "",
            status=OrderStatus(self.state.value),
            quantity=self.intent.quantity,
            filled_quantity=self.filled_quantity,
            average_price=self.average_price,
            updated_at=self.updated_at,
        )


def check_step(record: IntentRecord, state: IntentState, filled_quantity: int) -> None:
    """Refuse a step that cannot happen.

    Raises
    ------
    JournalError
        When `state` cannot follow the recorded one, or the filled quantity shrinks, exceeds the intent or
        does not fit the state; the message names the order and both states.
    """
    name, quantity, before = record.intent.client_order_id, record.intent.quantity, record.filled_quantity
    if state not in _NEXT[record.state]:
        raise JournalError(
            f"order {name} cannot go from {record.state} to {state}: compare it with the broker's list"
        )
    least, most = _fills(state, quantity)
    if record.state.has_ended:
        least = most = before
    if not max(least, before) <= filled_quantity <= most:
        raise JournalError(
            f"order {name} of {quantity} cannot be {state} with {filled_quantity} filled after {before}: "
            "compare it with the broker's list"
        )


def _fills(state: IntentState, quantity: int) -> tuple[int, int]:
    """Return the least and the most that an order in this state has filled."""
    if state is IntentState.FILLED:
        return quantity, quantity
    if state is IntentState.PARTIALLY_FILLED:
        return 1, quantity - 1
    if state in {IntentState.CANCELED, IntentState.EXPIRED}:
        return 0, quantity
    return 0, 0
