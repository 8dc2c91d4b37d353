"""The broker's objects as Alpaca writes them: numbers are strings, times are RFC 3339."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from strikelake.calendar import NEW_YORK, NS_PER_SECOND, Session, et_date
from strikelake.contracts import MULTIPLIER
from strikelake.orders import OrderStatus
from strikelake.sandbox.desk import Desk, Execution, leg_id

if TYPE_CHECKING:
    from strikelake.sandbox.desk_orders import DeskLeg, DeskOrder
    from strikelake.sandbox.exchange import Listing

ACCOUNT_ID = str(uuid.uuid5(uuid.NAMESPACE_OID, "sandbox account"))
ACCOUNT_NUMBER = "PASANDBOX"
Json = dict[str, Any]


def money(value: Decimal) -> str:
    """Return a Decimal without an exponent and without trailing zeros.

    Examples
    --------
    >>> money(Decimal("25000.00"))
    '25000'
    """
    return f"{value.normalize():f}"


def utc(moment: int) -> str:
    """Return ns UTC as RFC 3339, exact.

    Examples
    --------
    >>> utc(1735828200000000001)
    '2025-01-02T14:30:00.000000001Z'
    """
    seconds, rest = divmod(moment, NS_PER_SECOND)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def eastern(moment: int) -> str:
    """Return ns UTC as RFC 3339 with New York's offset."""
    return datetime.fromtimestamp(moment / NS_PER_SECOND, NEW_YORK).isoformat()


def account(desk: Desk, now: int) -> Json:
    """Return the account. The day-trade fields are gone, as they are at Alpaca since 2026-07-06."""
    values = [desk.market_value(symbol, now) for symbol in desk.positions]
    power, margin = money(desk.buying_power()), money(desk.margin())
    equity, level = money(desk.equity(now)), str(desk.config.options_level)
    return {
        "id": ACCOUNT_ID,
        "account_number": ACCOUNT_NUMBER,
        "status": "ACTIVE",
        "currency": "USD",
        "cash": money(desk.cash),
        "equity": equity,
        "portfolio_value": equity,
        "last_equity": money(desk.config.cash),
        "buying_power": power,
        "options_buying_power": power,
        "regt_buying_power": power,
        "non_marginable_buying_power": power,
        "long_market_value": money(sum((v for v in values if v > 0), Decimal(0))),
        "short_market_value": money(sum((v for v in values if v < 0), Decimal(0))),
        "initial_margin": margin,
        "maintenance_margin": margin,
        "last_maintenance_margin": "0",
        "accrued_fees": "0",
        "sma": "0",
        "multiplier": "1",
        "options_approved_level": level,
        "options_trading_level": level,
        "shorting_enabled": True,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "created_at": "2024-01-02T14:30:00Z",
    }


def clock(now: int, current: Session, following: Session) -> Json:
    """Return the market clock; `current` is the session that is open or opens next."""
    is_open = current.open_ns <= now < current.close_ns
    return {
        "timestamp": eastern(now),
        "is_open": is_open,
        "next_open": eastern(following.open_ns if is_open else current.open_ns),
        "next_close": eastern(current.close_ns),
    }


def calendar_day(session: Session) -> Json:
    """Return one day of the calendar; its times are naive Eastern."""
    clock_times = {
        name: f"{datetime.fromtimestamp(ns // NS_PER_SECOND, NEW_YORK):%H:%M}"
        for name, ns in (("open", session.open_ns), ("close", session.close_ns))
    }
    return {"date": str(session.date), **clock_times, "session_open": "0400", "session_close": "2000"}


def order(placed: DeskOrder, *, nested: bool = True) -> Json:
    """Return an order; the legs of a multi-leg order come inside it unless `nested` is off."""
    ticket, fill = placed.ticket, placed.fill
    shown = _common(placed) | {
        "id": placed.order_id,
        "client_order_id": ticket.client_order_id,
        "qty": str(ticket.quantity),
        "filled_qty": str(ticket.quantity) if fill else "0",
        "type": "limit" if ticket.limit is not None else "market",
        "order_type": "limit" if ticket.limit is not None else "market",
        "limit_price": money(ticket.shown_limit) if ticket.shown_limit is not None else None,
        "commission": money(placed.fees),
    }
    if ticket.multi:
        # The parent of a multi-leg order has no asset of its own; Alpaca writes empty strings.
        nothing = dict.fromkeys(("asset_id", "symbol", "asset_class", "side", "position_intent"), "")
        average = money(fill.net) if fill else None
        return shown | nothing | {"filled_avg_price": average, "legs": legs(placed) if nested else None}
    average = money(fill.prices[0]) if fill else None
    return shown | _asset(ticket.legs[0]) | {"filled_avg_price": average, "legs": None}


