"""From quoted floats to the Decimals that orders are made of."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from math import isfinite

PENNY = Decimal("0.01")
NICKEL = Decimal("0.05")
_NICKEL_FROM = Decimal(3)


def decimal_price(value: float | None) -> Decimal | None:
    """Return a quoted price as a Decimal of at most four places; None where there is no price.

    Examples
    --------
    >>> decimal_price(5.35), decimal_price(None), decimal_price(float("nan"))
    (Decimal('5.35'), None, None)
    """
    if value is None or not isfinite(value):
        return None
    return Decimal(str(round(value, 4)))


def limit_price(net: Decimal, slippage: Decimal, n_legs: int) -> Decimal:
    """Return the worst net price we accept, on the exchange's price grid.

    Parameters
    ----------
    net
        Net dollars per share at our side of the quotes: positive is a debit, negative a credit.
    slippage
        Fraction of `net` that we give way; rounding to the grid gives way further, never less.
    n_legs
        A single leg moves in cents below 3 dollars and in 5 cents from there; a net of several legs in cents.

    Returns
    -------
    Decimal
        Signed as `net`; a credit stays at a cent or more, because a limit of 0 is refused by brokers.

    Examples
    --------
    >>> limit_price(Decimal("3.02"), Decimal("0.02"), 1), limit_price(Decimal("-1.01"), Decimal("0.02"), 1)
    (Decimal('3.10'), Decimal('-0.98'))
    """
    worst = net + abs(net) * slippage
    tick = NICKEL if n_legs == 1 and abs(worst) >= _NICKEL_FROM else PENNY
    limit = (worst / tick).to_integral_value(ROUND_CEILING) * tick
    return min(limit, -PENNY) if net < 0 else limit
