"""Alpaca's option contracts and option data over HTTP."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from strikelake.calendar import et_date
from strikelake.sandbox import alpaca_json, queries
from strikelake.sandbox.desk_orders import RefusalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from strikelake.sandbox.alpaca_json import Json
    from strikelake.sandbox.exchange import Listing
    from strikelake.sandbox.venue import Venue

_SATURDAY = 5
_DEFAULT_CONTRACTS, _MAX_CONTRACTS = 100, 10_000
_DEFAULT_SNAPSHOTS, _MAX_SNAPSHOTS = 100, 1_000
_KINDS = {"call": "C", "put": "P"}


async def contracts(request: Request, venue: Venue) -> Any:
    """List contracts, page by page; without a date those that expire up to the coming weekend."""
    query = request.query_params
    first = queries.day(query, "expiration_date_gte") or queries.day(query, "expiration_date") or date.min
    last = queries.day(query, "expiration_date_lte") or queries.day(query, "expiration_date")
    if last is None:
        today = et_date(venue.now)
        last = date.max if first > date.min else today + timedelta(days=(_SATURDAY - today.weekday()) % 7)
    underlyings = queries.names(query, "underlying_symbols")
    found = [
        listing
        for listing in _chosen(venue, query, first, last)
        if not underlyings or listing.contract.underlying in underlyings
    ]
    size = queries.count(query, "limit", _DEFAULT_CONTRACTS, _MAX_CONTRACTS)
    page, token = queries.page(found, query, size)
    return {
        "option_contracts": [alpaca_json.option_contract(listing) for listing in page],
        "next_page_token": token,
    }


async def contract(request: Request, venue: Venue) -> Any:
    """Return one contract by its symbol or id."""
    wanted = request.path_params["symbol"]
    for symbol, listing in venue.exchange.listings.items():
        if wanted in {symbol, alpaca_json.asset_id(symbol)}:
            return alpaca_json.option_contract(listing)
    raise RefusalError(404, 40410000, f"option contract {wanted} not found")


async def latest_quotes(request: Request, venue: Venue) -> Any:
    """Return the last quotes of some contracts."""
    now = venue.quote_time("broker.stale_quotes", f"GET {request.url.path}")
    shown = {listing.contract.occ_symbol: _quote(listing, now) for listing in _asked(request, venue)}
    return {"quotes": {symbol: quote for symbol, quote in shown.items() if quote}}


async def snapshots(request: Request, venue: Venue) -> Any:
    """Return quotes, implied volatility and Greeks of some contracts."""
    return _snapshots(request, venue, _asked(request, venue))


async def chain(request: Request, venue: Venue) -> Any:
    """Return the same of an underlying's contracts."""
    query = request.query_params
    first = queries.day(query, "expiration_date_gte") or queries.day(query, "expiration_date") or date.min
    last = queries.day(query, "expiration_date_lte") or queries.day(query, "expiration_date") or date.max
    underlying = request.path_params["underlying"]
    found = [x for x in _chosen(venue, query, first, last) if x.contract.underlying == underlying]
    return _snapshots(request, venue, found)


def _chosen(venue: Venue, query: Mapping[str, str], first: date, last: date) -> list[Listing]:
    """Return the listings that a query's expiration, strike, root and type choose."""
    low = queries.price(query, "strike_price_gte", "0")
    high = queries.price(query, "strike_price_lte", "Infinity")
    return [
        listing
        for listing in venue.exchange.listings.values()
        if first <= listing.contract.expiration <= last
        and low <= listing.contract.strike <= high
        and query.get("root_symbol", listing.contract.root) == listing.contract.root
        and _KINDS.get(query.get("type", ""), listing.contract.option_type) == listing.contract.option_type
    ]


def _asked(request: Request, venue: Venue) -> list[Listing]:
    wanted = queries.names(request.query_params, "symbols")
    return [venue.exchange.listings[symbol] for symbol in sorted(wanted & set(venue.exchange.listings))]


def _snapshots(request: Request, venue: Venue, found: list[Listing]) -> Json:
    now = venue.quote_time("broker.stale_quotes", f"GET {request.url.path}")
    size = queries.count(request.query_params, "limit", _DEFAULT_SNAPSHOTS, _MAX_SNAPSHOTS)
    page, token = queries.page(found, request.query_params, size)
    shown = {listing.contract.occ_symbol: _snapshot(listing, now) for listing in page}
    return {"snapshots": shown, "next_page_token": token}


def _snapshot(listing: Listing, now: int) -> Json:
    quote = _quote(listing, now)
    return {"latestQuote": quote, **_risk(listing, now)} if quote else {}


def _quote(listing: Listing, now: int) -> Json:
    tape, row = listing.tape, listing.tape.last(now)
    if row is None:
        return {}
    return {
        "t": alpaca_json.utc(int(tape.ts_ns[row])),
        "ax": "C" if tape.ask[row] else "?",
        "ap": int(tape.ask[row]) / 100.0,
        "as": int(tape.ask_size[row]),
        "bx": "C" if tape.bid[row] else "?",
        "bp": int(tape.bid[row]) / 100.0,
        "bs": int(tape.bid_size[row]),
        "c": " ",
    }


def _risk(listing: Listing, now: int) -> Json:
    """Return what Alpaca adds where it can: theta per day, vega and rho per point."""
    from strikelake.pricing import european
    from strikelake.pricing.options import Options

    tape, row = listing.tape, listing.tape.last(now)
    if row is None or not (tape.implied_vol[row] > 0.0 and tape.years[row] > 0.0 and tape.bid[row] > 0):
        return {}
    sign = 1.0 if listing.contract.option_type == "C" else -1.0
    vol, strike = float(tape.implied_vol[row]), float(listing.contract.strike)
    option = Options(sign, tape.spot[row] * listing.part, strike, tape.years[row], tape.rate[row])
    found = european.greeks(option, vol)
    scale = {"delta": 1.0, "gamma": 1.0, "theta": 365.0, "vega": 100.0, "rho": 100.0}
    return {
        "impliedVolatility": vol,
        "greeks": {name: float(getattr(found, name)) / by for name, by in scale.items()},
    }
