"""Every fault of the sandbox, with what it does to whom. `docs/sandbox_faults.md` is made from this table.

What the columns say is shown by the tests that carry a fault's name (`@pytest.mark.fault`).
"""

from __future__ import annotations

from strikelake.sandbox.fault_table_broker import BROKER, UPDATES
from strikelake.sandbox.faults import Fault
from strikelake.sandbox.faulty_http import STATUSES

_READS = "GET *"


def _rest_statuses() -> tuple[Fault, ...]:
    return tuple(
        Fault(
            f"rest.http_{status}",
            f"Answers {status}" + (", with Retry-After." if status in {429, 503} else "."),
            "Tries again as often as its retries allow, then raises MaxRetryError, which is urllib3's.",
            "Tries again within the request budget, then raises VendorUnavailableError with the answer.",
            _READS,
        )
        for status in STATUSES
    )


REST: tuple[Fault, ...] = (
    *_rest_statuses(),
    Fault(
        "rest.html",
        "Answers with a proxy's page and 502.",
        "Tries again as often as its retries allow, then raises MaxRetryError, which is urllib3's.",
        "Tries again within the request budget, then raises VendorUnavailableError with the answer.",
        _READS,
    ),
    Fault(
        "rest.hang",
        "Takes a request and never answers.",
        "Waits for its ten seconds as often as its retries allow, then raises MaxRetryError.",
        "Waits for its own timeout, tries again, then raises VendorUnavailableError.",
        _READS,
    ),
    Fault(
        "rest.reset",
        "Breaks off in the middle of an answer.",
        "Tries again as often as its retries allow, then raises MaxRetryError, which is urllib3's.",
        "Tries again within the request budget, then raises VendorUnavailableError.",
        _READS,
    ),
    Fault(
        "rest.broken_json",
        "Sends half of an answer as if it were the whole.",
        "Prints an error and returns an empty list: a market without prices.",
        "Raises VendorUnavailableError: a damaged page.",
        _READS,
    ),
    Fault(
        "rest.bad_page",
        "Sends half of a later page.",
        "Ends the list there without an exception: part of the chain looks like the whole.",
        "Raises VendorUnavailableError: a damaged page.",
        _READS,
    ),
    Fault(
        "rest.empty_page",
        "Sends a later page without results.",
        "Ends the list there without an exception: part of the chain looks like the whole.",
        "Raises VendorUnavailableError: a page without results.",
        _READS,
    ),
    Fault(
        "rest.stale_quotes",
        "Shows a chain's quotes of half an hour ago.",
        "Hands them on; only their time tells.",
        "A stale quote is no price: the decision denies the entry as STALE_QUOTE.",
        "GET /v3/snapshot/options/*",
    ),
)
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
_GAP = "Connects anew after a random pause and reports the gap."
STREAM: tuple[Fault, ...] = (
    Fault(
        "stream.mute",
        "Keeps an event to itself.",
        "Waits on; nothing tells a mute stream from a quiet market.",
        "Ends a connection that is silent while the market is open; then as `stream.abort`.",
    ),
    Fault(
        "stream.mute_auth",
        "Does not answer the key.",
        "Hangs in connect() for ever.",
        "Tries again when the subscriptions are not confirmed in time.",
        "auth",
    ),
    Fault(
        "stream.drop",
        "Breaks the connection when the client has sent its key.",
        "Reconnects, authenticates, has forgotten its subscriptions and stays silent for ever.",
        _GAP,
        "auth",
    ),
    Fault("stream.close", "Closes in good order.", "connect() returns as if all were well.", _GAP),
    Fault(
        "stream.abort",
        "Breaks the connection without a close frame.",
        "Reconnects at once, without a pause; the events in between are lost without a word.",
        _GAP,
    ),
    Fault(
        "stream.slow_consumer",
        "Sends the client away for reading too slowly.",
        "Logs a warning and raises ConnectionClosedError, or reconnects at once.",
        _GAP,
    ),
    Fault(
        "stream.broken_json",
        "Sends half a frame.",
        "connect() raises JSONDecodeError and is dead, whatever its reconnects.",
        _GAP,
    ),
    Fault("stream.duplicate", "Sends an event twice.", "Passes both on.", "Passes one on."),
    Fault(
        "stream.out_of_order",
        "Sends an event after the one that follows it.",
        "Passes both on as they come.",
        "As the vendor's: rows carry their times.",
    ),
)

KNOWN: dict[str, Fault] = {fault.name: fault for fault in (*BROKER, *UPDATES, *REST, *S3, *STREAM)}
"""Every fault by its name."""
