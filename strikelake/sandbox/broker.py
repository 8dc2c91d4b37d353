"""Alpaca's trading REST, as far as the platform uses it, over a `Venue`."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import wraps
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from strikelake.calendar import et_date, from_datetime, next_session, sessions
from strikelake.sandbox import alpaca_json
from strikelake.sandbox.desk_orders import DeskOrder, RefusalError, parse_ticket
from strikelake.sandbox.exchange import current_session
from strikelake.sandbox.faults import Surface
from strikelake.sandbox.faulty_http import faulty

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from strikelake.sandbox.venue import Venue

    Handler = Callable[[Request, Venue], Awaitable[Any]]

_SATURDAY = 5
_MAX_ORDERS = 500
_MAX_CONTRACTS = 10_000
_MAX_ACTIVITIES = 100


def routes() -> list[Route]:
    """Return the broker's routes; the application's state carries the `venue`."""
    table: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/v2/account", _account),
        ("GET", "/v2/clock", _clock),
        ("GET", "/v2/calendar", _calendar),
        ("POST", "/v2/orders", _submit),
        ("GET", "/v2/orders", _orders),
        ("DELETE", "/v2/orders", _cancel_all),
        ("GET", "/v2/orders:by_client_order_id", _by_client_id),
        ("GET", "/v2/orders/{order_id}", _order),
        ("DELETE", "/v2/orders/{order_id}", _cancel),
        ("GET", "/v2/positions", _positions),
        ("GET", "/v2/positions/{symbol}", _position),
        ("GET", "/v2/options/contracts", _contracts),
        ("GET", "/v2/options/contracts/{symbol}", _contract),
        ("GET", "/v2/account/activities", _activities),
        ("GET", "/v2/account/activities/{kind}", _activities),
    )
    middleware = [faulty(Surface.BROKER)]
    return [
        Route(path, _guarded(handler), methods=[method], middleware=middleware)
        for method, path, handler in table
    ]


def _guarded(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Check the keys, and turn a handler's value or refusal into a response."""

    @wraps(handler)
    async def respond(request: Request) -> Response:
        venue: Venue = request.app.state.venue
        given = tuple(request.headers.get(f"APCA-API-{name}") for name in ("KEY-ID", "SECRET-KEY"))
        if None in given:
            return JSONResponse({"code": 40110000, "message": "request is not authorized"}, 401)
        if given != venue.broker_keys:
            return JSONResponse({"message": "forbidden."}, 403)
        try:
            answer = await handler(request, venue)
        except RefusalError as refusal:
            return JSONResponse(refusal.body, refusal.status)
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    return respond


async def _account(_: Request, venue: Venue) -> Any:
    return alpaca_json.account(venue.desk, venue.now)


async def _clock(_: Request, venue: Venue) -> Any:
    current = current_session(venue.now)
    return alpaca_json.clock(venue.now, current, next_session(current.date))


async def _calendar(request: Request, _: Venue) -> Any:
    start = _day(request, "start") or date(2020, 1, 1)
    end = _day(request, "end") or date(2029, 12, 31)
    return [alpaca_json.calendar_day(session) for session in sessions(start, end)]


async def _submit(request: Request, venue: Venue) -> Any:
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise RefusalError(400, 40010000, "request body format is invalid") from None
    return alpaca_json.order(venue.desk.submit(parse_ticket(body), venue.now))


async def _orders(request: Request, venue: Venue) -> Any:
    query = request.query_params
    wanted = query.get("status", "open")
    states = {"open": {True}, "closed": {False}, "all": {True, False}}.get(wanted, set())
    found = [o for o in venue.desk.orders.values() if o.status.is_open in states]
    if symbols := query.get("symbols"):
        chosen = set(symbols.split(","))
        found = [o for o in found if chosen & {leg.symbol for leg in o.ticket.legs}]
    if (after := _moment(request, "after")) is not None:
        found = [o for o in found if o.submitted_ns > after]
    if (until := _moment(request, "until")) is not None:
        found = [o for o in found if o.submitted_ns <= until]
    if query.get("direction", "desc") == "desc":
        found.reverse()
    nested = query.get("nested", "false").lower() == "true"
    shown = []
    for placed in found:
        shown.append(alpaca_json.order(placed, nested=nested))
        if placed.ticket.multi and not nested:
            shown += alpaca_json.legs(placed)
    return shown[: min(_count(request, "limit", 50), _MAX_ORDERS)]


async def _order(request: Request, venue: Venue) -> Any:
    wanted = request.path_params["order_id"]
    if wanted in venue.desk.orders:
        return alpaca_json.order(venue.desk.orders[wanted])
    for placed in venue.desk.orders.values():
        for leg in alpaca_json.legs(placed) if placed.ticket.multi else []:
            if leg["id"] == wanted:
                return leg
    raise RefusalError(404, 40410000, f"order not found for {wanted}")


