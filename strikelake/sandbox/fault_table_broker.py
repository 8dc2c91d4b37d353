"""Faults of the simulated broker: what its REST and its `trade_updates` do wrong on demand, and to whom."""

from __future__ import annotations

from strikelake.sandbox.faults import Fault
from strikelake.sandbox.faulty_http import STATUSES

_ORDERS = "POST /v2/orders"
_POLLED = "Does not listen: orders are looked up over REST, which has the truth."
_REPEATED = {429, 504}
"""What alpaca-py answers by sending the same request again, three times."""


def _order_statuses() -> tuple[Fault, ...]:
    before = [
        Fault(
            f"broker.http_{status}",
            f"Answers an order with {status} and does not place it.",
            "Sends it again after three seconds, unasked, up to three times."
            if status in _REPEATED
            else "Raises the APIError of an order that was placed; its `.message` raises JSONDecodeError.",
            "Sent once; the answer is `unknown`, looked up by its name and sent again under that name.",
            _ORDERS,
        )
        for status in STATUSES
    ]
    after = [
        Fault(
            f"broker.http_{status}_after",
            f"Places an order and answers {status} all the same.",
            "Sends it again without a name: two orders."
            if status in _REPEATED
            else "Raises the same APIError as when nothing was placed; whoever tries again has two orders.",
            "Sent once; looked up by its name, found, and not sent again.",
            _ORDERS,
        )
        for status in STATUSES
    ]
    return (*before, *after)


BROKER: tuple[Fault, ...] = (
    *_order_statuses(),
    Fault(
        "broker.html",
        "Answers an order with a proxy's page and 502, and does not place it.",
        "Raises APIError whose `.code` and `.message` raise JSONDecodeError.",
        "Sent once; the answer is `unknown`, looked up by its name and sent again under that name.",
        _ORDERS,
    ),
    Fault(
        "broker.hang",
        "Takes an order's request, does not place it, and never answers.",
        "Waits for ever: it has no timeout.",
        "Gives up after its timeout; looked up by its name, not found, and sent again under that name.",
        _ORDERS,
    ),
    Fault(
        "broker.hang_after",
        "Places an order and never answers.",
        "Waits for ever while the order works.",
        "Gives up after its timeout; looked up by its name, found, and not sent again.",
        _ORDERS,
    ),
    Fault(
        "broker.reset",
        "Places an order and breaks off in the middle of the answer.",
        "Raises ChunkedEncodingError: the order is there, its id is lost.",
        "Looked up by its name, found, and not sent again.",
        _ORDERS,
    ),
    Fault(
        "broker.broken_json",
        "Places an order and sends half of the answer as if it were the whole.",
        "Raises JSONDecodeError: the order is there, its id is lost.",
        "Looked up by its name, found, and not sent again.",
        _ORDERS,
    ),
    Fault(
        "broker.reject",
        "Takes an order and rejects it afterwards.",
        "Returns an accepted order; nothing tells that it has been rejected since.",
        "The next look at the order finds it rejected, and the journal says so.",
    ),
    Fault(
        "broker.partial_fill",
        "Fills half of what it could, and nothing of the order any more.",
        "Says `canceled` once it is cancelled, as of an order that bought nothing: a position is left.",
        "What has filled is read with the state; the position is known and reconciled.",
    ),
    Fault(
        "broker.stale_quotes",
        "Shows option quotes and snapshots of half an hour ago.",
        "Hands them on; only their time tells.",
        "Takes no prices from the broker.",
        "GET /v1beta1/options/*",
    ),
    Fault(
        "broker.wrong_clock",
        "Shows the market clock of 90 minutes ago.",
        "Says that the market is closed while it is open, and when it is thought to open.",
        "Never asks: sessions come from the exchange's calendar, time from the machine's clock.",
        "GET /v2/clock",
    ),
)
UPDATES: tuple[Fault, ...] = (
    Fault(
        "updates.duplicate",
        "Sends an event twice.",
        "Calls the handler twice: whoever adds up quantities holds twice as much.",
        _POLLED,
    ),
    Fault(
        "updates.out_of_order",
        "Keeps an event back until the next one has been sent.",
        "Calls the handler in that order: the order ends as new after it was filled.",
        _POLLED,
    ),
    Fault(
        "updates.mute",
        "Keeps the connection open and an event to itself.",
        "Waits on; the fill is never told and nothing says so.",
        _POLLED,
    ),
    Fault(
        "updates.mute_auth",
        "Does not answer the authentication.",
        "Waits for ever for the answer; `run` neither ends nor tries again.",
        _POLLED,
        "auth",
    ),
    Fault(
        "updates.broken_json",
        "Sends half of an event.",
        "Logs an error and goes on without the event.",
        _POLLED,
    ),
    Fault(
        "updates.close",
        "Closes the connection in good order instead of sending an event.",
        "Connects anew; what happened meanwhile is never told.",
        _POLLED,
    ),
    Fault(
        "updates.abort",
        "Drops the connection instead of sending an event.",
        "Connects anew; what happened meanwhile is never told.",
        _POLLED,
    ),
)
