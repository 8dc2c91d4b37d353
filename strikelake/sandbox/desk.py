"""The simulated broker's desk: it takes the orders of one account and fills them as time goes by."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from strikelake.sandbox import lifecycle
from strikelake.sandbox.books import Books, Execution
from strikelake.sandbox.desk_orders import (
    DeskOrder,
    OrderClass,
    RefusalError,
    Status,
    Ticket,
    cash_flow,
    exit_ticket,
    leg_id,
    unreadable,
)
from strikelake.sandbox.exchange import Exchange, current_session
from strikelake.sandbox.margin import requirement
from strikelake.sandbox.matching import Match
from strikelake.sandbox.permissions import admit, available
from strikelake.sandbox.quotes import QuoteBoard
from strikelake.sandbox.working import next_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from strikelake.sandbox.faults import Faults

_GOOD_TILL_NS = 90 * 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """The account.

    Attributes
    ----------
    cash
        Dollars at the start.
    fee
        Dollars per contract and trade, taken from the cash at the fill.
    options_level
        0 none, 1 covered, 2 long options, 3 spreads.
    """

    cash: Decimal = Decimal(25000)
    fee: Decimal = Decimal("0.65")
    options_level: int = 3


@dataclass(frozen=True, slots=True)
class Update:
    """What happened to an order, as `trade_updates` tells it.

    Attributes
    ----------
    event
        In Alpaca's words: accepted, new, partial_fill, fill, canceled, expired, replaced, rejected.
    fill
        Of a fill.
    """

    event: str
    order: DeskOrder
    ts_ns: int
    fill: Match | None = None


@dataclass(slots=True)
class Desk:
    """One account's orders and books. Everything happens in simulated time; `now` is ns UTC.

    Parameters
    ----------
    exchange
        The simulated market.
    config
        The account.
    notify
        Called with every update, as it happens.
    faults
        `broker.partial_fill` and `broker.reject` are asked for here.
    """

    exchange: Exchange
    config: BrokerConfig
    notify: Callable[[Update], None] = field(default=lambda _: None)
    faults: Faults | None = None
    board: QuoteBoard = field(init=False)
    books: Books = field(init=False)
    orders: dict[str, DeskOrder] = field(default_factory=dict)
    not_exercised: set[str] = field(default_factory=set)
    time: int = field(init=False)

    def __post_init__(self) -> None:
        self.board = QuoteBoard(self.exchange)
        self.books = Books(self.board, self.config.cash)
        self.time = self.exchange.start_ns

    def submit(self, ticket: Ticket, now: int) -> DeskOrder:
        """Accept an order.

        Raises
        ------
        RefusalError
            As the broker answers: 422 for a duplicate client_order_id or an unknown symbol, 403 for what the
            account may not do or cannot pay.
        """
        if ticket.client_order_id and self.by_client_id(ticket.client_order_id) is not None:
            raise RefusalError(422, 40010001, "client_order_id must be unique")
        ticket, hold = admit(self, ticket, now)
        order = self._enter(ticket, now, hold)
        works = ticket.order_class is OrderClass.OCO
        for leave in ticket.exits:
            child = self._enter(exit_ticket(order.ticket, leave), now, Decimal(0), Status.ACCEPTED)
            child.parent = order
            child.status = Status.ACCEPTED if works else Status.HELD
            order.children.append(child)
        self.notify(Update("accepted", order, now))
        order.refused = self._fault("broker.reject", order)
        return order

    def replace(self, order: DeskOrder, ticket: Ticket, now: int) -> DeskOrder:
        """Put a changed order in an open one's place; what has filled counts for the new one.

        Raises
        ------
        RefusalError
            With status 422 when the order has ended or has filled more, or as `submit` does.
        """
        if order.status is Status.REPLACED:
            raise unreadable("order already replaced")
        if not order.status.works:
            raise unreadable(f"cannot replace order in {order.status} status")
        if ticket.quantity <= order.filled:
            raise unreadable("qty must be > filled_qty")
        before, order.status = order.status, Status.REPLACED
        try:
            new = self.submit(ticket, now)
        except RefusalError:
            order.status = before
            raise
        order.ended_ns, order.replaced_by, new.replaces = now, new.order_id, order.order_id
        new.fills, new.fees, new.children = list(order.fills), order.fees, order.children
        for child in new.children:
            child.parent = new
        order.children = []
        self.notify(Update("replaced", order, now))
        return new

    def cancel(self, order: DeskOrder, now: int) -> None:
        """Cancel an open order and what hangs on it.

        Raises
        ------
        RefusalError
            With status 422 when it has ended.
        """
        if not order.status.is_open:
            raise unreadable(f'order is already in "{order.status}" state')
        self._end(order, Status.CANCELED, now)

    def advance(self, now: int) -> None:
        """Bring everything up to `now` in the order of time: fills, the close, what expires at it."""
        for moment, happens in lifecycle.agenda(self, self.time, now):
            self._trade(moment)
            happens(self, moment)
        self._trade(now)
        self.time = now

    def expire_orders(self, moment: int) -> None:
        """End the orders whose day is over."""
        for order in self.open_orders():
            if order.expires_ns <= moment and order.status.is_open:
                self._end(order, Status.EXPIRED, order.expires_ns)

    def open_orders(self) -> list[DeskOrder]:
        """Return the orders that have not ended, oldest first."""
        return [order for order in self.orders.values() if order.status.is_open]

    def by_client_id(self, client_order_id: str) -> DeskOrder | None:
        """Return the order with a client's id, whatever its state; None when there is none."""
        found = (o for o in self.orders.values() if o.ticket.client_order_id == client_order_id)
        return next(found, None)

    def margin(self, now: int) -> Decimal:
        """Return what the positions tie up, in dollars."""
        return requirement(self.books.quantities(), self.books.short_prices(now), self.books.shares)

    def buying_power(self, now: int) -> Decimal:
        """Return cash that neither positions nor open orders tie up, in dollars, never negative."""
        held = sum((order.hold for order in self.open_orders()), Decimal(0))
        return max(Decimal(0), self.books.cash - self.margin(now) - held)

    def available(self, symbol: str) -> int:
        """Return how much of a position no open order is closing; signed as the position."""
        return available(self, symbol)

    def _enter(self, ticket: Ticket, now: int, hold: Decimal, status: Status = Status.ACCEPTED) -> DeskOrder:
        order_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"order {len(self.orders)}"))
        name = ticket.client_order_id or str(uuid.uuid5(uuid.NAMESPACE_OID, f"client of {order_id}"))
        ends = now + _GOOD_TILL_NS if ticket.good_till_canceled else current_session(now).close_ns
        order = DeskOrder(order_id, replace(ticket, client_order_id=name), now, ends, hold, status)
        self.orders[order_id] = order
        return order

    def _trade(self, until: int) -> None:
        self._route(until)
        while (found := next_event(self.board, self.open_orders(), until)) is not None:
            order, event = found
            if isinstance(event, Match):
                self._book(order, event)
            else:
                order.triggered_ns = event

    def _route(self, now: int) -> None:
        """Send accepted orders to the exchange: at once in the session, otherwise at its open."""
        for order in self.open_orders():
            sent = max(order.submitted_ns, current_session(order.submitted_ns).open_ns)
            if order.status is not Status.ACCEPTED or order.submitted_ns >= now or sent > now:
                continue
            if order.refused:
                self._end(order, Status.REJECTED, sent)
            else:
                order.status = Status.NEW
                self.notify(Update("new", order, sent))

    def _book(self, order: DeskOrder, fill: Match) -> None:
        if fill.units > 1 and self._fault("broker.partial_fill", order):
            fill, order.stuck = replace(fill, units=fill.units // 2), True
        left_before = order.remaining
        order.fills.append(fill)
        done = order.remaining == 0
        order.status = Status.FILLED if done else Status.PARTIALLY_FILLED
        order.ended_ns = fill.ts_ns if done else None
        order.hold = Decimal(0) if done else order.hold * order.remaining / left_before
        fees = self.config.fee * order.ticket.contracts * fill.units / order.ticket.quantity
        order.fees += fees
        self.books.cash -= cash_flow(order.ticket, fill.net, fill.units) + fees
        for number, (leg, price) in enumerate(zip(order.ticket.legs, fill.prices, strict=True)):
            self.books.move(leg.symbol, leg.sign * fill.units * leg.ratio, price)
            self._note(order, number, fill)
        self.books.record(fill.ts_ns)
        self.notify(Update("fill" if done else "partial_fill", order, fill.ts_ns, fill))
        self._settle_family(order, fill)

    def _note(self, order: DeskOrder, number: int, fill: Match) -> None:
        """Write one leg of a fill into the activities."""
        leg = order.ticket.legs[number]
        self.books.activities.append(
            Execution(
                len(self.books.activities),
                leg_id(order, number),
                leg.symbol,
                leg.side,
                fill.units * leg.ratio,
                fill.prices[number],
                fill.ts_ns,
                order.filled * leg.ratio,
                order.remaining * leg.ratio,
                order.status,
            )
        )

    def _settle_family(self, order: DeskOrder, fill: Match) -> None:
        """Let a filled entry's exits work, and take from an exit's sibling what it has sold."""
        if order.ticket.order_class in {OrderClass.BRACKET, OrderClass.OTO} and order.parent is None:
            for child in order.children:
                if order.status is Status.FILLED and child.status is Status.HELD:
                    child.status, child.submitted_ns = Status.NEW, fill.ts_ns
                    self.notify(Update("new", child, fill.ts_ns))
            return
        for other in order.family():
            if not other.status.is_open:
                continue
            left = other.ticket.quantity - fill.units
            if left > 0 and order.status is not Status.FILLED:
                other.ticket = replace(other.ticket, quantity=left)
            else:
                self._end(other, Status.CANCELED, fill.ts_ns)

    def _fault(self, name: str, order: DeskOrder) -> bool:
        return self.faults is not None and self.faults.take(name, order.ticket.legs[0].symbol)

    def _end(self, order: DeskOrder, status: Status, moment: int) -> None:
        """End an order and the exits that hang on it."""
        order.status, order.ended_ns = status, moment
        event = {Status.REJECTED: "rejected", Status.EXPIRED: "expired"}.get(status, "canceled")
        self.notify(Update(event, order, moment))
        for child in order.children:
            if child.status.is_open:
                self._end(child, Status.CANCELED if status is Status.REJECTED else status, moment)
