"""Market data over Massive's REST: minute bars and option chains, page by page.

The vendor's own iterators end silently when a later page is damaged, so pages are asked for one by one and
checked here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import polars as pl

from strikelake.calendar import NEW_YORK, NS_PER_MINUTE, NS_PER_SECOND
from strikelake.contracts import occ_columns
from strikelake.errors import (
    MissingCredentialsError,
    NotEntitledError,
    NotPublishedError,
    VendorError,
    VendorUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date

    from massive import RESTClient

    Page = dict[str, Any]

_NS_PER_MS = NS_PER_SECOND // 1000
_BARS_PER_PAGE = 50_000
_CONTRACTS_PER_PAGE = 250
_OK = 200

_BAR_COLUMNS = {
    "ticker": pl.String,
    "ts_ns": pl.Int64,
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
    "transactions": pl.Int64,
}
_CHAIN_COLUMNS = {
    "ticker": pl.String,
    "quote_ts_ns": pl.Int64,
    "bid_price": pl.Float64,
    "ask_price": pl.Float64,
    "underlying_price": pl.Float64,
    "open_interest": pl.Int64,
}


class RestMarketData:
    """Massive's REST with complete answers or an exception, never a part.

    Parameters
    ----------
    api_key
        The vendor's key.
    base_url
        Root of the API; a sandbox's `rest_url` in its place serves a simulated market.
    timeout
        Seconds to wait for a connection and for an answer; a busy or silent server is asked four times.

    Raises
    ------
    MissingCredentialsError
        When `api_key` is empty.
    """

    def __init__(
        self, api_key: str, base_url: str = "https://api.massive.com", timeout: float = 10.0
    ) -> None:
        if not api_key:
            raise MissingCredentialsError(
                f"no API key for {base_url}: set MASSIVE_API_KEY (or POLYGON_API_KEY, its former name)"
            )
        from massive import RESTClient

        self._base_url = base_url.rstrip("/")
        self._client: RESTClient = RESTClient(
            api_key=api_key, base=self._base_url, connect_timeout=timeout, read_timeout=timeout, retries=3
        )
        self._client.client = _CheckedPool(self._client.client)

    def close(self) -> None:
        """Close the connections; the object can be used again."""
        self._client.client.clear()

    def minute_bars(self, tickers: Iterable[str], start_ns: int, end_ns: int) -> pl.DataFrame:
        """Return stock minute bars that start at or after `start_ns` and have ended by `end_ns`.

        Prices are as traded, not adjusted for splits, like those of the flat files.

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

        Raises
        ------
        NotEntitledError, NotPublishedError
            On 401 and 403, and on 404.
        VendorUnavailableError
            When the vendor does not answer, or an answer is damaged or incomplete.
        """
        first, last = -(-start_ns // _NS_PER_MS), (end_ns - NS_PER_MINUTE) // _NS_PER_MS
        asked = tickers if first <= last else ()
        rows = [row for ticker in asked for row in self._bars(ticker, first, last)]
        new_york = pl.from_epoch("ts_ns", "ns").dt.replace_time_zone("UTC").dt.convert_time_zone(NEW_YORK.key)
        frame = pl.DataFrame(rows, schema=_BAR_COLUMNS, orient="row").sort("ticker", "ts_ns")
        return frame.select(
            new_york.dt.date().alias("date"),
            *_BAR_COLUMNS,
            (pl.col("ts_ns") + NS_PER_MINUTE).alias("available_at"),
        )

    def chain(self, underlying: str, *, expiration_from: date, expiration_to: date) -> pl.DataFrame:
        """Return an underlying's listed contracts with their last quotes, as of now.

        The vendor has no date parameter: the answer is always the present one, and each row is known at
        `quote_ts_ns`.

        Parameters
        ----------
        underlying
            Ticker.
        expiration_from, expiration_to
            Expirations, both included.

        Returns
        -------
        pl.DataFrame
            occ_symbol, underlying, expiration, option_type ("C"/"P"), strike, quote_ts_ns (null without a
            quote), bid_price, ask_price (null where a side is missing), underlying_price (null where
            unknown), open_interest; sorted by occ_symbol. Contracts whose symbols are no OCC symbols are left
            out.

        Raises
        ------
        NotEntitledError, NotPublishedError
            On 401 and 403, and on 404.
        VendorUnavailableError
            When the vendor does not answer, or an answer is damaged or incomplete.
        """
        asked = {
            "expiration_date.gte": str(expiration_from),
            "expiration_date.lte": str(expiration_to),
            "limit": _CONTRACTS_PER_PAGE,
        }

        def ask(url: str | None) -> Any:
            params = dict(parse_qsl(urlsplit(url).query)) if url else asked
            return self._client.list_snapshot_options_chain(underlying, params=params, raw=True)

        rows = [_contract(result) for page in self._pages(ask) for result in page["results"]]
        frame = pl.DataFrame(rows, schema=_CHAIN_COLUMNS, orient="row")
        return (
            frame.select(*occ_columns("ticker"), *list(_CHAIN_COLUMNS)[1:])
            .filter(pl.col("occ_symbol").is_not_null())
            .sort("occ_symbol")
        )

    def _bars(self, ticker: str, first: int, last: int) -> Iterator[tuple[Any, ...]]:
        """Yield one ticker's bars as rows of `_BAR_COLUMNS`; bounds in milliseconds, both included."""

        def ask(url: str | None) -> Any:
            start, end, params = first, last, {}
            if url:
                parts = urlsplit(url)
                start, end = (int(text) for text in parts.path.split("/")[-2:])
                params = dict(parse_qsl(parts.query))
            limit = None if url else _BARS_PER_PAGE
            return self._client.list_aggs(
                ticker, 1, "minute", start, end, adjusted=False, limit=limit, params=params, raw=True
            )

        for page in self._pages(ask):
            for bar in page["results"]:
                yield (ticker, bar["t"] * _NS_PER_MS, *(bar[name] for name in "ohlcv"), bar.get("n"))

    def _pages(self, ask: Callable[[str | None], Any]) -> Iterator[Page]:
        """Yield the pages of one answer, each checked; `ask` takes the address of the next page."""
        from urllib3.exceptions import HTTPError

        url: str | None = None
        seen: set[str] = set()
        while True:
            try:
                page = _checked(ask(url))
            except HTTPError as error:
                raise VendorUnavailableError(
                    f"{self._base_url} does not answer: {error}; try again later"
                ) from error
            yield page
            url = page.get("next_url")
            if not url:
                return
            if url in seen:
                raise VendorUnavailableError(
                    f"{self._base_url} gave the same next page twice; try again later"
                )
            seen.add(url)


