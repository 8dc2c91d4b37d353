"""Splits, dividends and treasury yields from the vendor's REST into the lake, in place of reference files."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from pipelines.availability import moments, opening
from pipelines.reference import ReferenceReport
from pipelines.symbols import load_symbols_from_rest
from pipelines.vet import quarantine
from strikelake.calendar import et_date, et_ns, next_session
from strikelake.errors import NotEntitledError, VendorUnavailableError
from strikelake.lake.quality import check, count_rules, quarantine_rows
from strikelake.schemas import table
from strikelake.vendors import rest_reference

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from strikelake.lake.store import Lake
    from strikelake.vendors.connection import Connection

_SPLITS, _DIVIDENDS, _YIELDS = "rest:splits", "rest:dividends", "rest:treasury-yields"
# The newest curve before a range may be this old, holidays included.
_CURVE_DAYS = timedelta(days=10)


def load_reference_from_rest(
    lake: Lake, connection: Connection, tickers: Iterable[str], start: date
) -> ReferenceReport:
    """Load splits of all stocks, dividends of some, and treasury yields, from a date to what is announced.

    What the vendor says of the range takes the place of what the lake held of it; earlier rows stay, and so
    do dividends of other tickers. One request for splits (a page holds 1,000), one for yields, one a ticker;
    and another for each ticker whose renames the lake does not know (`symbols.load_symbols_from_rest`).

    Parameters
    ----------
    lake, connection
        Where to and where from.
    tickers
        Whose dividends.
    start
        First ex-date.

    Returns
    -------
    ReferenceReport
        What was loaded, what went to quarantine, which kinds the vendor's plan does not include, and whose
        renames it did not answer.

    Raises
    ------
    NotEntitledError
        When the plan does not include splits: bars could not be adjusted.
    VendorError
        When the vendor does not answer, or answers nothing where the lake holds rows; nothing of that kind
        has changed then.

    Notes
    -----
    Point in time: a split is known at the open of its ex-date (the vendor does not say when it was
    announced), a dividend at the open of the session after its declaration or, if that is earlier or the
    declaration is unknown, of its ex-date. Dividends of one ticker and ex-date are added up, and known with
    the last of them. Yields are known at 18:00 ET of their date.
    """
    names = sorted(set(tickers))
    bad, refused = [], []
    found, wrong = sift("corporate_actions", _splits(connection, start), _SPLITS, "ex_date")
    bad.append(wrong)
    _replace(lake, "corporate_actions", found, (pl.col("action") == "split") & (pl.col("ex_date") >= start))
    splits, dividends, yields = found.height, 0, 0
    try:
        found, wrong = sift("corporate_actions", _dividends(connection, names, start), _DIVIDENDS, "ex_date")
        replaced = (pl.col("action") == "dividend") & pl.col("ticker").is_in(names)
        _replace(lake, "corporate_actions", found, replaced & (pl.col("ex_date") >= start))
        bad.append(wrong)
        dividends = found.height
    except NotEntitledError as error:
        refused.append(f"dividends: {error}")
    try:
        found, wrong = sift("treasury_yields", _yields(connection, start), _YIELDS, "date")
        _replace(lake, "treasury_yields", found, pl.col("date") >= start - _CURVE_DAYS)
        bad.append(wrong)
        yields = found.height
    except NotEntitledError as error:
        refused.append(f"treasury yields: {error}")
    refused += load_symbols_from_rest(lake, connection, names)
    rows = pl.concat(bad)
    sources = (_SPLITS, _DIVIDENDS, _YIELDS)
    quarantine(lake, rows, replaces=pl.col("source_key").is_in(sources), source="rest")
    return ReferenceReport(sources, splits, dividends, yields, count_rules(rows), tuple(refused))


def _splits(connection: Connection, start: date) -> pl.DataFrame:
    found = rest_reference.splits(connection, start)
    absent = pl.lit(None, dtype=pl.Float64)
    return found.with_columns(
        action=pl.lit("split"), cash_amount=absent, available_at=moments(found["ex_date"], opening)
    )


def _dividends(connection: Connection, tickers: list[str], start: date) -> pl.DataFrame:
    asked = [rest_reference.dividends(connection, start, ticker=ticker) for ticker in tickers]
    if not asked:
        return pl.DataFrame(schema=table("corporate_actions").columns)
    found = pl.concat(asked)
    declared = moments(found["declaration_date"], lambda day: next_session(day).open_ns)
    known = pl.select(pl.min_horizontal(moments(found["ex_date"], opening), declared)).to_series()
    absent = pl.lit(None, dtype=pl.Float64)
    return (
        found.with_columns(available_at=known)
        .group_by("ticker", "ex_date", maintain_order=True)
        .agg(pl.col("cash_amount").sum(), pl.col("available_at").max())
        .with_columns(action=pl.lit("dividend"), split_from=absent, split_to=absent)
    )


def _yields(connection: Connection, start: date) -> pl.DataFrame:
    found = rest_reference.treasury_yields(connection, start - _CURVE_DAYS)
    return found.with_columns(available_at=moments(found["date"], _evening))


def _evening(day: date) -> int:
    return et_ns(day, "18:00")


def _replace(lake: Lake, name: str, rows: pl.DataFrame, replaced: pl.Expr) -> None:
    def change(held: pl.DataFrame) -> pl.DataFrame:
        kept = held.filter(~replaced)
        if rows.is_empty() and kept.height < held.height:
            raise VendorUnavailableError(
                f"the vendor has nothing for {name} where the lake holds {held.height - kept.height} rows: "
                "they are kept; try again later"
            )
        return pl.concat([kept, rows])

    lake.update(name, change, source="rest")


def sift(name: str, rows: pl.DataFrame, source: str, day: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the good rows of a table, and the others as rows of `quarantine`."""
    spec = table(name)
    numbered = rows.select(*spec.columns).with_row_index("row_number", 1)
    frame = numbered.with_columns(pl.col("row_number").cast(pl.Int64))
    checked = check(spec, frame)
    raw = {number: str(row) for number, *row in frame.iter_rows()}
    days = dict(frame.select("row_number", day).iter_rows())
    parts = [
        quarantine_rows(name, days[part["row_number"][0]] or et_date(0), source, part, raw)
        for part in checked.bad.iter_slices(1)
    ]
    return checked.good, pl.concat([pl.DataFrame(schema=table("quarantine").columns), *parts])
