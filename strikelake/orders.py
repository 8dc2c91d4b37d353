"""What the decision functions ask a broker to do, and what the broker says of it.

Prices and money are `Decimal`, quantities are `int`: orders never see a float.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal


class Side(StrEnum):
    """Which way a leg trades."""

    BUY = "buy"
    SELL = "sell"


class Effect(StrEnum):
    """Whether a leg opens or closes a position."""

    OPEN = "open"
    CLOSE = "close"


class OrderStatus(StrEnum):
    """An order's life at the broker."""

    NEW = "new"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def is_open(self) -> bool:
        """Whether the order can still fill."""
        return self in {OrderStatus.NEW, OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED}


@dataclass(frozen=True, slots=True)
class Leg:
    """One contract of an order, `ratio` of them per unit."""

    occ_symbol: str
    side: Side
    effect: Effect
    ratio: int = 1


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """An order as decided, before anything is sent.

    Attributes
    ----------
    asof
        Decision time, ns UTC.
    underlying, strategy
        What it is on, and which structure it is (for example `long_call`).
    legs
        One leg, or two to four distinct ones.
    quantity
        Units: contracts of each leg are `quantity * ratio`.
    limit_price
        Net dollars per share and unit: positive is a debit, negative a credit.
    reason
        Why, in a word or two: `entry`, `stop`, `time`, `expiration`.
    max_loss
        Dollars that the whole order can lose down to its stop; 0 for exits.
    client_order_id
        Deterministic; see `client_order_id`.
    exit_at
        When an entry is to be closed by time, ns UTC; None for exits.
    direction
        +1 gains when the underlying rises, -1 when it falls.
    """

    asof: int
    underlying: str
    strategy: str
    legs: tuple[Leg, ...]
    quantity: int
    limit_price: Decimal
    reason: str
    max_loss: Decimal
    client_order_id: str
    exit_at: int | None
    direction: int


@dataclass(frozen=True, slots=True)
class OrderState:
    """What the broker says of an order.

    `average_price` is net dollars per share and unit, signed as `OrderIntent.limit_price`, None before a
    fill; `updated_at` is ns UTC.
    """

    client_order_id: str
    broker_id: str
    status: OrderStatus
    quantity: int
    filled_quantity: int
    average_price: Decimal | None
    updated_at: int


@dataclass(frozen=True, slots=True)
class Fill:
    """One leg's execution: `quantity` contracts at `price` dollars per share, `fees` dollars in all."""

    client_order_id: str
    occ_symbol: str
    side: Side
    quantity: int
    price: Decimal
    ts_ns: int
    fees: Decimal


def client_order_id(
    account_id: str, strategy: str, asof: int, legs: tuple[Leg, ...], attempt: int = 0
) -> str:
    """Return the order's name, the same whenever the same decision is made again.

    Parameters
    ----------
    account_id, strategy, asof, legs
        The decision; the order of the legs does not matter.
    attempt
        Raised only when an order is known to have ended and the decision is to be tried anew.

    Returns
    -------
    str
        `sl-` and 28 hexadecimal digits; Alpaca takes up to 128 characters.

    Examples
    --------
    >>> leg = Leg("AAPL140621C00645000", Side.BUY, Effect.OPEN)
    >>> client_order_id("A1", "long_call", 0, (leg,)) == client_order_id("A1", "long_call", 0, (leg,))
    True
    """
    named = sorted(f"{leg.occ_symbol}:{leg.side}:{leg.effect}:{leg.ratio}" for leg in legs)
    text = "|".join([account_id, strategy, str(asof), *named, str(attempt)])
    return f"sl-{hashlib.sha256(text.encode()).hexdigest()[:28]}"
