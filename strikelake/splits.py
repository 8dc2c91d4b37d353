"""Share splits, and what the clearing house makes of option contracts in them.

Source: OCC By-Laws, Article VI, Section 11A, and its interpretations of stock splits. Where whole new shares
come for each old one, a contract becomes as many contracts at a strike divided by that number, rounded to the
cent. In any other split, reverse ones above all, the strike stays and the contract delivers another number of
shares, under a root that ends in a digit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from strikelake.calendar import et_ns
from strikelake.contracts import MULTIPLIER, OptionContract

if TYPE_CHECKING:
    from datetime import date

_CENT = Decimal("0.01")
_DIGITS = "0123456789"


@dataclass(frozen=True, slots=True)
class Split:
    """`ratio` new shares of `ticker` for each old one, for whoever holds it before `ex_date`."""

    ticker: str
    ex_date: date
    ratio: Fraction

    @property
    def effective_ns(self) -> int:
        """From when on shares and contracts are counted anew: midnight in New York, ns UTC."""
        return et_ns(self.ex_date, "00:00")


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What a contract has become.

    Attributes
    ----------
    occ_symbol
        Its new symbol.
    contracts
        How many there are for each one before; prices per share are divided by as much.
    shares
        What each of them delivers. Parts of a share come in cash, which is worth the same.
    """

    occ_symbol: str
    contracts: int
    shares: Decimal


def split_ratio(old: float, new: float) -> Fraction:
    """Return new shares for an old one, exact in the decimals that vendors write.

    Examples
    --------
    >>> split_ratio(1.0, 2.0), split_ratio(10.0, 1.0), split_ratio(1.0, 1.5)
    (Fraction(2, 1), Fraction(1, 10), Fraction(3, 2))
    """
    return Fraction(str(new)) / Fraction(str(old))


def adjust_contract(occ_symbol: str, split: Split, shares: Decimal = Decimal(MULTIPLIER)) -> Adjusted:
    """Return what a split on its underlying makes of a contract.

    Parameters
    ----------
    occ_symbol
        Without `O:`.
    split
        Of the underlying's shares.
    shares
        What the contract delivers before it. One that does not deliver 100 keeps its strike in every split.

    Examples
    --------
    >>> from datetime import date
    >>> adjust_contract("META250321P00600000", Split("META", date(2025, 2, 24), Fraction(2)))
    Adjusted(occ_symbol='META250321P00300000', contracts=2, shares=Decimal('100'))
    >>> adjust_contract("META250321P00600000", Split("META", date(2025, 2, 24), Fraction(1, 10)))
    Adjusted(occ_symbol='META1250321P00600000', contracts=1, shares=Decimal('10'))
    """
    contract, ratio = OptionContract.parse(occ_symbol), split.ratio
    if ratio.denominator == 1 and shares == MULTIPLIER:
        strike = (contract.strike / ratio.numerator).quantize(_CENT, ROUND_HALF_UP)
        return Adjusted(replace(contract, strike=strike).occ_symbol, ratio.numerator, shares)
    letters = contract.root.rstrip(_DIGITS)
    root = f"{letters}{int(contract.root[len(letters) :] or 0) + 1}"
    delivered = shares * ratio.numerator / ratio.denominator
    return Adjusted(replace(contract, root=root).occ_symbol, 1, delivered)
