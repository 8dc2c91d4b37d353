"""The daily loss: when entries stop for the rest of the session."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from strikelake.risk.limits import Denial, DenialCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from strikelake.risk.limits import Limits


def marked_equity(
    cash: Decimal, held: Iterable[Decimal], pending: Iterable[tuple[Decimal, Decimal]]
) -> Decimal:
    """Return equity if everything had to be closed now.

    Parameters
    ----------
    cash
        Dollars, premiums of open trades already paid.
    held
        Dollars that closing each open trade at our side brings.
    pending
        Of each working entry its cost at the limit and what closing it would bring, dollars. The difference
        counts as lost; a gain does not count.
    """
    worst = sum((max(cost - value, Decimal(0)) for cost, value in pending), Decimal(0))
    return cash + sum(held, Decimal(0)) - worst


def daily_loss_reached(equity: Decimal, opening_equity: Decimal, limits: Limits) -> bool:
    """Return whether equity has fallen by the daily loss, the limit itself included."""
    return equity <= opening_equity * (1 - limits.max_daily_loss)


def check_halt(
    underlying: str, equity: Decimal, opening_equity: Decimal, limits: Limits, *, halted: bool
) -> Denial | None:
    """Refuse an entry while halted or once the daily loss is reached."""
    if daily_loss_reached(equity, opening_equity, limits):
        lost = f"equity {equity:.2f} of {opening_equity:.2f} at the open"
        detail = f"{lost}: {limits.max_daily_loss:.1%} is the limit"
        return Denial(underlying, DenialCode.DAILY_LOSS, detail)
    if halted:
        return Denial(underlying, DenialCode.HALTED, "entries are stopped for this session")
    return None
