"""One table on disk: Parquet files, and the Delta log that says which of them make up each version.

Files are named by their content and never changed, so that writing the same rows again changes nothing, and
what a killed process leaves behind is a file that no version mentions.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake.exceptions import DeltaError
from deltalake.schema import Schema
from deltalake.transaction import AddAction, Transaction

from strikelake.calendar import from_datetime
from strikelake.errors import LakeError
from strikelake.lake.packing import file_name, is_packed, packing
from strikelake.lake.staging import Staged, write_options
from strikelake.lake.storage import unwritable
from strikelake.schemas import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime

    from strikelake.lake.bucket import Place
    from strikelake.schemas import TableSpec

ROW_GROUP = 65_536
WRITE_OPTIONS = {"compression": "zstd", "compression_level": 3, "store_schema": False}
REMOVED = "_delta_log/_removed_versions.json"
_ENTRY = re.compile(r"\d{20}\.json")
_FILES = pl.Schema({"path": pl.String, "date": pl.Date, "rows": pl.Int64, "size": pl.Int64})
# Every commit claims this name in the log. Delta itself lets two writers add the same new date side by side.
_WRITER = "strikelake"
_NEWER = "Unsupported minimum"


@dataclass(frozen=True, slots=True)
class Part:
    """One written Parquet file: its path inside the table's folder, its bytes and its rows."""

    path: str
    size: int
    rows: int


def exists(place: Place) -> bool:
    """Return whether a table is there."""
    return place.holds("_delta_log")


def create(place: Place, spec: TableSpec) -> None:
    """Make an empty table, unless there is one. Its log is never shortened.

    Raises
    ------
    LakeError
        When the place cannot be written.
    """
    if exists(place):
        return
    options = {"delta.checkpointInterval": "10", "delta.enableExpiredLogCleanup": "false"}
    try:
        DeltaTable.create(
            place.uri,
            _delta_schema(spec),
            mode="ignore",
            partition_by=list(spec.partition_by),
            configuration=options,
            storage_options=place.options,
        )
    except (DeltaError, OSError) as error:
        # Another process may have made it between the look and the write.
        if not exists(place):
            raise unwritable(place.uri, error) from error


def load(place: Place, version: int | None = None) -> DeltaTable:
    """Return the table at one version, the latest by default.

    Raises
    ------
    LakeError
        When the table has no such version, its log does not read, or a newer Strikelake wrote it.
    """
    name = place.uri.rsplit("/", 1)[-1]
    try:
        log = DeltaTable(place.uri, storage_options=place.options)
        latest = log.version()
        if version is not None and not 0 <= version <= latest:
            raise LakeError(f"{name} has versions 0 to {latest}, not {version}: choose one of them")
        if version is not None and version != latest:
            if version in removed(place):
                raise LakeError(f"version {version} of {name} was vacuumed: read one that was kept")
            log.load_as_version(version)
        _refuse_newer(name, {field.name for field in log.schema().fields})
    except (DeltaError, OSError) as error:
        why = " ".join(str(error).split("Backtrace")[0].split())[:300]
        remedy = "a newer program wrote it: update Strikelake" if _NEWER in why else "restore a backup"
        raise LakeError(f"the Delta log in {place.uri} does not read: {why}; {remedy}") from error
    return log


def _refuse_newer(name: str, found: set[str]) -> None:
    """Refuse a table with columns beside ours: what its rows say could not be read in full."""
    unknown = found - set(tables()[name].columns)
    if unknown:
        raise LakeError(
            f"{name} has columns that this version does not know ({', '.join(sorted(unknown))}): "
            "a newer one wrote it: update Strikelake"
        )


def entry(version: int) -> str:
    """Return the path of a version's entry in the log."""
    return f"_delta_log/{version:020}.json"


def removed(place: Place) -> set[int]:
    """Return the versions whose files were vacuumed."""
    return set(json.loads(place.read(REMOVED) or b"[]"))


