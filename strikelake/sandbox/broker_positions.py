"""Alpaca's positions over HTTP: list, close, exercise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from strikelake.orders import Effect, Side
from strikelake.sandbox import alpaca_json, lifecycle, order_json, queries
from strikelake.sandbox.desk_orders import DeskLeg, RefusalError, Ticket, unreadable

if TYPE_CHECKING:
    from starlette.requests import Request

    from strikelake.sandbox.desk_orders import DeskOrder
    from strikelake.sandbox.venue import Venue


async def listed(_: Request, venue: Venue) -> Any:
    """List all positions."""
    held = sorted(venue.desk.books.positions)
    return [alpaca_json.position(venue.desk, symbol, venue.now) for symbol in held]


async def one(request: Request, venue: Venue) -> Any:
    """Return one position."""
    return alpaca_json.position(venue.desk, _find(request, venue), venue.now)


async def close(request: Request, venue: Venue) -> Any:
    """Close a position, or part of it, with a market order."""
    symbol = _find(request, venue)
    held = abs(venue.desk.books.quantity(symbol))
    query = request.query_params
    if "percentage" in query:
        share = queries.price(query, "percentage", "0") / 100
        wanted = int(held * share)
    else:
        wanted = int(queries.price(query, "qty", str(held)))
    if wanted <= 0:
        raise unreadable("qty must be > 0")
    return order_json.order(_close(venue, symbol, wanted))


async def close_all(request: Request, venue: Venue) -> Any:
    """Close every position, the short ones first: no leg is left uncovered on the way."""
    if queries.yes(request.query_params, "cancel_orders"):
        for placed in venue.desk.open_orders():
            if placed.status.is_open:
                venue.desk.cancel(placed, venue.now)
    shown = []
    for symbol, held in sorted(venue.desk.books.positions.items(), key=lambda p: (p[1].quantity, p[0])):
        try:
            placed = _close(venue, symbol, abs(held.quantity))
            shown.append({"symbol": symbol, "status": 200, "body": order_json.order(placed)})
        except RefusalError as refusal:
            shown.append({"symbol": symbol, "status": refusal.status, "body": refusal.body})
    return JSONResponse(shown, 207)


async def exercise(request: Request, venue: Venue) -> Any:
    """Exercise a long option position."""
    lifecycle.exercise(venue.desk, _symbol(request, venue), venue.now)
    return Response(status_code=200)


async def do_not_exercise(request: Request, venue: Venue) -> Any:
    """Let a long option position expire whatever it is worth."""
    lifecycle.do_not_exercise(venue.desk, _symbol(request, venue), venue.now)
    return Response(status_code=200)


def _close(venue: Venue, symbol: str, quantity: int) -> DeskOrder:
    side = Side.SELL if venue.desk.books.quantity(symbol) > 0 else Side.BUY
    ticket = Ticket("", (DeskLeg(symbol, side, Effect.CLOSE),), quantity)
    return venue.desk.submit(ticket, venue.now)


def _symbol(request: Request, venue: Venue) -> str:
    """Return the symbol that a path names, by itself or by its asset's id."""
    wanted = str(request.path_params["symbol"])
    held = venue.desk.books.positions
    return next((symbol for symbol in held if alpaca_json.asset_id(symbol) == wanted), wanted)


def _find(request: Request, venue: Venue) -> str:
    symbol = _symbol(request, venue)
    if symbol not in venue.desk.books.positions:
        raise RefusalError(404, 40410000, "position does not exist")
    return symbol
