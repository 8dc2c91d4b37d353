"""Rows on their way into the lake: a Parquet file of this machine, written while they are still coming."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from strikelake.lake.packing import DIFFERENCES, file_name, packing
from strikelake.lake.storage import unwritable

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path
    from types import TracebackType

    from strikelake.lake.bucket import Place
    from strikelake.lake.packing import Packing
    from strikelake.schemas import TableSpec

_BAR_ROWS, _TICK_ROWS = 65_536, 262_144
_CHUNK = 1 << 20
# Giving memory back costs a fault for every page that is used again: 4 % of the time if at every group.
_RELEASED_EVERY = 2
# What readers skip row groups by; statistics of prices would help nobody.
_BOUNDED = ("occ_symbol", "ticker", "underlying", "expiration", "strike", "ts_ns", "available_at")
# Equal for hundreds of rows on end, which compresses better than the numbers of a dictionary's entries.
_RUNS = ("expiration", "strike")
_COUNTING = ("ts_ns", "participant_ns", "trf_ns", "sequence_number")
# Numbers whose high bytes hardly change and whose low bytes hardly repeat.
_SPLIT = ("transactions",)


@dataclass(frozen=True, slots=True)
class Staged:
    """A whole Parquet file with the rows of one date, sorted and checked.

    Attributes
    ----------
    path, rows, groups
        Where it is, and how many rows and row groups it has.
    schema
        The columns of its rows.
    packing
        How they are stored; None is as they are.
    """

    path: Path
    rows: int
    groups: int
    schema: pa.Schema
    packing: Packing | None

    def read(self, group: int) -> pa.Table:
        """Return the rows of a row group."""
        strings = [field.name for field in self.schema if pa.types.is_dictionary(field.type)]
        with pq.ParquetFile(self.path, read_dictionary=strings) as file:
            rows = file.read_row_group(group)
        return self.packing.restore(rows, self.schema) if self.packing else rows

    def put(self, place: Place, day: date) -> tuple[str, int]:
        """Copy the file into a table; return its path there, which names its content, and its bytes."""
        digest = hashlib.blake2b(digest_size=16)
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
            file.seek(0)
            path = f"date={day}/{file_name(digest.hexdigest(), packed=self.packing is not None)}"
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
        self._path, self._schema, self._packing = path, schema, packing(spec.name)
        ticks = not spec.name.endswith("_bars")
        self._group = _TICK_ROWS if ticks else _BAR_ROWS
        self._pending: list[pa.Table] = []
        self._rows, self._waiting, self._groups, self._flushes = 0, 0, 0, 0
        try:
            stored = self._packing.arrow(schema) if self._packing else schema
            self._writer = pq.ParquetWriter(path, stored, **write_options(spec.name, stored))
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
        return Staged(self._path, self._rows, self._groups, self._schema, self._packing)

    def _flush(self) -> None:
        if not self._pending:
            return
        rows = self._pending[0]
        if len(self._pending) > 1:
            rows = pa.concat_tables(self._pending).unify_dictionaries().combine_chunks()
        self._pending, self._waiting = [], 0
        self._groups += -(-rows.num_rows // (2 * self._group))
        rows = self._packing.pack(rows) if self._packing else rows
        self._write(self._writer.write_table, rows, row_group_size=2 * self._group)
        self._flushes += 1
        if self._flushes % _RELEASED_EVERY == 0:
            pa.default_memory_pool().release_unused()

    def _write(self, step: Any, *arguments: Any, **options: Any) -> None:
        try:
            step(*arguments, **options)
        except OSError as error:
            raise unwritable(self._path.parent, error) from error


def write_options(name: str, schema: pa.Schema) -> dict[str, Any]:
    """Return how pyarrow is to write rows of a table that are sorted by symbol and time.

    Parameters
    ----------
    name
        The table.
    schema
        Its stored columns.
    """
    packed = packing(name)
    stored, kept = (packed.stored, packed.kept) if packed else ((), ())
    split = [name for name in (*stored, *_SPLIT) if name in schema.names and name not in DIFFERENCES]
    counting = [] if name.endswith("_bars") else [n for n in _COUNTING if n in schema.names and n not in kept]
    encoded = dict.fromkeys(split, "BYTE_STREAM_SPLIT") | dict.fromkeys(counting, "DELTA_BINARY_PACKED")
    return {
        "compression": "zstd",
        "compression_level": 3,
        "store_schema": False,
        "write_batch_size": _BAR_ROWS,
        "use_dictionary": [n for n in schema.names if n not in (*_RUNS, *encoded, *kept)],
        "column_encoding": encoded or None,
        "write_statistics": [n for n in schema.names if n in _BOUNDED and n not in kept],
    }
