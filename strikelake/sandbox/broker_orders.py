"""Alpaca's orders over HTTP: place, list, look up, replace, cancel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from strikelake.sandbox import order_json, queries
from strikelake.sandbox.desk_orders import DeskOrder, RefusalError, unreadable
from strikelake.sandbox.tickets import changed, parse_ticket

if TYPE_CHECKING:
    from starlette.requests import Request

    from strikelake.sandbox.venue import Venue

_DEFAULT_ORDERS, _MAX_ORDERS = 50, 500
_STATES = {"open": {True}, "closed": {False}, "all": {True, False}}


async def submit(request: Request, venue: Venue) -> Any:
    """Place an order."""
    return order_json.order(venue.desk.submit(parse_ticket(await _body(request)), venue.now))


async def listed(request: Request, venue: Venue) -> Any:
    """List orders: by state, time, symbol and side, the newest first unless told otherwise."""
    query = request.query_params
    states = _STATES.get(query.get("status", "open"), set())
    after, until = queries.moment(query, "after"), queries.moment(query, "until")
    symbols, nested = queries.names(query, "symbols"), queries.yes(query, "nested")
    found = [
        placed
        for placed in venue.desk.orders.values()
        if placed.status.is_open in states
        and (after is None or placed.submitted_ns > after)
        and (until is None or placed.submitted_ns <= until)
        and (not symbols or symbols & {leg.symbol for leg in placed.ticket.legs})
        and (query.get("side") in {None, str(placed.ticket.legs[0].side)})
        and not (nested and placed.parent)
    ]
    if query.get("direction", "desc") == "desc":
        found.reverse()
    shown = []
    for placed in found:
        shown.append(order_json.order(placed, nested=nested))
        if not nested:
            shown += order_json.related(placed)
    return shown[: queries.count(query, "limit", _DEFAULT_ORDERS, _MAX_ORDERS)]


async def by_id(request: Request, venue: Venue) -> Any:
    """Return an order, or the leg of one, by Alpaca's id."""
    wanted = request.path_params["order_id"]
    if wanted in venue.desk.orders:
        return order_json.order(venue.desk.orders[wanted])
    for placed in venue.desk.orders.values():
        for leg in order_json.related(placed):
            if leg["id"] == wanted:
                return leg
    raise _no_order(wanted)


async def by_client_id(request: Request, venue: Venue) -> Any:
    """Return an order by the client's id."""
    wanted = request.query_params.get("client_order_id", "")
    placed = venue.desk.by_client_id(wanted)
    if placed is None:
        raise _no_order(wanted)
    return order_json.order(placed)


async def replace(request: Request, venue: Venue) -> Any:
    """Put a changed order in an open one's place."""
    placed = _find(request, venue)
    ticket = changed(placed.ticket, await _body(request))
    return order_json.order(venue.desk.replace(placed, ticket, venue.now))


async def cancel(request: Request, venue: Venue) -> Any:
    """Cancel an order."""
    venue.desk.cancel(_find(request, venue), venue.now)
    return Response(status_code=204)


async def cancel_all(_: Request, venue: Venue) -> Any:
    """Cancel every open order; what hangs on one goes with it."""
    open_orders = venue.desk.open_orders()
    for placed in open_orders:
        if placed.status.is_open:
            venue.desk.cancel(placed, venue.now)
    return JSONResponse([{"id": placed.order_id, "status": 200} for placed in open_orders], 207)


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError:
        raise RefusalError(400, 40010000, "request body format is invalid") from None


def _find(request: Request, venue: Venue) -> DeskOrder:
    wanted = request.path_params["order_id"]
    if wanted in venue.desk.orders:
        return venue.desk.orders[wanted]
    for placed in venue.desk.orders.values():
        if wanted in {leg["id"] for leg in order_json.related(placed)}:
            raise unreadable(f"order {wanted} is a leg: use its order, {placed.order_id}")
    raise _no_order(wanted)


def _no_order(wanted: str) -> RefusalError:
    return RefusalError(404, 40410000, f"order not found for {wanted}")
