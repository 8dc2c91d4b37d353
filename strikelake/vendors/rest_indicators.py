"""Technical indicators over Massive's REST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import polars as pl

from strikelake.calendar import NS_PER_SECOND
from strikelake.vendors.records import flatten

if TYPE_CHECKING:
    from datetime import date

    from strikelake.vendors.connection import Connection

IndicatorName = Literal["sma", "ema", "rsi", "macd"]

_VALUES_PER_PAGE = 5_000
_FIELDS = {
    "ts_ns": ("timestamp", pl.Int64),
    "value": ("value", pl.Float64),
    "signal": ("signal", pl.Float64),
    "histogram": ("histogram", pl.Float64),
}


def indicator(
    connection: Connection,
    name: IndicatorName,
    ticker: str,
    start: date,
    end: date,
    *,
    window: int | None = None,
    timespan: Literal["minute", "hour", "day"] = "day",
) -> pl.DataFrame:
    """Return an indicator of closes that are adjusted for splits up to today.

    Parameters
    ----------
    connection
        The vendor.
    name
        `sma`, `ema`, `rsi`, or `macd`, which is always of 12, 26 and 9 bars.
    ticker
        Stock, option (`O:…`) or index (`I:…`).
    start, end
        Dates, both included.
    window
        Bars; by default the vendor's: 50 for the averages, 14 for RSI.
    timespan
        The bar.

    Returns
    -------
    pl.DataFrame
        ticker, ts_ns (start of the bar), value, signal, histogram (null but for MACD); sorted by ts_ns. The
        value is known when the bar has ended.
    """
    calls = {
        "sma": connection.client.get_sma,
        "ema": connection.client.get_ema,
        "rsi": connection.client.get_rsi,
        "macd": connection.client.get_macd,
    }
    rows = connection.rows(
        calls[name],
        ticker,
        field="results.values",
        timestamp__gte=str(start),
        timestamp__lte=str(end),
        timespan=timespan,
        window=None if name == "macd" else window,
        limit=_VALUES_PER_PAGE,
    )
    frame = flatten(rows, _FIELDS).with_columns(ts_ns=pl.col("ts_ns") * (NS_PER_SECOND // 1000))
    return frame.select(pl.lit(ticker).alias("ticker"), *_FIELDS).sort("ts_ns")
