"""When and at which prices an order fills against the simulated quotes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from strikelake.orders import Side
from strikelake.sandbox.exchange import dollars

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from strikelake.sandbox.exchange import Tape


@dataclass(frozen=True, slots=True)
class WorkingLeg:
    """One leg to match: its quotes, its side, and how many contracts per unit."""

    tape: Tape
    side: Side
    ratio: int


@dataclass(frozen=True, slots=True)
class Match:
    """A fill.

    Attributes
    ----------
    ts_ns
        Of the quote that made it possible.
    prices
        Dollars per share of each leg, in the order of the legs.
    net
        Dollars per share and unit: positive is paid, negative received.
    """

    ts_ns: int
    prices: tuple[Decimal, ...]
    net: Decimal


def match(legs: Sequence[WorkingLeg], limit: Decimal | None, after: int, until: int) -> Match | None:
    """Find an order's fill.

    Buys take the ask and sells the bid, whole orders only. Every leg needs a quote newer than the submission;
    from then on each new quote of any leg is tried.

    Parameters
    ----------
    legs
        All legs of the order.
    limit
        Net dollars per share and unit, positive for a debit; None for a market order.
    after
        Submission, ns UTC; a quote at that very moment does not count.
    until
        End of the search, ns UTC, included.

    Returns
    -------
    Match or None
        The earliest fill, None when there is none.
    """
    rows = [leg.tape.between(after, until) for leg in legs]
    moments = np.concatenate([leg.tape.ts_ns[r.start : r.stop] for leg, r in zip(legs, rows, strict=True)])
    for moment in np.unique(moments).tolist():
        found = _net(legs, after, moment)
        if found is not None and (limit is None or found.net <= limit):
            return found
    return None


def _net(legs: Sequence[WorkingLeg], after: int, moment: int) -> Match | None:
    """Return the fill at the quotes of `moment`; None when a leg has no new quote or no such side."""
    prices = []
    for leg in legs:
        row = leg.tape.last(moment)
        if row is None or leg.tape.ts_ns[row] <= after:
            return None
        cents = int(leg.tape.ask[row] if leg.side is Side.BUY else leg.tape.bid[row])
        if cents == 0:
            return None
        prices.append(dollars(cents))
    net = sum(
        (price * leg.ratio if leg.side is Side.BUY else -price * leg.ratio)
        for price, leg in zip(prices, legs, strict=True)
    )
    return Match(moment, tuple(prices), dollars(0) + net)
