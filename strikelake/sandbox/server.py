"""The sandbox's server process: S3, REST, broker and clock in one event loop, on one port.

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
from typing import TYPE_CHECKING, Any

from strikelake.sandbox import broker, control, exchange, rest, s3, updates
from strikelake.sandbox.archive import Archive
from strikelake.sandbox.desk import BrokerConfig
from strikelake.sandbox.plans import PLANS, Meter, Plan
from strikelake.sandbox.publication import Bucket
from strikelake.sandbox.venue import Venue

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

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
    from starlette.routing import Route

    own = [
        Route("/clock", _now),
        Route("/clock/advance", _advance, methods=["POST"]),
        Route("/sandbox/reset", _reset, methods=["POST"]),
    ]
    market = [*rest.routes(), *broker.routes(), *updates.routes(), *s3.routes()]
    app = Starlette(routes=[*own, *control.routes(), *market])
    app.state.venue = venue
    app.state.archive = Archive(directory)
    app.state.bucket = Bucket((directory / "flatfiles", directory / "unpublished"), venue.faults)
    app.state.plans, app.state.meter = plans, Meter()
    return app


def main(arguments: list[str]) -> None:
    """Serve until standard input closes.

    Parameters
    ----------
    arguments
        One JSON object: directory, report_fd, bound (whether the kernel may tie this process to the parent's
        thread), account (cash, fee, options_level), broker_keys, data_keys (name of the plan by key), port
        (0 is any).
    """
    import uvicorn

    settings = json.loads(arguments[0])
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
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        uvicorn.Server(config).run(sockets=[listener])


def _die_with_parent(*, kernel: bool) -> None:
    if kernel and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


async def _now(request: Request) -> Response:
    return _time(request.app.state.venue)


async def _advance(request: Request) -> Response:
    from starlette.responses import JSONResponse

    body = await _json(request)
    moment = body.get("to_ns")
    if not isinstance(moment, int):
        return JSONResponse({"message": 'send {"to_ns": nanoseconds since the epoch}'}, 422)
    venue: Venue = request.app.state.venue
    venue.advance(moment)
    return _time(venue)


async def _reset(request: Request) -> Response:
    venue: Venue = request.app.state.venue
    venue.reset()
    request.app.state.meter.clear()
    return _time(venue)


def _time(venue: Venue) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse({"now_ns": venue.now})


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


if __name__ == "__main__":
    main(sys.argv[1:])
