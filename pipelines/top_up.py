"""Today's bars from REST until the flat file is published, and how the file then differs from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from strikelake.calendar import iso
from strikelake.errors import CalendarError, EmptyLakeError, LakeError
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from strikelake.calendar import Clock, Session
    from strikelake.lake.store import Lake
    from strikelake.vendors.rest import RestMarketData

SOURCE = "rest"
_DATASETS = ("stock_day_bars", "stock_minute_bars")
_COMPARED = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class TopUpReport:
    """Rows that one session got from REST by table; tables whose flat file was there already have none."""

    session: date
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How a flat file differs from the rows that REST gave before it, for the tickers that were topped up.

    Attributes
    ----------
    dataset, date
        Which.
    equal, changed
        Rows of both, with the same open, high, low, close and volume, or others.
    missing, added
        Rows that the file lacks, and rows that REST lacked.
    """

    dataset: str
    date: date
    equal: int
    changed: int
    missing: int
    added: int


def top_up(
    lake: Lake, rest: RestMarketData, session: Session, tickers: Sequence[str], clock: Clock
) -> TopUpReport:
    """Store a finished session's day and minute bars from REST, where its flat file is not in the lake.

    One request for the day bars of all stocks, and one a ticker for the minutes. The rows are marked `rest`
    in the table's log and in `top_ups`; ingestion replaces the whole date by the flat file.

    Parameters
    ----------
    lake, rest
        Where to and where from.
    session
        Which.
    tickers
        Stocks.
    clock
        The time.

    Returns
    -------
    TopUpReport
        What was stored.

    Raises
    ------
    CalendarError
        Before the session's close: half a day's bars would pass for a day's.
    VendorError
        When the vendor does not answer.
    """
    if clock.now() < session.close_ns:
        raise CalendarError(
            f"the session of {session.date} closes at {iso(session.close_ns)}: top up after it"
        )
    names, stored = sorted(set(tickers)), {}
    for dataset in _DATASETS:
        if _published(lake, dataset, session.date):
            continue
        if dataset == "stock_day_bars":
            rows = rest.grouped_day_bars(session.date).filter(pl.col("ticker").is_in(names))
        else:
            rows = rest.minute_bars(names, session.open_ns, session.close_ns)
        rows = rows.select(*table(dataset).columns)
        version = lake.replace(dataset, session.date, rows, source=SOURCE)
        _note(lake, {"dataset": dataset, "date": session.date, "table_version": version, "rows": rows.height})
        stored[dataset] = rows.height
    return TopUpReport(session.date, stored)


def reconcile_top_ups(lake: Lake) -> tuple[Reconciliation, ...]:
    """Compare every topped-up session whose flat file has come since with that file, and note the result.

    Returns
    -------
    tuple of Reconciliation
        Of the sessions compared by this call. One whose rows have been vacuumed is noted as lost.
    """
    found = []
    for row in _awaited(lake):
        dataset, day = row["dataset"], row["date"]
        if not _published(lake, dataset, day):
            continue
        try:
            before = lake.scan(dataset, day, day, as_of=row["table_version"]).collect()
        except LakeError:
            _note(lake, {**row, "state": "lost"})
            continue
        result = _compare(dataset, day, before, lake.scan(dataset, day, day).collect())
        counts = {name: getattr(result, name) for name in ("equal", "changed", "missing", "added")}
        _note(lake, {**row, **counts, "state": "reconciled"})
        found.append(result)
    return tuple(found)


def _compare(dataset: str, day: date, before: pl.DataFrame, after: pl.DataFrame) -> Reconciliation:
    key = ["ticker", "ts_ns"]
    same_span = pl.col("ticker").is_in(before["ticker"].unique().implode())
    if dataset == "stock_minute_bars":
        # REST was asked for the regular session; files have the hours around it too.
        same_span &= pl.col("ts_ns").is_between(before["ts_ns"].min(), before["ts_ns"].max())
    file = after.filter(same_span).select(*key, *_COMPARED)
    both = before.select(*key, *_COMPARED).join(file, on=key, how="inner", suffix="_file")
    equal = both.filter(pl.all_horizontal(pl.col(c) == pl.col(f"{c}_file") for c in _COMPARED)).height
    return Reconciliation(
        dataset, day, equal, both.height - equal, before.height - both.height, file.height - both.height
    )


def _published(lake: Lake, dataset: str, day: date) -> bool:
    """Return whether the lake has a session from its flat file."""
    return not _rows(lake, "ingestions", dataset, day).filter(pl.col("state") == "committed").is_empty()


def _awaited(lake: Lake) -> list[dict[str, Any]]:
    try:
        return lake.scan("top_ups").filter(state="awaited").sort("date", "dataset").collect().to_dicts()
    except EmptyLakeError:
        return []


def _rows(lake: Lake, name: str, dataset: str, day: date) -> pl.DataFrame:
    try:
        return lake.scan(name).filter((pl.col("dataset") == dataset) & (pl.col("date") == day)).collect()
    except EmptyLakeError:
        return pl.DataFrame(schema=table(name).columns)


def _note(lake: Lake, row: dict[str, Any]) -> None:
    new = pl.DataFrame([{"state": "awaited"} | row], schema=table("top_ups").columns)
    other = (pl.col("dataset") != row["dataset"]) | (pl.col("date") != row["date"])
    lake.update("top_ups", lambda held: pl.concat([held.filter(other), new]), source=SOURCE)
