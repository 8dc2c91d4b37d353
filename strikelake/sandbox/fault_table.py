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
S3: tuple[Fault, ...] = (
    Fault(
        "s3.late",
        "Hides a file whose time has come.",
        "A listing is one file shorter and does not say so; a download raises NoSuchKey.",
        "The session counts as not published, with the time at which files come.",
        "GET *",
    ),
    Fault(
        "s3.republished",
        "Serves a file with other rows, another ETag and another time.",
        "Goes on with the old file's download in the new file: bytes that never were a file.",
        "Asks for the rest of the same file only; a replaced one is read again from its start.",
        "GET *",
    ),
    Fault(
        "s3.truncated",
        "Serves the first half of a file as if it were the whole.",
        "Downloads it without complaint; gzip raises EOFError when somebody reads it.",
        "The file is refused as damaged and nothing of it reaches the lake.",
        "GET *",
    ),
    Fault(
        "s3.forbidden",
        "Answers 403 for a file that the listing shows.",
        "Raises AccessDenied.",
        "Raises NotEntitledError, which is not tried again and names plan and key.",
        "GET *",
    ),
    Fault(
        "s3.http_503",
        "Answers 503.",
        "Tries again as often as its retries allow, then raises ClientError.",
        "As boto3, then VendorUnavailableError, which the flow tries again later.",
    ),
    Fault(
        "s3.reset",
        "Breaks off in the middle of an answer.",
        "The read raises; what arrived is lost.",
        "Goes on from where it broke off, if the file is still the same.",
    ),
)
STREAM: tuple[Fault, ...] = ()

KNOWN: dict[str, Fault] = {fault.name: fault for fault in (*BROKER, *UPDATES, *REST, *S3, *STREAM)}
"""Every fault by its name."""
