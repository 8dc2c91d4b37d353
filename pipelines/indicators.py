"""Technical indicators of stocks' day bars: computed from the lake's, or as the vendor computes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from pipelines.sources import vendor
from strikelake.lake.views import adjusted_bars
from strikelake.vendors import rest_indicators

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from pipelines.sources import Source
    from strikelake.lake.store import Lake
    from strikelake.vendors.rest import RestMarketData
    from strikelake.vendors.rest_indicators import IndicatorName

_MACD = (12, 26, 9)
# Recursive averages forget their start: after this many windows its weight is below 1e-4.
_WARM_UP_WINDOWS = 5
_CALENDAR_DAYS = 1.6
_COLUMNS = ("ticker", "ts_ns", "value", "signal", "histogram")


@dataclass(frozen=True, slots=True)
class Indicators:
    """Indicators of daily closes that are adjusted for splits.

    Every method returns ticker, ts_ns (start of the session's day bar), value, signal and histogram (null but
    for MACD), sorted by ts_ns. A value is known at the session's close. The lake adjusts for the splits up to
    `end` and the vendor for those up to today: with a split between them averages and MACD differ by its
    ratio, RSI does not. `both` asks the vendor where the lake has none of the sessions.
    """

    lake: Lake
    rest: RestMarketData | None

    def sma(
        self, ticker: str, start: date, end: date, *, window: int = 50, source: Source = "lake"
    ) -> pl.DataFrame:
        """Return the simple moving average of `window` closes."""
        return self._of("sma", ticker, start, end, window, source)

    def ema(
        self, ticker: str, start: date, end: date, *, window: int = 50, source: Source = "lake"
    ) -> pl.DataFrame:
        """Return the exponential moving average of `window` closes."""
        return self._of("ema", ticker, start, end, window, source)

    def rsi(
        self, ticker: str, start: date, end: date, *, window: int = 14, source: Source = "lake"
    ) -> pl.DataFrame:
        """Return Wilder's relative strength index over `window` closes, 0 to 100."""
        return self._of("rsi", ticker, start, end, window, source)

    def macd(self, ticker: str, start: date, end: date, *, source: Source = "lake") -> pl.DataFrame:
        """Return MACD of 12 and 26 closes with its signal line over 9."""
        return self._of("macd", ticker, start, end, sum(_MACD[1:]), source)

    def _of(
        self, name: IndicatorName, ticker: str, start: date, end: date, window: int, source: Source
    ) -> pl.DataFrame:
        if source != "vendor":
            found = self._from_lake(name, ticker, start, end, window, required=source == "lake")
            if found is not None:
                return found
        connection = vendor(self.rest).connection
        return rest_indicators.indicator(connection, name, ticker, start, end, window=window)

    def _from_lake(
        self, name: IndicatorName, ticker: str, start: date, end: date, window: int, *, required: bool
    ) -> pl.DataFrame | None:
        """Return an indicator of the lake's closes; None where it has none and none is required."""
        held = self.lake.sessions("stock_day_bars")
        if not required and not any(start <= day <= end for day in held):
            return None
        early = start - timedelta(days=int(window * _WARM_UP_WINDOWS * _CALENDAR_DAYS) + 7)
        self.lake.scan("stock_day_bars", start, end)
        bars = adjusted_bars(self.lake, "stock_day_bars", early, end, [ticker]).sort("ts_ns").collect()
        closes = bars["close"].to_numpy()
        lines = _compute(name, window)(closes) if bars.height else (closes,)
        values = [pl.Series(column, line) for column, line in zip(_COLUMNS[2:], lines, strict=False)]
        absent = [pl.lit(None, dtype=pl.Float64).alias(column) for column in _COLUMNS[2 + len(lines) :]]
        frame = bars.select("date", "ticker", "ts_ns").with_columns(*values, *absent)
        known = frame.filter(pl.col("date").is_between(start, end) & pl.col("value").is_not_nan())
        return known.select(*_COLUMNS)


def _compute(name: IndicatorName, window: int) -> Callable[[Any], tuple[Any, ...]]:
    import talib

    calls: dict[str, Callable[[Any], tuple[Any, ...]]] = {
        "sma": lambda closes: (talib.SMA(closes, window),),
        "ema": lambda closes: (talib.EMA(closes, window),),
        "rsi": lambda closes: (talib.RSI(closes, window),),
        "macd": lambda closes: talib.MACD(closes, *_MACD),
    }
    return calls[name]
