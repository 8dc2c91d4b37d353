"""Dated facts out of a reference folder: earnings reports, news, and what was open of each contract."""

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
from strikelake.vendors.rest_market import news_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date
    from pathlib import Path

    from strikelake.lake.store import Lake

FACT_FILES = {"earnings": "earnings.csv", "news": "news.jsonl", "open_interest": "open_interest.csv"}
"""Files by the table that they fill."""

_ANNOUNCED, _TIMING, _PERIOD = "announced_date", "timing", "fiscal_period"
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
    of later. Open interest is known at 06:30 ET of the next session.
    """
    return {
        name: _READERS[name](folder / file) for name, file in FACT_FILES.items() if (folder / file).is_file()
    }


def store_facts(lake: Lake, facts: Mapping[str, Loaded], source: str) -> dict[str, int]:
    """Store the good rows, and return how many there are by table.

    Earnings and open interest replace those of the same tickers and dates; news that the lake has stays.
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

    lake.update(name, change, days=set(rows["date"]), source=source)


def _earnings(path: Path) -> Loaded:
    strings = read(path, ["ticker", "report_date"])
    optional = dict.fromkeys((_TIMING, _PERIOD), pl.String) | {_ANNOUNCED: pl.Date}
    there = {name: kind for name, kind in optional.items() if name in strings.columns}
    found = typed(path, strings, {"ticker": pl.String, "report_date": pl.Date} | there, there)
    absent = {name: pl.lit(None, kind) for name, kind in optional.items() if name not in there}
    found = found.with_columns(**absent)
    opens, closes = (moments(found["report_date"], edge) for edge in (_open, _close))
    early = found[_TIMING].eq_missing("bmo")
    report = pl.select(pl.when(early).then(opens).otherwise(closes)).to_series()
    told = moments(found[_ANNOUNCED], lambda day: next_session(day).open_ns)
    frame = found.rename({"report_date": "date"}).with_columns(
        report_ns=report, available_at=pl.select(pl.min_horizontal(report, told)).to_series()
    )
    return checked(path, "earnings", frame, "date")


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


_READERS: Mapping[str, Callable[[Path], Loaded]] = {
    "earnings": _earnings,
    "news": _news,
    "open_interest": _open_interest,
}
