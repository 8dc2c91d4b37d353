"""What `strikelake sandbox` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from strikelake.calendar import iso

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strikelake.sandbox.addresses import Addresses


def state(sandbox: Addresses, found: Mapping[str, Any]) -> Table:
    """Return a running market at a glance."""
    speed = f", {found['speed']:g} times as fast" if found["speed"] else ", at rest"
    streams = [f"{s['cluster']}: {len(s['subscriptions'])} subscriptions" for s in found["streams"]]
    faults = [f"{asked['name']}: {often(asked)}" for asked in found["faults"]]
    rows = {
        "time": iso(found["now_ns"]) + speed,
        "live session": str(sandbox.live_session),
        "flat files": f"{sandbox.first_session} to {sandbox.last_session}, each at 11:00 ET of the next day",
        "S3": f"{sandbox.s3_endpoint}, bucket {sandbox.bucket}, {sandbox.access_key} / {sandbox.secret_key}",
        "REST": f"{sandbox.rest_url}, {sandbox.api_key}",
        "stream": f"ws://{sandbox.stream_feed}/options, /stocks, /indices, {sandbox.api_key}",
        "broker": f"{sandbox.broker_url}, {sandbox.broker_key} / {sandbox.broker_secret}",
        "account": f"{found['orders']} orders, {found['open_orders']} open, {found['positions']} positions",
        "streams": ", ".join(streams) or "none",
        "faults": ", ".join(faults) or "none",
        "files, log": str(sandbox.directory),
        "process": str(found["pid"]),
    }
    table = Table(show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(f"[bold]{name}[/bold]", value)
    return table


def faults(found: Mapping[str, Any]) -> Table:
    """Return the faults there are, those that are asked for marked."""
    asked = {one["name"]: one for one in found["active"]}
    table = Table("fault", "what happens", "asked for", title="faults of the local market")
    for known in found["known"]:
        active = asked.get(known["name"])
        table.add_row(known["name"], known["does"], often(active) if active else "")
    return table


def often(asked: Mapping[str, Any]) -> str:
    """Return when a fault that is asked for happens."""
    times = {None: "until taken back", 1: "once"}.get(asked["times"], f"{asked['times']} times")
    return f"{times}, after {asked['after']}, on {asked['on']}"
