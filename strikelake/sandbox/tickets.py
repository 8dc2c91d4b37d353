"""Order requests in the broker's JSON, read and checked by themselves: what is held is checked later."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from strikelake.contracts import OptionContract
from strikelake.errors import ContractError
from strikelake.orders import Effect, Side
from strikelake.sandbox.desk_orders import (
    DeskLeg,
    Exit,
    OrderClass,
    OrderType,
    RefusalError,
    Ticket,
    is_option,
    unreadable,
)

Body = dict[str, Any]

_Member = TypeVar("_Member", OrderClass, Side)
_MAX_LEGS = 4
_MAX_CLIENT_ID = 128
_STOPS = {OrderType.STOP, OrderType.STOP_LIMIT}
_LIMITS = {OrderType.LIMIT, OrderType.STOP_LIMIT}


def parse_ticket(body: Any) -> Ticket:
    """Read an order request.

    Raises
    ------
    RefusalError
        With status 422 and Alpaca's words for everything that it would not take, whoever asks.
    """
    if not isinstance(body, dict):
        raise RefusalError(400, 40010000, "request body format is invalid")
    if len(str(body.get("client_order_id") or "")) > _MAX_CLIENT_ID:
        raise unreadable("client_order_id must be no more than 128 characters")
    order_class = _member(OrderClass, body.get("order_class") or "simple", "order_class")
    if order_class is OrderClass.MLEG:
        return _multi_leg(body)
    if is_option(str(body.get("symbol"))):
        return _option(body, order_class)
    return _shares(body, order_class)


def changed(ticket: Ticket, body: Body) -> Ticket:
    """Return a ticket with what a replace request changes.

    Raises
    ------
    RefusalError
        When nothing changes, or a price does not belong to the order's type.
    """
    shown: Body = {
        "qty": ticket.quantity,
        "limit_price": ticket.shown_limit,
        "stop_price": ticket.stop,
        "time_in_force": "gtc" if ticket.good_till_canceled else "day",
    }
    asked = {name: body[name] for name in shown if body.get(name) is not None}
    if all(str(shown[name]) == str(value) or _equal(shown[name], value) for name, value in asked.items()):
        raise unreadable("order parameters are not changed")
    request: Body = shown | asked | {"type": str(ticket.type), "client_order_id": body.get("client_order_id")}
    request |= {"symbol": ticket.legs[0].symbol, "side": str(ticket.legs[0].side)}
    if ticket.multi:
        request["order_class"] = "mleg"
        request["legs"] = [
            {"symbol": leg.symbol, "ratio_qty": leg.ratio, "position_intent": f"{leg.side}_to_{leg.effect}"}
            for leg in ticket.legs
        ]
    elif ticket.option:
        request["position_intent"] = f"{ticket.legs[0].side}_to_{ticket.legs[0].effect}"
    return parse_ticket(request)


def decimal(body: Body, name: str) -> Decimal:
    """Read a price or quantity of whole cents.

    Raises
    ------
    RefusalError
        When it is absent, no number, or finer than a cent.
    """
    try:
        value = Decimal(str(body.get(name)))
    except InvalidOperation:
        raise unreadable(f"{name} is required and must be a number") from None
    if not value.is_finite() or value != value.quantize(Decimal("0.01")):
        raise unreadable(
            f"invalid {name} {value}. sub-penny increment does not fulfill minimum pricing criteria"
        )
    return value


def _multi_leg(body: Body) -> Ticket:
    kind = _type(body, {OrderType.MARKET, OrderType.LIMIT}, "invalid order type for options trading")
    if body.get("time_in_force") != "day":
        raise unreadable("invalid time in force")
    if body.get("extended_hours"):
        raise unreadable("extended hours is not supported for options trading")
    if kind is OrderType.MARKET and body.get("limit_price") is not None:
        raise unreadable("limit price is only valid for limit orders")
    if kind is OrderType.LIMIT and body.get("limit_price") is None:
        raise unreadable("limit price is required for limit orders")
    requested = body.get("legs") or []
    if not 2 <= len(requested) <= _MAX_LEGS:  # noqa: PLR2004 - a multi-leg order has at least two
        raise unreadable("mleg orders must have 2 to 4 legs")
    legs = tuple(_leg_of_many(number, leg) for number, leg in enumerate(requested))
    if len({leg.symbol for leg in legs}) != len(legs):
        raise unreadable("mleg order legs must be distinct")
    if math.gcd(*(leg.ratio for leg in legs)) != 1:
        raise unreadable("mleg leg ratio quantities should be relatively prime")
    _check_underlyings(legs)
    limit = decimal(body, "limit_price") if kind is OrderType.LIMIT else None
    return Ticket(_name(body), legs, _whole(body, "qty"), limit, order_class=OrderClass.MLEG)


def _option(body: Body, order_class: OrderClass) -> Ticket:
    if order_class is not OrderClass.SIMPLE:
        raise unreadable("complex orders not supported for options trading")
    if body.get("extended_hours"):
        raise unreadable("extended hours is not supported for options trading")
    if body.get("notional") is not None:
        raise unreadable("notional orders are not supported for options trading")
    if body.get("time_in_force") != "day":
        raise unreadable("order_time_in_force provided not supported for options trading")
    kind = _type(body, set(OrderType), "invalid order type for options trading")
    quantity = _whole(body, "qty", "qty must be integer for options trading")
    leg = _leg(body, 1)
    limit, stop = _prices(body, kind, leg)
    return Ticket(_name(body), (leg,), quantity, limit, stop)


def _shares(body: Body, order_class: OrderClass) -> Ticket:
    if body.get("notional") is not None:
        raise unreadable("the sandbox trades whole shares only: send qty")
    kind = _type(body, set(OrderType), "invalid order type: the sandbox has market, limit, stop, stop_limit")
    patience = body.get("time_in_force")
    if patience not in {"day", "gtc"}:
        raise unreadable("invalid time_in_force: the sandbox has day and gtc")
    if body.get("extended_hours") and (kind is not OrderType.LIMIT or patience != "day"):
        raise unreadable("extended hours order must be DAY limit orders")
    leg = _leg(body, 1)
    exits = _exits(body, order_class)
    if order_class is OrderClass.OCO:
        if kind is not OrderType.LIMIT:
            raise unreadable("oco orders must be limit orders")
        # An OCO order is its take-profit; only the stop hangs on it.
        body = {"limit_price": str(exits[0].limit)} | {k: v for k, v in body.items() if k != "limit_price"}
        exits = exits[1:]
    limit, stop = _prices(body, kind, leg)
    return Ticket(
        _name(body),
        (leg,),
        _whole(body, "qty"),
        limit,
        stop,
        order_class=order_class,
        good_till_canceled=patience == "gtc",
        extended_hours=bool(body.get("extended_hours")),
        exits=exits,
    )


def _exits(body: Body, order_class: OrderClass) -> tuple[Exit, ...]:
    """Read take-profit and stop-loss, in this order."""
    if order_class is OrderClass.SIMPLE:
        return ()
    profit, loss = body.get("take_profit") or {}, body.get("stop_loss") or {}
    both = order_class is not OrderClass.OTO
    if both and "limit_price" not in profit:
        raise unreadable(f"{order_class} orders require take_profit.limit_price")
    if both and "stop_price" not in loss:
        raise unreadable(f"{order_class} orders require stop_loss.stop_price")
    if bool(profit) == bool(loss) and not both:
        raise unreadable("oto orders require either take_profit or stop_loss")
    exits = []
    if profit:
        exits.append(Exit(decimal(profit, "limit_price"), None))
    if loss:
        limit = decimal(loss, "limit_price") if loss.get("limit_price") is not None else None
        exits.append(Exit(limit, decimal(loss, "stop_price")))
    if both:
        target, stop = decimal(profit, "limit_price"), decimal(loss, "stop_price")
        # A bracket that buys leaves by selling; an OCO is itself the sale.
        sells = body.get("side") == ("sell" if order_class is OrderClass.OCO else "buy")
        if target <= stop if sells else target >= stop:
            sign = ">" if sells else "<"
            raise unreadable(f"take_profit.limit_price must be {sign} stop_loss.stop_price")
    return tuple(exits)


def _prices(body: Body, kind: OrderType, leg: DeskLeg) -> tuple[Decimal | None, Decimal | None]:
    """Read limit and stop of a single leg; a sale's limit is a credit."""
    found: list[Decimal | None] = []
    for name, wanted in (("limit_price", kind in _LIMITS), ("stop_price", kind in _STOPS)):
        if not wanted and body.get(name) is not None:
            raise unreadable(f"{kind} orders must not have {name}")
        found.append(decimal(body, name) if wanted else None)
        if wanted and (found[-1] or 0) <= 0:
            raise unreadable(f"{name.replace('_', ' ')} must be > 0")
    limit, stop = found
    return (-limit if limit is not None and leg.side is Side.SELL else limit), stop


