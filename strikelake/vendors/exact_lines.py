"""Lines that are not plain, parsed exactly and judged one by one.

Quotes inside quotes, exponents, signs, more digits than fit: what a line means is found out here, and so is
what is wrong with it. Whether a value that parses is also sensible is decided by its table's schema.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from strikelake.calendar import et_ns
from strikelake.contracts import occ_columns
from strikelake.schemas import table
from strikelake.vendors.layouts import layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strikelake.vendors.flat_files import SourceFile

# The vendor's option day bars of 2025-02-10 all start at this moment, which is 1969 in New York.
_BAD_WINDOW_START = -68_400_000_000_000
_SURPLUS = "_surplus"


@dataclass(frozen=True, slots=True, eq=False)
class ExactLines:
    """Lines that were parsed one by one.

    Attributes
    ----------
    rows
        Rows that parse: `row_number` and those of the table's columns that come from the file.
    broken
        row_number and rule of the others, such as `open|parse`, `ticker|occ`, `ts_ns|date`, `row|fields`.
    repaired
        Rows whose known-bad window start was replaced by the file's date.
    on_date
        Whether a line is of the file's date.
    stray
        The time of the first line that is of another date; None when there is none.
    """

    rows: pl.DataFrame
    broken: pl.DataFrame
    repaired: int
    on_date: bool
    stray: int | None


def parse_exactly(file: SourceFile, names: tuple[str, ...], lines: Mapping[int, str]) -> ExactLines:
    """Parse lines, whatever is in them.

    Parameters
    ----------
    file, names
        The file and the columns in its header.
    lines
        Text by row number.
    """
    strings = _split(names, lines)
    typed, faults = _cast(file, names, strings)
    typed, repaired = _repair(file, typed)
    on_date = _on_date(file)
    dated = typed.select("ts_ns", on_date=on_date).drop_nulls()
    strays: list[int] = dated.filter(~pl.col("on_date"))["ts_ns"].head(1).to_list()
    faults.append(pl.when(~on_date).then(pl.lit("ts_ns|date")))
    if file.dataset.is_option:
        typed = typed.with_columns(occ_columns("ticker"))
        no_contract = pl.col("ticker").is_not_null() & pl.col("occ_symbol").is_null()
        faults.append(pl.when(no_contract).then(pl.lit("ticker|occ")))
    typed = typed.with_columns(rule=pl.concat_str(faults, separator="; ", ignore_nulls=True))
    broken = typed.filter(pl.col("rule") != "").select("row_number", "rule")
    rows = _without_absent_sides(typed.filter(pl.col("rule") == ""))
    return ExactLines(rows, broken, repaired, bool(dated["on_date"].any()), strays[0] if strays else None)


def _split(names: tuple[str, ...], lines: Mapping[int, str]) -> pl.DataFrame:
    """Return all fields as strings; `_surplus` holds what a row has beyond the header."""
    width = len(names)
    rows = []
    for number, line in lines.items():
        fields = _fields(line)
        surplus = ",".join(fields[width:]) if len(fields) > width else None
        padded = [field or None for field in fields[:width]] + [None] * (width - len(fields))
        rows.append((number, *padded, surplus))
    schema = {"row_number": pl.Int64} | dict.fromkeys([*names, _SURPLUS], pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def _fields(line: str) -> list[str]:
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except (csv.Error, StopIteration):
        # A stray quote is text, so that only its own row is bad.
        return line.split(",")


def _cast(
    file: SourceFile, names: tuple[str, ...], strings: pl.DataFrame
) -> tuple[pl.DataFrame, list[pl.Expr]]:
    """Return the columns typed and named as in the table, and for each way to fail its rule or null."""
    columns, types = layout(file.dataset).columns, table(file.dataset).columns
    casts, lost = [], []
    for name in names:
        if name not in columns:
            continue
        column = columns[name]
        dtype = types.get(column, pl.String())
        text = pl.col(name).str.replace(r"\.0+$", "") if dtype.is_integer() else pl.col(name)
        value = text.cast(dtype, strict=False)
        casts.append(_without_absent_time(file, column, value).alias(column))
        lost.append((text.is_not_null() & value.is_null()).alias(f"{name}|parse"))
    surplus = pl.col(_SURPLUS).is_not_null().alias("row|fields")
    typed = strings.select("row_number", *casts, *lost, surplus)
    faults = [name for name in typed.columns if "|" in name]
    return typed, [pl.when(pl.col(fault)).then(pl.lit(fault)) for fault in faults]


def _without_absent_time(file: SourceFile, column: str, value: pl.Expr) -> pl.Expr:
    """Turn the 0 that the vendor writes for a time that there is not into null."""
    absent = column.endswith("_ns") and column in table(file.dataset).nullable
    return pl.when(value != 0).then(value) if absent else value


def _repair(file: SourceFile, typed: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Put the file's date in place of the known-bad start of day bars, and count."""
    if not file.dataset.is_day:
        return typed, 0
    bad = pl.col("ts_ns") == _BAD_WINDOW_START
    repaired = typed.with_columns(ts_ns=pl.when(bad).then(et_ns(file.date, "00:00")).otherwise("ts_ns"))
    return repaired, typed.filter(bad).height


def _on_date(file: SourceFile) -> pl.Expr:
    end = et_ns(file.date + timedelta(days=1), "00:00")
    return pl.col("ts_ns").is_between(et_ns(file.date, "00:00"), end, closed="left")


def _without_absent_sides(typed: pl.DataFrame) -> pl.DataFrame:
    """Turn a quote's side of price 0, which the vendor writes for a side that there is not, into null."""
    if "bid_price" not in typed.columns:
        return typed
    return typed.with_columns(
        pl.when(pl.col(price) == 0).then(None).otherwise(name).alias(name)
        for price, size in (("bid_price", "bid_size"), ("ask_price", "ask_size"))
        for name in (price, size)
    )
