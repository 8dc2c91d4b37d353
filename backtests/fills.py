"""Executions against recorded quotes: at our side, after the decision, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.orders import Side
from strikelake.strategy.prices import decimal_price

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from strikelake.calendar import Session
    from strikelake.orders import Leg, OrderIntent


@dataclass(frozen=True, slots=True)
class Quotes:
    """One contract's quotes in time order: ns UTC, dollars per share, NaN where a side is missing."""

    ts_ns: NDArray[np.int64]
    bid: NDArray[np.float64]
    ask: NDArray[np.float64]

    def at(self, moment: int) -> int:
        """Return the position of the last quote at or before `moment`, -1 when there is none."""
        return int(np.searchsorted(self.ts_ns, moment, side="right")) - 1


@dataclass(frozen=True, slots=True)
class Execution:
    """When an order was executed, each leg's price in the order of its legs, and the net per unit."""

    ts_ns: int
    prices: tuple[Decimal, ...]
    net: Decimal


class QuoteBook:
    """A session's quotes by contract.

    Parameters
    ----------
    quotes
        Columns occ_symbol, ts_ns, bid_price, ask_price, in any order; sides null where missing.
    """

    def __init__(self, quotes: pl.DataFrame) -> None:
        ordered = quotes.select("occ_symbol", "ts_ns", "bid_price", "ask_price").sort(
            "occ_symbol", "ts_ns", maintain_order=True
        )
        runs = ordered.select(pl.col("occ_symbol").rle().struct.unnest())
        ends = runs["len"].cum_sum().to_numpy()
        self._bounds = {
            name: (int(end - length), int(end))
            for name, length, end in zip(runs["value"], runs["len"], ends, strict=True)
        }
        self._ts = ordered["ts_ns"].to_numpy()
        self._bid, self._ask = (
            ordered[side].cast(pl.Float64).fill_null(np.nan).to_numpy() for side in ("bid_price", "ask_price")
        )

    def of(self, occ_symbol: str) -> Quotes:
        """Return a contract's quotes; empty when it was never quoted."""
        start, end = self._bounds.get(occ_symbol, (0, 0))
        return Quotes(self._ts[start:end], self._bid[start:end], self._ask[start:end])

    def quotes(self, occ_symbol: str, session: Session) -> bool:
        """Return whether a contract was quoted in the session itself."""
        found = self.of(occ_symbol)
        return found.at(session.close_ns) > found.at(session.open_ns - 1)


def execute(intent: OrderIntent, book: QuoteBook, after: int, until: int) -> Execution | None:
    """Return the first execution that the quotes allow.

    Every leg needs a quote later than `after`; from then on, at each new quote of any leg, the legs' latest
    quotes are taken at our side (ask for buys, bid for sells), and the order is executed in full once their
    net is within the limit. Sizes quoted are not looked at.

    Parameters
    ----------
    after
        Decision time plus latency, ns UTC, exclusive.
    until
        When the order is cancelled, ns UTC, inclusive.

    Returns
    -------
    Execution or None
        None when the quotes never reach the limit in time.
    """
    fresh = [_since(book.of(leg.occ_symbol), after, until) for leg in intent.legs]
    if any(len(quotes.ts_ns) == 0 for quotes in fresh):
        return None
    first = max(int(quotes.ts_ns[0]) for quotes in fresh)
    moments = np.unique(np.concatenate([quotes.ts_ns for quotes in fresh]))
    moments = moments[moments >= first]
    sides = [_our_side(leg, quotes, moments) for leg, quotes in zip(intent.legs, fresh, strict=True)]
    net = sum(
        (price * leg.ratio * _sign(leg) for leg, price in zip(intent.legs, sides, strict=True)),
        start=np.zeros(len(moments)),
    )
    # A millionth of a dollar forgives binary fractions; prices come in hundredths.
    reached = np.flatnonzero(net <= float(intent.limit_price) + 1e-6)
    if len(reached) == 0:
        return None
    k = int(reached[0])
    prices = tuple(decimal_price(float(price[k])) or Decimal(0) for price in sides)
    exact = sum(
        (price * leg.ratio * _sign(leg) for leg, price in zip(intent.legs, prices, strict=True)), Decimal(0)
    )
    return Execution(int(moments[k]), prices, exact)


def mark(
    book: QuoteBook, positions: Mapping[str, int], at: int, known: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """Return what each position would be closed at: bid for longs, ask for shorts, dollars per share.

    Parameters
    ----------
    positions
        Contracts by symbol, negative when short.
    at
        ns UTC; quotes after it are not looked at.
    known
        Earlier marks, kept where the session has no quote yet, or no offer to buy a short back at. A long
        that nobody bids for is worth 0.
    """
    marks: dict[str, Decimal] = {}
    for symbol, quantity in positions.items():
        quotes = book.of(symbol)
        last = quotes.at(at)
        side = quotes.bid if quantity > 0 else quotes.ask
        price = decimal_price(float(side[last])) if last >= 0 else known.get(symbol)
        if price is None:
            price = Decimal(0) if quantity > 0 else known.get(symbol, Decimal(0))
        marks[symbol] = price
    return marks


def _since(quotes: Quotes, after: int, until: int) -> Quotes:
    start, end = quotes.at(after) + 1, quotes.at(until) + 1
    return Quotes(quotes.ts_ns[start:end], quotes.bid[start:end], quotes.ask[start:end])


def _our_side(leg: Leg, quotes: Quotes, moments: NDArray[np.int64]) -> NDArray[np.float64]:
    latest = np.searchsorted(quotes.ts_ns, moments, side="right") - 1
    side = quotes.ask if leg.side is Side.BUY else quotes.bid
    return np.asarray(side[latest], dtype=np.float64)


def _sign(leg: Leg) -> int:
    return 1 if leg.side is Side.BUY else -1
