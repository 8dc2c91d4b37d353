"""What positions tie up, by the broker's rule: their largest possible loss at expiration.

A contract pays what its shares are worth above or below a hundred times its strike. It delivers 100 of them,
or what a split has left of them: 25 shares cover a call on 25, and 100 shares four of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from strikelake.contracts import MULTIPLIER, OptionContract
from strikelake.sandbox.desk_orders import is_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date


class _Held(NamedTuple):
    """Some contracts, negative when short, and the shares that each delivers."""

    contract: OptionContract
    quantity: int
    shares: Fraction

    @property
    def is_call(self) -> bool:
        return self.contract.option_type == "C"

    @property
    def paid(self) -> Fraction:
        """The price of a share at which exercising begins to pay, dollars."""
        return Fraction(self.contract.strike) * MULTIPLIER / self.shares

    def payoff(self, price: Fraction) -> Fraction:
        """Return dollars at expiration when the underlying ends at `price`."""
        gain = price - self.paid if self.is_call else self.paid - price
        return self.quantity * self.shares * max(gain, Fraction(0))


Group: TypeAlias = list[_Held]
Shares: TypeAlias = Callable[[str], Decimal]
"""What one contract of a symbol delivers."""


def _a_hundred(_: str) -> Decimal:
    return Decimal(MULTIPLIER)


_SHORT_SHARES = Decimal("1.5")
"""Regulation T: the proceeds of a short sale and half as much again."""


def requirement(
    positions: Mapping[str, int], prices: Mapping[str, Decimal] | None = None, delivers: Shares = _a_hundred
) -> Decimal:
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
    delivers
        Shares that a contract delivers.

    Examples
    --------
    >>> requirement({"SPY250417C00600000": -1, "SPY250417C00610000": 1})
    Decimal('1000.0')
    """
    total = Fraction(0)
    for group in _groups(positions, delivers):
        kinks = [Fraction(0), *(held.paid for held in group)]
        total -= min(Fraction(0), *(sum(held.payoff(price) for held in group) for price in kinks))
    short = {s: -held for s, held in positions.items() if held < 0 and not is_option(s)}
    shares = sum((held * (prices or {}).get(s, Decimal(0)) for s, held in short.items()), Decimal(0))
    return Decimal(total.numerator) / total.denominator + shares * _SHORT_SHARES


def uncovered_call(positions: Mapping[str, int], delivers: Shares = _a_hundred) -> str | None:
    """Return the symbol of a short call that neither shares nor a long call cover; None when there is none.

    Examples
    --------
    >>> uncovered_call({"SPY250417C00600000": -2, "SPY250417C00610000": 1})
    'SPY250417C00600000'
    >>> uncovered_call({"SPY250417C00600000": -2, "SPY": 200})
    """
    for group in _groups(positions, delivers):
        calls = [held for held in group if held.is_call]
        if sum(held.quantity * held.shares for held in calls) < 0:
            return next(held.contract.occ_symbol for held in calls if held.quantity < 0)
    return None


def covering_shares(positions: Mapping[str, int], ticker: str, delivers: Shares = _a_hundred) -> int:
    """Return how many of a ticker's shares cover short calls; all of them where they are too few."""
    held = max(positions.get(ticker, 0), 0)
    kept = range(held)
    return bisect_left(
        kept, x=True, key=lambda count: uncovered_call({**positions, ticker: count}, delivers) is None
    )


def _groups(positions: Mapping[str, int], delivers: Shares) -> Iterable[Group]:
    """Split positions into what covers each other: one group per underlying and expiration of a short."""
    underlyings: dict[str, dict[date, Group]] = defaultdict(lambda: defaultdict(list))
    for symbol, count in positions.items():
        if count and is_option(symbol):
            contract = OptionContract.parse(symbol)
            held = _Held(contract, count, Fraction(delivers(symbol)))
            underlyings[contract.underlying][contract.expiration].append(held)
    for underlying, expirations in underlyings.items():
        covered = _covered_calls(expirations, positions.get(underlying, 0))
        shorts = sorted(day for day, group in covered.items() if any(held.quantity < 0 for held in group))
        groups: dict[date, Group] = {day: list(covered[day]) for day in shorts}
        for day, group in covered.items():
            earlier = [short for short in shorts if short <= day]
            if day not in groups and earlier:
                groups[earlier[-1]] += group
        yield from groups.values()


def _covered_calls(expirations: Mapping[date, Group], shares: int) -> dict[date, Group]:
    """Leave out the short calls that shares cover, whole contracts, the nearest expirations first."""
    found: dict[date, Group] = {}
    free = Fraction(max(shares, 0))
    for day in sorted(expirations):
        group = expirations[day]
        longs = sum(
            (held.quantity * held.shares for held in group if held.is_call and held.quantity > 0), Fraction(0)
        )
        rest: Group = []
        for held in group:
            by_shares = 0
            if held.is_call and held.quantity < 0:
                owed = -held.quantity * held.shares
                bare = -(-max(owed - longs, Fraction(0)) // held.shares)
                by_shares = min(free // held.shares, bare)
                free, longs = free - by_shares * held.shares, max(longs - owed, Fraction(0))
            rest.append(held._replace(quantity=held.quantity + by_shares))
        found[day] = rest
    return found
