"""The lake as the market that a backtest replays."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from pipelines.chain import SessionTerms, chain_at, session_terms
from pipelines.rates import newest_curve
from strikelake.errors import EmptyLakeError
from strikelake.lake.views import adjusted_bars, splits
from strikelake.risk.correlation import correlations, daily_returns
from strikelake.schemas import table
from strikelake.splits import Split, split_ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from strikelake.calendar import Session
    from strikelake.lake.store import Lake
    from strikelake.strategy.selection import Sides

# 60 sessions of returns lie within this many days, holidays included.
_CORRELATION_DAYS = timedelta(days=100)
_QUOTE_COLUMNS = (
    "occ_symbol",
    "underlying",
    "expiration",
    "option_type",
    "strike",
    "ts_ns",
    "bid_price",
    "ask_price",
)


class LakeMarket:
    """Quotes, prices and correlations from the lake; a `backtests.engine.Market`.

    Parameters
    ----------
    lake
        Reads option_quotes, stock_minute_bars, stock_day_bars, corporate_actions and treasury_yields.
    underlyings
        What is read.
    days
        Sessions to replay, in order.
    rate_default
        Continuous rate of sessions without a treasury curve; `default_rate_sessions` counts them.
    as_of
        Versions of the tables; None is the latest.

    Raises
    ------
    EmptyLakeError
        When there are no day bars at all.
    """

    def __init__(
        self,
        lake: Lake,
        underlyings: Sequence[str],
        days: Sequence[Session],
        rate_default: float,
        as_of: Mapping[str, int] | None = None,
    ) -> None:
        self._lake = lake
        self._underlyings = list(underlyings)
        self._as_of = as_of
        first = days[0].date - _CORRELATION_DAYS
        bars = adjusted_bars(lake, "stock_day_bars", first, days[-1].date, self._underlyings, as_of=as_of)
        self._returns = daily_returns(bars.select("date", "ticker", "close").collect())
        self._yields, self._actions = (self._whole(name) for name in ("treasury_yields", "corporate_actions"))
        self._rate_default = rate_default
        # The rate is fixed at each session's open: what the treasury publishes later is for the next one.
        self.default_rate_sessions = sum(newest_curve(self._yields, day.open_ns) is None for day in days)
        self._terms: SessionTerms | None = None

    def quotes(self, session: Session) -> pl.DataFrame:
        """Return the session's quotes of the underlyings' options."""
        return self._day("option_quotes", session).select(_QUOTE_COLUMNS).collect()

    def prices(self, session: Session) -> pl.DataFrame:
        """Return the close of every minute bar, as traded: strikes are not adjusted either."""
        bars = self._day("stock_minute_bars", session)
        return bars.select("available_at", underlying="ticker", price="close").collect()

    def chain(
        self, session: Session, quotes: pl.DataFrame, prices: pl.DataFrame, asof: int, solve: Sides
    ) -> pl.DataFrame:
        """Return the chain at `asof`, priced with the session's terms."""
        return chain_at(quotes, prices, asof, self.terms(session), solve)

    def terms(self, session: Session) -> SessionTerms:
        """Return what the session's chains are priced with; see `pipelines.chain.session_terms`."""
        if self._terms is None or self._terms.session != session:
            self._terms = session_terms(session, self._yields, self._actions, self._rate_default)
        return self._terms

    def correlations(self, session: Session) -> Mapping[frozenset[str], float]:
        """Return correlations of the last 60 sessions before `session`."""
        return correlations(self._returns.filter(pl.col("date") < session.date))

    def splits(self, after: date, session: Session) -> tuple[Split, ...]:
        """Return the splits of all tickers with an ex-date later than `after`, up to that of the session.

        Point in time: those that were known at the session's open.
        """
        found = splits(self._lake, after, session.date, as_of=self._as_of)
        known = found.filter(pl.col("available_at") <= session.open_ns).sort("ex_date", "ticker")
        rows = known.select("ticker", "ex_date", "split_from", "split_to").iter_rows()
        return tuple(Split(ticker, ex_date, split_ratio(old, new)) for ticker, ex_date, old, new in rows)

    def _day(self, name: str, session: Session) -> pl.LazyFrame:
        return self._lake.scan(
            name, session.date, session.date, underlyings=self._underlyings, as_of=self._as_of
        )

    def _whole(self, name: str) -> pl.DataFrame:
        none = pl.DataFrame(schema=table(name).columns)
        if self._as_of is not None and name not in self._as_of:
            return none
        try:
            return self._lake.scan(name, as_of=self._as_of).collect()
        except EmptyLakeError:
            return none