def _leg_of_many(number: int, body: Body) -> DeskLeg:
    if body.get("position_intent") is None:
        raise unreadable(f"leg.{number} position intent is required")
    return _leg(body, _whole(body, "ratio_qty"))


def _leg(body: Body, ratio: int) -> DeskLeg:
    intent, side = body.get("position_intent"), body.get("side")
    effect = None
    if intent is not None:
        intended, _, after = str(intent).partition("_to_")
        if intended not in set(Side) or after not in set(Effect):
            raise unreadable(f"invalid position_intent: {intent}")
        if side not in {None, intended}:
            raise unreadable(f"position_intent {intent} does not match side {side}")
        side, effect = intended, Effect(after)
    return DeskLeg(str(body.get("symbol")), _member(Side, side, "side"), effect, ratio)


def _check_underlyings(legs: tuple[DeskLeg, ...]) -> None:
    underlyings = []
    for leg in legs:
        try:
            underlyings.append(OptionContract.parse(leg.symbol).underlying)
        except ContractError:
            raise unreadable(f"asset not found for {leg.symbol}") from None
    if others := [name for name in underlyings if name != underlyings[0]]:
        raise unreadable(f"underlying asset mismatch: {underlyings[0]} != {others[0]}")


def _type(body: Body, allowed: set[OrderType], message: str) -> OrderType:
    if body.get("type") not in {str(kind) for kind in allowed}:
        raise unreadable(message)
    return OrderType(body["type"])


def _member(kind: type[_Member], value: Any, name: str) -> _Member:
    try:
        return kind(value)
    except ValueError:
        raise unreadable(f"invalid {name}: use {', '.join(kind)}") from None


def _whole(body: Body, name: str, message: str = "") -> int:
    value = decimal(body, name)
    if value <= 0:
        raise unreadable(f"{name} must be > 0")
    if value != value.to_integral_value():
        raise unreadable(message or f"{name} must be a whole number")
    return int(value)


def _name(body: Body) -> str:
    return str(body.get("client_order_id") or "")


def _equal(shown: Any, asked: Any) -> bool:
    try:
        return Decimal(str(shown)) == Decimal(str(asked))
    except InvalidOperation:
        return False
