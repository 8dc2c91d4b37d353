"""Market data over Massive's REST: bars, the last minute of many tickers at once, and option chains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import polars as pl

from strikelake.calendar import NEW_YORK, NS_PER_MINUTE, NS_PER_SECOND, session_frame
from strikelake.contracts import LATE_NS, LATE_UNDERLYINGS, occ_columns
from strikelake.vendors.connection import Connection, following
from strikelake.vendors.records import flatten

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from strikelake.calendar import Clock
    from strikelake.vendors.connection import Page
    from strikelake.vendors.limiter import RequestLimiter

_NS_PER_MS = NS_PER_SECOND // 1000
_BARS_PER_PAGE = 50_000
_CONTRACTS_PER_PAGE = 250

_BAR = {
    "ticker": ("T", pl.String),
    "ts_ns": ("t", pl.Int64),
    "open": ("o", pl.Float64),
    "high": ("h", pl.Float64),
    "low": ("l", pl.Float64),
    "close": ("c", pl.Float64),
    "volume": ("v", pl.Float64),
    "transactions": ("n", pl.Int64),
}
_CHAIN = {
    "ticker": ("details.ticker", pl.String),
    "quote_ts_ns": ("last_quote.last_updated", pl.Int64),
    "bid_price": ("last_quote.bid", pl.Float64),
    "bid_size": ("last_quote.bid_size", pl.Float64),
    "ask_price": ("last_quote.ask", pl.Float64),
    "ask_size": ("last_quote.ask_size", pl.Float64),
    "underlying_price": ("underlying_asset.price", pl.Float64),
    "underlying_value": ("underlying_asset.value", pl.Float64),
    "open_interest": ("open_interest", pl.Int64),
    "implied_vol": ("implied_volatility", pl.Float64),
    "delta": ("greeks.delta", pl.Float64),
    "gamma": ("greeks.gamma", pl.Float64),
    "vega": ("greeks.vega", pl.Float64),
    "theta": ("greeks.theta", pl.Float64),
    "shares_per_contract": ("details.shares_per_contract", pl.Float64),
}
_INSTEAD = {"ticker", "underlying_value"}  # columns that become others


class RestMarketData:
    """Massive's REST with complete answers or an exception, never a part.

    Every method raises NotEntitledError on 401 and 403, NotPublishedError on 404, and VendorUnavailableError
    when the vendor does not answer, an answer is damaged or incomplete, or the request budget is used up.

    Parameters
    ----------
    api_key
        The vendor's key.
    base_url
        Root of the API; a sandbox's `rest_url` in its place serves a simulated market.
    timeout
        Seconds to wait for a connection and for an answer; a busy or silent server is asked four times.
    limiter
        The budget that every request passes; None knows no budget.
    clock
        What pauses pass on; the limiter's own.

    Raises
    ------
    MissingCredentialsError
        When `api_key` is empty.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = "https://api.massive.com",
        timeout: float = 10.0,
        limiter: RequestLimiter | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.connection = Connection(api_key, base_url, timeout, limiter, clock)

    def close(self) -> None:
        """Close the connections; the object can be used again."""
        self.connection.close()

    def minute_bars(self, tickers: Iterable[str], start_ns: int, end_ns: int) -> pl.DataFrame:
        """Return stock minute bars that start at or after `start_ns` and have ended by `end_ns`.

        One request a ticker. Prices are as traded, not adjusted for splits, like those of the flat files.

        Parameters
        ----------
        tickers
            Stocks.
        start_ns, end_ns
            Range in ns UTC.

        Returns
        -------
        pl.DataFrame
            date, ticker, ts_ns (start of the minute), open, high, low, close, volume, transactions (null
            where the vendor gives none), available_at (end of the minute); sorted by ticker and ts_ns. A
            ticker without bars in the range has no rows.
        """
        first, last = -(-start_ns // _NS_PER_MS), (end_ns - NS_PER_MINUTE) // _NS_PER_MS
        asked = tickers if first <= last else ()
        return _minutes(self._bars(asked, "minute", first, last))

    def day_bars(self, tickers: Iterable[str], start: date, end: date) -> pl.DataFrame:
        """Return stock day bars from `start` to `end`, both included; one request a ticker.

        Returns
        -------
        pl.DataFrame
            As `minute_bars`, with ts_ns at midnight in New York and available_at at the session's close. The
            bar of a session that has not closed is the part of it so far.
        """
        return _days(self._bars(tickers, "day", str(start), str(end)), start, end)

    def grouped_day_bars(self, day: date) -> pl.DataFrame:
        """Return one session's day bars of all stocks in one request; as `day_bars`."""
        call = self.connection.client.get_grouped_daily_aggs
        rows = self.connection.rows(call, str(day), adjusted=False)
        # This answer stamps bars at the close, where the bars of one ticker are stamped at midnight.
        frame = _frame(rows).with_columns(date=pl.lit(day), ts_ns=_midnight(pl.lit(day)))
        return _days(frame, day, day)

    def option_bars(
        self, occ_symbols: Iterable[str], start: date, end: date, *, bar: Literal["minute", "day"] = "day"
    ) -> pl.DataFrame:
        """Return bars of option contracts from `start` to `end`, both included; one request a contract.

        Returns
        -------
        pl.DataFrame
            The columns of the lake's option_day_bars or option_minute_bars, sorted by occ_symbol and ts_ns.
        """
        found = self._bars((f"O:{symbol}" for symbol in occ_symbols), bar, str(start), str(end))
        shaped = _days(found, start, end) if bar == "day" else _minutes(found)
        terms = occ_columns("ticker")
        if bar == "day":
            late = terms[1].is_in(list(LATE_UNDERLYINGS))
            shaped = shaped.with_columns(pl.col("available_at") + pl.when(late).then(LATE_NS).otherwise(0))
        rest = [name for name in shaped.columns if name not in {"date", "ticker"}]
        return shaped.select("date", *terms, *rest)

    def last_minutes(self, tickers: Iterable[str]) -> pl.DataFrame:
        """Return the last minute bar of many stocks in one request, whatever their number.

        Returns
        -------
        pl.DataFrame
            As `minute_bars`, one row a ticker: its last minute with a trade, today. A ticker that has not
            traded today has no row.
        """
        names = sorted(tickers)
        call, arguments = self.connection.client.get_snapshot_all, ("stocks", names)
        found = self.connection.rows(call, *arguments, field="tickers")
        rows = [(item.get("min") or {}) | {"T": item.get("ticker")} for item in found]
        return _minutes(_frame([row for row in rows if row.get("t")]))

    def chain(
        self,
        underlying: str,
        *,
        expiration_from: date,
        expiration_to: date,
        strikes: tuple[float, float] | None = None,
    ) -> pl.DataFrame:
        """Return an underlying's listed contracts with their last quotes, as of now.

        One request for every 250 contracts. The vendor has no date parameter: the answer is always the
        present one, and each row is known at `quote_ts_ns`.

        Parameters
        ----------
        underlying
            Ticker.
        expiration_from, expiration_to
            Expirations, both included.
        strikes
            Lowest and highest strike, dollars; None is all.

        Returns
        -------
        pl.DataFrame
            occ_symbol, underlying, expiration, option_type ("C"/"P"), strike, quote_ts_ns (null without a
            quote), bid_price, bid_size, ask_price, ask_size (null where a side is missing), underlying_price
            (null where unknown), open_interest, implied_vol, delta, gamma, vega (per point of volatility),
            theta (per day; all null where the vendor gives none), shares_per_contract; sorted by occ_symbol.
            Contracts whose symbols are no OCC symbols are left out.
        """
        low, high = strikes or (None, None)
        rows = self.connection.rows(
            self.connection.client.list_snapshot_options_chain,
            underlying,
            expiration_date__gte=str(expiration_from),
            expiration_date__lte=str(expiration_to),
            strike_price__gte=low,
            strike_price__lte=high,
            limit=_CONTRACTS_PER_PAGE,
        )
        return chain_frame(rows)

    def _bars(self, tickers: Iterable[str], timespan: str, first: int | str, last: int | str) -> pl.DataFrame:
        """Return bars as they are sent; bounds in milliseconds or dates, both included."""
        frames = [_frame(self._of_ticker(ticker, timespan, first, last), ticker) for ticker in tickers]
        return pl.concat([_frame([]), *frames])

    def _of_ticker(self, ticker: str, timespan: str, first: int | str, last: int | str) -> list[Page]:
        def ask(url: str | None) -> Any:
            start, end = urlsplit(url).path.split("/")[-2:] if url else (first, last)
            params = following(url) if url else {}
            limit = None if url else _BARS_PER_PAGE
            return self.connection.client.list_aggs(
                ticker, 1, timespan, start, end, adjusted=False, limit=limit, params=params, raw=True
            )

        return [row for page in self.connection.pages(ask) for row in page]


def chain_frame(rows: list[Page]) -> pl.DataFrame:
    """Return option snapshots as `RestMarketData.chain` describes.

    The vendor writes 0 for a missing side, and the level of an index where a stock has its price.
    """
    sides = [
        pl.when(pl.col(f"{side}_price") > 0).then(pl.col(f"{side}_{part}"))
        for side in ("bid", "ask")
        for part in ("price", "size")
    ]
    return (
        flatten(rows, _CHAIN)
        .with_columns(*sides, underlying_price=pl.coalesce("underlying_price", "underlying_value"))
        .select(*occ_columns("ticker"), *(name for name in _CHAIN if name not in _INSTEAD))
        .filter(pl.col("occ_symbol").is_not_null())
        .sort("occ_symbol")
    )


def _frame(rows: list[Page], ticker: str | None = None) -> pl.DataFrame:
    named = rows if ticker is None else [{**row, "T": ticker} for row in rows]
    return flatten(named, _BAR).with_columns(ts_ns=pl.col("ts_ns") * _NS_PER_MS)


def _minutes(bars: pl.DataFrame) -> pl.DataFrame:
    """Return bars as rows of `stock_minute_bars`."""
    return bars.sort("ticker", "ts_ns").select(
        _new_york_date().alias("date"), *_BAR, (pl.col("ts_ns") + NS_PER_MINUTE).alias("available_at")
    )


def _days(bars: pl.DataFrame, start: date, end: date) -> pl.DataFrame:
    """Return bars as rows of `stock_day_bars`; days without a session have none."""
    closes = session_frame(start, end).select("date", available_at="close_ns")
    dated = bars if "date" in bars.columns else bars.with_columns(date=_new_york_date())
    known = dated.join(closes, on="date", how="inner")
    return known.sort("ticker", "ts_ns").select("date", *_BAR, "available_at")


def _new_york_date() -> pl.Expr:
    utc = pl.from_epoch("ts_ns", "ns").dt.replace_time_zone("UTC")
    return utc.dt.convert_time_zone(NEW_YORK.key).dt.date()


def _midnight(day: pl.Expr) -> pl.Expr:
    return day.cast(pl.Datetime("ns")).dt.replace_time_zone(NEW_YORK.key).dt.epoch("ns")
