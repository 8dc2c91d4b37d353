"""Market operations and news over Massive's REST: what is open, when and where, and what is written about it.

Each function asks for all pages and raises what `strikelake.vendors.connection` raises: there is no partial
answer. Null means that the vendor says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from strikelake.calendar import NEW_YORK, from_datetime
from strikelake.errors import VendorError
from strikelake.vendors.records import flatten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from strikelake.vendors.connection import Connection

_PAGE = 1_000
_EXCHANGE = {
    "exchange_id": ("id", pl.Int64),
    "asset_class": ("asset_class", pl.String),
    "kind": ("type", pl.String),
    "name": ("name", pl.String),
    "acronym": ("acronym", pl.String),
    "mic": ("mic", pl.String),
    "operating_mic": ("operating_mic", pl.String),
    "participant_id": ("participant_id", pl.String),
}
_HOLIDAY = {
    "date": ("date", pl.Date),
    "exchange": ("exchange", pl.String),
    "name": ("name", pl.String),
    "status": ("status", pl.String),
    "open": ("open", pl.String),
    "close": ("close", pl.String),
}
_NEWS = {
    "article_id": ("id", pl.String),
    "ticker": ("ticker", pl.String),
    "published": ("published_utc", pl.String),
    "title": ("title", pl.String),
    "publisher": ("publisher.name", pl.String),
    "author": ("author", pl.String),
    "article_url": ("article_url", pl.String),
    "description": ("description", pl.String),
    "keywords": ("keywords", pl.String),
    "sentiment": ("sentiment", pl.String),
    "sentiment_reasoning": ("sentiment_reasoning", pl.String),
}


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """What trades at a moment.

    Attributes
    ----------
    market
        `open`, `closed` or `extended-hours`.
    exchanges
        The same by exchange: nyse, nasdaq, otc.
    server_time
        The vendor's time, ns UTC.
    """

    market: str
    exchanges: dict[str, str]
    server_time: int


def exchanges(connection: Connection, asset_class: Literal["stocks", "options"]) -> pl.DataFrame:
    """Return the exchanges of an asset class.

    Returns
    -------
    pl.DataFrame
        exchange_id (as in trades and quotes), asset_class, kind (exchange, TRF, SIP), name, acronym, mic,
        operating_mic, participant_id.
    """
    rows = connection.rows(connection.client.get_exchanges, asset_class=asset_class)
    return flatten(rows, _EXCHANGE).sort("exchange_id")


def holidays(connection: Connection) -> pl.DataFrame:
    """Return the coming holidays and half days.

    Returns
    -------
    pl.DataFrame
        date, exchange, name, status (`closed` or `early-close`), open_ns, close_ns (null when closed);
        sorted.

    Raises
    ------
    VendorError
        When the answer is no list.
    """
    rows = connection.ask(connection.client.get_market_holidays)
    if not isinstance(rows, list):
        raise VendorError(f"the vendor's holidays are no list but {str(rows)[:80]!r}: try again later")
    moments = [_utc_ns(name).alias(f"{name}_ns") for name in ("open", "close")]
    return flatten(rows, _HOLIDAY).with_columns(moments).drop("open", "close").sort("date", "exchange")


def market_status(connection: Connection) -> MarketStatus:
    """Return whether the market is open, by the vendor's clock.

    Raises
    ------
    VendorError
        When the answer lacks it.
    """
    from datetime import datetime

    found = connection.ask(connection.client.get_market_status)
    try:
        moment = datetime.fromisoformat(found["serverTime"])
        return MarketStatus(str(found["market"]), dict(found["exchanges"]), from_datetime(moment))
    except (KeyError, TypeError, ValueError) as error:
        raise VendorError(f"no market status in {str(found)[:80]!r} ({error!r}): try again later") from error


def news(
    connection: Connection, *, ticker: str | None = None, start: date, end: date | None = None
) -> pl.DataFrame:
    """Return news, one row for each article and ticker it is about; one request for every 1,000 articles.

    Parameters
    ----------
    connection
        The vendor.
    ticker
        Articles about this one; their rows for other tickers are included. None is all.
    start, end
        Days of publication, UTC, both included.

    Returns
    -------
    pl.DataFrame
        date (in New York), article_id, ticker, ts_ns (published), title, publisher, author, article_url,
        description, keywords (joined by "; "), sentiment (positive, neutral, negative), sentiment_reasoning
        (null where the vendor has rated nothing); sorted by ts_ns, article_id and ticker. Point in time: the
        vendor rates an article some time after its publication and does not say when.
    """
    last = None if end is None else f"{end}T23:59:59Z"
    call = connection.client.list_ticker_news
    found = connection.rows(
        call, ticker=ticker, published_utc__gte=str(start), published_utc__lte=last, limit=_PAGE
    )
    return news_rows(found)


def news_rows(articles: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return articles as the vendor spells them, one row for each ticker they are about; see `news`."""
    rows: list[dict[str, Any]] = []
    for article in articles:
        rated = {insight.get("ticker"): insight for insight in article.get("insights") or []}
        keywords = "; ".join(article.get("keywords") or []) or None
        rows += [
            {**article, "keywords": keywords, **rated.get(name, {}), "ticker": name}
            for name in dict.fromkeys(article.get("tickers") or [])
        ]
    frame = flatten(rows, _NEWS).with_columns(ts_ns=_utc_ns("published"))
    zoned = pl.from_epoch("ts_ns", "ns").dt.replace_time_zone("UTC").dt.convert_time_zone(NEW_YORK.key)
    return frame.select(
        zoned.dt.date().alias("date"), "article_id", "ticker", "ts_ns", *list(_NEWS)[3:]
    ).sort("ts_ns", "article_id", "ticker")


def _utc_ns(column: str) -> pl.Expr:
    return pl.col(column).str.to_datetime(time_unit="ns", time_zone="UTC").dt.epoch("ns")
