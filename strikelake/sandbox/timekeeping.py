"""The sandbox's time: told to move, or left to run at a multiple of the machine's."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from strikelake.calendar import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from strikelake.sandbox.venue import Venue

_TICK_SECONDS = 0.05
_FASTEST = 36_000.0


class Timekeeper:
    """Moves a venue's time and tells who has to know.

    Parameters
    ----------
    venue
        Whose time it is.
    """

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.speed = 0.0
        self.listeners: list[Callable[[int, int], None]] = []
        """Each is called with the time before and the time after every step."""
        self._running: asyncio.Task[None] | None = None

    def advance(self, moment: int) -> int:
        """Move the time forward to `moment` (ns UTC) and return it; the past changes nothing."""
        before = self.venue.now
        after = self.venue.advance(moment)
        if after > before:
            for listener in self.listeners:
                listener(before, after)
        return after

    def run(self, speed: float) -> None:
        """Let the time run at so many simulated seconds a second; 0 stops it. Needs a running event loop."""
        if self._running is not None:
            self._running.cancel()
        self.speed = speed
        self._running = asyncio.ensure_future(self._tick()) if speed else None

    def reset(self) -> None:
        """Start the live session over, with the time at rest."""
        self.run(0.0)
        self.venue.reset()

    async def _tick(self) -> None:
        began, start = time.monotonic(), self.venue.now
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self.advance(start + round((time.monotonic() - began) * self.speed * NS_PER_SECOND))


def routes() -> list[Route]:
    """Return the clock's routes; the application's state carries the `timekeeper` and the `meter`."""
    return [
        Route("/clock", _now),
        Route("/clock/advance", _advance, methods=["POST"]),
        Route("/clock/speed", _speed, methods=["POST"]),
        Route("/sandbox/reset", _reset, methods=["POST"]),
    ]


async def _now(request: Request) -> Response:
    return _time(request)


async def _advance(request: Request) -> Response:
    moment = (await _json(request)).get("to_ns")
    if not isinstance(moment, int):
        return JSONResponse({"message": 'send {"to_ns": nanoseconds since the epoch}'}, 422)
    request.app.state.timekeeper.advance(moment)
    return _time(request)


async def _speed(request: Request) -> Response:
    speed = (await _json(request)).get("factor")
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 <= speed <= _FASTEST:
        wanted = f'send {{"factor": simulated seconds a second, 0 to {_FASTEST:.0f}}}; 0 stops the time'
        return JSONResponse({"message": wanted}, 422)
    request.app.state.timekeeper.run(float(speed))
    return _time(request)


async def _reset(request: Request) -> Response:
    request.app.state.timekeeper.reset()
    request.app.state.meter.clear()
    return _time(request)


def _time(request: Request) -> Response:
    keeper: Timekeeper = request.app.state.timekeeper
    return JSONResponse({"now_ns": keeper.venue.now, "speed": keeper.speed})


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
