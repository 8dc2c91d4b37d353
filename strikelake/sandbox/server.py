"""The sandbox's server process: S3, REST, streams, broker and clock in one event loop, on one port.

Started by `strikelake.sandbox.launch`, with its settings as one JSON argument. It reports its addresses
through a file descriptor, and ends when its standard input closes, which happens when the parent
goes, however it goes.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from strikelake.sandbox import broker, control, exchange, office, rest, s3, stream, timekeeping, updates
from strikelake.sandbox.archive import Archive
from strikelake.sandbox.desk import BrokerConfig
from strikelake.sandbox.feed import Feed
from strikelake.sandbox.plans import PLANS, Meter, Plan
from strikelake.sandbox.publication import Bucket
from strikelake.sandbox.venue import Venue

if TYPE_CHECKING:
    from starlette.applications import Starlette

_PR_SET_PDEATHSIG = 1


def application(venue: Venue, directory: Path, plans: dict[str, Plan]) -> Starlette:
    """Return the application that serves flat files, market data, broker, clock and faults on one port.

    Parameters
    ----------
    venue
        What changes: time, broker and faults.
    directory
        The simulated market's files.
    plans
        The market data keys, each with its plan.
    """
    from starlette.applications import Starlette

    own = [*timekeeping.routes(), *control.routes(), *office.routes()]
    # The flat files' routes take every path that no other did: they come last.
    vendors = [*rest.routes(), *stream.routes(), *broker.routes(), *updates.routes()]
    app = Starlette(routes=[*own, *vendors, *s3.routes()])
    app.state.venue, app.state.timekeeper = venue, timekeeping.Timekeeper(venue)
    app.state.archive = archive = Archive(directory)
    app.state.hub = stream.Hub(Feed(archive, venue.exchange.live.date))
    app.state.timekeeper.listeners.append(app.state.hub.publish)
    app.state.bucket = Bucket((directory / "flatfiles", directory / "unpublished"), venue.faults)
    app.state.plans, app.state.meter = plans, Meter()
    return app


def main(arguments: list[str]) -> None:
    """Serve until standard input closes; a detached server until it is told to end.

    Parameters
    ----------
    arguments
        One JSON object: directory, report_fd, detached, bound (whether the kernel may tie this process to
        the parent's thread), account (cash, fee, options_level), broker_keys, data_keys (name of the plan by
        key), port (0 is any).
    """
    import uvicorn

    settings = json.loads(arguments[0])
    if not settings["detached"]:
        _die_with_parent(kernel=settings["bound"])
    directory = Path(settings["directory"])
    given = settings["account"]
    account = BrokerConfig(Decimal(given["cash"]), Decimal(given["fee"]), given["options_level"])
    key, secret = settings["broker_keys"]
    venue = Venue(exchange.load(directory), account, (key, secret))
    plans = {key: PLANS[name] for key, name in settings["data_keys"].items()}
    app = application(venue, directory, plans)
    # With its protocol named, asyncio switches Nagle's algorithm off; otherwise each answer waits 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", settings["port"]))
        listener.listen()
        http = "http://{}:{}".format(*listener.getsockname())
        with os.fdopen(settings["report_fd"], "w") as report:
            json.dump({"http": http}, report)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            ws_ping_interval=None,  # a client on loopback that does not answer is starved, not gone
        )
        uvicorn.Server(config).run(sockets=[listener])


def _die_with_parent(*, kernel: bool) -> None:
    if kernel and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1:])
