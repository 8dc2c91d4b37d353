"""What positions tie up, by the broker's rule: their largest possible loss at expiration."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from strikelake.contracts import MULTIPLIER, OptionContract
from strikelake.sandbox.desk_orders import is_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    Group = list[tuple[OptionContract, int]]

_SHORT_SHARES = Decimal("1.5")
"""Regulation T: the proceeds of a short sale and half as much again."""


def requirement(positions: Mapping[str, int], prices: Mapping[str, Decimal] | None = None) -> Decimal:
    """Return the maintenance requirement in dollars.

    Per underlying and expiration it is the worst payoff over all prices of the underlying. Contracts cover
    what expires no later than they do, so a calendar spread ties up nothing; shares cover short calls.
    Uncovered calls have no worst payoff: see `uncovered_call`.

    Parameters
    ----------
    positions
        Contracts by OCC symbol and shares by ticker, negative when short.
    prices
        Dollars per share of tickers that are held short.

    Examples
    --------
    >>> requirement({"SPY250417C00600000": -1, "SPY250417C00610000": 1})
    Decimal('1000.0')
    """
    total = Decimal(0)
    for group in _groups(positions):
        strikes = [Decimal(0), *(contract.strike for contract, _ in group)]
        total += max(Decimal(0), -min(_payoff(group, price) for price in strikes))
    short = {s: -held for s, held in positions.items() if held < 0 and not is_option(s)}
    shares = sum((held * (prices or {}).get(s, Decimal(0)) for s, held in short.items()), Decimal(0))
    return total * MULTIPLIER + shares * _SHORT_SHARES


def uncovered_call(positions: Mapping[str, int]) -> str | None:
    """Return the symbol of a short call that neither shares nor a long call cover; None when there is none.

    Examples
    --------
    >>> uncovered_call({"SPY250417C00600000": -2, "SPY250417C00610000": 1})
    'SPY250417C00600000'
    >>> uncovered_call({"SPY250417C00600000": -2, "SPY": 200})
    """
    for group in _groups(positions):
        calls = [(contract, held) for contract, held in group if contract.option_type == "C"]
        if sum(held for _, held in calls) < 0:
            return next(contract.occ_symbol for contract, held in calls if held < 0)
    return None


def covering_shares(positions: Mapping[str, int], ticker: str) -> int:
    """Return how many of a ticker's shares cover short calls."""
    held = positions.get(ticker, 0)
    free = held
    while free > 0 and uncovered_call({**positions, ticker: held - free}) is not None:
        free = max(0, free - MULTIPLIER)
    return max(held, 0) - free


def _groups(positions: Mapping[str, int]) -> Iterable[Group]:
    """Split positions into what covers each other: one group per underlying and expiration of a short."""
    underlyings: dict[str, dict[date, Group]] = defaultdict(lambda: defaultdict(list))
    for symbol, held in positions.items():
        if held and is_option(symbol):
            contract = OptionContract.parse(symbol)
            underlyings[contract.underlying][contract.expiration].append((contract, held))
    for underlying, expirations in underlyings.items():
        covered = _covered_calls(expirations, positions.get(underlying, 0) // MULTIPLIER)
        shorts = sorted(day for day, group in covered.items() if any(held < 0 for _, held in group))
        groups: dict[date, Group] = {day: list(covered[day]) for day in shorts}
        for day, group in covered.items():
            earlier = [short for short in shorts if short <= day]
            if day not in groups and earlier:
                groups[earlier[-1]] += group
        yield from groups.values()


def _covered_calls(expirations: Mapping[date, Group], shares: int) -> dict[date, Group]:
    """Leave out the short calls that whole hundreds of shares cover, the nearest expirations first."""
    found: dict[date, Group] = {}
    for day in sorted(expirations):
        group = expirations[day]
        longs = sum(held for contract, held in group if contract.option_type == "C" and held > 0)
        rest: Group = []
        for contract, held in group:
            left = held
            if contract.option_type == "C" and held < 0:
                uncovered = max(0, -held - longs)
                by_shares = min(max(shares, 0), uncovered)
                shares, left, longs = shares - by_shares, held + by_shares, max(0, longs + held)
            rest.append((contract, left))
        found[day] = rest
    return found


def _payoff(group: Iterable[tuple[OptionContract, int]], price: Decimal) -> Decimal:
    """Return dollars per share at expiration when the underlying ends at `price`."""
    total = Decimal(0)
    for contract, held in group:
        gain = price - contract.strike if contract.option_type == "C" else contract.strike - price
        total += held * max(gain, Decimal(0))
    return total
