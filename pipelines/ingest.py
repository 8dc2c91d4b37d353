"""Flat files into the lake: list, read, parse, check, commit.

A file whose ETag the `ingestions` table holds as committed is left alone; a replaced file has another ETag
and makes a new version of its date. The order of writing is quarantine, rows, ingestions, and every step
replaces rather than adds: a run that was killed anywhere and is started again leaves the lake that an
uninterrupted run leaves.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl

from pipelines.vet import quarantine, raise_refusals, vet
from strikelake.calendar import sessions
from strikelake.errors import (
    CalendarError,
    EmptyLakeError,
    NotPublishedError,
    VendorError,
)
from strikelake.schemas import table
from strikelake.vendors.flat_files import Dataset
from strikelake.vendors.quote_filter import QuoteFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from pipelines.vet import Outcome, Vetted
    from strikelake.lake.store import Lake
    from strikelake.vendors.flat_files import FlatFiles, SourceFile

_BATCH_FILES = 256
_BATCH_BYTES = 64_000_000
# A file of ticks needs more memory than one of bars.
_BAR_READERS, _TICK_READERS = 2, 1


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """What one dataset brought.

    Attributes
    ----------
    dataset
        Which.
    listed, ingested, unchanged
        Files at the source, files committed by this run, files that the lake already held.
    rows, rejected, repaired
        Rows committed by this run, sent to quarantine, and mended in their known-bad window start.
    unwanted
        Quotes that the filter left aside.
    rules
        How many rows broke each rule.
    missing
        Sessions in the range without a file at the source.
    off_session
        Dates of files that are no session; those files are not read.
    ignored_columns
        Columns of the files that have no place in the table.
    """

    dataset: Dataset
    listed: int
    ingested: int
    unchanged: int
    rows: int
    rejected: int
    repaired: int
    unwanted: int
    rules: dict[str, int]
    missing: tuple[date, ...]
    off_session: tuple[date, ...]
    ignored_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What a run brought, by dataset, and the version each table has after it."""

    datasets: tuple[DatasetReport, ...]
    versions: dict[str, int]

    @property
    def rows(self) -> int:
        """Rows committed by this run."""
        return sum(report.rows for report in self.datasets)


def ingest(
    lake: Lake,
    source: FlatFiles,
    datasets: Sequence[Dataset],
    start: date,
    end: date,
    *,
    progress: Callable[[int, int], None] | None = None,
    bad_share: float = 0.01,
    log: Callable[[str], None] | None = None,
    quotes: QuoteFilter | None = None,
) -> IngestReport:
    """Bring the files of a range into the lake, except those that it already holds unchanged.

    Parameters
    ----------
    lake, source
        Where to and where from.
    datasets
        What to bring.
    start, end
        First and last date, both included.
    progress
        Called with the number of files handled and of files to handle.
    bad_share
        Share of bad rows above which a file is not published.
    log
        Called with a line about each batch.
    quotes
        Which quotes of options to keep; by default the last of each minute of every contract.

    Returns
    -------
    IngestReport
        What was brought, rejected and missing.

    Raises
    ------
    CalendarError
        When no date of the range is a session.
    NotPublishedError
        When the source has no file in the range for any of the datasets, or a listed file is gone.
    QualityError, BadFileError
        At the end, when files were refused: all other files are in the lake by then. A refused file changes
        nothing but its row in `ingestions`; what the lake held of its date stays. The next run tries again.
    LakeError
        When the disk is full, or the lake may not be written.
    NotEntitledError, VendorUnavailableError
        At once, when the source fails; batches before are in the lake.
    """
    expected = {session.date for session in sessions(start, end)}
    if not expected:
        raise CalendarError(f"no date from {start} to {end} is a session: give a range with a trading day")
    listings = {dataset: source.list(dataset, start, end) for dataset in datasets}
    if not any(listings.values()):
        names = ", ".join(f"{dataset} ({dataset.prefix})" for dataset in datasets)
        raise NotPublishedError(
            f"{source} has no files from {start} to {end} for {names}: check range and source"
        )
    chosen = quotes or QuoteFilter()
    todo = {dataset: _todo(lake, dataset, files, expected, chosen) for dataset, files in listings.items()}
    handled, total = 0, sum(map(len, todo.values()))
    outcomes: dict[Dataset, list[Outcome]] = {dataset: [] for dataset in datasets}
    for dataset in listings:
        for batch in _batches(todo[dataset]):
            outcomes[dataset] += _ingest_batch(
                lake, source, dataset, batch, bad_share, quotes or QuoteFilter()
            )
            handled += len(batch)
            if progress:
                progress(handled, total)
            if log:
                log(f"{dataset}: {batch[0].date} to {batch[-1].date}, {handled} of {total} files")
    raise_refusals([outcome.fault for ended in outcomes.values() for outcome in ended if outcome.fault])
    reports = (_report(dataset, files, outcomes[dataset], expected) for dataset, files in listings.items())
    return IngestReport(tuple(reports), lake.versions())


