"""A broker inside the process, for dry runs: real data, real decisions, and no order leaves the machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from strikelake.contracts import MULTIPLIER
from strikelake.errors import BrokerError
from strikelake.orders import OrderState, OrderStatus, Side
from strikelake.portfolio import Account, Position

if TYPE_CHECKING:
    from strikelake.calendar import Clock
    from strikelake.orders import OrderIntent


@dataclass(frozen=True, slots=True)
class _Held:
    """Contracts of one symbol, and the dollars paid for them less those received."""

    quantity: int
    paid: Decimal


class MemoryBroker:
    """An account that lives as long as this object.

    Parameters
    ----------
    account
        Opening balances. Positions are valued at what was paid; a gain is booked once a symbol is flat.
    clock
        Gives orders their times.
    fill_at_limit
        Whether an order fills whole, at its limit and at once; otherwise it rests until `fill` is called.
    """

    def __init__(self, account: Account, clock: Clock, *, fill_at_limit: bool = True) -> None:
        self._account = account
        self._clock = clock
        self._fill_at_limit = fill_at_limit
        self._intents: dict[str, OrderIntent] = {}
        self._orders: dict[str, OrderState] = {}
        self._held: dict[str, _Held] = {}

    def account(self) -> Account:
        """Return the balances, positions valued at cost."""
        value = sum((held.paid for held in self._held.values()), Decimal(0))
        return replace(self._account, equity=self._account.cash + value)

    def positions(self) -> list[Position]:
        """Return the positions; a structure's net price stands on its first leg."""
        return [
            Position(symbol, held.quantity, held.paid / held.quantity / MULTIPLIER)
            for symbol, held in sorted(self._held.items())
        ]

    def submit(self, intent: OrderIntent) -> OrderState:
        """Take an order, once per client_order_id."""
        name = intent.client_order_id
        if name not in self._orders:
            now = self._clock.now()
            self._intents[name] = intent
            self._orders[name] = OrderState(
                name, f"memory-{len(self._orders)}", OrderStatus.ACCEPTED, intent.quantity, 0, None, now
            )
            if self._fill_at_limit:
                self.fill(name)
        return self._orders[name]

    def order(self, client_order_id: str) -> OrderState | None:
        """Return the order of that name, or None."""
        return self._orders.get(client_order_id)

    def cancel(self, client_order_id: str) -> None:
        """Cancel what is left of an open order."""
        found = self._orders.get(client_order_id)
        if found is not None and found.status.is_open:
            self._orders[client_order_id] = replace(
                found, status=OrderStatus.CANCELED, updated_at=self._clock.now()
            )

    def open_orders(self) -> list[OrderState]:
        """Return the orders that can still fill."""
        return [order for order in self._orders.values() if order.status.is_open]

    def fill(
        self, client_order_id: str, quantity: int | None = None, price: Decimal | None = None
    ) -> OrderState:
        """Fill an open order, whole and at its limit unless told otherwise.

        Raises
        ------
        BrokerError
            When there is no such open order, or less of it is left.
        """
        found = self._orders.get(client_order_id)
        left = found.quantity - found.filled_quantity if found is not None and found.status.is_open else 0
        units = left if quantity is None else quantity
        if found is None or not 0 < units <= left:
            raise BrokerError(
                f"order {client_order_id} has {left} left to fill, not {units}: look at open_orders()"
            )
        intent = self._intents[client_order_id]
        net = intent.limit_price if price is None else price
        self._book(intent, units, net)
        filled = found.filled_quantity + units
        before = (found.average_price or Decimal(0)) * found.filled_quantity
        self._orders[client_order_id] = replace(
            found,
            status=OrderStatus.FILLED if filled == found.quantity else OrderStatus.PARTIALLY_FILLED,
            filled_quantity=filled,
            average_price=(before + net * units) / filled,
            updated_at=self._clock.now(),
        )
        return self._orders[client_order_id]

    def _book(self, intent: OrderIntent, units: int, net: Decimal) -> None:
        paid = net * units * MULTIPLIER
        self._account = replace(
            self._account, cash=self._account.cash - paid, buying_power=self._account.buying_power - paid
        )
        for leg in intent.legs:
            before = self._held.pop(leg.occ_symbol, _Held(0, Decimal(0)))
            quantity = before.quantity + units * leg.ratio * (1 if leg.side is Side.BUY else -1)
            if quantity:
                self._held[leg.occ_symbol] = _Held(quantity, before.paid + paid)
            paid = Decimal(0)