class _CheckedPool:
    """The client's connection pool, with failures as our errors: the client itself drops the status."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def clear(self) -> None:
        self._pool.clear()

    def request(self, method: str, url: str, **options: Any) -> Any:
        answer = self._pool.request(method, url, **options)
        if answer.status == _OK:
            return answer
        said = answer.data.decode(errors="replace")[:200]
        where = f"{urlsplit(url).netloc}{urlsplit(url).path} answered {answer.status}: {said}"
        if answer.status in {401, 403}:
            raise NotEntitledError(f"{where}; check the API key and its plan")
        if answer.status == 404:  # noqa: PLR2004 - not found
            raise NotPublishedError(f"{where}; it is not there, or not yet")
        if answer.status == 429 or answer.status >= 500:  # noqa: PLR2004 - too many requests, server errors
            raise VendorUnavailableError(f"{where}; try again later")
        raise VendorError(f"{where}; the request itself is wrong")


def _checked(answer: Any) -> Page:
    """Return an answer's page, complete."""
    where = f"{urlsplit(answer.url or '').path or 'the vendor'}"
    try:
        page = json.loads(answer.data)
    except ValueError as error:
        raise VendorUnavailableError(f"{where} sent a damaged page ({error}); try again later") from error
    if not isinstance(page, dict) or page.get("status") not in {"OK", "DELAYED"}:
        state = page.get("status") if isinstance(page, dict) else type(page).__name__
        raise VendorUnavailableError(f"{where} sent a page with status {state!r}; try again later")
    # Bars leave `results` out where there are none, and say so by a count of 0.
    results = page.setdefault("results", [] if page.get("resultsCount") == 0 else None)
    if not isinstance(results, list):
        raise VendorUnavailableError(f"{where} sent a page without results; try again later")
    if (count := page.get("resultsCount", len(results))) != len(results):
        raise VendorUnavailableError(f"{where} sent {len(results)} of {count} results; try again later")
    return page


def _contract(result: Page) -> tuple[Any, ...]:
    """Return one contract's row of `_CHAIN_COLUMNS`; the vendor writes 0 for a missing side."""
    quote, underlying = result.get("last_quote") or {}, result.get("underlying_asset") or {}
    return (
        result["details"]["ticker"],
        quote.get("last_updated"),
        quote.get("bid") or None,
        quote.get("ask") or None,
        underlying.get("price"),
        result.get("open_interest"),
    )
