"""Orders as the simulated broker keeps them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from strikelake.contracts import MULTIPLIER
from strikelake.orders import Effect, Side

if TYPE_CHECKING:
    from strikelake.sandbox.matching import Match

_OCC_TAIL = 15
"""Characters after the root of an option symbol: date, C or P, strike. No ticker of a share is as long."""


class RefusalError(Exception):
    """The broker's answer to a bad request; becomes an HTTP response and never leaves the server."""

    def __init__(self, status: int, code: int, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"code": code, "message": message, **details}


def unreadable(message: str, **details: Any) -> RefusalError:
    """Return the refusal of a request that says something it must not say."""
    return RefusalError(422, 42210000, message, **details)


def forbidden(message: str, **details: Any) -> RefusalError:
    """Return the refusal of a request that this account may not make, or cannot pay."""
    return RefusalError(403, 40310000, message, **details)


class Status(StrEnum):
    """An order's state, in Alpaca's words."""

    ACCEPTED = "accepted"
    NEW = "new"
    HELD = "held"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REJECTED = "rejected"

    @property
    def is_open(self) -> bool:
        """Whether the order has not ended."""
        return self.works or self is Status.HELD

    @property
    def works(self) -> bool:
        """Whether the order can fill now."""
        return self in {Status.ACCEPTED, Status.NEW, Status.PARTIALLY_FILLED}


class OrderClass(StrEnum):
    """How orders hang together."""

    SIMPLE = "simple"
    BRACKET = "bracket"
    OCO = "oco"
    OTO = "oto"
    MLEG = "mleg"


class OrderType(StrEnum):
    """When an order trades."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


@dataclass(frozen=True, slots=True)
class DeskLeg:
    """One leg of an order: `ratio` contracts per unit. `effect` is None where the client left it open."""

    symbol: str
    side: Side
    effect: Effect | None
    ratio: int = 1

    @property
    def sign(self) -> int:
        """+1 for a purchase, -1 for a sale."""
        return 1 if self.side is Side.BUY else -1


@dataclass(frozen=True, slots=True)
class Exit:
    """How a bracket, OCO or OTO order leaves: at a limit, a stop, or both; dollars per share."""

    limit: Decimal | None
    stop: Decimal | None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A well-formed order request.

    Attributes
    ----------
    client_order_id
        Empty when the client gave none.
    legs
        One, or two to four distinct ones of an `OrderClass.MLEG`.
    quantity
        Units: contracts or shares, or multiples of the legs' ratios.
    limit
        Net dollars per share and unit, positive for a debit; None for a market order.
    stop
        Dollars per share at which the order starts to work; None when it works at once.
    good_till_canceled
        Whether it outlives the session; only orders for shares can.
    exits
        Of a bracket, OCO or OTO order, to be placed when this order has filled.
    """

    client_order_id: str
    legs: tuple[DeskLeg, ...]
    quantity: int
    limit: Decimal | None = None
    stop: Decimal | None = None
    order_class: OrderClass = OrderClass.SIMPLE
    good_till_canceled: bool = False
    extended_hours: bool = False
    exits: tuple[Exit, ...] = ()

    @property
    def multi(self) -> bool:
        """Whether it is a multi-leg order for options."""
        return self.order_class is OrderClass.MLEG

    @property
    def option(self) -> bool:
        """Whether it trades options."""
        return is_option(self.legs[0].symbol)

    @property
    def type(self) -> OrderType:
        """Its type by the prices it has."""
        if self.stop is not None:
            return OrderType.STOP if self.limit is None else OrderType.STOP_LIMIT
        return OrderType.MARKET if self.limit is None else OrderType.LIMIT

    @property
    def shown_limit(self) -> Decimal | None:
        """The limit as the client writes it: a single sale shows the price it asks for."""
        if self.limit is None or self.multi or self.legs[0].side is Side.BUY:
            return self.limit
        return -self.limit

    @property
    def contracts(self) -> int:
        """Contracts traded by the whole order; 0 for shares, which cost no fee."""
        return self.quantity * sum(leg.ratio for leg in self.legs) if self.option else 0

    @property
    def multiplier(self) -> int:
        """Shares per contract, 1 for shares."""
        return multiplier(self.legs[0].symbol)


