"""From a flat file's bytes to typed rows, and to the rows that do not parse.

Columns are found by name: the vendor's come and go. Whether a typed row is also a sensible one is decided by
its table's schema.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, cast

import polars as pl

from strikelake.calendar import NS_PER_MINUTE, et_date, et_ns, session
from strikelake.contracts import occ_columns
from strikelake.errors import BadFileError
from strikelake.schemas import table
from strikelake.vendors.flat_files import Dataset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from strikelake.vendors.flat_files import SourceFile

_BAR: dict[str, type[pl.DataType]] = {
    "ticker": pl.String,
    "volume": pl.Float64,
    "open": pl.Float64,
    "close": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "window_start": pl.Int64,
}
_QUOTE: dict[str, type[pl.DataType]] = {
    "ticker": pl.String,
    "ask_price": pl.Float64,
    "ask_size": pl.Float64,
    "bid_price": pl.Float64,
    "bid_size": pl.Float64,
    "sip_timestamp": pl.Int64,
}
_OPTIONAL: dict[str, type[pl.DataType]] = {"transactions": pl.Int64}
_DAY_BARS = {Dataset.STOCK_DAY_BARS, Dataset.OPTION_DAY_BARS}
_OPTIONS = {Dataset.OPTION_DAY_BARS, Dataset.OPTION_MINUTE_BARS, Dataset.OPTION_QUOTES}
# The vendor's option day bars of 2025-02-10 all start at this moment, which is 1969 in New York.
_BAD_WINDOW_START = -68_400_000_000_000
_SURPLUS = "_surplus"


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """What a flat file holds.

    Attributes
    ----------
    rows
        Rows that parse: the columns of the dataset's table and `row_number`, in the order of the file.
    broken
        row_number and rule of the others, such as `open|parse`, `ticker|occ`, `ts_ns|date`, `row|fields`.
    total
        All rows of the file.
    repaired
        Rows whose known-bad window start was replaced by the file's date.
    ignored
        Columns that have no place in the table.
    text
        The decompressed file.
    """

    rows: pl.DataFrame
    broken: pl.DataFrame
    total: int
    repaired: int
    ignored: tuple[str, ...]
    text: bytes

    def raw(self, numbers: Iterable[int]) -> dict[int, str]:
        """Return the text of rows by number. Numbers are lines of the file: its header is line 1."""
        wanted = list(numbers)
        lines = self.text.split(b"\n") if wanted else []
        return {number: lines[number - 1].decode("utf-8", "replace").rstrip("\r") for number in wanted}


def parse(file: SourceFile, content: bytes) -> ParsedFile:
    """Read a flat file.

    Parameters
    ----------
    file
        Which dataset and session it is for.
    content
        Its gzipped bytes.

    Returns
    -------
    ParsedFile
        Rows typed and named as in the dataset's table, with `available_at`. A quote's missing side, which the
        vendor writes as price 0, is null.

    Raises
    ------
    BadFileError
        When the gzip stream is cut off or damaged, a column is missing, or no row is of the file's date.
    CalendarError
        When the file's date is no session.
    """
    text = _gunzip(file, content)
    types, ignored = _columns(file, text)
    strings = _read(file, text, list(types))
    if strings.is_empty():
        raise BadFileError(f"{file.key} has a header and no rows: fetch it again, or report it to the vendor")
    typed, faults = _cast(strings, types)
    typed, repaired = _repair(file, typed.rename({_time_column(file): "ts_ns"}))
    on_date = _on_date(file, "ts_ns")
    _require_date(file, typed, on_date)
    faults.append(pl.when(~on_date).then(pl.lit("ts_ns|date")))
    if file.dataset in _OPTIONS:
        contracts = typed.select(pl.col("ticker").unique()).with_columns(occ_columns("ticker"))
        typed = typed.join(contracts, on="ticker", how="left", maintain_order="left")
        no_contract = pl.col("ticker").is_not_null() & pl.col("occ_symbol").is_null()
        faults.append(pl.when(no_contract).then(pl.lit("ticker|occ")))
    typed = typed.with_columns(rule=pl.concat_str(faults, separator="; ", ignore_nulls=True))
    rows = _finish(file, typed.filter(pl.col("rule") == ""))
    broken = typed.filter(pl.col("rule") != "").select("row_number", "rule")
    return ParsedFile(rows, broken, typed.height, repaired, ignored, text)


def _gunzip(file: SourceFile, content: bytes) -> bytes:
    from isal import igzip, igzip_lib

    damage = cast("type[Exception]", igzip_lib.IsalError)
    try:
        text = cast("bytes", igzip.decompress(content))  # type: ignore[no-untyped-call] # isal types its C parts
    except (EOFError, OSError, damage) as error:
        raise BadFileError(
            f"{file.key} is no whole gzip file of {len(content)} bytes ({error}): fetch it again"
        ) from error
    # A blank line at the end is no row; one elsewhere is.
    return text if text[-2:-1] not in {b"\n", b"\r"} else text.rstrip(b"\r\n")


def _columns(file: SourceFile, text: bytes) -> tuple[dict[str, type[pl.DataType] | None], tuple[str, ...]]:
    """Return the header's columns with the type to read them as (None: not read), and those of no use."""
    header = text[: text.find(b"\n") + 1 or None].decode("utf-8-sig", "replace").strip()
    names = [name.strip().strip('"') for name in header.split(",")]
    required = _QUOTE if file.dataset is Dataset.OPTION_QUOTES else _BAR
    missing = [name for name in required if name not in names]
    if missing or len(set(names)) != len(names):
        fault = f"lacks the columns {', '.join(missing)}" if missing else "names a column twice"
        raise BadFileError(
            f"{file.key} {fault}: a file of {file.dataset} needs {', '.join(required)}, the header is "
            f"{header[:200]!r}; check that it is the right file"
        )
    known = required | (_OPTIONAL if file.dataset is not Dataset.OPTION_QUOTES else {})
    return {name: known.get(name) for name in names}, tuple(name for name in names if name not in known)


