"""The sandbox's own endpoint for faults: list them, ask for one, take them back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from strikelake.errors import SandboxError
from strikelake.sandbox.faults import as_json

if TYPE_CHECKING:
    from starlette.requests import Request

    from strikelake.sandbox.faults import Faults


def routes() -> list[Route]:
    """Return the routes of faults; the application's state carries the `venue`."""
    return [Route("/sandbox/fault", _faults, methods=["GET", "POST", "DELETE"])]


async def _faults(request: Request) -> JSONResponse:
    faults: Faults = request.app.state.venue.faults
    if request.method == "POST":
        return await _inject(request, faults)
    if request.method == "DELETE":
        faults.clear(request.query_params.get("name"))
    active = [asdict(asked) for asked in faults.active()]
    return JSONResponse({"active": active, "known": [as_json(fault) for fault in faults.known.values()]})


async def _inject(request: Request, faults: Faults) -> JSONResponse:
    try:
        body = json.loads(await request.body())
        name, on, times = str(body["name"]), body.get("on"), body.get("times", 1)
        times, after = None if times is None else int(times), int(body.get("after", 0))
    except (ValueError, KeyError, TypeError, AttributeError):
        wanted = 'send {"name": a fault, "times": how often, "after": opportunities before, "on": pattern}'
        return JSONResponse({"message": wanted}, 422)
    try:
        return JSONResponse(asdict(faults.inject(name, times, after, on)))
    except SandboxError as error:
        return JSONResponse({"message": str(error)}, 422)
