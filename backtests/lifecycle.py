"""What happens to contracts that are held to expiration."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from strikelake.contracts import MULTIPLIER, OptionContract, expiry_ns

if TYPE_CHECKING:
    from strikelake.portfolio import Holding


def intrinsic(occ_symbol: str, underlying_close: Decimal, shares: Decimal = Decimal(MULTIPLIER)) -> Decimal:
    """Return what a contract is worth at expiration, dollars for a hundredth of it.

    Parameters
    ----------
    occ_symbol
        Which contract.
    underlying_close
        Dollars per share.
    shares
        What it delivers for a hundred times its strike; a split may have made it other than 100.

    Examples
    --------
    >>> [intrinsic(f"AAPL140621{kind}00645000", Decimal("650.25")) for kind in "CP"]
    [Decimal('5.25'), Decimal('0')]
    """
    contract = OptionContract.parse(occ_symbol)
    gain = underlying_close * shares / MULTIPLIER - contract.strike
    return max(gain if contract.option_type == "C" else -gain, Decimal(0))


def expires_by(holding: Holding, moment: int) -> bool:
    """Return whether any leg of a holding has stopped trading at `moment` (ns UTC)."""
    return any(expiry_ns(OptionContract.parse(leg.occ_symbol).expiration) <= moment for leg in holding.legs)