async def _by_client_id(request: Request, venue: Venue) -> Any:
    wanted = request.query_params.get("client_order_id", "")
    placed = venue.desk.by_client_id(wanted)
    if placed is None:
        raise RefusalError(404, 40410000, f"order not found for {wanted}")
    return alpaca_json.order(placed)


async def _cancel(request: Request, venue: Venue) -> Any:
    wanted = request.path_params["order_id"]
    if wanted not in venue.desk.orders:
        raise RefusalError(404, 40410000, f"order not found for {wanted}")
    venue.desk.cancel(venue.desk.orders[wanted], venue.now)
    return Response(status_code=204)


async def _cancel_all(_: Request, venue: Venue) -> Any:
    open_orders: list[DeskOrder] = venue.desk.open_orders()
    for placed in open_orders:
        venue.desk.cancel(placed, venue.now)
    return JSONResponse([{"id": placed.order_id, "status": 200} for placed in open_orders], 207)


async def _positions(_: Request, venue: Venue) -> Any:
    return [alpaca_json.position(venue.desk, symbol, venue.now) for symbol in sorted(venue.desk.positions)]


async def _position(request: Request, venue: Venue) -> Any:
    symbol = request.path_params["symbol"]
    if symbol not in venue.desk.positions:
        raise RefusalError(404, 40410000, "position does not exist")
    return alpaca_json.position(venue.desk, symbol, venue.now)


async def _contracts(request: Request, venue: Venue) -> Any:
    query = request.query_params
    first = _day(request, "expiration_date_gte") or _day(request, "expiration_date") or date.min
    last = _day(request, "expiration_date_lte") or _day(request, "expiration_date")
    if last is None:
        # Without a date Alpaca shows what expires up to the coming weekend only.
        today = et_date(venue.now)
        last = date.max if first > date.min else today + timedelta(days=(_SATURDAY - today.weekday()) % 7)
    underlyings = set(query.get("underlying_symbols", "").split(",")) - {""}
    low, high = _price(request, "strike_price_gte", "0"), _price(request, "strike_price_lte", "Infinity")
    kinds = {"call": "C", "put": "P"}
    found = [
        listing
        for listing in venue.exchange.listings.values()
        if first <= listing.contract.expiration <= last
        and (not underlyings or listing.contract.underlying in underlyings)
        and low <= listing.contract.strike <= high
        and query.get("root_symbol", listing.contract.root) == listing.contract.root
        and kinds.get(query.get("type", ""), listing.contract.option_type) == listing.contract.option_type
    ]
    start = _page_start(query.get("page_token"))
    stop = start + min(_count(request, "limit", 100), _MAX_CONTRACTS)
    token = base64.urlsafe_b64encode(str(stop).encode()).decode() if stop < len(found) else None
    page = [alpaca_json.option_contract(listing) for listing in found[start:stop]]
    return {"option_contracts": page, "next_page_token": token}


async def _contract(request: Request, venue: Venue) -> Any:
    wanted = request.path_params["symbol"]
    for symbol, listing in venue.exchange.listings.items():
        if wanted in {symbol, alpaca_json.asset_id(symbol)}:
            return alpaca_json.option_contract(listing)
    raise RefusalError(404, 40410000, f"option contract {wanted} not found")


async def _activities(request: Request, venue: Venue) -> Any:
    query = request.query_params
    kind = request.path_params.get("kind") or query.get("activity_types", "FILL")
    if "FILL" not in kind.split(","):
        return []
    found = [alpaca_json.activity(execution) for execution in venue.desk.executions]
    if query.get("direction", "desc") == "desc":
        found.reverse()
    if token := query.get("page_token"):
        ids = [activity["id"] for activity in found]
        found = found[ids.index(token) + 1 :] if token in ids else []
    return found[: min(_count(request, "page_size", _MAX_ACTIVITIES), _MAX_ACTIVITIES)]


def _count(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or int(text) == 0:
        raise RefusalError(422, 42210000, f"invalid {name}: {text} is not a whole number > 0")
    return int(text)


def _price(request: Request, name: str, default: str) -> Decimal:
    text = request.query_params.get(name, default)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise RefusalError(422, 42210000, f"invalid {name}: {text} is not a number") from None


def _page_start(token: str | None) -> int:
    try:
        return int(base64.b64decode(token, b"-_", validate=True)) if token else 0
    except ValueError:
        raise RefusalError(422, 42210000, f"invalid page_token: {token}") from None


def _day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        raise RefusalError(422, 42210000, f"invalid {name}: {text} is not a date YYYY-MM-DD") from None


def _moment(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    try:
        parsed = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise RefusalError(422, 42210000, f"invalid {name}: {text} is not a time in RFC 3339") from None
    if parsed is None:
        return None
    return from_datetime(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
