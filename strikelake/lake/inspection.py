"""What the lake holds, and whether it still is what was written."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from strikelake.calendar import sessions
from strikelake.errors import LakeError
from strikelake.lake import versions
from strikelake.lake.months import Month, copies, months, scan_copies
from strikelake.lake.packing import file_name, is_packed, packing
from strikelake.lake.quality import require
from strikelake.lake.tables import between

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from strikelake.lake.store import Lake
    from strikelake.lake.tables import Table


@dataclass(frozen=True, slots=True)
class Status:
    """What the latest version of a table holds.

    Attributes
    ----------
    table, version
        Which.
    stored_ns
        When the version was made, ns UTC.
    sessions, first, last
        Dates with rows: how many, and the first and last of them, None in an empty table.
    rows, size
        Rows and bytes of the version's own files.
    copies, copies_size
        Months that are read from a copy, and the bytes of these copies.
    missing
        Sessions between first and last without rows, in tables that should have each.
    """

    table: str
    version: int
    stored_ns: int
    sessions: int
    first: date | None
    last: date | None
    rows: int
    size: int
    copies: int
    copies_size: int
    missing: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a file of a table, or with the table where `path` is empty."""

    table: str
    date: date | None
    path: str
    found: str


def status(lake: Lake, name: str) -> Status:
    """Return what a table holds; reads the log, and the rows only of tables that are kept in one file.

    Raises
    ------
    EmptyLakeError
        When the table does not exist.
    """
    table = lake.table(name)
    log = table.log()
    files = versions.live(log, table.spec)
    days = table.sessions(log.version())
    used = {month.copy for month in months(files)} if table.spec.partition_by else set()
    stored = [file for file in table.place.files("_months") if file.path in used]
    return Status(
        table=name,
        version=log.version(),
        stored_ns=int(versions.commits(table.place)["ts_ns"][-1]),
        sessions=len(days),
        first=days[0] if days else None,
        last=days[-1] if days else None,
        rows=int(files["rows"].sum()),
        size=int(files["size"].sum()),
        copies=len(stored),
        copies_size=sum(file.size for file in stored),
        missing=_missing(table, days),
    )


def verify(lake: Lake, name: str, start: date | None = None, end: date | None = None) -> Iterator[Fault]:
    """Read every file of a table's latest version again and tell what is wrong.

    Content is compared with the hash in the file's name; columns, order, keys and rules with the schema; row
    counts with the log and with `ingestions`; copies of months with the files they were made from.

    Parameters
    ----------
    lake, name
        The table.
    start, end
        First and last date to look at; None is open. Tables without partitions are read whole.

    Raises
    ------
    EmptyLakeError
        When the table does not exist.
    """
    table = lake.table(name)
    latest = table.files()
    files = latest.filter(between("date", start, end)) if table.spec.partition_by else latest
    sound: set[str] = set()
    for path, day, rows, size in files.iter_rows():
        wrong = _examine(table, path, day, rows, size)
        if wrong:
            yield Fault(name, day, path, wrong)
        else:
            sound.add(path)
    if not table.spec.partition_by:
        return
    held = copies(table.place)
    for month in months(latest):
        # A copy of damaged files proves nothing about either.
        if month.copy in held and sound.issuperset(month.paths):
            wrong = _examine_copy(table, month)
            if wrong:
                yield Fault(name, None, month.copy, wrong)
    yield from _against_ingestions(lake, table, files, between("date", start, end))


def _missing(table: Table, days: list[date]) -> tuple[date, ...]:
    if not days or not table.spec.partition_by or table.spec.sparse:
        return ()
    return tuple(sorted({session.date for session in sessions(days[0], days[-1])} - set(days)))


def _examine(table: Table, path: str, day: date | None, rows: int, size: int) -> str:
    """Return what is wrong with a data file; nothing when all is well."""
    content = table.place.read(path)
    if content is None:
        return "the file is gone: restore a backup, or remove its row in `ingestions` and ingest again"
    if len(content) != size:
        return f"it has {len(content):,} bytes and the log says {size:,}"
    if path.rsplit("/", 1)[-1] != file_name(versions.digest(content), packed=is_packed(path)):
        return "its content is not what was written: its hash differs from its name"
    return _examine_rows(table, path, day, rows, content)


def _examine_rows(table: Table, path: str, day: date | None, rows: int, content: bytes) -> str:
    try:
        frame = _rows_in(table, path, day, content)
    except pl.exceptions.ColumnNotFoundError as error:
        return f"its columns are not those of packed rows: {error}"
    if frame.height != rows:
        return f"it has {frame.height:,} rows and the log says {rows:,}"
    try:
        require(table.spec, frame)
    except LakeError as error:
        return str(error)
    order = frame.select(table.spec.sort)
    return "" if order.equals(order.sort(table.spec.sort)) else f"it is not sorted by {table.spec.sort}"


def _rows_in(table: Table, path: str, day: date | None, content: bytes) -> pl.DataFrame:
    frame = pl.read_parquet(io.BytesIO(content), hive_partitioning=False)
    if day is not None:
        frame = frame.with_columns(date=pl.lit(day, pl.Date))
    packed = packing(table.spec.name) if is_packed(path) else None
    return packed.unpack(frame.lazy()).collect() if packed else frame


def _examine_copy(table: Table, month: Month) -> str:
    """Return what is wrong with the copy of a month."""
    days = versions.scan_files(table.place, table.spec, month.paths)
    copied = scan_copies(table.place, table.spec, [month.copy])
    # Wrapping sums of row hashes do not depend on the order of rows.
    totals = [
        rows.select(rows=pl.len(), hash=pl.struct(*table.spec.columns).hash().sum())
        .collect(engine="streaming")
        .row(0)
        for rows in (days, copied)
    ]
    if totals[0] != totals[1]:
        return (
            f"it has {totals[1][0]:,} rows and its days {totals[0][0]:,}, or their values differ: delete it"
        )
    order = copied.select(table.spec.sort).collect()
    return "" if order.equals(order.sort(table.spec.sort)) else f"it is not sorted by {table.spec.sort}"


def _against_ingestions(lake: Lake, table: Table, files: pl.DataFrame, in_range: pl.Expr) -> Iterator[Fault]:
    """Compare rows by date with what `ingestions` says was committed."""
    told = lake.table("ingestions")
    if not told.exists():
        return
    committed = told.rows(told.files()).filter(
        in_range, pl.col("dataset") == table.spec.name, pl.col("state") == "committed"
    )
    held = files.group_by("date").agg(held=pl.col("rows").sum())
    compared = committed.select("date", "rows").collect().join(held, on="date", how="left")
    rows = pl.col("held").fill_null(0)
    for day, expected, found in (
        compared.select("date", "rows", held=rows)
        .filter(pl.col("held") != pl.col("rows"))
        .sort("date")
        .iter_rows()
    ):
        yield Fault(table.spec.name, day, "", f"it has {found:,} rows and `ingestions` says {expected:,}")
