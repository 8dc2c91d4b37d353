"""Alpaca's JSON as values. Numbers arrive as strings or as numbers; both become exact.

An answer that cannot be read is `BrokerUnavailableError`: what it was meant to say is not known.
"""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_UP, Decimal, InvalidOperation
from typing import Any

from strikelake.calendar import from_datetime
from strikelake.errors import BrokerUnavailableError, CalendarError
from strikelake.orders import OrderState, OrderStatus, Side
from strikelake.portfolio import Account, Position

_STATUSES = {
    "new": OrderStatus.NEW,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    # Strikelake replaces nothing, so whatever took this order's place is somebody else's.
    "replaced": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "done_for_day": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
} | dict.fromkeys(
    (
        "accepted",
        "pending_new",
        "accepted_for_bidding",
        "held",
        "pending_review",
        "pending_cancel",
        "pending_replace",
        "stopped",
        "suspended",
        "calculated",
    ),
    OrderStatus.ACCEPTED,
)


def account(raw: Any) -> Account:
    """Read `GET /v2/account`.

    Parameters
    ----------
    raw
        The decoded body; the options fields fall back to the general ones where the account has none.
    """
    found = mapping(raw, "the account")
    power = "options_buying_power" if found.get("options_buying_power") is not None else "buying_power"
    level = (
        "options_trading_level"
        if found.get("options_trading_level") is not None
        else "options_approved_level"
    )
    return Account(
        account_id=str(found.get("account_number") or found.get("id")),
        equity=_decimal(found, "equity"),
        cash=_decimal(found, "cash"),
        buying_power=_decimal(found, power),
        options_level=int(_decimal(found, level, default="0")),
    )


def order_state(body: Any) -> OrderState:
    """Read one order; a multi-leg order's price is netted from its legs where they have prices."""
    raw = mapping(body, "an order")
    name = str(raw.get("client_order_id"))
    status = _STATUSES.get(str(raw.get("status")))
    if status is None:
        raise BrokerUnavailableError(
            f"order {name} has the unknown status {raw.get('status')!r}: look it up at Alpaca"
        )
    filled = int(_decimal(raw, "filled_qty", default="0"))
    if filled and status.is_open:
        status = OrderStatus.PARTIALLY_FILLED
    return OrderState(
        client_order_id=name,
        broker_id=str(raw.get("id")),
        status=status,
        # Somebody else's order may be for dollars instead of a quantity.
        quantity=int(_decimal(raw, "qty", default="0")),
        filled_quantity=filled,
        average_price=_net_price(raw) if filled else None,
        updated_at=_moment(raw, "updated_at"),
    )


def _net_price(raw: dict[str, Any]) -> Decimal:
    """Return dollars per share and unit, positive when paid."""
    legs = raw.get("legs") or []
    if not legs:
        price = _decimal(raw, "filled_avg_price")
        return price if raw.get("side") != Side.SELL else -price
    if any(leg.get("filled_avg_price") is None for leg in legs):
        return _decimal(raw, "filled_avg_price")
    prices = [_decimal(leg, "filled_avg_price") * _decimal(leg, "ratio_qty", default="1") for leg in legs]
    sides = [1 if leg.get("side") == Side.BUY else -1 for leg in legs]
    return sum((side * price for side, price in zip(sides, prices, strict=True)), Decimal(0))


def position(raw: dict[str, Any]) -> Position:
    """Read one position: contracts, or shares and coins rounded away from 0; negative when short."""
    # Away from zero: a fraction of a share is still something that Strikelake did not open.
    quantity = int(abs(_decimal(raw, "qty")).to_integral_value(ROUND_UP))
    short = raw.get("side") == "short" or _decimal(raw, "qty") < 0
    return Position(
        str(raw.get("symbol")), -quantity if short else quantity, _decimal(raw, "avg_entry_price")
    )


def mapping(raw: Any, what: str) -> dict[str, Any]:
    """Check that an answer is an object; `what` names it in the error."""
    if not isinstance(raw, dict):
        raise BrokerUnavailableError(
            f"Alpaca answered about {what} with {type(raw).__name__}, not an object: look it up"
        )
    return raw


def rows(raw: Any, what: str) -> list[dict[str, Any]]:
    """Check that an answer is a list of objects; `what` names it in the error."""
    if not isinstance(raw, list):
        raise BrokerUnavailableError(
            f"Alpaca answered about {what} with {type(raw).__name__}, not a list: ask again"
        )
    return [mapping(row, what) for row in raw]


def _decimal(raw: dict[str, Any], field: str, default: str | None = None) -> Decimal:
    value = raw.get(field)
    try:
        number = Decimal(str(default if value is None else value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise BrokerUnavailableError(f"Alpaca's answer has {field} = {value!r}, not a number: ask again")
    return number


def _moment(raw: dict[str, Any], field: str) -> int:
    value = raw.get(field)
    try:
        return from_datetime(datetime.fromisoformat(str(value)))
    except (ValueError, CalendarError) as error:
        raise BrokerUnavailableError(
            f"Alpaca's answer has {field} = {value!r}, not a time: ask again"
        ) from error
