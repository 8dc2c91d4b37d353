"""Rows in their table's order: seen to while they come, repaired only where they are not.

A flat file comes sorted by ticker and time. Rows that come late are set aside and merged in at the end; all
others pass as they are. Where a table has a key, rows that repeat one are late too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from strikelake.calendar import NS_PER_MINUTE
from strikelake.lake.quality import check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from strikelake.lake.staging import Staged
    from strikelake.schemas import TableSpec

_EARLIEST = np.iinfo(np.int64).min


class Order:
    """Sees to the order of rows.

    Parameters
    ----------
    spec
        The table; it is sorted by a symbol and `ts_ns`.
    """

    def __init__(self, spec: TableSpec) -> None:
        self._symbol, self._keyed = spec.sort[0], bool(spec.key)
        self._last = ("", _EARLIEST)
        self._late: list[pl.DataFrame] = []
        self.late_rows = 0

    def take(self, rows: pa.Table, numbers: np.ndarray) -> pa.Table:
        """Return those of the next rows that come in order; keep the others.

        Parameters
        ----------
        rows
            Columns of the table without the date, strings as dictionaries.
        numbers
            Row numbers (int64).
        """
        if not rows.num_rows:
            return rows
        column = rows[self._symbol].combine_chunks()
        codes, times = column.indices.to_numpy(), rows["ts_ns"].to_numpy()
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        names = column.dictionary.take(pa.array(codes[starts]))
        if self._in_order(names, starts, times):
            self._last = (names[-1].as_py(), int(times[-1]))
            return rows
        late = self._find_late(names.to_pylist(), starts, times)
        kept = pl.from_arrow(rows.filter(pa.array(late)))
        assert isinstance(kept, pl.DataFrame)  # noqa: S101 - tells mypy which of two it is
        self._late.append(kept.with_columns(pl.Series("row_number", numbers[late], dtype=pl.Int64)))
        self.late_rows += kept.height
        return rows.filter(pa.array(~late))

    def late(self, day: date) -> pl.DataFrame:
        """Return the rows set aside, in order, with the date and `row_number`."""
        rows = pl.concat(self._late).with_columns(pl.lit(day).alias("date"))
        return _plain_strings(rows).sort(self._symbol, "ts_ns", "row_number")

    def _in_order(self, names: pa.Array, starts: np.ndarray, times: np.ndarray) -> bool:
        name, moment = self._last
        first = names[0].as_py()
        if first < name or (first == name and self._is_late(times[0], moment)):
            return False
        if not pc.all(pc.less(names[:-1], names[1:])).as_py() and len(names) > 1:
            return False
        late = self._is_late(times[1:], times[:-1])
        late[starts[1:] - 1] = False
        return not late.any()

    def _find_late(self, names: list[str], starts: np.ndarray, times: np.ndarray) -> np.ndarray:
        late = np.zeros(len(times), bool)
        high, moment = self._last
        for name, start, end in zip(names, starts, [*starts[1:], len(times)], strict=True):
            if name < high:
                late[start:end] = True
                continue
            before = np.empty(end - start, np.int64)
            before[0] = moment if name == high else _EARLIEST
            before[1:] = times[start : end - 1]
            before = np.maximum.accumulate(before)
            late[start:end] = self._is_late(times[start:end], before)
            high, moment = name, max(int(before[-1]), int(times[end - 1]))
        self._last = (high, moment)
        return late

    def _is_late(self, times: np.ndarray, before: np.ndarray | int) -> np.ndarray:
        return times <= before if self._keyed else times < before


def merge(
    spec: TableSpec, staged: Staged, late: pl.DataFrame, skipped: np.ndarray, bad: list[pl.DataFrame]
) -> Iterator[pa.Table]:
    """Merge late rows into those that came in order.

    Parameters
    ----------
    spec, staged
        The table, and the rows that came in order.
    late
        The others, in order, as `Order.late` gives them.
    skipped
        Row numbers, in order, that are not in `staged`: late rows and bad ones.
    bad
        Gets row_number and rule of rows whose key turns out to be another row's too.

    Yields
    ------
    pa.Table
        All good rows in order.
    """
    symbol, keyed = spec.sort[0], bool(spec.key)
    begin, position = 0, 0
    for group in range(staged.groups):
        rows = staged.read(group)
        numbers = _numbers(position, rows.num_rows, skipped)
        position += rows.num_rows
        last = group == staged.groups - 1
        end = late.height if last else _until(late, rows, symbol, included=keyed)
        if end > begin:
            part, begin = late.slice(begin, end - begin), end
            rows = _merged(spec, rows, part, numbers, bad)
        yield rows


class LastOfMinute:
    """Keeps the last row of each minute per symbol, of rows that come in order."""

    def __init__(self, spec: TableSpec) -> None:
        self._symbol = spec.sort[0]
        self._held: pa.Table | None = None

    def take(self, rows: pa.Table) -> pa.Table:
        """Return rows that are known to be the last of their minute; keep one that may be."""
        if not rows.num_rows:
            return rows
        if self._held is not None:
            rows = pa.concat_tables([self._held, rows]).unify_dictionaries().combine_chunks()
        codes = rows[self._symbol].combine_chunks().indices.to_numpy()
        minutes = rows["ts_ns"].to_numpy() // NS_PER_MINUTE
        final = (codes[1:] != codes[:-1]) | (minutes[1:] != minutes[:-1])
        self._held = rows.slice(rows.num_rows - 1)
        return rows.take(pa.array(np.flatnonzero(final)))

    def rest(self) -> list[pa.Table]:
        """Return the row that was kept, if there is one."""
        return [] if self._held is None else [self._held]


def to_arrow(rows: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """Return rows as Arrow columns of a schema whose strings are dictionaries."""
    table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    columns = []
    for field in schema:
        column = table[field.name].combine_chunks()
        if pa.types.is_dictionary(field.type):
            column = column.cast(pa.string()).dictionary_encode()
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=schema)


def _merged(
    spec: TableSpec, rows: pa.Table, part: pl.DataFrame, numbers: np.ndarray, bad: list[pl.DataFrame]
) -> pa.Table:
    came = pl.from_arrow(rows)
    assert isinstance(came, pl.DataFrame)  # noqa: S101 - tells mypy which of two it is
    came = _plain_strings(came).with_columns(
        pl.lit(part["date"][0]).alias("date"), pl.Series("row_number", numbers, dtype=pl.Int64)
    )
    columns = ["row_number", *spec.columns]
    together = pl.concat([came.select(columns), part.select(columns)])
    together = together.sort(spec.sort[0], "ts_ns", maintain_order=True)
    if spec.key:
        checked = check(spec, together)
        bad.append(checked.bad)
        together = checked.good
    return to_arrow(together, rows.schema)


def _plain_strings(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col(pl.Categorical).cast(pl.String))


def _numbers(position: int, count: int, skipped: np.ndarray) -> np.ndarray:
    """Return the row numbers of rows by their place among those that were not skipped."""
    places = np.arange(position, position + count)
    return places + 2 + np.searchsorted(skipped - np.arange(len(skipped)) - 2, places, side="right")


def _until(late: pl.DataFrame, rows: pa.Table, symbol: str, *, included: bool) -> int:
    """Return how many late rows belong before the end of these rows."""
    name, moment = rows[symbol][-1].as_py(), rows["ts_ns"][-1].as_py()
    same = pl.col("ts_ns") <= moment if included else pl.col("ts_ns") < moment
    return late.filter((pl.col(symbol) < name) | ((pl.col(symbol) == name) & same)).height
