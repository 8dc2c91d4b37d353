"""Copies of whole months, sorted by symbol across days, beside the files of the days.

A copy is named by the files it was made from, so that it is found for every version that consists of them
and for no other: replacing a date needs to know nothing of copies (docs/adr/0006).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.parquet as pq

from strikelake.lake.versions import ROW_GROUP, WRITE_OPTIONS, scan_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from strikelake.lake.bucket import Place
    from strikelake.schemas import TableSpec

FOLDER = "_months"
# Rows that are sorted in memory at a time.
_BATCH_ROWS = 2_000_000


@dataclass(frozen=True, slots=True)
class Month:
    """The files of a month in one version of a table.

    Attributes
    ----------
    name
        Such as ``2025-01``.
    paths
        Its day files, by date.
    rows
        Rows in all of them.
    """

    name: str
    paths: tuple[str, ...]
    rows: int

    @property
    def copy(self) -> str:
        """Path of the copy of exactly these files."""
        digest = hashlib.blake2b("\n".join(self.paths).encode(), digest_size=16).hexdigest()
        return f"{FOLDER}/{self.name}-{digest}.parquet"


def months(files: pl.DataFrame) -> list[Month]:
    """Return the months of a version's files (`versions.live`), oldest first."""
    held = files.filter(pl.col("rows") > 0).sort("date", "path")
    grouped = held.group_by(pl.col("date").dt.strftime("%Y-%m").alias("name"), maintain_order=True)
    return [
        Month(name, tuple(paths), rows)
        for name, paths, rows in grouped.agg("path", pl.col("rows").sum()).iter_rows()
    ]


def copies(place: Place) -> set[str]:
    """Return the paths of all copies there are."""
    return {f"{FOLDER}/{name}" for name in place.names(FOLDER)}


def prefer_copies(place: Place, files: pl.DataFrame, chosen: pl.DataFrame) -> tuple[list[str], list[str]]:
    """Return what to read for the chosen files of a version: day files, and copies of whole months."""
    held = copies(place)
    wanted = set(chosen["path"])
    used = [month for month in months(files) if month.copy in held and wanted.issuperset(month.paths)]
    replaced = {path for month in used for path in month.paths}
    return [path for path in chosen["path"] if path not in replaced], [month.copy for month in used]


def scan_copies(place: Place, spec: TableSpec, paths: Iterable[str]) -> pl.LazyFrame:
    """Return the rows of copies with the columns of the table."""
    addresses = [place.address(path) for path in paths]
    return pl.scan_parquet(addresses, glob=False, schema=spec.columns, storage_options=place.options)


def write_copy(place: Place, spec: TableSpec, month: Month) -> int:
    """Write the copy of a month; readers see it whole or not at all.

    Parameters
    ----------
    place, spec
        The table.
    month
        Its files are read range by range of symbols, so that memory does not grow with the month.

    Returns
    -------
    int
        Rows written.
    """
    rows = scan_files(place, spec, month.paths)
    schema = pl.DataFrame(schema=spec.columns).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    written = 0
    with place.stream(month.copy) as sink, pq.ParquetWriter(sink, schema, **WRITE_OPTIONS) as writer:
        for inside in _ranges(place, spec, month):
            batch = rows.filter(inside).collect().sort(spec.sort, maintain_order=True)
            writer.write_table(batch.to_arrow(compat_level=pl.CompatLevel.oldest()), row_group_size=ROW_GROUP)
            written += batch.height
    return written


def _ranges(place: Place, spec: TableSpec, month: Month) -> Iterator[pl.Expr]:
    """Return conditions on the first column of the sort order that split the month into batches."""
    first = spec.sort[0]
    column = pl.col(first)
    starts = sorted(start for path in month.paths for start in _group_starts(place, path, first))
    cuts: list[str] = []
    held = 0
    for start, rows in starts:
        if held >= _BATCH_ROWS and (not cuts or start > cuts[-1]):
            cuts.append(start)
            held = 0
        held += rows
    for low, high in zip([None, *cuts], [*cuts, None], strict=True):
        above = pl.lit(value=True) if low is None else column >= low
        yield above if high is None else above & (column < high)


def _group_starts(place: Place, path: str, column: str) -> list[tuple[str, int]]:
    """Return the first symbol and the number of rows of each row group of a file."""
    with place.open(path) as source:
        footer = pq.ParquetFile(source).metadata
    index = next(i for i in range(footer.num_columns) if footer.schema.column(i).name == column)
    groups = (footer.row_group(i) for i in range(footer.num_row_groups))
    bounds = ((group.column(index).statistics, group.num_rows) for group in groups)
    return [(told.min if told and told.has_min_max else "", rows) for told, rows in bounds]