def bytes_by_date(
    source: FlatFiles, datasets: Sequence[Dataset], start: date, end: date
) -> dict[date, float]:
    """Return how large the files of each date are that a source lists, together."""
    sizes: Counter[date] = Counter()
    for dataset in datasets:
        for file in source.list(dataset, start, end):
            sizes[file.date] += file.size
    return {day: float(size) for day, size in sizes.items()}


def _todo(
    lake: Lake, dataset: Dataset, files: list[SourceFile], expected: set[date], quotes: QuoteFilter
) -> list[SourceFile]:
    """Return the files that the lake does not hold as they are."""
    try:
        states = lake.scan("ingestions").filter(
            (pl.col("dataset") == dataset)
            & (pl.col("state") == "committed")
            & (pl.col("detail") == _kept(dataset, quotes))
        )
        etags = dict(states.select("date", "etag").collect().iter_rows())
    except EmptyLakeError:
        etags = {}
    # A table removed by hand comes back, whatever `ingestions` says.
    held = set(lake.sessions(dataset))
    return [
        file
        for file in files
        if file.date in expected and not (file.date in held and etags.get(file.date) == file.etag)
    ]


def _kept(dataset: Dataset, quotes: QuoteFilter) -> str:
    """Return what was kept of a file, for its row in `ingestions`: with another filter it is read again."""
    return str(quotes) if dataset is Dataset.OPTION_QUOTES else ""


def _batches(files: list[SourceFile]) -> Iterator[list[SourceFile]]:
    batch: list[SourceFile] = []
    size = 0
    for file in files:
        if batch and (len(batch) == _BATCH_FILES or size + file.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def _ingest_batch(
    lake: Lake,
    source: FlatFiles,
    dataset: Dataset,
    batch: list[SourceFile],
    bad_share: float,
    quotes: QuoteFilter,
) -> list[Outcome]:
    read: list[Vetted] = []
    readers = _TICK_READERS if dataset.is_tick else _BAR_READERS
    with TemporaryDirectory(prefix="strikelake-") as folder, ThreadPoolExecutor(readers) as pool:
        try:
            read.extend(pool.map(lambda file: vet(source, file, bad_share, Path(folder), quotes), batch))
        except VendorError:
            # What arrived before the source failed is not fetched again.
            _commit(lake, str(source), dataset, read, quotes)
            raise
        _commit(lake, str(source), dataset, read, quotes)
    return [rows.outcome for rows in read]


def _commit(lake: Lake, source: str, dataset: Dataset, read: list[Vetted], quotes: QuoteFilter) -> None:
    staged = {rows.outcome.file.date: rows.good for rows in read if rows.good}
    version = None
    if staged:
        bad = pl.concat([rows.bad for rows in read])
        quarantine(lake, bad, replaces=pl.col("table_name") == dataset, days=staged, source=source)
        version = lake.replace_staged(dataset, staged, source=source)
    states = pl.DataFrame(
        [_state(rows.outcome, version, _kept(dataset, quotes)) for rows in read],
        schema=table("ingestions").columns,
        orient="row",
    )
    handled = (pl.col("dataset") == dataset) & pl.col("date").is_in(states["date"].implode())
    if read:
        lake.update(
            "ingestions", lambda present: pl.concat([present.filter(~handled), states]), source=source
        )


def _state(outcome: Outcome, version: int | None, kept: str) -> dict[str, object]:
    file = outcome.file
    return {
        "dataset": str(file.dataset),
        "date": file.date,
        "source_key": file.key,
        "etag": file.etag,
        "size": file.size,
        "state": "refused" if outcome.fault else "committed",
        "rows": outcome.rows,
        "rejected": outcome.rejected,
        "table_version": None if outcome.fault else version,
        "detail": str(outcome.fault or kept),
    }


def _report(
    dataset: Dataset, files: list[SourceFile], outcomes: list[Outcome], expected: set[date]
) -> DatasetReport:
    days = {file.date for file in files}
    rules: Counter[str] = Counter()
    for outcome in outcomes:
        rules.update(outcome.rules)
    return DatasetReport(
        dataset=dataset,
        listed=len(files),
        ingested=len(outcomes),
        unchanged=len(days & expected) - len(outcomes),
        rows=sum(outcome.rows for outcome in outcomes),
        rejected=sum(outcome.rejected for outcome in outcomes),
        repaired=sum(outcome.repaired for outcome in outcomes),
        unwanted=sum(outcome.unwanted for outcome in outcomes),
        rules=dict(rules),
        missing=tuple(sorted(expected - days)),
        off_session=tuple(sorted(days - expected)),
        ignored_columns=tuple(sorted({name for outcome in outcomes for name in outcome.ignored})),
    )
