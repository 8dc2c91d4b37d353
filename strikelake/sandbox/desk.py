"""The simulated broker's books: orders, positions and cash of one account."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from decimal import Decimal

from strikelake.contracts import MULTIPLIER
from strikelake.orders import Effect, OrderStatus, Side
from strikelake.sandbox.desk_orders import (
    DeskLeg,
    DeskOrder,
    RefusalError,
    Ticket,
    cash_flow,
    signed_quantities,
)
from strikelake.sandbox.exchange import Exchange, current_session
from strikelake.sandbox.margin import requirement, uncovered_call
from strikelake.sandbox.matching import Match, WorkingLeg, match

_LONG_OPTIONS, _SPREADS = 2, 3


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
        1 covered, 2 long options, 3 spreads.
    """

    cash: Decimal = Decimal(25000)
    fee: Decimal = Decimal("0.65")
    options_level: int = 3


@dataclass(frozen=True, slots=True)
class Held:
    """Contracts held of one symbol, negative when short, and their average price in dollars per share."""

    quantity: int
    average_price: Decimal


@dataclass(frozen=True, slots=True)
class Execution:
    """One leg of a fill, as the activities report it."""

    order_id: str
    symbol: str
    side: Side
    quantity: int
    price: Decimal
    ts_ns: int


