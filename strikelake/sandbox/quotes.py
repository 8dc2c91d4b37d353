"""Quotes by symbol, for the broker: of options as simulated, of shares around their minute bars."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from strikelake.calendar import NS_PER_MINUTE
from strikelake.sandbox.desk_orders import is_option
from strikelake.sandbox.exchange import Tape, dollars, splits_of

if TYPE_CHECKING:
    from strikelake.sandbox.exchange import Bars, Exchange

_PART = 20
"""A quote shows this part of its minute's volume."""


@dataclass(slots=True)
class QuoteBoard:
    """Looks quotes up in a simulated market.

    `adjusted` names what contracts were before a split, and how many each of those has become: until they
    are listed themselves they are worth what those were quoted at.
    """

    exchange: Exchange
    adjusted: dict[str, tuple[str, int]] = field(default_factory=dict)
    _shares: dict[str, Tape] = field(default_factory=dict)

    def lists(self, symbol: str) -> bool:
        """Whether the symbol can be traded here."""
        return symbol in (self.exchange.listings if is_option(symbol) else self.exchange.stocks)

    def tape(self, symbol: str) -> Tape:
        """Return all quotes of a listed symbol."""
        if is_option(symbol):
            return self.exchange.listings[symbol].tape
        if symbol not in self._shares:
            self._shares[symbol] = _around(self.exchange.stocks[symbol], self.exchange.start_ns)
        return self._shares[symbol]

    def mark(self, symbol: str, now: int, *, long: bool) -> Decimal:
        """Return what closing would trade at, dollars per share: the bid when long, the ask when short.

        0 before the first quote, where that side is missing, and for what is no longer listed.
        """
        if not self.lists(symbol):
            before, count = self.adjusted.get(symbol, ("", 1))
            return self.mark(before, now, long=long) / count if before else Decimal(0)
        tape = self.tape(symbol)
        row = tape.last(now)
        if row is None:
            return Decimal(0)
        price = dollars(int(tape.bid[row] if long else tape.ask[row]))
        return self._in_new_shares(symbol, price, int(tape.ts_ns[row]), now)

    def last_price(self, symbol: str, now: int) -> Decimal | None:
        """Return the last price of a share, in dollars; None before the first, and for what has no shares."""
        if symbol not in self.exchange.stocks:
            return None
        found = self.exchange.last_price(symbol, now)
        return self._in_new_shares(symbol, Decimal(str(found[0])), found[1], now) if found else None

    def _in_new_shares(self, symbol: str, price: Decimal, then: int, now: int) -> Decimal:
        """Return a share's price of `then` in the shares of `now`; options change their symbols instead."""
        for split in splits_of(self.exchange):
            if split.ticker == symbol and then < split.effective_ns <= now:
                price = price * split.ratio.denominator / split.ratio.numerator
        return price


def _around(bars: Bars, start: int) -> Tape:
    """Return quotes a cent around each minute's close, from the last one before `start`."""
    first = max(bars.known(start) - 1, 0)
    cents = np.round(bars.close[first:] * 100.0).astype(np.int64)
    size = np.maximum(bars.volume[first:] // _PART, 100).astype(np.int64)
    unknown = np.full(cents.size, np.nan)
    truth = (unknown, unknown, unknown, unknown)
    return Tape(bars.start[first:] + NS_PER_MINUTE, cents - 1, cents + 1, size, size, *truth)
