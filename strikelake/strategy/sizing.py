"""How many contracts: the least that any budget allows, and which budget that was."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from strikelake.contracts import MULTIPLIER

if TYPE_CHECKING:
    from decimal import Decimal


class Binding(StrEnum):
    """The budget that set the size, in the order in which ties are named."""

    RISK_PER_TRADE = "risk_per_trade"
    POSITION_LIMIT = "position_limit"
    PORTFOLIO_RISK = "portfolio_risk"
    BUYING_POWER = "buying_power"


@dataclass(frozen=True, slots=True)
class Budgets:
    """Dollars that an entry may use.

    Attributes
    ----------
    risk_per_trade
        Loss at the stop.
    position_limit
        Cost.
    portfolio_risk
        Loss at the stop that open and pending trades leave.
    buying_power
        Cost.
    """

    risk_per_trade: Decimal
    position_limit: Decimal
    portfolio_risk: Decimal
    buying_power: Decimal


@dataclass(frozen=True, slots=True)
class UnitCost:
    """What one unit of a structure costs and can lose, dollars.

    Attributes
    ----------
    cost
        Paid at the limit price, entry fees included.
    loss_at_stop
        Lost when closed at the stop, fees of both ways included. Prices that jump past the stop lose more.
    """

    cost: Decimal
    loss_at_stop: Decimal


@dataclass(frozen=True, slots=True)
class Sizing:
    """Units to trade, 0 included, and the budget that set them."""

    quantity: int
    binding: Binding


def unit_cost(limit: Decimal, n_legs: int, stop_loss: Decimal, fee_per_contract: Decimal) -> UnitCost:
    """Return cost and loss of one unit.

    Parameters
    ----------
    limit
        Net debit per share at worst.
    n_legs
        Contracts per unit; each pays the fee at entry and at exit.
    stop_loss
        Fraction of the debit lost at the stop.
    fee_per_contract
        Dollars per contract and side.

    Examples
    --------
    >>> from decimal import Decimal
    >>> unit_cost(Decimal("2.00"), 1, Decimal("0.40"), Decimal("0.65"))
    UnitCost(cost=Decimal('200.65'), loss_at_stop=Decimal('81.3000'))
    """
    paid, fees = limit * MULTIPLIER, fee_per_contract * n_legs
    return UnitCost(paid + fees, paid * stop_loss + 2 * fees)


def size(unit: UnitCost, budgets: Budgets) -> Sizing:
    """Return the largest whole number of units that keeps every budget.

    Parameters
    ----------
    unit
        Cost and loss of one unit; positive, else the size is 0.
    budgets
        Dollars; a negative one leaves nothing.
    """
    each = (
        (Binding.RISK_PER_TRADE, budgets.risk_per_trade, unit.loss_at_stop),
        (Binding.POSITION_LIMIT, budgets.position_limit, unit.cost),
        (Binding.PORTFOLIO_RISK, budgets.portfolio_risk, unit.loss_at_stop),
        (Binding.BUYING_POWER, budgets.buying_power, unit.cost),
    )
    sizes = [Sizing(_whole(budget, needed), binding) for binding, budget, needed in each]
    return min(sizes, key=lambda sizing: sizing.quantity)


def _whole(budget: Decimal, needed: Decimal) -> int:
    if budget <= 0 or needed <= 0:
        return 0
    return int(budget // needed)