@dataclass(slots=True)
class Desk:
    """One account's books. Everything happens in simulated time; methods that need it take `now` (ns UTC)."""

    exchange: Exchange
    config: BrokerConfig
    cash: Decimal = field(init=False)
    orders: dict[str, DeskOrder] = field(default_factory=dict)
    positions: dict[str, Held] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cash = self.config.cash

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
        for leg in ticket.legs:
            if leg.symbol not in self.exchange.listings:
                raise RefusalError(422, 42210000, f'asset "{leg.symbol}" not found')
        ticket = replace(ticket, legs=tuple(self._with_effect(leg) for leg in ticket.legs))
        self._check_permission(ticket, now)
        hold = self._check_buying_power(ticket, now)
        order_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"order {len(self.orders)}"))
        if not ticket.client_order_id:
            ticket = replace(
                ticket, client_order_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"client of {order_id}"))
            )
        order = DeskOrder(order_id, ticket, now, current_session(now).close_ns, hold, OrderStatus.ACCEPTED)
        self.orders[order_id] = order
        return order

    def cancel(self, order: DeskOrder, now: int) -> None:
        """Cancel an open order.

        Raises
        ------
        RefusalError
            With status 422 when it has ended.
        """
        if not order.status.is_open:
            raise RefusalError(422, 42210000, f'order is already in "{order.status}" state')
        order.status, order.ended_ns = OrderStatus.CANCELED, now

    def advance(self, now: int) -> None:
        """Bring the books up to `now`: fill what the quotes allow in the order of time, expire day orders."""
        while (earliest := self._earliest_fill(now)) is not None:
            self._book(*earliest)
        for order in self.open_orders():
            order.status = OrderStatus.NEW
            if order.expires_ns <= now:
                order.status, order.ended_ns = OrderStatus.EXPIRED, order.expires_ns

    def open_orders(self) -> list[DeskOrder]:
        """Return the orders that can still fill, oldest first."""
        return [order for order in self.orders.values() if order.status.is_open]

    def by_client_id(self, client_order_id: str) -> DeskOrder | None:
        """Return the order with a client's id, whatever its state; None when there is none."""
        found = (o for o in self.orders.values() if o.ticket.client_order_id == client_order_id)
        return next(found, None)

    def equity(self, now: int) -> Decimal:
        """Return cash plus positions at the side they would close at, in dollars."""
        return self.cash + sum((self.market_value(symbol, now) for symbol in self.positions), Decimal(0))

    def market_value(self, symbol: str, now: int) -> Decimal:
        """Return what a position is worth in dollars: at the bid when long, minus the ask when short."""
        quantity = self.positions[symbol].quantity
        return self.exchange.listings[symbol].mark(now, long=quantity > 0) * quantity * MULTIPLIER

    def margin(self) -> Decimal:
        """Return what the positions tie up, in dollars."""
        return requirement(self._quantities())

    def buying_power(self) -> Decimal:
        """Return cash that neither positions nor open orders tie up, in dollars, never negative."""
        held = sum((order.hold for order in self.open_orders()), Decimal(0))
        return max(Decimal(0), self.cash - self.margin() - held)

    def available(self, symbol: str) -> int:
        """Return how many contracts of a position no open order is closing; signed as the position."""
        quantity = self.positions[symbol].quantity if symbol in self.positions else 0
        closing = sum(
            order.ticket.quantity * leg.ratio
            for order in self.open_orders()
            for leg in order.ticket.legs
            if leg.symbol == symbol and leg.effect is Effect.CLOSE
        )
        return quantity - closing if quantity > 0 else quantity + closing

    def _quantities(self, change: dict[str, int] | None = None) -> dict[str, int]:
        quantities = {symbol: held.quantity for symbol, held in self.positions.items()}
        for symbol, by in (change or {}).items():
            quantities[symbol] = quantities.get(symbol, 0) + by
        return quantities

    def _with_effect(self, leg: DeskLeg) -> DeskLeg:
        """Fill in what the client left open: closing when a position of the other sign is there."""
        if leg.effect is not None:
            return leg
        held = self.positions[leg.symbol].quantity if leg.symbol in self.positions else 0
        closes = held < 0 if leg.side is Side.BUY else held > 0
        return replace(leg, effect=Effect.CLOSE if closes else Effect.OPEN)

    def _check_permission(self, ticket: Ticket, now: int) -> None:
        is_open = current_session(now).open_ns <= now
        if ticket.limit is None and not is_open:
            raise RefusalError(422, 42210000, "options market orders are only allowed during market hours")
        opens = any(leg.effect is Effect.OPEN for leg in ticket.legs)
        needed = _SPREADS if ticket.multi else _LONG_OPTIONS
        if opens and self.config.options_level < needed:
            raise RefusalError(403, 40310000, f"account not eligible to trade options of level {needed}")
        for leg in ticket.legs:
            wanted = ticket.quantity * leg.ratio
            free = self.available(leg.symbol) * (1 if leg.side is Side.SELL else -1)
            if leg.effect is Effect.CLOSE and free < wanted:
                message = (
                    f"insufficient qty available for order (requested: {wanted}, available: {max(free, 0)})"
                )
                raise RefusalError(403, 40310000, message, symbol=leg.symbol, available=str(max(free, 0)))
        after = self._quantities(signed_quantities(ticket))
        if (symbol := uncovered_call(after)) is not None:
            message = "account not eligible to trade uncovered option contracts"
            raise RefusalError(403, 40310000, message, symbol=symbol)

    def _check_buying_power(self, ticket: Ticket, now: int) -> Decimal:
        """Return the dollars an order would tie up; refuse it when they are not there."""
        net = ticket.limit if ticket.limit is not None else self._price_now(ticket, now)
        after = requirement(self._quantities(signed_quantities(ticket)))
        cost = cash_flow(ticket, net) + after - self.margin() + self.config.fee * ticket.contracts
        free = self.buying_power()
        if cost > free:
            raise RefusalError(
                403, 40310000, "insufficient buying power", buying_power=str(free), cost_basis=str(cost)
            )
        return max(cost, Decimal(0))

    def _price_now(self, ticket: Ticket, now: int) -> Decimal:
        """Return a market order's net price at the last quotes; a missing side counts as 0."""
        marks = [
            self.exchange.listings[leg.symbol].mark(now, long=leg.side is Side.SELL) * leg.ratio
            for leg in ticket.legs
        ]
        signs = [1 if leg.side is Side.BUY else -1 for leg in ticket.legs]
        return sum((sign * mark for sign, mark in zip(signs, marks, strict=True)), Decimal(0))

    def _earliest_fill(self, now: int) -> tuple[DeskOrder, Match] | None:
        found = [
            (order, fill) for order in self.open_orders() if (fill := self._fill(order, now)) is not None
        ]
        return min(found, key=lambda pair: pair[1].ts_ns, default=None)

    def _fill(self, order: DeskOrder, now: int) -> Match | None:
        legs = [
            WorkingLeg(self.exchange.listings[leg.symbol].tape, leg.side, leg.ratio)
            for leg in order.ticket.legs
        ]
        return match(legs, order.ticket.limit, order.submitted_ns, min(now, order.expires_ns))

    def _book(self, order: DeskOrder, fill: Match) -> None:
        order.status, order.ended_ns, order.fill = OrderStatus.FILLED, fill.ts_ns, fill
        order.fees = self.config.fee * order.ticket.contracts
        self.cash -= cash_flow(order.ticket, fill.net) + order.fees
        for number, (leg, price) in enumerate(zip(order.ticket.legs, fill.prices, strict=True)):
            quantity = order.ticket.quantity * leg.ratio
            self._move(leg.symbol, quantity if leg.side is Side.BUY else -quantity, price)
            name = leg_id(order, number)
            self.executions.append(Execution(name, leg.symbol, leg.side, quantity, price, fill.ts_ns))

    def _move(self, symbol: str, change: int, price: Decimal) -> None:
        """Change a position; the average price moves only when it grows."""
        held = self.positions.get(symbol, Held(0, Decimal(0)))
        quantity = held.quantity + change
        if quantity == 0:
            self.positions.pop(symbol)
        elif held.quantity * change >= 0:
            paid = held.average_price * held.quantity + price * change
            self.positions[symbol] = Held(quantity, paid / quantity)
        else:
            crossed = held.quantity * quantity < 0
            self.positions[symbol] = Held(quantity, price if crossed else held.average_price)


def leg_id(order: DeskOrder, number: int) -> str:
    """Return the id under which a leg is reported: the order's own for a single leg."""
    if not order.ticket.multi:
        return order.order_id
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"leg {number} of {order.order_id}"))