def commits(place: Place) -> pl.DataFrame:
    """Return when each version was made.

    Returns
    -------
    pl.DataFrame
        version (Int64), ts_ns (Int64), oldest first. A clock that was set back makes no version older than
        the one before it.
    """
    # deltalake's own history of a log in a bucket can wait for minutes.
    entries = sorted(name for name in place.names("_delta_log") if _ENTRY.fullmatch(name))
    found = [(int(name[:20]), _stored_ns(place, name)) for name in entries]
    frame = pl.DataFrame(found, schema={"version": pl.Int64, "ts_ns": pl.Int64}, orient="row")
    return frame.sort("version").with_columns(pl.col("ts_ns").cum_max())


def _stored_ns(place: Place, name: str) -> int:
    lines = (place.read(f"_delta_log/{name}") or b"").splitlines()
    told = next((line for line in lines if line.startswith(b'{"commitInfo"')), b"{}")
    return int(json.loads(told).get("commitInfo", {}).get("timestamp", 0)) * 1_000_000


def version_at(place: Place, moment: datetime) -> int | None:
    """Return the version that was the latest at a moment, or None where there was none yet."""
    made = commits(place).filter(pl.col("ts_ns") <= from_datetime(moment))
    return None if made.is_empty() else int(made["version"][-1])


def live(log: DeltaTable, spec: TableSpec) -> pl.DataFrame:
    """Return the files of a version.

    Returns
    -------
    pl.DataFrame
        path (String), date (Date; null without partitions), rows and size in bytes (Int64); by date.
    """
    files = pl.DataFrame(log.get_add_actions(flatten=True))
    if files.is_empty():
        return pl.DataFrame(schema=_FILES)
    day = pl.col("partition.date") if spec.partition_by else pl.lit(None)
    return (
        files.select("path", day.alias("date"), rows="num_records", size="size_bytes")
        .cast(_FILES)
        .sort("date", "path")
    )


def scan_files(place: Place, spec: TableSpec, paths: Iterable[str]) -> pl.LazyFrame:
    """Return the rows of some files with the columns of the table; polars skips dates a filter rules out."""
    partitioned = bool(spec.partition_by)

    def scan(wanted: list[str], columns: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        return pl.scan_parquet(
            [place.address(path) for path in wanted],
            glob=False,
            schema=columns,
            hive_partitioning=partitioned,
            hive_schema={"date": pl.Date} if partitioned else None,
            storage_options=place.options,
        )

    every = list(paths)
    packed = packing(spec.name)
    squeezed = [path for path in every if is_packed(path)]
    plain = [path for path in every if not is_packed(path)]
    parts = [scan(plain, spec.columns).select(*spec.columns)] if plain else []
    if packed and squeezed:
        parts.append(packed.unpack(scan(squeezed, packed.schema)))
    if not parts:
        return pl.LazyFrame(schema=spec.columns)
    return parts[0] if len(parts) == 1 else pl.concat(parts)


def write(place: Place, spec: TableSpec, day: date | None, frame: pl.DataFrame | Staged) -> Part | None:
    """Write rows as one sorted file; nothing for no rows."""
    if isinstance(frame, Staged):
        return Part(*frame.put(place, day), frame.rows) if day and frame.rows else None
    if frame.is_empty():
        return None
    columns = [name for name in spec.columns if name not in spec.partition_by]
    rows = frame.sort(spec.sort, maintain_order=True).select(columns)
    stored = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    packed, options = packing(spec.name), WRITE_OPTIONS
    if packed:
        stored = packed.pack(stored.combine_chunks())
        options = write_options(spec.name, stored.schema)
    sink = io.BytesIO()
    pq.write_table(stored, sink, row_group_size=ROW_GROUP, **options)
    content = sink.getvalue()
    name = file_name(digest(content), packed=packed is not None)
    path = name if day is None else f"date={day}/{name}"
    place.put(path, content)
    return Part(path, len(content), frame.height)


def digest(content: bytes) -> str:
    """Return the hash of a data file's content that its name has."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


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
    for path, day, *_ in live(log, spec).iter_rows():
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


def _delta_schema(spec: TableSpec) -> Schema:
    empty = pl.DataFrame(schema=spec.columns).to_arrow(compat_level=pl.CompatLevel.oldest())
    return Schema.from_arrow(empty.schema)
