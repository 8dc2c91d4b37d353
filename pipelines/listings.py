"""What is listed, where it trades, when it is closed and what is written about it: REST into the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from pipelines.availability import opening
from strikelake.calendar import et_date
from strikelake.schemas import table
from strikelake.vendors import rest_market, rest_reference

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from strikelake.calendar import Clock
    from strikelake.lake.store import Lake
    from strikelake.vendors.connection import Connection


def load_contracts(lake: Lake, connection: Connection, underlyings: Iterable[str], day: date) -> int:
    """Store the contracts of underlyings as they were listed on a day; return how many.

    Contracts that had expired by then are not listed any more: load an earlier day for them. Rows of other
    underlyings stay.

    Raises
    ------
    VendorError
        When the vendor does not answer for one of them; nothing is stored then.
    """
    names = sorted(set(underlyings))
    found = [rest_reference.contracts(connection, name, as_of=day) for name in names]
    columns = table("contracts").columns
    rows = pl.concat(
        [
            pl.DataFrame(schema=columns),
            *(
                frame.with_columns(date=pl.lit(day), available_at=pl.lit(opening(day))).select(*columns)
                for frame in found
            ),
        ]
    )
    lake.update(
        "contracts",
        lambda held: pl.concat([held.filter(~pl.col("underlying").is_in(names)), rows]),
        days={day},
        source="rest",
    )
    return rows.height


def load_market_calendar(lake: Lake, connection: Connection, clock: Clock) -> dict[str, int]:
    """Store the exchanges of stocks and options and the coming holidays; return how many of each.

    Holidays of the past stay, future ones are what the vendor says now.
    """
    stocks, options = (rest_market.exchanges(connection, kind) for kind in ("stocks", "options"))
    closed = rest_market.holidays(connection)
    now = clock.now()
    today = et_date(now)
    exchanges = pl.concat([stocks, options]).unique(["asset_class", "exchange_id"], maintain_order=True)
    stamped = exchanges.with_columns(date=pl.lit(today), available_at=pl.lit(now))
    lake.overwrite("exchanges", stamped.select(*table("exchanges").columns), source="rest")
    coming = closed.with_columns(available_at=pl.lit(now)).select(*table("holidays").columns)
    lake.update(
        "holidays", lambda held: pl.concat([held.filter(pl.col("date") < today), coming]), source="rest"
    )
    return {"exchanges": exchanges.height, "holidays": coming.height}


def load_news(lake: Lake, connection: Connection, tickers: Iterable[str], start: date, end: date) -> int:
    """Store the news about tickers that was published on some days; return the number of new rows.

    Point in time: a row is known at its publication; its sentiment was added at a time that the vendor does
    not tell, so a feature may use it only for days that were loaded as they passed.
    """
    if not (names := sorted(set(tickers))):
        return 0
    asked = [rest_market.news(connection, ticker=ticker, start=start, end=end) for ticker in names]
    return store_news(lake, pl.concat(asked).with_columns(available_at="ts_ns"), "rest")


def store_news(lake: Lake, rows: pl.DataFrame, source: str) -> int:
    """Add rows of `news` that the lake does not have; return how many.

    What was stored as it was published stays: a later rating must not reach back.
    """
    found = rows.unique(["article_id", "ticker"], maintain_order=True).select(*table("news").columns)
    added = 0

    def merge(held: pl.DataFrame) -> pl.DataFrame:
        nonlocal added
        new = found.join(held, on=["article_id", "ticker"], how="anti", maintain_order="left")
        added = new.height
        return pl.concat([held, new])

    if days := set(found["date"]):
        lake.update("news", merge, days=days, source=source)
    return added
