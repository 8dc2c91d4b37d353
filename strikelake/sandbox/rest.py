"""Massive's REST, as far as the platform uses it: only what is known at the simulated time."""

from __future__ import annotations

import base64
from datetime import date, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
from starlette.responses import JSONResponse
from starlette.routing import Route

from strikelake.calendar import NS_PER_SECOND, et_date, et_ns, sessions
from strikelake.pricing.greeks import greeks
from strikelake.sandbox.faults import Surface
from strikelake.sandbox.faulty_http import faulty
from strikelake.sandbox.rest_reference import actions, matches, yields
from strikelake.sandbox.rest_stocks import bar, day_bars, grouped, snapshots

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from strikelake.sandbox.exchange import Listing
    from strikelake.sandbox.venue import Venue

    Handler = Callable[[Request, Venue], Awaitable[dict[str, Any]]]

_NS_PER_MS = NS_PER_SECOND // 1000
_AGGS_LIMIT, _AGGS_MAX = 5_000, 50_000
_CHAIN_LIMIT, _CHAIN_MAX = 10, 250
_LIST_LIMIT, _LIST_MAX = 10, 50_000


class ProblemError(Exception):
    """An error answer; never leaves the server."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def routes() -> list[Route]:
    """Return the market data routes; the application's state carries the `venue`."""
    bars = "/v2/aggs/ticker/{ticker}/range/{multiplier:int}/{timespan}/{start}/{end}"
    table: tuple[tuple[str, Handler], ...] = (
        (bars, _aggs),
        ("/v3/snapshot/options/{underlying}", _chain),
        ("/v2/snapshot/locale/us/markets/stocks/tickers", _stocks),
        ("/v2/aggs/grouped/locale/us/market/stocks/{day}", _grouped),
        ("/v3/reference/{kind}", _reference),
        ("/fed/v1/treasury-yields", _yields),
    )
    return [Route(path, _guarded(handler), middleware=[faulty(Surface.REST)]) for path, handler in table]


