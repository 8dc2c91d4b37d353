"""What the live trader asks of a broker.

Every method either answers definitely or raises. `BrokerUnavailableError` means that nobody knows what
happened to the request: after it, an order is looked up by its client_order_id before anything else is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from strikelake.orders import OrderIntent, OrderState
    from strikelake.portfolio import Account, Position


class Broker(Protocol):
    """A brokerage account that takes option orders.

    Raises
    ------
    BrokerUnavailableError
        By every method: timeout, broken connection, 429, 5xx, or an answer that cannot be read.
    BrokerError
        By every method: a definite refusal that another try will not change, such as wrong keys.
    """

    def account(self) -> Account:
        """Return the account's balances as of now."""
        ...

    def positions(self) -> list[Position]:
        """Return every open position, those that Strikelake did not open included."""
        ...

    def submit(self, intent: OrderIntent) -> OrderState:
        """Send a day order once, without retries; it can be in force even when this raises.

        Parameters
        ----------
        intent
            Sent under its `client_order_id`. Where the broker already knows that name, the order it has is
            returned and nothing new is placed.

        Returns
        -------
        OrderState
            The order as the broker took it.

        Raises
        ------
        OrderRejectedError
            Refused; nothing was placed.
        BrokerUnavailableError
            Placed or not: unknown. Look it up with `order`.
        """
        ...

    def order(self, client_order_id: str) -> OrderState | None:
        """Return the order of that name; None only when the broker says that it has none."""
        ...

    def cancel(self, client_order_id: str) -> None:
        """Ask for an order to be canceled; one that has ended or does not exist is left as it is.

        The broker may fill the order before the request arrives, so look it up afterwards.
        """
        ...

    def open_orders(self) -> list[OrderState]:
        """Return every order that can still fill, those that Strikelake did not send included."""
        ...
