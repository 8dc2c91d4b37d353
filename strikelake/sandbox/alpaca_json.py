"""The broker's account, positions, activities and contracts as Alpaca writes them.

Numbers are strings, times are RFC 3339.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from strikelake.calendar import NEW_YORK, NS_PER_SECOND, Session, et_date
from strikelake.contracts import MULTIPLIER
from strikelake.sandbox.books import Activity, Execution, OptionEvent
from strikelake.sandbox.desk_orders import Status, is_option, multiplier

if TYPE_CHECKING:
    from strikelake.sandbox.desk import Desk
    from strikelake.sandbox.exchange import Listing

ACCOUNT_ID = str(uuid.uuid5(uuid.NAMESPACE_OID, "sandbox account"))
ACCOUNT_NUMBER = "PASANDBOX"
Json = dict[str, Any]

_ARCA = {"SPY", "IWM", "DIA"}
_NS_PER_MS = 10**6
_DESCRIPTIONS = {
    "OPEXC": "Option Exercise",
    "OPASN": "Option Assignment",
    "OPEXP": "Option Expiry",
    "OPCSH": "Option Cash Settlement",
    "OPTRD": "Option Trade",
    "SPLIT": "Stock Split",
    "CIL": "Cash in Lieu",
}


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
    values = [desk.books.market_value(symbol, now) for symbol in desk.books.positions]
    power, margin = money(desk.buying_power(now)), money(desk.margin(now))
    equity, level = money(desk.books.equity(now)), str(desk.config.options_level)
    return {
        "id": ACCOUNT_ID,
        "account_number": ACCOUNT_NUMBER,
        "status": "ACTIVE",
        "currency": "USD",
        "cash": money(desk.books.cash),
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
        "shorting_enabled": False,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "created_at": "2024-01-02T14:30:00Z",
    }


def configurations(desk: Desk) -> Json:
    """Return the account's settings."""
    return {
        "no_shorting": True,
        "suspend_trade": False,
        "fractional_trading": False,
        "max_margin_multiplier": "1",
        "trade_confirm_email": "none",
        "ptp_no_exception_entry": False,
        "max_options_trading_level": desk.config.options_level,
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


def asset(symbol: str) -> Json:
    """Return a share that can be traded."""
    return {
        "id": asset_id(symbol),
        "class": "us_equity",
        "exchange": exchange_of(symbol),
        "symbol": symbol,
        "name": f"{symbol} (simulated)",
        "status": "active",
        "tradable": True,
        "marginable": False,
        "shortable": False,
        "easy_to_borrow": False,
        "fractionable": False,
        "attributes": ["has_options"],
    }


def position(desk: Desk, symbol: str, now: int) -> Json:
    """Return a position, valued at the side it would close at."""
    held = desk.books.positions[symbol]
    value = desk.books.market_value(symbol, now)
    basis = held.average_price * held.quantity * multiplier(symbol)
    share = money(((value - basis) / abs(basis)).quantize(Decimal("0.000001"))) if basis else "0"
    return {
        "asset_id": asset_id(symbol),
        "symbol": symbol,
        "exchange": exchange_of(symbol),
        "asset_class": asset_class(symbol),
        "asset_marginable": is_option(symbol),
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
        "current_price": money(value / held.quantity / multiplier(symbol)),
        "lastday_price": money(held.average_price),
        "change_today": "0",
    }


def activity(found: Activity) -> Json:
    """Return an activity: a fill, which of a multi-leg order names the leg's order, or an option's event."""
    day = et_date(found.ts_ns)
    unique = uuid.uuid5(uuid.NAMESPACE_OID, f"activity {found.number}")
    shown = {"account_id": ACCOUNT_ID, "symbol": found.symbol, "qty": str(found.quantity)}
    if isinstance(found, Execution):
        stamp = f"{day:%Y%m%d}{found.ts_ns % (86_400 * NS_PER_SECOND) // _NS_PER_MS:09d}"
        return shown | {"id": f"{stamp}::{unique}"} | _fill(found)
    return shown | {"id": f"{day:%Y%m%d}000000000::{unique}", "date": str(day)} | _event(found)


def kind(found: Activity) -> str:
    """Return an activity's type."""
    return "FILL" if isinstance(found, Execution) else found.kind


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
        "size": money(listing.shares),
        "open_interest": str(listing.open_interest),
        "open_interest_date": None,
        "close_price": None,
        "close_price_date": None,
    }


def asset_id(symbol: str) -> str:
    """Return an asset's id, the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"asset {symbol}"))


def asset_class(symbol: str) -> str:
    """Return what kind of asset a symbol is."""
    return "us_option" if is_option(symbol) else "us_equity"


def exchange_of(symbol: str) -> str:
    """Return where a share is listed; options show none."""
    if is_option(symbol):
        return ""
    return "ARCA" if symbol in _ARCA else "NASDAQ"


def _fill(found: Execution) -> Json:
    return {
        "activity_type": "FILL",
        "type": "fill" if found.status is Status.FILLED else "partial_fill",
        "transaction_time": utc(found.ts_ns),
        "order_id": found.order_id,
        "order_status": str(found.status),
        "side": str(found.side),
        "cum_qty": str(found.filled),
        "leaves_qty": str(found.left),
        "price": money(found.price),
    }


def _event(found: OptionEvent) -> Json:
    shown = {
        "activity_type": found.kind,
        "created_at": utc(found.ts_ns),
        "net_amount": money(found.amount),
        "description": _DESCRIPTIONS[found.kind],
        "status": "executed",
        "group_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"group {found.group}")),
        "currency": "USD",
    }
    return shown if found.price is None else shown | {"price": money(found.price)}
