"""Tables as research wants to see them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from strikelake.errors import EmptyLakeError, LakeError
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from strikelake.lake.store import Lake
    from strikelake.lake.tables import Versions

_PRICES = ("open", "high", "low", "close")


def adjusted_bars(
    lake: Lake,
    table: str,
    start: date,
    end: date,
    tickers: Collection[str] | None = None,
    *,
    as_of: Versions = None,
) -> pl.LazyFrame:
    """Return stock bars in the shares of the last day: adjusted for the splits inside the range.

    Prices before a split are divided by its ratio and volumes multiplied; a reverse split works the other way
    round. Dividends are not adjusted for.

    Parameters
    ----------
    lake
        Holds the bars and `corporate_actions`.
    table
        `stock_day_bars` or `stock_minute_bars`.
    start, end
        First and last date, both included.
    tickers
        What to keep; None is all.
    as_of
        Versions by table, or a moment: what the lake held by then.

    Returns
    -------
    pl.LazyFrame
        The table's columns, in no promised order.

    Raises
    ------
    EmptyLakeError
        When there are no bars in the range, or no `corporate_actions` table: unadjusted bars are never passed
        off as adjusted ones.
    LakeError
        When `table` has no stock bars.

    Notes
    -----
    Point in time: a row at day d is scaled by splits with ex-dates in (d, end], which nobody knew at d. Only
    the scale of the past depends on them: returns, ratios and other scale-free features are the same for
    every `end`. Anything that depends on the level of a price must use `Lake.scan`.
    """
    if table not in {"stock_day_bars", "stock_minute_bars"}:
        raise LakeError(f"{table} has no stock bars to adjust: use stock_day_bars or stock_minute_bars")
    bars = lake.scan(table, start, end, underlyings=tickers, as_of=as_of)
    factors = _factors(splits(lake, start, end, as_of=as_of), start)
    factor = pl.col("factor").fill_null(1.0)
    return (
        bars.join(factors.lazy(), on=["ticker", "date"], how="left")
        .with_columns(*[pl.col(name) / factor for name in _PRICES], volume=pl.col("volume") * factor)
        .drop("factor")
    )


def splits(lake: Lake, start: date, end: date, *, as_of: Versions = None) -> pl.DataFrame:
    """Return the splits after `start`, up to `end`: ticker, ex_date, split_from, split_to, available_at.

    Raises
    ------
    EmptyLakeError
        When there is no `corporate_actions` table: then nobody knows.
    """
    if "corporate_actions" not in (lake.resolve(as_of) if isinstance(as_of, datetime) else lake.tables()):
        raise EmptyLakeError(
            f"the lake {lake.root} has no table corporate_actions, so that splits are unknown: run "
            "`strikelake ingest --reference FOLDER`, or read unadjusted bars with Lake.scan"
        )
    columns = ("ticker", "ex_date", "split_from", "split_to", "available_at")
    try:
        actions = lake.scan("corporate_actions", start + timedelta(days=1), end, as_of=as_of)
    except EmptyLakeError:
        kinds = table("corporate_actions").columns
        return pl.DataFrame(schema={name: kinds[name] for name in columns})
    return actions.filter(pl.col("action") == "split").select(columns).collect()


def _factors(splits: pl.DataFrame, start: date) -> pl.DataFrame:
    """Return ticker, date, factor for each day before a split: the product of the splits still to come."""
    dates = pl.date_ranges(pl.lit(start), pl.col("ex_date"), closed="left")
    ratio = pl.col("split_to") / pl.col("split_from")
    days = splits.with_columns(date=dates, ratio=ratio).explode("date")
    return days.group_by("ticker", "date").agg(factor=pl.col("ratio").product())
