"""Bars of stocks, options and indices."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from strikelake.schemas.columns import Contract, Stock, Terms, price, time
from strikelake.schemas.spec import TableSpec


class _Range(dy.Schema):
    @dy.rule()
    def low_is_lowest(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that no value is below the low."""
        return pl.col("low") <= pl.min_horizontal("open", "close")

    @dy.rule()
    def high_is_highest(cls) -> pl.Expr:  # noqa: N805 - as above
        """Check that no value is above the high."""
        return pl.col("high") >= pl.max_horizontal("open", "close")

    @dy.rule()
    def known_after_start(cls) -> pl.Expr:  # noqa: N805 - as above
        """Check that nobody knows a bar before it starts."""
        return pl.col("available_at") >= pl.col("ts_ns")


class _Bar(_Range):
    ts_ns = time(primary_key=True)
    open = price()
    high = price()
    low = price()
    close = price()
    volume = dy.Float64(min=0.0)
    transactions = dy.Int64(nullable=True, min=0)
    available_at = time()


class _IndexBar(Stock, _Range):
    ts_ns = time(primary_key=True)
    open = dy.Float64()
    high = dy.Float64()
    low = dy.Float64()
    close = dy.Float64()
    available_at = time()


class StockDayBars(Stock, _Bar):
    """One stock's session, as traded: not adjusted for splits. `ts_ns` is midnight in New York."""


class StockMinuteBars(Stock, _Bar):
    """One stock's minute, as traded, before and after the regular session too. No trade, no bar."""


class OptionDayBars(Contract, Terms, _Bar):
    """One contract's session. `strike` is in dollars, `volume` in contracts."""


class OptionMinuteBars(Contract, Terms, _Bar):
    """One contract's minute. Most contracts trade in few minutes of a session."""


class IndexDayBars(_IndexBar):
    """One index's session, in points; `ticker` as the vendor writes it, I:SPX. An index has no volume."""


class IndexMinuteBars(_IndexBar):
    """One index's minute, in points. Spreads and breadth indices may be zero or negative."""


def specs() -> tuple[TableSpec, ...]:
    """Return the tables of bars."""
    day_close, minute_end = "the session's close", "ts_ns + 60 s, the end of the minute"
    # The Cboe goes on computing VIX and others for a quarter of an hour.
    index_close = "15 minutes after the session's close"
    option_close = f"{day_close}; {index_close} for options on indices and broad funds, traded so long"
    stock, option, ingest = ("ticker", "ts_ns"), ("occ_symbol", "ts_ns"), "`strikelake ingest`"
    return (
        TableSpec("stock_day_bars", StockDayBars, stock, day_close, ingest),
        TableSpec("stock_minute_bars", StockMinuteBars, stock, minute_end, ingest),
        TableSpec("option_day_bars", OptionDayBars, option, option_close, ingest),
        TableSpec("option_minute_bars", OptionMinuteBars, option, minute_end, ingest),
        TableSpec("index_day_bars", IndexDayBars, stock, index_close, ingest),
        TableSpec("index_minute_bars", IndexMinuteBars, stock, minute_end, ingest),
    )
