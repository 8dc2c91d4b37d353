"""What an account holds. Money is `Decimal`, quantities are `int`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from strikelake.contracts import MULTIPLIER
from strikelake.splits import adjust_contract

if TYPE_CHECKING:
    from strikelake.orders import Leg
    from strikelake.splits import Split


@dataclass(frozen=True, slots=True)
class Account:
    """The account as the broker reports it, in dollars.

    `options_level` is Alpaca's: 0 none, 1 covered, 2 long options, 3 spreads.
    """

    account_id: str
    equity: Decimal
    cash: Decimal
    buying_power: Decimal
    options_level: int


@dataclass(frozen=True, slots=True)
class Position:
    """Contracts held of one symbol: negative when short; `average_price` in dollars per share."""

    occ_symbol: str
    quantity: int
    average_price: Decimal


@dataclass(frozen=True, slots=True)
class Holding:
    """One open trade: the legs that were opened together and are to be closed together.

    Attributes
    ----------
    client_order_id
        Of the order that opened it.
    legs
        As opened, and as splits have adjusted them since.
    quantity
        Units held.
    entry_price
        Net dollars per share and unit paid (negative: received).
    opened_at, exit_at
        When it was decided and when it is to be closed by time, ns UTC.
    direction
        +1 gains when the underlying rises, -1 when it falls.
    max_loss
        Dollars at the stop.
    shares
        What each contract delivers: 100, unless a split has changed it.
    """

    client_order_id: str
    underlying: str
    strategy: str
    legs: tuple[Leg, ...]
    quantity: int
    entry_price: Decimal
    opened_at: int
    exit_at: int
    direction: int
    max_loss: Decimal
    shares: Decimal = Decimal(MULTIPLIER)


def adjust_holding(holding: Holding, split: Split) -> Holding:
    """Return a holding after a split of its underlying: other contracts, worth the same.

    A split of other shares leaves it as it is.
    """
    if holding.underlying != split.ticker:
        return holding
    after = [adjust_contract(leg.occ_symbol, split, holding.shares) for leg in holding.legs]
    contracts = after[0].contracts
    return replace(
        holding,
        legs=tuple(
            replace(leg, occ_symbol=to.occ_symbol) for leg, to in zip(holding.legs, after, strict=True)
        ),
        quantity=holding.quantity * contracts,
        entry_price=holding.entry_price / contracts,
        shares=after[0].shares,
    )
