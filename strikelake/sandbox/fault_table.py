"""Every fault of the sandbox, with what it does to whom. `docs/sandbox_faults.md` is made from this table.

What the columns say is shown by the tests that carry a fault's name (`@pytest.mark.fault`).
"""

from __future__ import annotations

from strikelake.sandbox.faults import Fault
from strikelake.sandbox.faulty_http import STATUSES

_ORDERS = "POST /v2/orders"
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


BROKER: tuple[Fault, ...] = _order_statuses()
UPDATES: tuple[Fault, ...] = ()
REST: tuple[Fault, ...] = ()
S3: tuple[Fault, ...] = ()
STREAM: tuple[Fault, ...] = ()

KNOWN: dict[str, Fault] = {fault.name: fault for fault in (*BROKER, *UPDATES, *REST, *S3, *STREAM)}
"""Every fault by its name."""
