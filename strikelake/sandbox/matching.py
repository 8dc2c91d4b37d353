"""When, at which prices and how much of an order fills against the simulated quotes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from strikelake.orders import Side
from strikelake.sandbox.exchange import dollars

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from numpy.typing import NDArray

    from strikelake.sandbox.exchange import Tape

    Ints = NDArray[np.int64]


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
    units
        How many units fill.
    """

    ts_ns: int
    prices: tuple[Decimal, ...]
    net: Decimal
    units: int = 1


def match(
    legs: Sequence[WorkingLeg], limit: Decimal | None, after: int, until: int, units: int = 1
) -> Match | None:
    """Find an order's next fill.

    Buys take the ask and sells the bid, up to the size quoted there. Every leg needs a quote newer than
    `after`; from then on each new quote of any leg is tried. What a quote leaves unfilled waits until every
    leg has a newer one. Orders do not compete: each sees the whole quoted size.

    Parameters
    ----------
    legs
        All legs of the order.
    limit
        Net dollars per share and unit, positive for a debit; None for a market order.
    after
        Submission, or the last fill, ns UTC; a quote at that very moment does not count.
    until
        End of the search, ns UTC, included.
    units
        How many are wanted.

    Returns
    -------
    Match or None
        The earliest fill, None when there is none.
    """
    rows = [leg.tape.between(after, until) for leg in legs]
    times = [leg.tape.ts_ns[r.start : r.stop] for leg, r in zip(legs, rows, strict=True)]
    moments = np.unique(np.concatenate(times))
    net = np.zeros(moments.size, dtype=np.int64)
    available = np.full(moments.size, units, dtype=np.int64)
    quoted = [_quoted(leg, moments, after) for leg in legs]
    for leg, (price, size) in zip(legs, quoted, strict=True):
        net += price * (leg.ratio if leg.side is Side.BUY else -leg.ratio)
        available = np.minimum(available, np.where(price > 0, size // leg.ratio, 0))
    good = available > 0
    if limit is not None:
        good &= net <= int(limit * 100)
    if not good.any():
        return None
    first = int(np.argmax(good))
    prices = tuple(dollars(int(price[first])) for price, _ in quoted)
    return Match(int(moments[first]), prices, dollars(int(net[first])), int(available[first]))


def reached(tape: Tape, side: Side, stop: Decimal, after: int, until: int) -> int | None:
    """Return when a stop is reached: the bid at or below a sale's, the ask at or above a purchase's.

    Returns
    -------
    int or None
        Time of the quote, ns UTC; a missing side reaches nothing.
    """
    rows = tape.between(after, until)
    cents = int(stop * 100)
    if side is Side.SELL:
        bid = tape.bid[rows.start : rows.stop]
        hits = (bid > 0) & (bid <= cents)
    else:
        hits = tape.ask[rows.start : rows.stop] >= cents
    return int(tape.ts_ns[rows.start + int(np.argmax(hits))]) if hits.any() else None


def _quoted(leg: WorkingLeg, moments: Ints, after: int) -> tuple[Ints, Ints]:
    """Return cents and size on the side that a leg takes, 0 where there is none or it is not new."""
    tape = leg.tape
    rows = np.searchsorted(tape.ts_ns, moments, side="right") - 1
    fresh = (rows >= 0) & (tape.ts_ns[rows] > after)
    cents, size = (tape.ask, tape.ask_size) if leg.side is Side.BUY else (tape.bid, tape.bid_size)
    return np.where(fresh, cents[rows], 0), np.where(fresh, size[rows], 0)
