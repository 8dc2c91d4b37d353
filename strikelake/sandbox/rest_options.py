"""Options in the sandbox's REST: contracts of any day, and snapshots of the present one."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE, et_ns
from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.sandbox.rest_http import ProblemError, day_of, matches

if TYPE_CHECKING:
    from strikelake.sandbox.exchange import Listing
    from strikelake.sandbox.rest_http import Call

_CHAIN_LIMIT, _CHAIN_MOST = 10, 250
_TIMEFRAME = {"timeframe": "REAL-TIME"}


async def contracts(call: Call) -> dict[str, Any]:
    """Answer `/v3/reference/options/contracts`: what was listed on `as_of`, or had expired by then."""
    as_of = day_of(call.query.get("as_of", str(call.today)))
    expired = call.query.get("expired", "false") == "true"
    rows = [row for row in _all_contracts(call) if _is_shown(row, as_of, call.today, expired=expired)]
    return call.listed(call.ordered([_contract(row) for row in rows], "ticker"))


async def contract(call: Call) -> dict[str, Any]:
    """Answer `/v3/reference/options/contracts/{ticker}`."""
    ticker, as_of = call.path("ticker"), day_of(call.query.get("as_of", str(call.today)))
    for row in _all_contracts(call):
        if row["ticker"] == ticker and row["listed_from"] <= min(as_of, call.today):
            return {"results": _contract(row)}
    raise ProblemError(404, f"Contract {ticker} not found.")


async def chain(call: Call) -> dict[str, Any]:
    """Answer `/v3/snapshot/options/{underlying}`: contracts with their last quotes, whatever the date."""
    call.require_live()
    underlying = call.path("underlying")
    listings = call.venue.exchange.listings.values()
    found = [
        listing
        for listing in listings
        if listing.contract.underlying == underlying and matches(_terms(listing), call.query)
    ]
    page = call.page(found, _CHAIN_LIMIT, _CHAIN_MOST)
    quoted = call.venue.quote_time("rest.stale_quotes", f"GET {call.request.url.path}")
    return page | {"results": [snapshot(listing, call, quoted) for listing in page["results"]]}


async def one_contract(call: Call) -> dict[str, Any]:
    """Answer `/v3/snapshot/options/{underlying}/{contract}`."""
    call.require_live()
    listing = call.venue.exchange.listings.get(call.path("contract").removeprefix("O:"))
    if listing is None or listing.contract.underlying != call.path("underlying"):
        raise ProblemError(404, f"Options contract {call.path('contract')} not found.")
    return {"results": snapshot(listing, call, call.now)}


def snapshot(listing: Listing, call: Call, quoted: int) -> dict[str, Any]:
    """Return one contract as the chain shows it, with its last quote at `quoted` (ns UTC)."""
    terms, venue = _terms(listing), call.venue
    row = listing.tape.last(quoted)
    sign, strike = (1.0 if terms["contract_type"] == "call" else -1.0), terms["strike_price"]
    details = {"exercise_style": "american", "shares_per_contract": _whole(float(listing.shares))}
    shown: dict[str, Any] = {
        "day": _day(terms["ticker"], call),
        "details": details | terms,
        "open_interest": listing.open_interest,
    }
    if trade := _last_trade(terms["ticker"], call):
        shown["last_trade"] = trade
    known = venue.exchange.last_price(listing.contract.underlying, venue.now)
    if known is not None:
        underlying = {"ticker": listing.contract.underlying, "price": known[0], "last_updated": known[1]}
        shown["underlying_asset"] = underlying | _TIMEFRAME
    if row is None:
        return shown
    shown["last_quote"] = quote = _quote(listing, row)
    shown["break_even_price"] = even = round((strike + sign * quote["midpoint"]) / listing.part, 4)
    if call.plan.fair_value:
        shown["fmv"] = _fair_value(terms["ticker"], call) or quote["midpoint"]
    if known is not None:
        shown["underlying_asset"]["change_to_break_even"] = round(even - known[0], 4)
    return shown | _risk(listing, row, sign)


def _terms(listing: Listing) -> dict[str, Any]:
    contract = listing.contract
    return {
        "contract_type": "call" if contract.option_type == "C" else "put",
        "expiration_date": str(contract.expiration),
        "strike_price": float(contract.strike),
        "ticker": f"O:{contract.occ_symbol}",
    }


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
        **_TIMEFRAME,
    }


def _risk(listing: Listing, row: int, sign: float) -> dict[str, Any]:
    """Return implied volatility and Greeks, as the vendor scales them: vega per point, theta per day."""
    tape = listing.tape
    vol, years = float(tape.implied_vol[row]), float(tape.years[row])
    if not (vol > 0.0 and years > 0.0 and tape.bid[row] > 0):
        return {}
    spot, strike = tape.spot[row] * listing.part, float(listing.contract.strike)
    found = european.greeks(Options(sign, spot, strike, years, tape.rate[row]), vol)
    return {
        "implied_volatility": vol,
        "greeks": {
            "delta": float(found.delta),
            "gamma": float(found.gamma),
            "theta": float(found.theta) / 365.0,
            "vega": float(found.vega) / 100.0,
        },
    }


def _day(ticker: str, call: Call) -> dict[str, Any]:
    """Return a contract's last day with a trade, today's so far; empty where it never traded."""
    days = _known(
        call.archive.of_ticker("option_days", ticker), "window_start", et_ns(call.today, "00:00") - 1
    )
    bars = _known(call.archive.of_ticker("option_minutes", ticker), "window_start", call.now - NS_PER_MINUTE)
    if bars.is_empty():
        bars, days = days.tail(1), days.head(days.height - 1)
    if bars.is_empty():
        return {}
    close, volume = bars["close"][-1], float(bars["volume"].sum())
    before = float(days["close"][-1]) if days.height else close
    return {
        "open": bars["open"][0],
        "high": bars["high"].max(),
        "low": bars["low"].min(),
        "close": close,
        "volume": volume,
        "vwap": round(float((bars["close"] * bars["volume"]).sum()) / volume, 4),
        "last_updated": int(bars["window_start"][-1]) + NS_PER_MINUTE,
        "previous_close": before,
        "change": round(close - before, 4),
        "change_percent": round(100.0 * (close - before) / before, 4),
    }


def _fair_value(ticker: str, call: Call) -> float | None:
    """Return what the simulator holds the contract worth; None where it does not say."""
    quotes = _known(call.archive.of_ticker("quotes", ticker), "sip_timestamp", call.now)
    value = quotes["value"][-1] if quotes.height and "value" in quotes.columns else None
    return None if value is None else round(float(value), 4)


def _known(rows: pl.DataFrame | None, time: str, until: int) -> pl.DataFrame:
    """Return the rows until a time, sorted by it; none where a ticker has none."""
    if rows is None:
        return _NONE
    # numpy's search, not polars': a chain asks it hundreds of times.
    return rows.head(int(np.searchsorted(rows[time].to_numpy(), until, side="right")))


_NONE = pl.DataFrame()


def _last_trade(ticker: str, call: Call) -> dict[str, Any]:
    trades = _known(call.archive.of_ticker("option_trades", ticker), "sip_timestamp", call.now)
    if trades.is_empty():
        return {}
    row = trades.row(-1, named=True)
    return {
        "price": row["price"],
        "size": int(row["size"]),
        "exchange": int(row["exchange"]),
        "conditions": [int(row["conditions"])],
        "sip_timestamp": int(row["sip_timestamp"]),
        **_TIMEFRAME,
    }


def _all_contracts(call: Call) -> list[dict[str, Any]]:
    """Return every contract with its first and last day; the live session's where there is no history."""
    frame = call.archive.frame("all_contracts")
    rows = (call.archive.frame("contracts") if frame.is_empty() else frame).to_dicts()
    return [_ALWAYS | {"listed_to": row["expiration"]} | row for row in rows]


_ALWAYS = {"listed_from": date.min, "exercise_style": "american", "shares_per_contract": 100.0}


def _is_shown(row: dict[str, Any], as_of: date, today: date, *, expired: bool) -> bool:
    if row["listed_from"] > min(as_of, today):
        return False
    return bool(row["listed_to"] < as_of) is expired


def _contract(row: dict[str, Any]) -> dict[str, Any]:
    kind, shares = ("call" if row["option_type"] == "C" else "put"), float(row["shares_per_contract"])
    european = row["exercise_style"] == "european"
    return {
        # ISO 10962: option, call or put, style, on a stock, delivered, standard terms.
        "cfi": f"O{kind[0].upper()}{'E' if european else 'A'}SPS",
        "contract_type": kind,
        "exercise_style": row["exercise_style"],
        "expiration_date": str(row["expiration"]),
        "primary_exchange": "BATO",
        "shares_per_contract": _whole(shares),
        "strike_price": float(row["strike"]),
        "ticker": row["ticker"],
        "underlying_ticker": row["underlying"],
    }


def _whole(number: float) -> float:
    """Return a number as JSON shows it: without a fraction where it has none."""
    return int(number) if number.is_integer() else number