def _guarded(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Check the key, and turn a handler's value or problem into a response."""

    @wraps(handler)
    async def respond(request: Request) -> Response:
        venue: Venue = request.app.state.venue
        request_id = f"{abs(venue.now):032x}"
        if request.headers.get("Authorization") != f"Bearer {venue.data_key}":
            error = {"status": "ERROR", "request_id": request_id, "error": "Unknown API Key"}
            return JSONResponse(error, 401)
        try:
            answer = await handler(request, venue)
        except ProblemError as problem:
            error = {"status": "ERROR", "request_id": request_id, "error": str(problem)}
            return JSONResponse(error, problem.status)
        return JSONResponse(answer | {"status": "OK", "request_id": request_id})

    return respond


async def _aggs(request: Request, venue: Venue) -> dict[str, Any]:
    """Return minute bars that have ended, or day bars; unadjusted: the simulated market has no splits yet."""
    path, query = request.path_params, _query(request)
    ticker, timespan = path["ticker"], path["timespan"]
    if path["multiplier"] != 1 or timespan not in {"minute", "day"}:
        raise ProblemError(400, "the sandbox serves ranges of 1 minute and 1 day only")
    start, end = _bound(path["start"], last=False), _bound(path["end"], last=True)
    limit = _limit(query, _AGGS_LIMIT, _AGGS_MAX)
    answer: dict[str, Any] = {"ticker": ticker, "adjusted": query.get("adjusted", "true") == "true"}
    rows: list[dict[str, Any]] = []
    if timespan == "day" and ticker in venue.exchange.stocks:
        days = [session.date for session in sessions(et_date(start), et_date(end))]
        rows = day_bars(ticker, days[:limit], venue)
    elif ticker in venue.exchange.stocks:
        bars = venue.exchange.stocks[ticker]
        first = int(np.searchsorted(bars.start, start))
        stop = min(int(np.searchsorted(bars.start, end, side="right")), bars.known(venue.now))
        rows = [bar(bars, row) for row in range(first, min(stop, first + limit))]
        if stop > first + limit:
            following = int(bars.start[first + limit]) // _NS_PER_MS
            target = f"/v2/aggs/ticker/{ticker}/range/1/minute/{following}/{path['end']}"
            answer["next_url"] = _next_url(request, target, query)
    answer |= {"queryCount": len(rows), "resultsCount": len(rows), "count": len(rows)}
    # Where there is nothing the vendor leaves `results` out altogether.
    return answer | {"results": rows} if rows else answer


async def _chain(request: Request, venue: Venue) -> dict[str, Any]:
    """Return the chain as of the simulated time: every contract with its last known quote."""
    underlying, query = request.path_params["underlying"], _query(request)
    first, last = query.get("expiration_date.gte", ""), query.get("expiration_date.lte", "9999")
    exact = query.get("expiration_date")
    found = [
        listing
        for listing in venue.exchange.listings.values()
        if listing.contract.underlying == underlying
        and first <= str(listing.contract.expiration) <= last
        and exact in {None, str(listing.contract.expiration)}
    ]
    start = int(query.get("offset", "0"))
    stop = start + _limit(query, _CHAIN_LIMIT, _CHAIN_MAX)
    answer: dict[str, Any] = {"results": [_snapshot(listing, venue) for listing in found[start:stop]]}
    if stop < len(found):
        target = f"/v3/snapshot/options/{underlying}"
        answer["next_url"] = _next_url(request, target, {**query, "offset": str(stop)})
    return answer


async def _grouped(request: Request, venue: Venue) -> dict[str, Any]:
    day = et_date(_bound(request.path_params["day"], last=False))
    return grouped(day, venue)


async def _stocks(request: Request, venue: Venue) -> dict[str, Any]:
    return snapshots(request.query_params.get("tickers", ""), venue)


async def _reference(request: Request, venue: Venue) -> dict[str, Any]:
    kind = request.path_params["kind"]
    if kind not in {"splits", "dividends"}:
        raise ProblemError(404, f"the sandbox has no {kind}")
    return _listed(request, actions(kind, venue))


async def _yields(request: Request, venue: Venue) -> dict[str, Any]:
    return _listed(request, yields(venue))


def _listed(request: Request, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the page of rows that a query asks for."""
    query = _query(request)
    found = [row for row in rows if matches(row, query)]
    start = int(query.get("offset", "0"))
    stop = start + _limit(query, _LIST_LIMIT, _LIST_MAX)
    answer: dict[str, Any] = {"results": found[start:stop]}
    if stop < len(found):
        answer["next_url"] = _next_url(request, request.url.path, {**query, "offset": str(stop)})
    return answer


def _snapshot(listing: Listing, venue: Venue) -> dict[str, Any]:
    contract, row = listing.contract, listing.tape.last(venue.now)
    sign, strike = (1.0 if contract.option_type == "C" else -1.0), float(contract.strike)
    shown: dict[str, Any] = {
        "day": {},
        "details": {
            "contract_type": "call" if sign > 0 else "put",
            "exercise_style": "american",
            "expiration_date": str(contract.expiration),
            "shares_per_contract": 100,
            "strike_price": strike,
            "ticker": f"O:{contract.occ_symbol}",
        },
        "open_interest": listing.open_interest,
    }
    known = venue.exchange.last_price(contract.underlying, venue.now)
    if known is not None:
        shown["underlying_asset"] = {
            "ticker": contract.underlying,
            "price": known[0],
            "last_updated": known[1],
            "timeframe": "REAL-TIME",
        }
    if row is None:
        return shown
    shown["last_quote"] = _quote(listing, row)
    even = round(strike + sign * shown["last_quote"]["midpoint"], 4)
    shown["break_even_price"] = even
    if known is not None:
        shown["underlying_asset"]["change_to_break_even"] = round(even - known[0], 4)
    return shown | _risk(listing, row, sign)


def _quote(listing: Listing, row: int) -> dict[str, Any]:
    tape = listing.tape
    bid, ask = int(tape.bid[row]) / 100.0, int(tape.ask[row]) / 100.0
    return {
        "bid": bid,
        "bid_size": int(tape.bid_size[row]),
        "ask": ask,
        "ask_size": int(tape.ask_size[row]),
        "midpoint": round((bid + ask) / 2.0, 4),
        "last_updated": int(tape.ts_ns[row]),
        "timeframe": "REAL-TIME",
    }


def _risk(listing: Listing, row: int, sign: float) -> dict[str, Any]:
    """Return implied volatility and Greeks, as the vendor scales them: vega per point, theta per day."""
    tape = listing.tape
    vol, years = float(tape.implied_vol[row]), float(tape.years[row])
    if not (vol > 0.0 and years > 0.0 and tape.bid[row] > 0):
        return {}
    found = greeks(sign, tape.spot[row], float(listing.contract.strike), years, tape.rate[row], vol)
    return {
        "implied_volatility": vol,
        "greeks": {
            "delta": float(found.delta),
            "gamma": float(found.gamma),
            "theta": float(found.theta) / 365.0,
            "vega": float(found.vega) / 100.0,
        },
    }


def _query(request: Request) -> dict[str, str]:
    """Return the query; on a later page it is inside the cursor."""
    query = dict(request.query_params)
    cursor = query.pop("cursor", None)
    if cursor is None:
        return query
    try:
        return dict(parse_qsl(base64.b64decode(cursor, b"-_", validate=True).decode()))
    except ValueError:
        raise ProblemError(400, "invalid cursor") from None


def _next_url(request: Request, path: str, query: Mapping[str, str]) -> str:
    cursor = base64.urlsafe_b64encode(urlencode(query).encode()).decode()
    return f"{request.base_url}".rstrip("/") + f"{path}?cursor={cursor}"


def _limit(query: Mapping[str, str], default: int, most: int) -> int:
    text = query.get("limit", str(default))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise ProblemError(400, f"limit must be between 1 and {most}")
    return int(text)


def _bound(text: str, *, last: bool) -> int:
    """Return a bound in ns UTC: milliseconds, or a date in New York, whose end counts when it is the last."""
    if text.isdecimal():
        return int(text) * _NS_PER_MS
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ProblemError(
            400, f"could not parse the time {text!r}: use YYYY-MM-DD or milliseconds"
        ) from None
    return et_ns(day + timedelta(days=1), "00:00") - 1 if last else et_ns(day, "00:00")
