"""Orders, exactly once: written down, sent, and looked up whenever the answer leaves a doubt."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strikelake.calendar import NS_PER_SECOND
from strikelake.errors import BrokerError, BrokerUnavailableError, OrderRejectedError
from strikelake.journal.states import IntentState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strikelake.brokers.base import Broker
    from strikelake.calendar import Clock
    from strikelake.journal.intents import IntentJournal
    from strikelake.journal.states import IntentRecord
    from strikelake.orders import OrderIntent, OrderState

ATTEMPTS = 3
PAUSE_NS = NS_PER_SECOND

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OrderDesk:
    """What an order passes through: the broker, the journal, and the clock that dates both."""

    broker: Broker
    journal: IntentJournal
    clock: Clock


def place(intent: OrderIntent, account_id: str, desk: OrderDesk) -> OrderState:
    """Get an order to the broker exactly once: `write_down`, then `send`.

    Parameters
    ----------
    intent
        What to send; where its name was recorded before, what was recorded is sent.
    account_id
        The account it is for.
    desk
        Where it goes.

    Returns
    -------
    OrderState
        The order as the broker has it, or REJECTED.

    Raises
    ------
    BrokerUnavailableError
        When a doubt remains. The journal then says UNKNOWN, or NEVER_SENT, and no entry should follow.
    BrokerError
        When the broker refuses the account rather than the order.
    """
    (record,) = write_down((intent,), account_id, desk)
    return send(record, desk)


def write_down(intents: Sequence[OrderIntent], account_id: str, desk: OrderDesk) -> list[IntentRecord]:
    """Record a decision's intents durably, all or none, before any of them is sent."""
    return desk.journal.record(intents, account_id, desk.clock.now())


def send(record: IntentRecord, desk: OrderDesk) -> OrderState:
    """Send what `write_down` returned, unless the broker has it.

    What an earlier run wrote down may have been sent and is looked up first. After a doubtful answer the
    order is looked up too, and only the broker's word that it has none lets it be sent again, under the same
    name. Raises as `place`.
    """
    if not record.is_new:
        record = refresh(record, desk)
    for attempt in range(ATTEMPTS):
        if record.order_state is not None:
            return record.order_state
        if attempt:
            _pause(desk)
        record = _submit(record, desk)
        if record.state is IntentState.UNKNOWN:
            record = refresh(record, desk)
    if record.order_state is None:
        name = record.intent.client_order_id
        raise BrokerUnavailableError(
            f"order {name} was tried {ATTEMPTS} times and is not there: check the broker"
        )
    return record.order_state


def forgo(record: IntentRecord, desk: OrderDesk, reason: str) -> None:
    """Note that what `write_down` returned will not be sent.

    What an earlier run wrote down keeps its state: it may have been sent, and `reconcile` looks it up.
    """
    if record.is_new:
        desk.journal.mark(record.intent.client_order_id, IntentState.NEVER_SENT, desk.clock.now(), reason)


def _submit(record: IntentRecord, desk: OrderDesk) -> IntentRecord:
    """Send an order once and journal the answer, or that there was none."""
    name = record.intent.client_order_id
    try:
        order = desk.broker.submit(record.intent)
    except OrderRejectedError as refusal:
        logger.warning("%s", refusal)
        return desk.journal.mark(name, IntentState.REJECTED, desk.clock.now(), str(refusal))
    except BrokerUnavailableError as error:
        logger.warning("%s", error)
        return desk.journal.mark(name, IntentState.UNKNOWN, desk.clock.now(), str(error))
    return desk.journal.update(order, desk.clock.now())


def refresh(record: IntentRecord, desk: OrderDesk) -> IntentRecord:
    """Look an order up and journal what the broker says.

    Returns
    -------
    IntentRecord
        As the broker has it; NEVER_SENT when it says that it has none and never said otherwise.

    Raises
    ------
    BrokerUnavailableError
        When several looks bring no definite answer; the journal keeps what it knew.
    BrokerError
        When the broker denies an order that it had confirmed.
    """
    if record.state.has_ended:
        return record
    name = record.intent.client_order_id
    found = _look_up(name, desk)
    if found is not None:
        return desk.journal.update(found, desk.clock.now())
    if record.state.at_broker:
        raise BrokerError(
            f"order {name} was {record.state} and the broker now has no such order: ask the broker"
        )
    return desk.journal.mark(name, IntentState.NEVER_SENT, desk.clock.now(), "the broker has no such order")


def withdraw(record: IntentRecord, desk: OrderDesk) -> IntentRecord:
    """Cancel an order and wait until it has ended, so that its fills are final.

    Returns
    -------
    IntentRecord
        As it ended. It is still open when the broker takes longer than a few looks to cancel it.

    Raises
    ------
    BrokerUnavailableError
        When the broker gives no definite answer.
    """
    record = refresh(record, desk)
    for attempt in range(ATTEMPTS):
        if not record.state.is_open:
            break
        if attempt:
            _pause(desk)
        desk.broker.cancel(record.intent.client_order_id)
        record = refresh(record, desk)
    return record


def _look_up(name: str, desk: OrderDesk) -> OrderState | None:
    for _ in range(ATTEMPTS - 1):
        try:
            return desk.broker.order(name)
        except BrokerUnavailableError as error:
            logger.warning("%s; looking again", error)
            _pause(desk)
    return desk.broker.order(name)


def _pause(desk: OrderDesk) -> None:
    desk.clock.sleep_until(desk.clock.now() + PAUSE_NS)
