"""How rows of large tables lie in files: what follows from other columns is left out.

A minute's close is its open more often than not, and its high the greater of the two: four prices in four
columns say the same three times over. Packed, prices are whole ten-thousandths of a dollar: the open, and how
far the others are from it. A minute is told by its number, `available_at` not at all, and counts of contracts
are integers. A row with a value that these cannot say exactly keeps its values as they are, in columns that
are null elsewhere, so that every row reads as it was written (docs/adr/0012).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from strikelake.calendar import NS_PER_MINUTE
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from strikelake.schemas import TableSpec

    Packed = dict[str, tuple[NDArray[Any], NDArray[np.bool_] | None]]

_BARS = ("option_minute_bars", "stock_minute_bars")
_TICKS = ("option_quotes", "option_trades", "stock_quotes", "stock_trades")
_PLAIN, _PACKED = "part-", "packed-"
DIFFERENCES = ("close_step", "high_over", "low_under")
"""Columns that are zero more often than not."""
_ALWAYS = ("minute", "open_ticks", *DIFFERENCES)

_OHLC = ("open", "close", "high", "low")
_COUNTS = ("volume", "size", "bid_size", "ask_size")
_PRICES = ("price", "bid_price", "ask_price")


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """The stored form of a table.

    Attributes
    ----------
    plain
        Columns that are stored as they are.
    stored
        Columns of whole numbers that stand for the others.
    polars, sql
        How each of the other columns is read, in polars and in DuckDB.
    """

    spec: TableSpec
    plain: tuple[str, ...]
    stored: Mapping[str, pa.DataType]
    polars: Mapping[str, pl.Expr]
    sql: Mapping[str, str]

    @property
    def kept(self) -> tuple[str, ...]:
        """Columns that odd rows keep as they are; null in all other rows."""
        return tuple(self.polars)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Names and types of the stored columns, as polars reads them."""
        whole = {name: pl.Int64() if kind == pa.int64() else pl.Int32() for name, kind in self.stored.items()}
        columns = self.spec.columns
        return {n: columns[n] for n in self.plain} | whole | {n: columns[n] for n in self.kept}

    def arrow(self, schema: pa.Schema) -> pa.Schema:
        """Return the stored columns, given those of the table as rows have them."""
        plain = [schema.field(name) for name in self.plain]
        # What is never null is cheaper to write where the file says so.
        whole = [pa.field(n, kind, nullable=n not in _ALWAYS) for n, kind in self.stored.items()]
        return pa.schema([*plain, *whole, *(schema.field(name).with_nullable(True) for name in self.kept)])  # noqa: FBT003 - pyarrow's signature

    def pack(self, rows: pa.Table) -> pa.Table:
        """Return the stored form of rows of the table, without the date."""
        odd = np.zeros(rows.num_rows, bool)
        found = _pack_bars(self, rows, odd) if "minute" in self.stored else _pack_ticks(self, rows, odd)
        columns = [rows[name] for name in self.plain]
        for name, kind in self.stored.items():
            values, absent = found[name]
            columns.append(pa.array(values, kind, mask=absent))
        kept = pa.array(odd) if odd.any() else None
        for name in self.kept:
            column = rows[name]
            nothing = pa.nulls(rows.num_rows, column.type)
            columns.append(nothing if kept is None else pc.if_else(kept, column, nothing))
        return pa.table(columns, schema=self.arrow(rows.schema))

    def unpack(self, stored: pl.LazyFrame) -> pl.LazyFrame:
        """Return rows of the table, the date included, from stored ones with the date."""
        return stored.select(self.polars.get(name, pl.col(name)) for name in self.spec.columns)

    def restore(self, stored: pa.Table, schema: pa.Schema) -> pa.Table:
        """Return rows with the columns of `schema`, without the date, from stored ones."""
        numbers = [field.name for field in stored.schema if not pa.types.is_dictionary(field.type)]
        frame = pl.from_arrow(stored.select(numbers))
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 - tells mypy which of two it is
        read = frame.select(**self.polars).to_arrow()
        found = {name: read[name] if name in self.polars else stored[name] for name in schema.names}
        return pa.table([found[field.name].cast(field.type) for field in schema], schema=schema)


@cache
def packing(name: str) -> Packing | None:
    """Return the stored form of a table; None where rows are stored as they are."""
    spec = table(name)
    if name in _BARS:
        return _bars(spec)
    return _ticks(spec) if name in _TICKS else None


def file_name(digest: str, *, packed: bool) -> str:
    """Return the name of a data file, given a digest of its content."""
    return f"{_PACKED if packed else _PLAIN}{digest}.parquet"


def is_packed(path: str) -> bool:
    """Return whether the rows of a data file are packed, by its name."""
    return path.rpartition("/")[2].startswith(_PACKED)


