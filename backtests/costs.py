"""What trading costs beyond the quoted spread."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Costs:
    """Fees of a backtest.

    Attributes
    ----------
    fee_per_contract
        Dollars per contract and side: broker, exchange and regulator in one number, the same on every date.
    """

    fee_per_contract: Decimal = Decimal("0.65")


def fill_fees(contracts: int, costs: Costs) -> Decimal:
    """Return the fees of one leg's execution, dollars.

    Examples
    --------
    >>> fill_fees(3, Costs())
    Decimal('1.95')
    """
    return costs.fee_per_contract * contracts
