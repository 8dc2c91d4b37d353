"""What option positions tie up, by the broker's rule: their largest possible loss at expiration."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from strikelake.contracts import MULTIPLIER, OptionContract

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    Groups = dict[tuple[str, date], list[tuple[OptionContract, int]]]


def requirement(positions: Mapping[str, int]) -> Decimal:
    """Return the maintenance requirement in dollars.

    Per underlying and expiration it is the worst payoff over all prices of the underlying; contracts of
    different expirations do not cover each other. Uncovered calls have no worst payoff: see `uncovered_call`.

    Parameters
    ----------
    positions
        Contracts by OCC symbol, negative when short.

    Examples
    --------
    >>> requirement({"SPY250417C00600000": -1, "SPY250417C00610000": 1})
    Decimal('1000')
    """
    total = Decimal(0)
    for group in _by_expiration(positions).values():
        prices = [Decimal(0), *(contract.strike for contract, _ in group)]
        total += max(Decimal(0), -min(_payoff(group, price) for price in prices))
    return total * MULTIPLIER


def uncovered_call(positions: Mapping[str, int]) -> str | None:
    """Return the symbol of a short call that no long call of its expiration covers; None when there is none.

    Examples
    --------
    >>> uncovered_call({"SPY250417C00600000": -2, "SPY250417C00610000": 1})
    'SPY250417C00600000'
    """
    for group in _by_expiration(positions).values():
        calls = [(contract, held) for contract, held in group if contract.option_type == "C"]
        if sum(held for _, held in calls) < 0:
            return next(contract.occ_symbol for contract, held in calls if held < 0)
    return None


def _by_expiration(positions: Mapping[str, int]) -> Groups:
    groups: Groups = defaultdict(list)
    for symbol, held in positions.items():
        contract = OptionContract.parse(symbol)
        groups[contract.underlying, contract.expiration].append((contract, held))
    return groups


def _payoff(group: Iterable[tuple[OptionContract, int]], price: Decimal) -> Decimal:
    """Return dollars per share at expiration when the underlying ends at `price`."""
    total = Decimal(0)
    for contract, held in group:
        gain = price - contract.strike if contract.option_type == "C" else contract.strike - price
        total += held * max(gain, Decimal(0))
    return total
