"""What a running sandbox says about itself, and the order to end."""

from __future__ import annotations

import os
import signal
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.background import BackgroundTask
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request


def routes() -> list[Route]:
    """Return the routes; the application's state carries `venue`, `timekeeper` and `hub`."""
    return [Route("/sandbox", _state), Route("/sandbox/down", _down, methods=["POST"])]


async def _state(request: Request) -> JSONResponse:
    state = request.app.state
    desk = state.venue.desk
    shown = {
        "pid": os.getpid(),
        "now_ns": state.venue.now,
        "speed": state.timekeeper.speed,
        "live_session": str(state.venue.exchange.live.date),
        "orders": len(desk.orders),
        "open_orders": len(desk.open_orders()),
        "positions": len(desk.books.positions),
        "streams": state.hub.state(),
        "faults": [asdict(asked) for asked in state.venue.faults.active()],
    }
    return JSONResponse(shown)


async def _down(_: Request) -> JSONResponse:
    """End the server once this is answered."""
    end = BackgroundTask(os.kill, os.getpid(), signal.SIGTERM)
    return JSONResponse({"pid": os.getpid()}, background=end)
