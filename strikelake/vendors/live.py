"""The vendor's REST for a live session: few requests when a decision is due, many in the minutes before it.

A decision needs today's minute bars of every ticker. Asked for when it is due, they cost one request a ticker
and leave nothing of a minute's budget for the chains. So the bars up to a few minutes before come from
aggregates, at leisure, and the last minutes from the snapshot of all tickers, one request for each minute.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import polars as pl

from strikelake.calendar import NS_PER_MINUTE
from strikelake.errors import VendorUnavailableError
from strikelake.vendors.rest_market import market_status

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from strikelake.calendar import Clock
    from strikelake.vendors.rest import RestMarketData

_AHEAD_MINUTES = 4
"""When fetching begins before a decision: the tiers' budgets are about one request a ticker and minute."""

logger = logging.getLogger(__name__)


class LiveMarketData:
    """Today's bars, kept as they come, and chains.

    Parameters
    ----------
    rest
        The vendor's REST.
    clock
        The session's time.
    settle_ns
        How long after the end of a minute its bars are asked for: the vendor needs a moment to make them, and
        a ticker whose bar is not there costs a request of its own.
    """

    def __init__(self, rest: RestMarketData, clock: Clock, *, settle_ns: int = 0) -> None:
        self._rest = rest
        self._clock = clock
        self._settle_ns = settle_ns
        self._start_ns = 0
        self._bars: list[pl.DataFrame] = []
        self._covered: dict[str, int] = {}

    def check(self) -> None:
        """Ask the vendor anything: later a session goes on without it, and would decide nothing all day.

        Raises
        ------
        VendorError
            When it does not answer, or refuses the key.
        """
        market_status(self._rest.connection)

    def prepare(self, tickers: Iterable[str], start_ns: int, asof: int) -> None:
        """Fetch what a decision will need as far as it is known, until one minute before it.

        Parameters
        ----------
        tickers
            Stocks.
        start_ns
            The session's open, ns UTC.
        asof
            When the decision is due, ns UTC.
        """
        names = list(tickers)
        for left in range(_AHEAD_MINUTES, 0, -1):
            minute = asof - left * NS_PER_MINUTE
            if minute <= start_ns or self._clock.now() >= minute + NS_PER_MINUTE:
                continue
            try:
                self._extend(names, start_ns, minute)
            except VendorUnavailableError as error:
                logger.info("bars are asked for again in a minute: %s", error)

    def minute_bars(self, tickers: Iterable[str], start_ns: int, end_ns: int) -> pl.DataFrame:
        """Return the bars from `start_ns` that have ended by `end_ns`, as `RestMarketData.minute_bars`.

        After `prepare` this is one request for the last minute of all tickers, and one more for each ticker
        that had no trade in it.
        """
        names = list(tickers)
        self._extend(names, start_ns, end_ns)
        known = pl.col("ticker").is_in(names) & (pl.col("available_at") <= end_ns)
        return pl.concat(self._bars).filter(known).sort("ticker", "ts_ns")

    def chain(self, underlying: str, *, expiration_from: date, expiration_to: date) -> pl.DataFrame:
        """Return an underlying's chain, as `RestMarketData.chain`."""
        return self._rest.chain(underlying, expiration_from=expiration_from, expiration_to=expiration_to)

    def _extend(self, tickers: list[str], start_ns: int, until: int) -> None:
        self._clock.sleep_until(until + self._settle_ns)
        if start_ns != self._start_ns or not self._bars:
            self._start_ns, self._covered = start_ns, {}
            self._bars = [self._rest.minute_bars([], start_ns, start_ns)]
        before = until - NS_PER_MINUTE
        if recent := [ticker for ticker in tickers if self._covered.get(ticker) == before]:
            self._add_last_minute(recent, until)
        for ticker in tickers:
            covered = self._covered.get(ticker, start_ns)
            if covered < until:
                self._bars.append(self._rest.minute_bars([ticker], covered, until))
                self._covered[ticker] = until

    def _add_last_minute(self, tickers: list[str], until: int) -> None:
        """Take the minute that has just ended from the snapshot; a ticker without it stays behind."""
        found = self._rest.last_minutes(tickers).filter(available_at=until)
        self._bars.append(found)
        self._covered.update(dict.fromkeys(found["ticker"], until))
