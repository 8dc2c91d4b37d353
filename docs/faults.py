"""Writes sandbox_faults.md from the table of faults: `python docs/faults.py`. A test keeps it true."""  # noqa: INP001 - a script

from __future__ import annotations

from pathlib import Path

from strikelake.sandbox.fault_table import KNOWN
from strikelake.sandbox.faults import Fault, Surface

PAGE = Path(__file__).with_name("sandbox_faults.md")
SURFACES = {
    Surface.BROKER: (
        "Broker: Alpaca's REST",
        "`alpaca-py` beside `strikelake.brokers.alpaca` and `pipelines.place`",
    ),
    Surface.UPDATES: ("Broker: `trade_updates`", "`alpaca-py`'s TradingStream"),
    Surface.REST: ("Market data: Massive's REST", "`massive` beside `strikelake.vendors.rest`"),
    Surface.S3: ("Flat files: S3", "`boto3` beside `strikelake.vendors.flat_s3`"),
    Surface.STREAM: (
        "Market data: the stream",
        "`massive`'s WebSocketClient beside `strikelake.vendors.stream`",
    ),
}
INTRODUCTION = """\
# Faults of the local market

Written by `python docs/faults.py` from `strikelake.sandbox.fault_table`; every row is shown by tests that
carry its name (`pytest.mark.fault`), with the vendor's own client.

    strikelake sandbox fault                                    # what there is, what is asked for
    strikelake sandbox fault broker.http_504_after              # once, at the next order
    strikelake sandbox fault rest.http_429 --times 3 --after 10 --on 'GET /v3/*'
    strikelake sandbox fault --clear                            # take all back
    curl -s $SANDBOX/sandbox/fault -d '{"name": "broker.hang", "times": 1, "after": 2}'

`times` is how often it happens (in JSON `null`: until taken back), `after` how many opportunities pass first,
and `on` a pattern of the opportunities that count: `METHOD /path` of a request, or the kind of an event.
`POST /sandbox/reset` takes all faults back too.
"""


def render() -> str:
    """Return the page."""
    sections = [
        _section(surface, [fault for fault in KNOWN.values() if fault.surface is surface])
        for surface in SURFACES
    ]
    return "\n".join([INTRODUCTION, *filter(None, sections)])


def _section(surface: Surface, faults: list[Fault]) -> str:
    if not faults:
        return ""
    title, clients = SURFACES[surface]
    columns = "| fault | counts | what happens | vendor's client | ours |\n|---|---|---|---|---|\n"
    head = f"## {title}\n\nClients: {clients}.\n\n{columns}"
    return head + "".join(f"| `{f.name}` | `{f.on}` | {f.does} | {f.vendor} | {f.ours} |\n" for f in faults)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