@dataclass(slots=True)
class DeskOrder:
    """An accepted order.

    Attributes
    ----------
    hold
        Dollars of buying power that it keeps while it is open.
    expires_ns, ended_ns
        When it would end by itself, and when it ended; None while it is open.
    triggered_ns
        When its stop was reached.
    replaces, replaced_by
        Ids of the order whose place it took, and of the one that took its own.
    parent, children
        The order of a bracket, OCO or OTO that this one belongs to, and those that belong to it.
    stuck, refused
        Whether nothing more fills, and whether the exchange will not take it: the faults
        `broker.partial_fill` and `broker.reject`.
    """

    order_id: str
    ticket: Ticket
    submitted_ns: int
    expires_ns: int
    hold: Decimal
    status: Status = Status.ACCEPTED
    ended_ns: int | None = None
    triggered_ns: int | None = None
    fills: list[Match] = field(default_factory=list)
    fees: Decimal = field(default_factory=Decimal)
    replaces: str | None = None
    replaced_by: str | None = None
    parent: DeskOrder | None = field(default=None, repr=False)
    children: list[DeskOrder] = field(default_factory=list, repr=False)
    stuck: bool = False
    refused: bool = False

    @property
    def filled(self) -> int:
        """Units that have filled."""
        return sum(fill.units for fill in self.fills)

    @property
    def remaining(self) -> int:
        """Units that have not."""
        return self.ticket.quantity - self.filled

    @property
    def net(self) -> Decimal:
        """Average net price per share and unit of what has filled."""
        return sum((fill.net * fill.units for fill in self.fills), Decimal(0)) / self.filled

    def price(self, number: int) -> Decimal:
        """Return a leg's average price of what has filled, in dollars per share."""
        return sum((fill.prices[number] * fill.units for fill in self.fills), Decimal(0)) / self.filled

    @property
    def updated_ns(self) -> int:
        """When its state last changed."""
        last = self.fills[-1].ts_ns if self.fills else self.submitted_ns
        return self.ended_ns if self.ended_ns is not None else last

    @property
    def looks_after_ns(self) -> int:
        """Quotes later than this can fill it; the quote that reached its stop can."""
        if self.fills:
            return self.fills[-1].ts_ns
        return self.submitted_ns if self.triggered_ns is None else self.triggered_ns - 1

    def family(self) -> list[DeskOrder]:
        """Return the other orders that hang together with this one."""
        head = self.parent or self
        return [order for order in (head, *head.children) if order is not self]


def signed_quantities(ticket: Ticket, units: int | None = None) -> dict[str, int]:
    """Return the change of position that filling some units makes, all by default, by symbol."""
    filled = ticket.quantity if units is None else units
    return {leg.symbol: filled * leg.ratio * leg.sign for leg in ticket.legs}


def cash_flow(ticket: Ticket, net: Decimal, units: int | None = None) -> Decimal:
    """Return dollars paid (positive) or received for some units, all by default, at a net price per share."""
    return net * ticket.multiplier * (ticket.quantity if units is None else units)


def is_option(symbol: str) -> bool:
    """Tell an OCC symbol from a ticker.

    Examples
    --------
    >>> is_option("SPY250417C00600000"), is_option("SPY")
    (True, False)
    """
    return len(symbol) > _OCC_TAIL


def multiplier(symbol: str) -> int:
    """Return how many shares one unit of a symbol stands for."""
    return MULTIPLIER if is_option(symbol) else 1


def leg_id(order: DeskOrder, number: int) -> str:
    """Return the id under which a leg is reported: the order's own for a single leg."""
    if not order.ticket.multi:
        return order.order_id
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"leg {number} of {order.order_id}"))


def exit_ticket(ticket: Ticket, leave: Exit) -> Ticket:
    """Return the order that closes what another one opens, or that stands beside an OCO's other half."""
    leg = ticket.legs[0]
    other = Side.SELL if leg.side is Side.BUY else Side.BUY
    side = leg.side if ticket.order_class is OrderClass.OCO else other
    limit = -leave.limit if leave.limit is not None and side is Side.SELL else leave.limit
    return Ticket(
        "",
        (DeskLeg(leg.symbol, side, Effect.CLOSE),),
        ticket.quantity,
        limit,
        leave.stop,
        order_class=ticket.order_class,
        good_till_canceled=ticket.good_till_canceled,
    )