def _read(file: SourceFile, text: bytes, names: list[str]) -> pl.DataFrame:
    """Return all fields as strings, with `row_number`; `_surplus` holds what a row has beyond the header."""

    def rows(encoding: Literal["utf8", "utf8-lossy"], quote: str | None) -> pl.DataFrame:
        return pl.read_csv(
            io.BytesIO(text),
            has_header=False,
            skip_rows=1,
            schema=dict.fromkeys([*names, _SURPLUS], pl.String),
            missing_columns="insert",
            truncate_ragged_lines=True,
            quote_char=quote,
            encoding=encoding,
            row_index_name="row_number",
            row_index_offset=2,
        ).with_columns(pl.col("row_number").cast(pl.Int64))

    try:
        return rows("utf8", '"')
    except pl.exceptions.ComputeError:
        # A stray quote or byte: take quotes as text, so that only its own row is bad.
        try:
            return rows("utf8-lossy", None)
        except pl.exceptions.ComputeError as error:
            raise BadFileError(f"{file.key} is no CSV file ({error}): fetch it again") from error


def _cast(
    strings: pl.DataFrame, types: dict[str, type[pl.DataType] | None]
) -> tuple[pl.DataFrame, list[pl.Expr]]:
    """Return the typed columns, and for each way to fail an expression of its rule's name or null."""
    casts = {name: pl.col(name).cast(dtype, strict=False) for name, dtype in types.items() if dtype}
    lost = [(pl.col(name).is_not_null() & c.is_null()).alias(f"{name}|parse") for name, c in casts.items()]
    surplus = pl.col(_SURPLUS).is_not_null().alias("row|fields")
    typed = strings.select("row_number", *casts.values(), *lost, surplus)
    faults = [name for name in typed.columns if "|" in name]
    return typed, [pl.when(pl.col(fault)).then(pl.lit(fault)) for fault in faults]


def _time_column(file: SourceFile) -> str:
    return "sip_timestamp" if file.dataset is Dataset.OPTION_QUOTES else "window_start"


def _repair(file: SourceFile, typed: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Put the file's date in place of the known-bad start of day bars, and count."""
    if file.dataset not in _DAY_BARS:
        return typed, 0
    bad = pl.col("ts_ns") == _BAD_WINDOW_START
    repaired = typed.with_columns(ts_ns=pl.when(bad).then(et_ns(file.date, "00:00")).otherwise("ts_ns"))
    return repaired, typed.filter(bad).height


def _on_date(file: SourceFile, column: str) -> pl.Expr:
    end = et_ns(file.date + timedelta(days=1), "00:00")
    return pl.col(column).is_between(et_ns(file.date, "00:00"), end, closed="left")


def _require_date(file: SourceFile, typed: pl.DataFrame, on_date: pl.Expr) -> None:
    known = typed.filter(pl.col("ts_ns").is_not_null())
    if not known.is_empty() and known.filter(on_date).is_empty():
        found = et_date(known["ts_ns"][0])
        raise BadFileError(f"{file.key} has no row of {file.date}, its first is of {found}: it is misnamed")


def _finish(file: SourceFile, typed: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of the table."""
    if file.dataset is Dataset.OPTION_QUOTES:
        typed = typed.with_columns(
            pl.when(pl.col(price) == 0).then(None).otherwise(name).alias(name)
            for price, size in (("bid_price", "bid_size"), ("ask_price", "ask_size"))
            for name in (price, size)
        )
        available = pl.col("ts_ns")
    elif file.dataset in _DAY_BARS:
        available = pl.lit(session(file.date).close_ns)
    else:
        available = pl.col("ts_ns") + NS_PER_MINUTE
    if file.dataset is not Dataset.OPTION_QUOTES and "transactions" not in typed.columns:
        typed = typed.with_columns(transactions=pl.lit(None, dtype=pl.Int64))
    return typed.with_columns(date=pl.lit(file.date), available_at=available).select(
        "row_number", *table(file.dataset).columns
    )
