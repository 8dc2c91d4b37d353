"""Rows on their way into the lake: a Parquet file of this machine, written while they are still coming."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from strikelake.lake.storage import unwritable

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path
    from types import TracebackType

    from strikelake.lake.bucket import Place
    from strikelake.schemas import TableSpec

_BAR_ROWS, _TICK_ROWS = 65_536, 262_144
_CHUNK = 1 << 20
# What readers skip row groups by; statistics of prices would help nobody.
_BOUNDED = ("occ_symbol", "ticker", "underlying", "expiration", "strike", "ts_ns", "available_at")
# Equal for hundreds of rows on end, which compresses better than the numbers of a dictionary's entries.
_RUNS = ("expiration", "strike")
_COUNTING = ("ts_ns", "available_at", "participant_ns", "trf_ns", "sequence_number")


@dataclass(frozen=True, slots=True)
class Staged:
    """A whole Parquet file with the rows of one date, sorted and checked.

    Attributes
    ----------
    path, rows
        Where it is, and how many rows it has.
    """

    path: Path
    rows: int

    def put(self, place: Place, day: date) -> tuple[str, int]:
        """Copy the file into a table; return its path there, which names its content, and its bytes."""
        digest = hashlib.blake2b(digest_size=16)
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
            file.seek(0)
            path = f"date={day}/part-{digest.hexdigest()}.parquet"
            with place.stream(path) as sink:
                shutil.copyfileobj(file, sink, _CHUNK)
        return path, self.path.stat().st_size


class StagedWriter:
    """Writes sorted rows of one date, a row group at a time; use it in a `with` block.

    Parameters
    ----------
    spec
        The table.
    path
        The file to make.
    schema
        The columns without the date, strings as dictionaries.

    Raises
    ------
    LakeError
        When the disk is full or may not be written.
    """

    def __init__(self, spec: TableSpec, path: Path, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        ticks = not spec.name.endswith("_bars")
        self._group = _TICK_ROWS if ticks else _BAR_ROWS
        self._pending: list[pa.Table] = []
        self._rows, self._waiting = 0, 0
        try:
            self._writer = pq.ParquetWriter(path, schema, **_options(schema, ticks=ticks))
        except OSError as error:
            raise unwritable(path.parent, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def append(self, rows: pa.Table) -> None:
        """Add rows that come after all before them."""
        if rows.num_rows:
            self._pending.append(rows)
            self._rows, self._waiting = self._rows + rows.num_rows, self._waiting + rows.num_rows
        if self._waiting >= self._group // 2:
            self._flush()

    def finish(self) -> Staged:
        """Write what is left and return the file."""
        self._flush()
        self._write(self._writer.close)
        return Staged(self._path, self._rows)

    def _flush(self) -> None:
        if not self._pending:
            return
        rows = self._pending[0]
        if len(self._pending) > 1:
            rows = pa.concat_tables(self._pending).unify_dictionaries().combine_chunks()
        self._pending, self._waiting = [], 0
        self._write(self._writer.write_table, rows, row_group_size=2 * self._group)
        pa.default_memory_pool().release_unused()

    def _write(self, step: Any, *arguments: Any, **options: Any) -> None:
        try:
            step(*arguments, **options)
        except OSError as error:
            raise unwritable(self._path.parent, error) from error


def _options(schema: pa.Schema, *, ticks: bool) -> dict[str, Any]:
    counting = [name for name in _COUNTING if ticks and name in schema.names]
    return {
        "compression": "zstd",
        "compression_level": 3,
        "store_schema": False,
        "write_batch_size": _BAR_ROWS,
        "use_dictionary": [name for name in schema.names if name not in (*_RUNS, *counting)],
        "column_encoding": dict.fromkeys(counting, "DELTA_BINARY_PACKED") or None,
        "write_statistics": [name for name in schema.names if name in _BOUNDED],
    }
