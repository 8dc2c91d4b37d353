"""What tickers were on past dates, asked of the vendor and kept with when it could have been known."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from pipelines.availability import opening
from pipelines.reference_rest import sift
from pipelines.vet import quarantine
from strikelake.calendar import et_date, next_session, sessions
from strikelake.errors import EmptyLakeError
from strikelake.schemas import table
from strikelake.vendors.rest_reference import ticker_details

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from strikelake.calendar import Clock
    from strikelake.lake.store import Lake
    from strikelake.vendors.connection import Connection

NAME = "classifications"
SOURCE = "rest:ticker-details"
FILED_WITHIN = timedelta(days=105)
"""After its end a year is reported: 90 days for the slowest, and 15 more for those who ask for them."""

_QUARTERS = (1, 4, 7, 10)
_LONGEST_PAUSE = timedelta(days=10)
"""No quarter's first session comes later than that."""


def load_classifications(
    lake: Lake,
    connection: Connection,
    tickers: Iterable[str],
    start: date,
    end: date,
    clock: Clock,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Ask what tickers were at the first session of each quarter that decisions of a range may know of.

    One request for each ticker and quarter, once: what the lake has is not asked for again. What was answered
    of a quarter is stored before the next one is asked about, and when the vendor ceases to answer.

    Parameters
    ----------
    lake, connection
        Where to and where from.
    tickers
        Whom to ask about.
    start, end
        First and last date of the decisions; the future is not asked about.
    clock
        Says when the vendor was asked.
    progress
        Called with the number of requests made and in all.

    Returns
    -------
    int
        Rows stored.

    Raises
    ------
    NotEntitledError, VendorUnavailableError
        When the vendor does not answer; what it had answered is stored.

    Notes
    -----
    Point in time: the vendor compares a date with the end of the period that a company reported on, and so
    tells of it what was filed up to `FILED_WITHIN` later. A row is known from the open of a session on: the
    first one that much after its date, or after the vendor was asked where that is earlier. No sector changes
    within a session, so that a trader who read the lake before the open knows what there is to know. Whether
    the vendor keeps old codes, or tells today's for all dates, cannot be seen from here: `asked_ns` tells
    which rows were asked for with hindsight (ADR 51).
    """
    names, known = sorted(set(tickers)), _held(lake)
    asked = {
        day: [name for name in names if (name, day) not in known]
        for day in quarters(start - FILED_WITHIN, min(end, et_date(clock.now())))
    }
    total, stored, done = sum(map(len, asked.values())), 0, 0
    for day, absent in asked.items():
        answers: list[pl.DataFrame] = []
        try:
            for ticker in absent:
                answers.append(_answer(ticker_details(connection, ticker, day), ticker, day, clock.now()))
                done += 1
                if progress is not None:
                    progress(done, total)
        finally:
            stored += _store(lake, answers)
    return stored


def quarters(start: date, end: date) -> list[date]:
    """Return the first session of each quarter from that of `start` to `end`.

    Examples
    --------
    >>> [str(day) for day in quarters(date(2024, 9, 19), date(2025, 1, 2))]
    ['2024-07-01', '2024-10-01', '2025-01-02']
    """
    begun = [
        date(year, month, 1)
        for year in range(start.year, end.year + 1)
        for month in _QUARTERS
        if (start.year, (start.month - 1) // 3) <= (year, month // 3)
    ]
    first = [sessions(day, day + _LONGEST_PAUSE)[0].date for day in begun]
    return [day for day in first if day <= end]


def _answer(told: pl.DataFrame, ticker: str, day: date, asked_ns: int) -> pl.DataFrame:
    """Return one row of `classifications`: all null where the vendor knows no such ticker."""
    row = told if told.height else told.clear(1).with_columns(ticker=pl.lit(ticker))
    known = min(_open_after(asked_ns), opening(day + FILED_WITHIN))
    return row.with_columns(
        date=pl.lit(day), asked_ns=pl.lit(asked_ns, pl.Int64), available_at=pl.lit(known, pl.Int64)
    ).select(*table(NAME).columns)


def _open_after(moment: int) -> int:
    """Return the open of the first session that begins at a moment or later."""
    opens = opening(et_date(moment))
    return opens if opens >= moment else next_session(et_date(moment)).open_ns


def _held(lake: Lake) -> set[tuple[str, date]]:
    try:
        return set(lake.scan(NAME).select("ticker", "date").collect().iter_rows())
    except EmptyLakeError:
        return set()


def _store(lake: Lake, answers: list[pl.DataFrame]) -> int:
    if not answers:
        return 0
    good, bad = sift(NAME, pl.concat(answers), SOURCE, "date")
    if not bad.is_empty():
        days = set(bad["date"])
        quarantine(lake, bad, replaces=pl.col("source_key") == SOURCE, days=days, source="rest")
    if not good.is_empty():
        key = ["ticker", "date"]
        lake.update(NAME, lambda held: pl.concat([held.join(good, on=key, how="anti"), good]), source="rest")
    return good.height
