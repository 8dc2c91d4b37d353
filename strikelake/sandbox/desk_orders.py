"""Orders as the simulated broker reads and keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from strikelake.contracts import MULTIPLIER
from strikelake.orders import Effect, OrderStatus, Side

if TYPE_CHECKING:
    from strikelake.sandbox.matching import Match

_MAX_LEGS = 4
_MAX_CLIENT_ID = 128


class RefusalError(Exception):
    """The broker's answer to a bad request; becomes an HTTP response and never leaves the server."""

    def __init__(self, status: int, code: int, message: str, **details: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"code": code, "message": message, **details}


@dataclass(frozen=True, slots=True)
class DeskLeg:
    """One leg of an order: `ratio` contracts per unit. `effect` is None where the client left it open."""

    symbol: str
    side: Side
    effect: Effect | None
    ratio: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """A well-formed order request.

    Attributes
    ----------
    client_order_id
        Empty when the client gave none.
    legs
        One, or two to four distinct ones when `multi`.
    quantity
        Units.
    limit
        Net dollars per share and unit, positive for a debit; None for a market order.
    shown_limit
        The limit as the client wrote it: a single sell shows the price it asks for.
    """

    client_order_id: str
    legs: tuple[DeskLeg, ...]
    quantity: int
    limit: Decimal | None
    shown_limit: Decimal | None
    multi: bool

    @property
    def contracts(self) -> int:
        """Contracts traded by the whole order."""
        return self.quantity * sum(leg.ratio for leg in self.legs)


@dataclass(slots=True)
class DeskOrder:
    """An accepted order.

    Attributes
    ----------
    hold
        Dollars of buying power that it keeps while it is open.
    expires_ns, ended_ns
        When it would end by itself, and when it ended; None while it is open.
    """

    order_id: str
    ticket: Ticket
    submitted_ns: int
    expires_ns: int
    hold: Decimal
    status: OrderStatus
    ended_ns: int | None = None
    fill: Match | None = None
    fees: Decimal = field(default_factory=Decimal)

    @property
    def updated_ns(self) -> int:
        """When its status last changed."""
        return self.ended_ns if self.ended_ns is not None else self.submitted_ns


def signed_quantities(ticket: Ticket) -> dict[str, int]:
    """Return the change of position that filling the order makes, by symbol."""
    return {
        leg.symbol: ticket.quantity * leg.ratio * (1 if leg.side is Side.BUY else -1) for leg in ticket.legs
    }


def cash_flow(ticket: Ticket, net: Decimal) -> Decimal:
    """Return dollars paid (positive) or received (negative) for the whole order at a net price per share."""
    return net * MULTIPLIER * ticket.quantity


def parse_ticket(body: dict[str, Any]) -> Ticket:
    """Read an order request in the broker's JSON.

    Raises
    ------
    RefusalError
        With status 422 for everything the broker would not read; symbols are checked later.
    """
    multi = body.get("order_class") == "mleg"
    kind = body.get("type")
    if kind not in {"market", "limit"}:
        raise _unreadable("invalid type: options trade as market or limit orders")
    if body.get("time_in_force") != "day":
        raise _unreadable("invalid time_in_force: options orders are day orders")
    if body.get("extended_hours"):
        raise _unreadable("extended hours order is not allowed for options")
    client_order_id = str(body.get("client_order_id") or "")
    if len(client_order_id) > _MAX_CLIENT_ID:
        raise _unreadable("client_order_id must be no more than 128 characters")
    legs = _legs(body) if multi else (_single_leg(body),)
    shown = _decimal(body, "limit_price") if kind == "limit" else None
    if kind == "market" and body.get("limit_price") is not None:
        raise _unreadable("market orders must not have limit_price")
    if shown is not None and not multi and shown <= 0:
        raise _unreadable("limit price must be > 0")
    limit = -shown if shown is not None and not multi and legs[0].side is Side.SELL else shown
    return Ticket(client_order_id, legs, _whole(body, "qty"), limit, shown, multi)


def _legs(body: dict[str, Any]) -> tuple[DeskLeg, ...]:
    requested = body.get("legs") or []
    if not 2 <= len(requested) <= _MAX_LEGS:  # noqa: PLR2004 - a multi-leg order has at least two
        raise _unreadable("mleg orders must have 2 to 4 legs")
    legs = tuple(_leg(leg, _whole(leg, "ratio_qty")) for leg in requested)
    if len({leg.symbol for leg in legs}) != len(legs):
        raise _unreadable("mleg order legs must be distinct")
    return legs


def _single_leg(body: dict[str, Any]) -> DeskLeg:
    if body.get("side") not in {"buy", "sell"}:
        raise _unreadable("invalid side: use buy or sell")
    return _leg(body, 1)


def _leg(body: dict[str, Any], ratio: int) -> DeskLeg:
    intent = body.get("position_intent")
    if intent is not None:
        side, _, effect = str(intent).partition("_to_")
        if side not in {"buy", "sell"} or effect not in {"open", "close"}:
            raise _unreadable(f"invalid position_intent: {intent}")
        if body.get("side") not in {None, side}:
            raise _unreadable(f"position_intent {intent} does not match side {body['side']}")
        return DeskLeg(str(body.get("symbol")), Side(side), Effect(effect), ratio)
    if body.get("side") not in {"buy", "sell"}:
        raise _unreadable("side or position_intent is required for every leg")
    return DeskLeg(str(body.get("symbol")), Side(body["side"]), None, ratio)


def _whole(body: dict[str, Any], name: str) -> int:
    value = _decimal(body, name)
    if value <= 0 or value != value.to_integral_value():
        raise _unreadable(f"{name} must be a whole number > 0")
    return int(value)


def _decimal(body: dict[str, Any], name: str) -> Decimal:
    try:
        value = Decimal(str(body.get(name)))
    except InvalidOperation:
        raise _unreadable(f"{name} is required and must be a number") from None
    if not value.is_finite() or value != value.quantize(Decimal("0.01")):
        raise _unreadable(
            f"invalid {name} {value}. sub-penny increment does not fulfill minimum pricing criteria"
        )
    return value


def _unreadable(message: str) -> RefusalError:
    return RefusalError(422, 42210000, message)
