"""From parsed arrays to the columns of a table."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from strikelake.calendar import NS_PER_MINUTE, session
from strikelake.contracts import LATE_NS, LATE_UNDERLYINGS, underlying_of
from strikelake.schemas import table
from strikelake.vendors.line_kernels import AT, DECIMAL, NO_NUMBER, SIZE, TEXT, WHOLE
from strikelake.vendors.symbol_kernels import contract_terms, copy_strings

if TYPE_CHECKING:
    from strikelake.vendors.flat_files import SourceFile
    from strikelake.vendors.plans import Arrays

# The Cboe goes on computing VIX and others for a quarter of an hour after the close.
_INDEX_DELAY_NS = 15 * NS_PER_MINUTE
_SYMBOL_TAIL = 15


def assemble(
    file: SourceFile, text: np.ndarray, held: dict[int, list[str]], out: Arrays, rows: int, runs: int
) -> pa.Table:
    """Return plain rows as the columns of their table, without the date.

    Parameters
    ----------
    file
        Which table.
    text, held, out
        The bytes, which column is in which slot, and the parsed arrays.
    rows, runs
        How many there are.
    """
    spec = table(file.dataset)
    found = _named(file, text, out, rows, runs)
    for slot, name in enumerate(held[WHOLE]):
        found[name] = _wholes(out.wholes[slot, :rows], spec.columns[name], nullable=name != "ts_ns")
    for slot, name in enumerate(held[DECIMAL]):
        found[name] = pa.array(out.decimals[slot, :rows].copy(), from_pandas=name in spec.nullable)
    for slot, name in enumerate(held[TEXT]):
        at, size = out.texts[AT, slot, :rows], out.texts[SIZE, slot, :rows]
        found[name] = _strings(text, at, size, empty_is_null=True).dictionary_encode()
    times = out.wholes[held[WHOLE].index("ts_ns"), :rows]
    found["available_at"] = pa.array(_available(file, times, found.get("underlying")))
    schema = arrow_schema(file.dataset)
    return pa.table([found.get(field.name, pa.nulls(rows, field.type)) for field in schema], schema=schema)


def complete(file: SourceFile, typed: pl.DataFrame) -> pl.DataFrame:
    """Return rows that were parsed one by one with all columns of their table, and `row_number`."""
    spec = table(file.dataset)
    times = typed["ts_ns"].fill_null(0).to_numpy()
    owners = typed["underlying"].to_arrow().dictionary_encode() if file.dataset.is_option else None
    made = typed.with_columns(
        pl.lit(file.date).alias("date"),
        pl.Series("available_at", _available(file, times, owners), dtype=pl.Int64),
    )
    missing = [
        pl.lit(None, dtype=dtype).alias(n) for n, dtype in spec.columns.items() if n not in made.columns
    ]
    return made.with_columns(missing).select("row_number", *spec.columns)


@cache
def arrow_schema(name: str) -> pa.Schema:
    """Return the columns of a table without the date, strings as dictionaries."""
    kinds = {pl.String: pa.dictionary(pa.int32(), pa.string()), pl.Date: pa.date32(), pl.Int32: pa.int32()}
    others = {pl.Int64: pa.int64(), pl.Float64: pa.float64()}
    spec = table(name)
    return pa.schema(
        pa.field(c, (kinds | others)[type(dtype)], nullable=c in spec.nullable)
        for c, dtype in spec.columns.items()
        if c != "date"
    )


def _available(file: SourceFile, times: np.ndarray, owners: pa.DictionaryArray | None) -> np.ndarray:
    """Return when rows could have been known; `owners` are the underlyings of options."""
    if file.dataset.is_tick:
        return times.copy()
    if not file.dataset.is_day:
        return times + NS_PER_MINUTE
    closes = np.full(len(times), session(file.date).close_ns)
    if file.dataset.is_index:
        return closes + _INDEX_DELAY_NS
    if owners is not None:
        late = np.array([owner in LATE_UNDERLYINGS for owner in owners.dictionary.to_pylist()], bool)
        # An unreadable symbol has no underlying.
        codes = owners.indices.fill_null(-1).to_numpy()
        closes[np.append(late, False)[codes]] += LATE_NS
    return closes


def _named(file: SourceFile, text: np.ndarray, out: Arrays, rows: int, runs: int) -> dict[str, pa.Array]:
    """Return what the tickers say, computed once per run."""
    # Runs that the filter left aside have no rows, and no place in a dictionary either.
    counts = np.bincount(out.run[:rows], minlength=runs)
    at, size, counts = (column[counts > 0] for column in (out.runs[AT, :runs], out.runs[SIZE, :runs], counts))
    if not file.dataset.is_option:
        return {"ticker": _gather(_strings(text, at, size), counts)}
    dates, puts, strikes, root = contract_terms(text, at, size)
    tail = at + size - _SYMBOL_TAIL
    roots = _strings(text, root, tail - root).dictionary_encode()
    owners = pa.array([underlying_of(root) for root in roots.dictionary.to_pylist()], pa.string())
    months = (dates[:, 0] - 1970) * 12 + dates[:, 1] - 1
    days = months.astype("M8[M]").astype("M8[D]").astype(np.int64) + dates[:, 2] - 1
    sides = pa.array(["C", "P"])
    return {
        "occ_symbol": _gather(_strings(text, root, at + size - root), counts),
        "underlying": _gather(
            pa.DictionaryArray.from_arrays(roots.indices, owners).cast(pa.string()), counts
        ),
        "expiration": pa.array(np.repeat(days.astype(np.int32), counts)).view(pa.date32()),
        "option_type": pa.DictionaryArray.from_arrays(pa.array(np.repeat(puts, counts)), sides),
        "strike": pa.array(np.repeat(strikes / 1000, counts)),
    }


def _gather(values: pa.Array, counts: np.ndarray) -> pa.DictionaryArray:
    """Return each run's value for each of its rows. Runs may repeat a value, a dictionary may not."""
    unique = values.dictionary_encode()
    codes = np.repeat(unique.indices.to_numpy(), counts)
    return pa.DictionaryArray.from_arrays(pa.array(codes), unique.dictionary)


def _strings(text: np.ndarray, at: np.ndarray, size: np.ndarray, *, empty_is_null: bool = False) -> pa.Array:
    offsets, content = np.empty(len(at) + 1, np.int32), np.empty(int(size.sum()), np.uint8)
    copy_strings(text, at, size, offsets, content)
    nulls = None
    if empty_is_null and not size.all():
        nulls = pa.py_buffer(np.packbits(size > 0, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), len(at), [nulls, pa.py_buffer(offsets), pa.py_buffer(content)])


def _wholes(values: np.ndarray, dtype: pl.DataType, *, nullable: bool) -> pa.Array:
    absent = values == NO_NUMBER if nullable else None
    if absent is not None and not absent.any():
        absent = None
    narrow = values.astype(np.int32) if dtype == pl.Int32 else values.copy()
    return pa.array(narrow, mask=absent)