def _bars(spec: TableSpec) -> Packing:
    options = "occ_symbol" in spec.columns
    # A share may cost more than 2^31 ticks, a contract does not.
    stored = {"minute": pa.int32(), "open_ticks": pa.int32() if options else pa.int64()}
    stored |= dict.fromkeys(DIFFERENCES, pa.int32())
    start, step = pl.col("minute").cast(pl.Int64) * NS_PER_MINUTE, pl.col("close_step")
    opened, sql_start = pl.col("open_ticks"), f"minute::BIGINT * {NS_PER_MINUTE}"
    ticks = {
        "open": (opened, "open_ticks"),
        "close": (opened + step, "open_ticks::BIGINT + close_step"),
        "high": (
            opened + step.clip(lower_bound=0) + pl.col("high_over"),
            "open_ticks::BIGINT + greatest(close_step, 0) + high_over",
        ),
        "low": (
            opened + step.clip(upper_bound=0) - pl.col("low_under"),
            "open_ticks::BIGINT + least(close_step, 0) - low_under",
        ),
    }
    read = {name: (_dollars(expression), f"({text}) / 1e4") for name, (expression, text) in ticks.items()}
    read["ts_ns"] = start, sql_start
    read["available_at"] = start + NS_PER_MINUTE, f"{sql_start} + {NS_PER_MINUTE}"
    return _packing(spec, stored, read)


def _ticks(spec: TableSpec) -> Packing:
    options = "occ_symbol" in spec.columns
    stored = {
        f"{name}_ticks": pa.int32() if options else pa.int64() for name in _PRICES if name in spec.columns
    }
    read = {
        name: (_dollars(pl.col(f"{name}_ticks")), f"{name}_ticks / 1e4")
        for name in _PRICES
        if name in spec.columns
    }
    read["available_at"] = pl.col("ts_ns"), "ts_ns"
    return _packing(spec, stored, read)


def _packing(
    spec: TableSpec, stored: dict[str, pa.DataType], read: dict[str, tuple[pl.Expr, str]]
) -> Packing:
    if "occ_symbol" in spec.columns:
        # Contracts are whole; shares have fractions.
        for name in _COUNTS:
            if name in spec.columns:
                stored[f"whole_{name}"] = pa.int32()
                read[name] = pl.col(f"whole_{name}").cast(pl.Float64), f"whole_{name}::DOUBLE"
    polars = {name: pl.coalesce(name, expression).alias(name) for name, (expression, _) in read.items()}
    sql = {name: f"coalesce({name}, {text})" for name, (_, text) in read.items()}
    plain = tuple(name for name in spec.columns if name not in {"date", *read})
    return Packing(spec, plain, stored, polars, sql)


def _dollars(ticks: pl.Expr) -> pl.Expr:
    """Return whole ticks as dollars: the float that the decimal number is read as.

    polars divides by a constant through its reciprocal, which is an ulp off for a third of all prices. It
    does not see that this divisor is one.
    """
    return ticks / (ticks * 0.0 + 10_000.0)


def _pack_bars(packing: Packing, rows: pa.Table, odd: NDArray[np.bool_]) -> Packed:
    from strikelake.lake.packing_kernels import MOST_32, MOST_64, pack_bars

    count, kind = len(odd), packing.stored["open_ticks"]
    minutes, steps = np.empty(count, np.int32), np.empty((len(DIFFERENCES), count), np.int32)
    opens = np.empty(count, kind.to_pandas_dtype())
    times, known = (rows[name].to_numpy() for name in ("ts_ns", "available_at"))
    first, last, top, bottom = (_floats(rows, name) for name in _OHLC)
    most = MOST_32 if kind == pa.int32() else MOST_64
    pack_bars(times, known, (first, last, top, bottom), most, minutes, opens, steps, odd)
    of_bars = {"minute": minutes, "open_ticks": opens, **dict(zip(DIFFERENCES, steps, strict=True))}
    return {name: (values, None) for name, values in of_bars.items()} | _pack_columns(packing, rows, odd)


def _pack_ticks(packing: Packing, rows: pa.Table, odd: NDArray[np.bool_]) -> Packed:
    odd |= rows["available_at"].to_numpy() != rows["ts_ns"].to_numpy()
    return _pack_columns(packing, rows, odd)


def _pack_columns(packing: Packing, rows: pa.Table, odd: NDArray[np.bool_]) -> Packed:
    """Return the stored columns that stand for one other each."""
    from strikelake.lake.packing_kernels import MOST_32, MOST_64, TICKS_A_DOLLAR, pack_numbers

    scales = {f"{name}_ticks": (name, TICKS_A_DOLLAR) for name in _PRICES}
    scales |= {f"whole_{name}": (name, 1.0) for name in _COUNTS}
    found: Packed = {}
    for stored, kind in packing.stored.items():
        if stored in scales:
            name, scale = scales[stored]
            values, whole = _floats(rows, name), np.empty(len(odd), kind.to_pandas_dtype())
            pack_numbers(values, scale, MOST_32 if kind == pa.int32() else MOST_64, whole, odd)
            found[stored] = whole, np.isnan(values) if rows[name].null_count else None
    return found


def _floats(rows: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column of floats, NaN for null."""
    values: NDArray[np.float64] = rows[name].to_numpy()
    return values
