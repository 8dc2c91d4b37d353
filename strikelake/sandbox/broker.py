"""Alpaca's trading REST over a `Venue`: its routes, its keys, and what is asked about the account."""

from __future__ import annotations

from datetime import date
from functools import wraps
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from strikelake.calendar import NS_PER_MINUTE, et_date, next_session, sessions
from strikelake.sandbox import (
    alpaca_json,
    broker_options,
    broker_orders,
    broker_positions,
    history,
    queries,
)
from strikelake.sandbox.desk_orders import RefusalError
from strikelake.sandbox.exchange import current_session
from strikelake.sandbox.faults import Surface
from strikelake.sandbox.faulty_http import faulty

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from strikelake.sandbox.venue import Venue

    Handler = Callable[[Request, Venue], Awaitable[Any]]

_MAX_ACTIVITIES = 100
WRONG_BY_NS = 90 * NS_PER_MINUTE
"""How late `broker.wrong_clock` is."""


def routes() -> list[Route]:
    """Return the broker's routes; the application's state carries the `venue`."""
    table: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/v2/account", _account),
        ("GET", "/v2/account/configurations", _configurations),
        ("GET", "/v2/account/portfolio/history", _history),
        ("GET", "/v2/account/activities", _activities),
        ("GET", "/v2/account/activities/{kind}", _activities),
        ("GET", "/v2/clock", _clock),
        ("GET", "/v2/calendar", _calendar),
        ("GET", "/v2/assets", _assets),
        ("GET", "/v2/assets/{symbol}", _asset),
        ("POST", "/v2/orders", broker_orders.submit),
        ("GET", "/v2/orders", broker_orders.listed),
        ("DELETE", "/v2/orders", broker_orders.cancel_all),
        ("GET", "/v2/orders:by_client_order_id", broker_orders.by_client_id),
        ("GET", "/v2/orders/{order_id}", broker_orders.by_id),
        ("PATCH", "/v2/orders/{order_id}", broker_orders.replace),
        ("DELETE", "/v2/orders/{order_id}", broker_orders.cancel),
        ("GET", "/v2/positions", broker_positions.listed),
        ("DELETE", "/v2/positions", broker_positions.close_all),
        ("GET", "/v2/positions/{symbol}", broker_positions.one),
        ("DELETE", "/v2/positions/{symbol}", broker_positions.close),
        ("POST", "/v2/positions/{symbol}/exercise", broker_positions.exercise),
        ("POST", "/v2/positions/{symbol}/do-not-exercise", broker_positions.do_not_exercise),
        ("GET", "/v2/options/contracts", broker_options.contracts),
        ("GET", "/v2/options/contracts/{symbol}", broker_options.contract),
        ("GET", "/v1beta1/options/quotes/latest", broker_options.latest_quotes),
        ("GET", "/v1beta1/options/snapshots", broker_options.snapshots),
        ("GET", "/v1beta1/options/snapshots/{underlying}", broker_options.chain),
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


async def _configurations(_: Request, venue: Venue) -> Any:
    return alpaca_json.configurations(venue.desk)


async def _history(request: Request, venue: Venue) -> Any:
    return history.portfolio(venue.desk, request.query_params, venue.now)


async def _clock(_: Request, venue: Venue) -> Any:
    wrong = venue.faults.take("broker.wrong_clock", "GET /v2/clock")
    now = venue.now - WRONG_BY_NS if wrong else venue.now
    current = current_session(now)
    return alpaca_json.clock(now, current, next_session(current.date))


async def _calendar(request: Request, _: Venue) -> Any:
    start = queries.day(request.query_params, "start") or date(2020, 1, 1)
    end = queries.day(request.query_params, "end") or date(2029, 12, 31)
    return [alpaca_json.calendar_day(session) for session in sessions(start, end)]


async def _assets(_: Request, venue: Venue) -> Any:
    return [alpaca_json.asset(symbol) for symbol in sorted(venue.exchange.stocks)]


async def _asset(request: Request, venue: Venue) -> Any:
    wanted = request.path_params["symbol"]
    for symbol in venue.exchange.stocks:
        if wanted in {symbol, alpaca_json.asset_id(symbol)}:
            return alpaca_json.asset(symbol)
    raise RefusalError(404, 40410000, f"asset not found for {wanted}")


async def _activities(request: Request, venue: Venue) -> Any:
    query = request.query_params
    kinds = {request.path_params["kind"]} if "kind" in request.path_params else set()
    kinds = kinds or queries.names(query, "activity_types")
    day, after, until = queries.day(query, "date"), *(queries.moment(query, n) for n in ("after", "until"))
    found = [
        alpaca_json.activity(activity)
        for activity in venue.desk.books.activities
        if (not kinds or alpaca_json.kind(activity) in kinds)
        and (day is None or et_date(activity.ts_ns) == day)
        and (after is None or activity.ts_ns > after)
        and (until is None or activity.ts_ns < until)
    ]
    if query.get("direction", "desc") == "desc":
        found.reverse()
    if token := query.get("page_token"):
        ids = [activity["id"] for activity in found]
        found = found[ids.index(token) + 1 :] if token in ids else []
    return found[: queries.count(query, "page_size", _MAX_ACTIVITIES, _MAX_ACTIVITIES)]
