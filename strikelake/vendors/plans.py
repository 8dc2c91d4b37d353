"""What the parser has to know of a file: its columns, and what a plain line of its table is."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import dataframely as dy
import numpy as np

from strikelake.calendar import et_ns
from strikelake.schemas import table
from strikelake.schemas.columns import TICKER as TICKER_PATTERN
from strikelake.vendors.layouts import layout
from strikelake.vendors.line_kernels import DECIMAL, SKIP, TEXT, TICKER, WHOLE
from strikelake.vendors.quote_filter import LONGEST_ROOT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.vendors.flat_files import SourceFile
    from strikelake.vendors.quote_filter import QuoteFilter

    Wholes = NDArray[np.int64]
    Decimals = NDArray[np.float64]
    Bytes = NDArray[np.uint8]

# A plain line has a time of 19 digits; a line that is left aside for its ticker alone has an OCC symbol.
_SHORTEST_LINE, _SHORTEST_SYMBOL = 24, 16
_ODD_LINES = 65_536


class Plan(NamedTuple):
    """What the columns of a file are, and what makes a line plain.

    Attributes
    ----------
    kinds, slots
        For each column of the header: what it is, and which row of the arrays of its kind it fills.
    wholes
        By slot: LOW and HIGH, whether it may be left out (NULL), and whether 0 says so too (ZERO_NULL).
    decimals
        By slot: LOW and HIGH.
    span
        Slot of ts_ns, the session's first moment, and the first moment after it.
    ohlc, sides
        Slots of open, high, low, close; of bid price, bid size, ask price, ask size. Empty: none.
    letters
        For each byte: bit 1 where a ticker may start with it, bit 2 where it may go on with it.
    option
        Whether tickers are OCC symbols.
    roots, last_expiration
        Option roots to keep, padded with zeros (no rows: all), and the last YYMMDD to keep.
    """

    kinds: Wholes
    slots: Wholes
    wholes: Wholes
    decimals: Decimals
    span: Wholes
    ohlc: Wholes
    sides: Wholes
    letters: Bytes
    option: bool
    roots: Bytes
    last_expiration: int


class Arrays(NamedTuple):
    """Where parsed lines go.

    Attributes
    ----------
    wholes, decimals
        Values by slot and row.
    texts
        AT which byte a value of a text column is and its SIZE, by slot and row; size 0 is nothing.
    runs
        AT which byte the ticker of each run of equal tickers is, its SIZE, and whether it is WANTED.
    run, line
        For each row its run, and its line of the text from 0.
    odd
        AT which byte each line is that is not plain, its END before the line feed, and its LINE.
    """

    wholes: Wholes
    decimals: Decimals
    texts: Wholes
    runs: Wholes
    run: NDArray[np.int32]
    line: NDArray[np.int32]
    odd: Wholes


def slots(file: SourceFile, names: tuple[str, ...]) -> dict[int, list[str]]:
    """Return the table's columns that a file fills, by kind; a column's place in its list is its slot."""
    columns, types = layout(file.dataset).columns, table(file.dataset).columns
    found: dict[int, list[str]] = {WHOLE: [], DECIMAL: [], TEXT: []}
    for name in names:
        column = columns.get(name, "")
        if column in types and column != "ticker":
            dtype = types[column]
            kind = WHOLE if dtype.is_integer() else DECIMAL if dtype.is_float() else TEXT
            found[kind].append(column)
    return found


def plan(file: SourceFile, names: tuple[str, ...], quotes: QuoteFilter | None = None) -> Plan:
    """Return what a plain line of a file is.

    Parameters
    ----------
    file, names
        The file and the columns in its header.
    quotes
        Which contracts to keep; None keeps all.
    """
    columns, held = layout(file.dataset).columns, slots(file, names)
    places = {column: (kind, slot) for kind, row in held.items() for slot, column in enumerate(row)}
    places["ticker"] = TICKER, 0
    found = [places.get(columns.get(name, ""), (SKIP, 0)) for name in names]
    schema = table(file.dataset).schema.columns()
    end = et_ns(file.date + timedelta(days=1), "00:00")
    return Plan(
        kinds=np.array([kind for kind, _ in found], np.int64),
        slots=np.array([slot for _, slot in found], np.int64),
        wholes=np.array([_whole_rule(name, schema[name]) for name in held[WHOLE]], np.int64),
        decimals=np.array([(_least(schema[n]), _most(schema[n])) for n in held[DECIMAL]]).reshape(-1, 2),
        span=np.array([held[WHOLE].index("ts_ns"), et_ns(file.date, "00:00"), end], np.int64),
        ohlc=_slots_of(held[DECIMAL], ("open", "high", "low", "close")),
        sides=_slots_of(held[DECIMAL], ("bid_price", "bid_size", "ask_price", "ask_size")),
        letters=_letters(),
        option=file.dataset.is_option,
        roots=quotes.roots() if quotes else np.zeros((0, LONGEST_ROOT), np.uint8),
        last_expiration=quotes.last_expiration(file.date) if quotes else 999_999,
    )


def arrays(held: dict[int, list[str]], size: int) -> Arrays:
    """Return arrays that hold whatever is in a text of `size` bytes."""
    rows, runs = size // _SHORTEST_LINE + 1, size // _SHORTEST_SYMBOL + 1
    return Arrays(
        wholes=np.empty((len(held[WHOLE]), rows), np.int64),
        decimals=np.empty((len(held[DECIMAL]), rows)),
        texts=np.empty((2, len(held[TEXT]), rows), np.int64),
        runs=np.empty((3, runs), np.int64),
        run=np.empty(rows, np.int32),
        line=np.empty(rows, np.int32),
        odd=np.empty((3, _ODD_LINES), np.int64),
    )


def _slots_of(held: list[str], wanted: tuple[str, ...]) -> np.ndarray:
    return np.array([held.index(name) for name in wanted if name in held], np.int64)


def _whole_rule(name: str, column: dy.Column) -> tuple[int, int, bool, bool]:
    low, high = getattr(column, "min", None), getattr(column, "max", None)
    widest = int(np.iinfo(np.int32 if isinstance(column, dy.Int32) else np.int64).max)
    least, most = 0 if low is None else int(low), widest if high is None else int(high)
    return least, most, column.nullable, column.nullable and name.endswith("_ns")


def _least(column: dy.Column) -> float:
    """Return the least good value. A side's price may be 0, which says that there is no side."""
    if column.nullable:
        return 0.0
    above, low = getattr(column, "min_exclusive", None), getattr(column, "min", None)
    return float(np.nextafter(above, np.inf)) if above is not None else -np.inf if low is None else float(low)


def _most(column: dy.Column) -> float:
    high = getattr(column, "max", None)
    return np.inf if high is None else float(high)


def _letters() -> np.ndarray:
    """Return for each byte whether a ticker may start with it (1) and go on with it (2)."""
    texts = [chr(byte) for byte in range(128)] + [""] * 128
    return np.array(
        [
            bool(re.fullmatch(TICKER_PATTERN, text))
            + 2 * bool(re.fullmatch(TICKER_PATTERN, f"A{text}")) * bool(text)
            for text in texts
        ],
        np.uint8,
    )
