"""Dated facts out of a reference folder: earnings, news, open interest, and what a ticker is filed under."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from pipelines.availability import moments
from pipelines.listings import store_news
from pipelines.reference_files import Loaded, checked, read, typed
from strikelake.calendar import et_ns, is_session, next_session, session
from strikelake.contracts import occ_columns
from strikelake.errors import BadFileError
from strikelake.schemas import table
from strikelake.vendors.rest_market import news_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date
    from pathlib import Path

    from strikelake.lake.store import Lake

FACT_FILES = {
    "earnings": "earnings.csv",
    "news": "news.jsonl",
    "open_interest": "open_interest.csv",
    "classifications": "classifications.csv",
}
"""Files by the table that they fill."""

_ANNOUNCED, _TIMING, _PERIOD, _KNOWN = "announced_date", "timing", "fiscal_period", "known_date"
_PUBLISHED = "06:30"
"""When the clearing house's open interest is known, New York time of the next session."""


def read_facts(folder: Path) -> dict[str, Loaded]:
    """Return the rows of the files that a folder has, by table.

    Raises
    ------
    BadFileError
        When a file lacks a column, a value does not parse, or most rows break a rule.

    Notes
    -----
    Point in time: a report's date is known at the open of the session after its `announced_date`, and with
    the report itself where the file does not say. An article is known when it is published; its rating may be
    of later. Open interest is known at 06:30 ET of the next session. What a ticker is from a date on is known
    at the open of the session after that date, or after the row's `known_date` where the file has one.
    """
    return {
        name: _READERS[name](folder / file) for name, file in FACT_FILES.items() if (folder / file).is_file()
    }


def store_facts(lake: Lake, facts: Mapping[str, Loaded], source: str) -> dict[str, int]:
    """Store the good rows, and return how many there are by table.

    Rows replace those of the same tickers and dates; news that the lake has stays.
    """
    for name, loaded in facts.items():
        if name == "news":
            store_news(lake, loaded.good, source)
        elif not loaded.good.is_empty():
            _replace(lake, name, loaded.good, source)
    return {name: loaded.good.height for name, loaded in facts.items()}


def _replace(lake: Lake, name: str, rows: pl.DataFrame, source: str) -> None:
    whose = ["date", "underlying" if "underlying" in rows.columns else "ticker"]

    def change(held: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([held.join(rows, on=whose, how="anti"), rows])

    days = set(rows["date"]) if table(name).partition_by else None
    lake.update(name, change, days=days, source=source)


def _earnings(path: Path) -> Loaded:
    optional = dict.fromkeys((_TIMING, _PERIOD), pl.String) | {_ANNOUNCED: pl.Date}
    found = _typed(path, {"ticker": pl.String, "report_date": pl.Date}, optional)
    opens, closes = (moments(found["report_date"], edge) for edge in (_open, _close))
    early = found[_TIMING].eq_missing("bmo")
    report = pl.select(pl.when(early).then(opens).otherwise(closes)).to_series()
    told = moments(found[_ANNOUNCED], lambda day: next_session(day).open_ns)
    frame = found.rename({"report_date": "date"}).with_columns(
        report_ns=report, available_at=pl.select(pl.min_horizontal(report, told)).to_series()
    )
    return checked(path, "earnings", frame, "date")


def _typed(
    path: Path, columns: Mapping[str, type[pl.DataType]], optional: Mapping[str, type[pl.DataType]]
) -> pl.DataFrame:
    """Return the columns that a file must have, and those that it may have: null where it has not."""
    strings = read(path, columns)
    absent = {name: pl.lit(None, pl.String) for name in optional if name not in strings.columns}
    return typed(path, strings.with_columns(**absent), {**columns, **optional}, optional)


def _open(day: date) -> int:
    return session(day).open_ns if is_session(day) else next_session(day).open_ns


def _close(day: date) -> int:
    return session(day).close_ns if is_session(day) else next_session(day).open_ns


def _news(path: Path) -> Loaded:
    articles: list[Any] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            articles.append(json.loads(line))
        except ValueError as error:
            raise BadFileError(f"{path} line {number} is no JSON ({error}): write it again") from error
    frame = news_rows(articles).with_columns(available_at="ts_ns")
    numbered = frame.with_row_index("row_number", 1).with_columns(pl.col("row_number").cast(pl.Int64))
    return checked(path, "news", numbered.with_columns(raw="article_id"), "date")


def _open_interest(path: Path) -> Loaded:
    columns = {"date": pl.Date, "ticker": pl.String, "open_interest": pl.Int64}
    found = typed(path, read(path, columns), columns)
    contracts = found.select("row_number", "raw", "date", "open_interest", *occ_columns("ticker"))
    lost = contracts.filter(pl.col("occ_symbol").is_null())
    if not lost.is_empty():
        line, raw = lost.select("row_number", "raw").row(0)
        raise BadFileError(f"{path} line {line}: {raw!r} names no option contract: correct it")
    known = moments(contracts["date"], lambda day: et_ns(next_session(day).date, _PUBLISHED))
    return checked(path, "open_interest", contracts.with_columns(available_at=known), "date")


def _classifications(path: Path) -> Loaded:
    if "sic_code" not in read(path, ()).columns:
        raise BadFileError(f"{path} lacks the column sic_code: add it, empty for funds")
    optional = {"sic_code": pl.Int32, "security_type": pl.String, _KNOWN: pl.Date}
    found = _typed(path, {"ticker": pl.String, "date": pl.Date}, optional)
    told = moments(found[_KNOWN].fill_null(found["date"]), lambda day: next_session(day).open_ns)
    frame = found.with_columns(asked_ns=pl.lit(None, pl.Int64), available_at=told)
    return checked(path, "classifications", frame, "date")


_READERS: Mapping[str, Callable[[Path], Loaded]] = {
    "earnings": _earnings,
    "news": _news,
    "open_interest": _open_interest,
    "classifications": _classifications,
}
