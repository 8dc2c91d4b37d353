"""Which security a ticker is at a date: renames and the reuse of tickers, point in time."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from pipelines.availability import moments, opening
from strikelake.errors import (
    BadFileError,
    EmptyLakeError,
    LakeError,
    NotEntitledError,
    NotPublishedError,
    VendorError,
)
from strikelake.schemas import table
from strikelake.vendors import rest_reference

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from strikelake.lake.store import Lake
    from strikelake.vendors.connection import Connection

_FILE = {"security": 0, "last_date": 1, "ticker": 2}
_OPEN_END = date(2050, 12, 31)
_BAR_TABLES = ("stock_day_bars", "stock_minute_bars")


def load_symbols(lake: Lake, path: Path) -> int:
    """Load a file of tickers by security in place of all that the lake knows; return the number of ranges.

    Parameters
    ----------
    lake
        Where to.
    path
        CSV with three columns, whatever their names: the security's lasting name, a date, and the ticker it
        carried until then. A security's first line is the day it was listed; 2050-12-31 goes on.

    Raises
    ------
    BadFileError
        When the file is no such table, or two securities carry one ticker at a time.
    """
    try:
        raw = pl.read_csv(path, infer_schema=False)
        lines = pl.DataFrame({name: raw.to_series(place) for name, place in _FILE.items()}).with_columns(
            pl.col("last_date").str.to_date("%Y-%m-%d")
        )
    except (pl.exceptions.PolarsError, IndexError) as error:
        raise BadFileError(
            f"{path} is no CSV of security, last date and ticker ({error}): write it again"
        ) from error
    rows = ranges(lines)
    clash = _clash(rows)
    if clash is not None:
        raise BadFileError(
            f"{path}: another security carries {clash[0]} too after {clash[1]}: correct the dates"
        )
    lake.overwrite("symbols", rows, source=str(path))
    return rows.height


def load_symbols_from_rest(lake: Lake, connection: Connection, tickers: Iterable[str]) -> tuple[str, ...]:
    """Add the tickers that some companies have carried to what the lake knows; one request a ticker, once.

    A ticker that some security goes on carrying, as far as the lake knows, is not asked for: its company's
    later renames come with the ticker that it takes then.

    Parameters
    ----------
    lake, connection
        Where to and where from.
    tickers
        As of today.

    Returns
    -------
    tuple of str
        What the vendor did not answer, or answered against what the lake holds; nothing is stored of that.

    Notes
    -----
    A security's lasting name is the vendor's composite FIGI, or its ticker of today where it has none.
    """
    held = _held(lake)
    carried = set(held.filter(pl.col("last_date").is_null())["ticker"])
    found: list[pl.DataFrame] = []
    problems: list[str] = []
    for ticker in sorted(set(tickers) - carried):
        try:
            changes = rest_reference.ticker_changes(connection, ticker)
        except NotEntitledError as error:
            problems.append(f"renames: {error}")
            break
        except NotPublishedError:
            continue  # a fund, or a company that has had no other ticker
        except VendorError as error:
            problems.append(f"renames of {ticker}: {error}")
            continue
        rows = _carried(changes, ticker)
        clash = _clash(pl.concat([held, *found, rows]))
        if clash is None:
            found.append(rows)
        else:
            problems.append(f"renames of {ticker}: another security carries {clash[0]} too after {clash[1]}")
    if found:
        lake.update("symbols", lambda rows: pl.concat([rows, *found]), source="rest")
    return tuple(problems)


def _carried(changes: pl.DataFrame, ticker: str) -> pl.DataFrame:
    """Return rows of `symbols` from `rest_reference.ticker_changes` of one company."""
    ordered = changes.unique("first_date", keep="last").sort("first_date")
    return ordered.with_columns(
        security=pl.col("figi").fill_null(ticker),
        last_date=pl.col("first_date").shift(-1).dt.offset_by("-1d"),
        available_at=moments(ordered["first_date"], opening),
    ).select(*table("symbols").columns)


def _clash(rows: pl.DataFrame) -> tuple[str, date] | None:
    """Return a ticker that two securities carry at a time, and from when; None where there is none."""
    following = pl.col("first_date").shift(-1).over("ticker")
    clash = rows.sort("ticker", "first_date").filter(following <= pl.col("last_date").fill_null(_OPEN_END))
    return clash.select("ticker", "first_date").row(0) if clash.height else None


def _held(lake: Lake) -> pl.DataFrame:
    try:
        return _symbols(lake)
    except EmptyLakeError:
        return pl.DataFrame(schema=table("symbols").columns)


def ranges(lines: pl.DataFrame) -> pl.DataFrame:
    """Return rows of `symbols` from lines of security, last_date and ticker, as `load_symbols` describes.

    Examples
    --------
    >>> days = [date(1998, 1, 2), date(2009, 8, 4), date(2050, 12, 31)]
    >>> lines = {"security": ["WM"] * 3, "last_date": days, "ticker": ["UW", "WMI", "WM"]}
    >>> found = ranges(pl.DataFrame(lines))
    >>> [(ticker, str(first), str(last)) for _, ticker, first, last, _ in found.rows()]
    [('WM', '2009-08-05', 'None'), ('WMI', '1998-01-02', '2009-08-04')]
    """
    ordered = lines.sort("security", "last_date", maintain_order=True)
    previous, index = pl.col("last_date").shift(1).over("security"), pl.int_range(pl.len()).over("security")
    listed = pl.when(index == 1).then(previous).otherwise(previous.dt.offset_by("1d"))
    whole = ordered.with_columns(first_date=listed, index=index).filter(pl.col("index") > 0)
    kept = whole.filter(pl.col("last_date") >= pl.col("first_date"))
    last = pl.when(pl.col("last_date") < _OPEN_END).then("last_date")
    return (
        kept.with_columns(last_date=last, available_at=moments(kept["first_date"], opening))
        .select(*table("symbols").columns)
        .sort("ticker", "first_date")
    )


def security_at(lake: Lake, ticker: str, day: date) -> str | None:
    """Return the security that a ticker stood for on a date; None where the lake does not know.

    Point in time: later renames change nothing.
    """
    found = _symbols(lake).filter((pl.col("ticker") == ticker) & _covers(day))
    return found["security"].item() if found.height else None


def ticker_at(lake: Lake, security: str, day: date) -> str | None:
    """Return the ticker that a security carried on a date; None where the lake does not know."""
    found = _symbols(lake).filter((pl.col("security") == security) & _covers(day))
    return found["ticker"].item() if found.height else None


def security_bars(lake: Lake, name: str, ticker: str, start: date, end: date) -> pl.LazyFrame:
    """Return the bars of what a ticker stands for at `end`, under every ticker that it carried from `start`.

    Parameters
    ----------
    lake
        Holds the bars and `symbols`.
    name
        `stock_day_bars` or `stock_minute_bars`.
    ticker
        As on the last day.
    start, end
        First and last date, both included.

    Returns
    -------
    pl.LazyFrame
        The table's columns, the tickers as they were, in no promised order; prices as traded.

    Raises
    ------
    LakeError
        When the table has no stock bars.
    EmptyLakeError
        When there are no bars in the range, or nothing is known of the ticker at `end`.
    """
    if name not in _BAR_TABLES:
        raise LakeError(f"{name} has no stock bars: use one of {', '.join(_BAR_TABLES)}")
    security = security_at(lake, ticker, end)
    if security is None:
        raise EmptyLakeError(
            f"the lake does not know which security {ticker} was on {end}: load a ticker_map.csv that has it "
            "with `strikelake ingest --reference FOLDER`, or set POLYGON_API_KEY and ingest to ask the vendor"
        )
    carried = _symbols(lake).filter(security=security).select("ticker", "first_date", "last_date")
    rows = lake.scan(name, start, end, underlyings=carried["ticker"].unique().to_list())
    columns = table(name).columns
    inside = pl.col("date").is_between("first_date", pl.col("last_date").fill_null(end))
    return rows.join(carried.lazy(), on="ticker").filter(inside).select(*columns)


def _symbols(lake: Lake) -> pl.DataFrame:
    return lake.scan("symbols").collect()


def _covers(day: date) -> pl.Expr:
    return pl.lit(day).is_between("first_date", pl.col("last_date").fill_null(_OPEN_END))