def legs(placed: DeskOrder) -> list[Json]:
    """Return the legs of a multi-leg order as orders of their own."""
    fill, quantity = placed.fill, placed.ticket.quantity
    return [
        _common(placed)
        | _asset(leg)
        | {
            "id": leg_id(placed, number),
            "client_order_id": leg_id(placed, number),
            "qty": str(quantity * leg.ratio),
            "ratio_qty": str(leg.ratio),
            "filled_qty": str(quantity * leg.ratio) if fill else "0",
            "filled_avg_price": money(fill.prices[number]) if fill else None,
            "type": "",
            "order_type": "",
            "limit_price": None,
            "legs": None,
        }
        for number, leg in enumerate(placed.ticket.legs)
    ]


def position(desk: Desk, symbol: str, now: int) -> Json:
    """Return a position, valued at the side it would close at."""
    held = desk.positions[symbol]
    value, basis = desk.market_value(symbol, now), held.average_price * held.quantity * MULTIPLIER
    share = money(((value - basis) / abs(basis)).quantize(Decimal("0.000001"))) if basis else "0"
    return {
        "asset_id": asset_id(symbol),
        "symbol": symbol,
        "exchange": "",
        "asset_class": "us_option",
        "asset_marginable": True,
        "avg_entry_price": money(held.average_price),
        "qty": str(held.quantity),
        "qty_available": str(desk.available(symbol)),
        "side": "long" if held.quantity > 0 else "short",
        "market_value": money(value),
        "cost_basis": money(basis),
        "unrealized_pl": money(value - basis),
        "unrealized_plpc": share,
        "unrealized_intraday_pl": money(value - basis),
        "unrealized_intraday_plpc": share,
        "current_price": money(value / held.quantity / MULTIPLIER),
        "lastday_price": money(held.average_price),
        "change_today": "0",
    }


def activity(execution: Execution) -> Json:
    """Return a fill as an account activity; of a multi-leg order it names the leg's order id."""
    stamp = f"{et_date(execution.ts_ns):%Y%m%d}{execution.ts_ns % (86_400 * NS_PER_SECOND) // 10**6:09d}"
    return {
        "id": f"{stamp}::{uuid.uuid5(uuid.NAMESPACE_OID, f'fill {execution.order_id}')}",
        "account_id": ACCOUNT_ID,
        "activity_type": "FILL",
        "type": "fill",
        "transaction_time": utc(execution.ts_ns),
        "order_id": execution.order_id,
        "order_status": "filled",
        "symbol": execution.symbol,
        "side": str(execution.side),
        "qty": str(execution.quantity),
        "cum_qty": str(execution.quantity),
        "leaves_qty": "0",
        "price": money(execution.price),
    }


def option_contract(listing: Listing) -> Json:
    """Return a listed contract."""
    contract = listing.contract
    kind = "call" if contract.option_type == "C" else "put"
    title = f"{contract.underlying} {contract.expiration:%b %d %Y} {money(contract.strike)} {kind.title()}"
    return {
        "id": asset_id(contract.occ_symbol),
        "symbol": contract.occ_symbol,
        "name": title,
        "status": "active",
        "tradable": True,
        "expiration_date": str(contract.expiration),
        "root_symbol": contract.root,
        "underlying_symbol": contract.underlying,
        "underlying_asset_id": asset_id(contract.underlying),
        "type": kind,
        "style": "american",
        "strike_price": money(contract.strike),
        "multiplier": str(MULTIPLIER),
        "size": str(MULTIPLIER),
        "open_interest": str(listing.open_interest),
        "open_interest_date": None,
        "close_price": None,
        "close_price_date": None,
    }


def asset_id(symbol: str) -> str:
    """Return an asset's id, the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"asset {symbol}"))


def _asset(leg: DeskLeg) -> Json:
    return {
        "asset_id": asset_id(leg.symbol),
        "symbol": leg.symbol,
        "asset_class": "us_option",
        "side": str(leg.side),
        "position_intent": f"{leg.side}_to_{leg.effect}",
    }


def _common(placed: DeskOrder) -> Json:
    """Return what an order and its legs share."""
    ended = {
        f"{name}_at": utc(placed.updated_ns) if placed.status is status else None
        for name, status in (
            ("filled", OrderStatus.FILLED),
            ("expired", OrderStatus.EXPIRED),
            ("canceled", OrderStatus.CANCELED),
        )
    }
    nothing = ("failed_at", "replaced_at", "replaced_by", "replaces", "notional", "stop_price")
    trailing = ("trail_percent", "trail_price", "hwm", "subtag", "source")
    return {
        "created_at": utc(placed.submitted_ns),
        "submitted_at": utc(placed.submitted_ns),
        "updated_at": utc(placed.updated_ns),
        "expires_at": utc(placed.expires_ns),
        **ended,
        **dict.fromkeys(nothing + trailing),
        "order_class": "mleg" if placed.ticket.multi else "simple",
        "time_in_force": "day",
        "extended_hours": False,
        "status": str(placed.status),
    }
