"""One table on disk: Parquet files, and the Delta log that says which of them make up each version.

Files are named by their content and never changed, so that writing the same rows again changes nothing, and
what a killed process leaves behind is a file that no version mentions.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake.exceptions import DeltaError
from deltalake.schema import Schema
from deltalake.transaction import AddAction, Transaction

from strikelake.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from pathlib import Path

    from strikelake.schemas import TableSpec

_ROW_GROUP = 65_536
# Every commit claims this name in the log. Delta itself lets two writers add the same new date side by side.
_WRITER = "strikelake"


@dataclass(frozen=True, slots=True)
class Part:
    """One written Parquet file: its path inside the table's folder, its bytes and its rows."""

    path: str
    size: int
    rows: int


def exists(folder: Path) -> bool:
    """Return whether the folder holds a table."""
    return (folder / "_delta_log").is_dir()


def create(folder: Path, spec: TableSpec) -> None:
    """Make an empty table, unless there is one. All its versions stay readable for ever."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {"delta.checkpointInterval": "10", "delta.enableExpiredLogCleanup": "false"}
    try:
        DeltaTable.create(
            str(folder),
            _delta_schema(spec),
            mode="ignore",
            partition_by=list(spec.partition_by),
            configuration=options,
        )
    except DeltaError as error:
        # Another process may have made it between the look and the write.
        if not exists(folder):
            raise LakeError(f"cannot create the table {spec.name} in {folder}: {error}") from error


def load(folder: Path, version: int | None = None) -> DeltaTable:
    """Return the table at one version, the latest by default.

    Raises
    ------
    LakeError
        When the table has no such version, or its log does not read.
    """
    try:
        log = DeltaTable(str(folder))
        latest = log.version()
        if version is not None and not 0 <= version <= latest:
            raise LakeError(f"{folder.name} has versions 0 to {latest}, not {version}: choose one of them")
        if version is not None and version != latest:
            log.load_as_version(version)
    except DeltaError as error:
        raise LakeError(f"the Delta log in {folder} does not read: {error}; restore a backup") from error
    return log


def live(log: DeltaTable, spec: TableSpec) -> pl.DataFrame:
    """Return the files of a version.

    Returns
    -------
    pl.DataFrame
        path (String), date (Date; null in tables without partitions), rows (Int64); by date.
    """
    files = pl.DataFrame(log.get_add_actions(flatten=True))
    if files.is_empty():
        return pl.DataFrame(schema={"path": pl.String, "date": pl.Date, "rows": pl.Int64})
    day = pl.col("partition.date") if spec.partition_by else pl.lit(None)
    return files.select(
        "path", day.cast(pl.Date).alias("date"), pl.col("num_records").cast(pl.Int64).alias("rows")
    ).sort("date", "path")


def scan_files(folder: Path, spec: TableSpec, paths: Iterable[str]) -> pl.LazyFrame:
    """Return the rows of some files with the columns of the table; polars skips dates a filter rules out."""
    uris = [str(folder / path) for path in paths]
    if not uris:
        return pl.LazyFrame(schema=spec.columns)
    partitioned = bool(spec.partition_by)
    frame = pl.scan_parquet(
        uris,
        glob=False,
        schema=spec.columns,
        hive_partitioning=partitioned,
        hive_schema={"date": pl.Date} if partitioned else None,
    )
    return frame.select(*spec.columns)


def write(folder: Path, spec: TableSpec, day: date | None, frame: pl.DataFrame) -> Part | None:
    """Write rows as one sorted file; nothing for no rows."""
    if frame.is_empty():
        return None
    columns = [name for name in spec.columns if name not in spec.partition_by]
    rows = frame.sort(spec.sort, maintain_order=True).select(columns)
    sink = io.BytesIO()
    pq.write_table(
        rows.to_arrow(compat_level=pl.CompatLevel.oldest()),
        sink,
        compression="zstd",
        compression_level=3,
        row_group_size=_ROW_GROUP,
        store_schema=False,
    )
    content = sink.getvalue()
    name = f"part-{hashlib.blake2b(content, digest_size=16).hexdigest()}.parquet"
    path = name if day is None else f"date={day}/{name}"
    _put(folder / path, content)
    return Part(path, len(content), frame.height)


def commit(log: DeltaTable, spec: TableSpec, staged: Mapping[date | None, Part | None], source: str) -> int:
    """Make the staged files the content of their dates, in one version.

    Parameters
    ----------
    log
        The table as it was read; a commit that anyone made since makes this one fail.
    staged
        A file for each date, or None to leave the date without rows. Tables without partitions have one
        date: None.
    source
        Where the rows come from, kept in the log.

    Returns
    -------
    int
        The version that holds the rows: the present one when nothing changes.

    Raises
    ------
    deltalake.exceptions.CommitFailedError
        When another writer came first: read again and decide again.
    """
    changed = _changed(log, spec, staged)
    if not changed:
        return log.version()
    log.create_write_transaction(
        [_add(part, day) for day, part in changed.items() if part],
        mode="overwrite",
        schema=_delta_schema(spec),
        partition_by=list(spec.partition_by),
        partition_filters=[("date", "in", [str(day) for day in changed])] if spec.partition_by else None,
        commit_properties=CommitProperties(
            custom_metadata={"source": source}, app_transactions=[Transaction(_WRITER, log.version() + 1)]
        ),
        post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
    )
    log.update_incremental()
    return log.version()


def _changed(
    log: DeltaTable, spec: TableSpec, staged: Mapping[date | None, Part | None]
) -> dict[date | None, Part | None]:
    present: dict[date | None, set[str]] = {}
    for path, day, _ in live(log, spec).iter_rows():
        present.setdefault(day, set()).add(path)
    return {
        day: part
        for day, part in staged.items()
        if present.get(day, set()) != ({part.path} if part else set())
    }


def _add(part: Part, day: date | None) -> AddAction:
    return AddAction(
        path=part.path,
        size=part.size,
        partition_values={} if day is None else {"date": str(day)},
        modification_time=time.time_ns() // 1_000_000,
        data_change=True,
        stats=json.dumps({"numRecords": part.rows}),
    )


def _put(path: Path, content: bytes) -> None:
    """Write a whole file or none. The temporary name is its own, so that two writers never share one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _delta_schema(spec: TableSpec) -> Schema:
    empty = pl.DataFrame(schema=spec.columns).to_arrow(compat_level=pl.CompatLevel.oldest())
    return Schema.from_arrow(empty.schema)
