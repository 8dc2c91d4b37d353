"""One interface to market data: the lake first, the vendor when asked, the same shapes from both.

With `source="lake"` a method reads only what is stored, with `vendor` it asks only REST, and with `both` it
reads the lake and asks REST for the sessions that it lacks. Times and availability are those of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from pipelines.availability import opening
from pipelines.indicators import Indicators
from pipelines.snapshots import stamped
from pipelines.sources import rows, vendor
from pipelines.symbols import security_bars
from strikelake.calendar import SystemClock, et_date, et_ns, sessions
from strikelake.errors import EmptyLakeError
from strikelake.schemas import table
from strikelake.vendors import rest_market, rest_reference

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pipelines.sources import Source
    from strikelake.calendar import Clock, Session
    from strikelake.lake.store import Lake
    from strikelake.vendors.rest import RestMarketData
    from strikelake.vendors.rest_market import MarketStatus

_CHAIN_HORIZON = timedelta(days=3 * 366)


@dataclass(frozen=True, slots=True)
class Stocks:
    """Bars of stocks, as traded; sorted by ticker and ts_ns."""

    lake: Lake
    rest: RestMarketData | None

    def day_bars(
        self, tickers: Sequence[str], start: date, end: date, *, source: Source = "lake"
    ) -> pl.DataFrame:
        """Return rows of `stock_day_bars` from `start` to `end`, both included.

        Raises
        ------
        EmptyLakeError
            When the lake alone is asked and has none of them.
        MissingCredentialsError
            When the vendor is needed and there is none.
        VendorError
            When the vendor does not answer.
        """

        def ask(rest: RestMarketData, first: date, last: date) -> pl.DataFrame:
            return rest.day_bars(tickers, first, last)

        return rows(self.lake, self.rest, "stock_day_bars", tickers, (start, end), source, ask).sort(
            "ticker", "ts_ns"
        )

    def minute_bars(
        self, tickers: Sequence[str], start: date, end: date, *, source: Source = "lake"
    ) -> pl.DataFrame:
        """Return rows of `stock_minute_bars`, hours before and after the session included; as `day_bars`."""

        def ask(rest: RestMarketData, first: date, last: date) -> pl.DataFrame:
            until = et_ns(last + timedelta(days=1), "00:00")
            return rest.minute_bars(tickers, et_ns(first, "00:00"), until)

        return rows(self.lake, self.rest, "stock_minute_bars", tickers, (start, end), source, ask).sort(
            "ticker", "ts_ns"
        )

    def history(self, ticker: str, start: date, end: date) -> pl.DataFrame:
        """Return day bars of the security that carries a ticker at `end`, through its renames; by date.

        The rows are the lake's, each under the ticker of its time; prices are as traded. Bars that another
        security had under one of these tickers are not among them.

        Raises
        ------
        EmptyLakeError
            When the lake has no bars, or does not know the ticker at `end`.
        """
        return security_bars(self.lake, "stock_day_bars", ticker, start, end).sort("date").collect()


@dataclass(frozen=True, slots=True)
class Options:
    """Bars, contracts and chains of options; sorted by occ_symbol and ts_ns."""

    lake: Lake
    rest: RestMarketData | None
    clock: Clock

    def day_bars(
        self, occ_symbols: Sequence[str], start: date, end: date, *, source: Source = "lake"
    ) -> pl.DataFrame:
        """Return rows of `option_day_bars` of contracts; raises as `Stocks.day_bars`."""

        def ask(rest: RestMarketData, first: date, last: date) -> pl.DataFrame:
            return rest.option_bars(occ_symbols, first, last)

        found = rows(self.lake, self.rest, "option_day_bars", occ_symbols, (start, end), source, ask)
        return found.sort("occ_symbol", "ts_ns")

    def minute_bars(
        self, occ_symbols: Sequence[str], start: date, end: date, *, source: Source = "lake"
    ) -> pl.DataFrame:
        """Return rows of `option_minute_bars` of contracts; raises as `Stocks.day_bars`."""

        def ask(rest: RestMarketData, first: date, last: date) -> pl.DataFrame:
            return rest.option_bars(occ_symbols, first, last, bar="minute")

        found = rows(self.lake, self.rest, "option_minute_bars", occ_symbols, (start, end), source, ask)
        return found.sort("occ_symbol", "ts_ns")

    def contracts(self, underlying: str, day: date, *, source: Source = "lake") -> pl.DataFrame:
        """Return rows of `contracts`: what was listed on a day, adjusted contracts flagged."""

        def ask(rest: RestMarketData, first: date, _: date) -> pl.DataFrame:
            found = rest_reference.contracts(rest.connection, underlying, as_of=first)
            known = {"date": pl.lit(first), "available_at": pl.lit(opening(first))}
            return found.with_columns(**known).select(*table("contracts").columns)

        return rows(self.lake, self.rest, "contracts", [underlying], (day, day), source, ask).sort(
            "occ_symbol"
        )

    def chain(self, underlying: str, day: date, *, source: Source = "lake") -> pl.DataFrame:
        """Return rows of `chain_snapshots`: quotes, IV, Greeks and open interest of a session.

        The vendor knows only the present chain: it is asked on the day itself, never for an earlier one.

        Raises
        ------
        EmptyLakeError
            When the day was not snapped and is over.
        """
        if day != et_date(self.clock.now()):
            source = "lake"

        def ask(rest: RestMarketData, first: date, _: date) -> pl.DataFrame:
            until = first + _CHAIN_HORIZON
            found = rest.chain(underlying, expiration_from=first, expiration_to=until)
            return stamped(found, first, self.clock.now())

        return rows(self.lake, self.rest, "chain_snapshots", [underlying], (day, day), source, ask).sort(
            "occ_symbol"
        )


@dataclass(frozen=True, slots=True)
class Operations:
    """When and where the market trades."""

    lake: Lake
    rest: RestMarketData | None
    clock: Clock

    def sessions(self, start: date, end: date) -> tuple[Session, ...]:
        """Return the sessions of a range, with opens and closes, from the calendar."""
        return sessions(start, end)

    def is_open(self) -> bool:
        """Return whether the regular session is on, by the calendar and the clock."""
        now = self.clock.now()
        day = et_date(now)
        return any(each.open_ns <= now < each.close_ns for each in sessions(day, day))

    def status(self) -> MarketStatus:
        """Return what the vendor says is open: it knows of halts that no calendar has."""
        return rest_market.market_status(vendor(self.rest).connection)

    def holidays(self, *, source: Source = "lake") -> pl.DataFrame:
        """Return rows of `holidays` by date and exchange; `both` asks the vendor where there are none."""
        known = self._stored("holidays", source)
        if known is None:
            found = rest_market.holidays(vendor(self.rest).connection)
            known = found.with_columns(available_at=pl.lit(self.clock.now()))
        return known.select(*table("holidays").columns).sort("date", "exchange")

    def exchanges(self, *, source: Source = "lake") -> pl.DataFrame:
        """Return rows of `exchanges`; `both` is the vendor where there are none."""
        known = self._stored("exchanges", source)
        if known is None:
            connection, now = vendor(self.rest).connection, self.clock.now()
            found = [rest_market.exchanges(connection, kind) for kind in ("stocks", "options")]
            known = pl.concat(found).with_columns(date=pl.lit(et_date(now)), available_at=pl.lit(now))
        return known.select(*table("exchanges").columns).sort("asset_class", "exchange_id")

    def _stored(self, name: str, source: Source) -> pl.DataFrame | None:
        if source == "vendor":
            return None
        try:
            return self.lake.scan(name).collect()
        except EmptyLakeError:
            if source == "lake":
                raise
            return None


class MarketData:
    """Stocks, options, indicators and market operations.

    Parameters
    ----------
    lake
        Read first.
    rest
        Asked when `source` says so; None reads the lake alone.
    clock
        The time.

    Attributes
    ----------
    stocks, options, indicators, operations
        The parts.
    """

    def __init__(self, lake: Lake, rest: RestMarketData | None = None, clock: Clock | None = None) -> None:
        time = clock or SystemClock()
        self.stocks = Stocks(lake, rest)
        self.options = Options(lake, rest, time)
        self.indicators = Indicators(lake, rest)
        self.operations = Operations(lake, rest, time)
