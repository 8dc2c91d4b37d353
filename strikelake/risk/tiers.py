"""Account tiers: what the size of an account allows.

The numbers come from `config/accounts.yaml`; nothing here reads a file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from strikelake.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How much training a tier pays for.

    Attributes
    ----------
    history_days
        Calendar days of history in the training set.
    kinds
        Model kinds that compete: `forest`, `boosted`, `neural`.
    trials
        Optuna trials per kind; 0 takes the default parameters.
    symbols
        Underlyings to train on; None trains on the tier's universe.
    """

    history_days: int
    kinds: tuple[str, ...]
    trials: int
    symbols: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """One rung of the ladder of account sizes.

    Attributes
    ----------
    name
        `micro`, `small`, `medium`, `large` or `institutional`.
    min_equity
        Dollars from which the tier holds, inclusive.
    symbols
        Underlyings that may be traded, those of smaller tiers included.
    max_positions
        Open trades at most, pending entries counted.
    risk_per_trade
        Fraction of equity that one trade may lose at its stop.
    requests_per_minute, requests_per_day
        Vendor API budget.
    training
        What is trained for accounts of this size.
    """

    name: str
    min_equity: Decimal
    symbols: tuple[str, ...]
    max_positions: int
    risk_per_trade: Decimal
    requests_per_minute: int
    requests_per_day: int
    training: TrainingPlan


def tier_ladder(rungs: Iterable[Tier]) -> tuple[Tier, ...]:
    """Return tiers in ascending order with cumulative symbols, checked.

    Parameters
    ----------
    rungs
        Tiers in any order whose `symbols` are only those that the tier adds.

    Raises
    ------
    ConfigError
        When there is no tier, the lowest does not start at 0, two share a name or a lower bound, or a number
        is out of range.
    """
    ordered = sorted(rungs, key=lambda tier: tier.min_equity)
    if not ordered or ordered[0].min_equity != 0:
        raise ConfigError("account tiers must start at an equity of 0: give the smallest tier min_equity: 0")
    for low, high in pairwise(ordered):
        if low.min_equity == high.min_equity:
            raise ConfigError(f"tiers {low.name} and {high.name} both start at {low.min_equity}: raise one")
    if len({tier.name for tier in ordered}) < len(ordered):
        raise ConfigError(f"account tiers must differ in name, found {[tier.name for tier in ordered]}")
    ladder: list[Tier] = []
    symbols: tuple[str, ...] = ()
    for tier in ordered:
        if tier.max_positions < 1 or not 0 < tier.risk_per_trade < 1:
            raise ConfigError(
                f"tier {tier.name} has max_positions {tier.max_positions} and risk_per_trade "
                f"{tier.risk_per_trade}: positions start at 1 and the risk is a fraction between 0 and 1"
            )
        symbols = tuple(dict.fromkeys((*symbols, *tier.symbols)))
        ladder.append(replace(tier, symbols=symbols))
    return tuple(ladder)


def tier_for(balance: Decimal, tiers: Sequence[Tier]) -> Tier:
    """Return the tier of an account: the highest whose lower bound the balance reaches.

    Parameters
    ----------
    balance
        Equity in dollars.
    tiers
        In any order, as `tier_ladder` returns them.

    Raises
    ------
    ConfigError
        When the balance is negative, not a number, or below every tier.
    """
    if not balance.is_finite() or balance < 0:
        raise ConfigError(f"an account balance of {balance} has no tier: set ACCOUNT_BALANCE to 0 or more")
    reached = [tier for tier in tiers if tier.min_equity <= balance]
    if not reached:
        raise ConfigError(f"no tier starts at or below {balance}: give the smallest tier min_equity: 0")
    return max(reached, key=lambda tier: tier.min_equity)
