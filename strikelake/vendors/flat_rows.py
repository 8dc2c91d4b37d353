"""From a flat file's bytes to typed rows, block by block, and to the lines that do not parse.

Columns are found by name: the vendor's come and go. Nearly all lines are plain and are good rows as they come
out of the compiled parser; each of the others is parsed exactly, and checked against the table's schema by
whoever reads the blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import polars as pl

from strikelake.calendar import et_date, session
from strikelake.errors import BadFileError
from strikelake.schemas import table
from strikelake.vendors import columns, plans
from strikelake.vendors.exact_lines import parse_exactly
from strikelake.vendors.layouts import header_columns, layout
from strikelake.vendors.line_kernels import parse_lines
from strikelake.vendors.text_blocks import text_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from strikelake.vendors.exact_lines import ExactLines
    from strikelake.vendors.flat_files import SourceFile
    from strikelake.vendors.plans import Arrays
    from strikelake.vendors.quote_filter import QuoteFilter

_BAR_BLOCK, _TICK_BLOCK = 3 << 19, 4 << 20
_FIRST_LINE = 2
# Of so many lines one is of the file's date, or the file is another's.
_ENOUGH_LINES = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some lines of a flat file.

    Attributes
    ----------
    plain
        Rows that keep every rule of the table which looks at one row alone: the table's columns without the
        date, in the order of the file, strings as dictionaries. Keys may repeat.
    numbers
        The row number of each plain row (int64). Numbers are lines of the file: its header is line 1.
    odd
        Other rows that parse: `row_number` and all columns of the table. Whether they are good is not known.
    broken
        row_number and rule of lines that do not parse.
    raw
        The text of odd and broken lines by row number.
    lines, unwanted, repaired
        All lines, those left aside by the filter of quotes, and rows whose known-bad window start was
        replaced by the file's date.
    """

    plain: pa.Table
    numbers: np.ndarray
    odd: pl.DataFrame
    broken: pl.DataFrame
    raw: dict[int, str]
    lines: int
    unwanted: int
    repaired: int


@dataclass(frozen=True, slots=True, eq=False)
class FlatRows:
    """A flat file that is being read.

    Attributes
    ----------
    ignored
        Columns that have no place in the table.
    blocks
        Its lines, to be read once; raises BadFileError where the file turns out to be damaged or misnamed.
    """

    ignored: tuple[str, ...]
    blocks: Iterator[Block]


def read_rows(
    file: SourceFile, stream: BinaryIO, quotes: QuoteFilter | None = None, *, block_bytes: int | None = None
) -> FlatRows:
    """Read a flat file.

    Parameters
    ----------
    file
        Which dataset and session it is for.
    stream
        Its gzipped bytes.
    quotes
        Which contracts to keep, for option quotes; sampling is left to the caller. None keeps all.
    block_bytes
        Text to hold at a time; by default what makes a row group of the lake.

    Returns
    -------
    FlatRows
        Rows typed and named as in the dataset's table, with `available_at`. A quote's missing side, which the
        vendor writes as price 0, is null.

    Raises
    ------
    BadFileError
        When the text has no header, a column is missing or there are no rows; blocks raise it later when the
        gzip stream is cut off or damaged, or no row is of the file's date.
    CalendarError
        When the file's date is no session.
    """
    session(file.date)
    size = block_bytes or (_TICK_BLOCK if file.dataset.is_tick else _BAR_BLOCK)
    texts = text_blocks(file, stream, size)
    names = header_columns(file, next(texts)[0])
    known = layout(file.dataset).columns
    ignored = tuple(name for name in names if name not in known)
    return FlatRows(ignored, _blocks(file, names, texts, quotes))


def _blocks(
    file: SourceFile,
    names: tuple[str, ...],
    texts: Iterator[tuple[bytes, int]],
    quotes: QuoteFilter | None,
) -> Iterator[Block]:
    plan, held = plans.plan(file, names, quotes), plans.slots(file, names)
    out, room, number, on_date = plans.arrays(held, 0), -1, _FIRST_LINE, False
    stray: int | None = None
    for content, stop in texts:
        if stop > room:
            room = stop
            out = plans.arrays(held, room)
        text, at = np.frombuffer(content, np.uint8), 0
        while at < stop:
            parsed = parse_lines(text, at, stop, *plan, *out)
            at = parsed[0]
            plain = columns.assemble(file, text, held, out, *parsed[1:3])
            raw = _raw(content, out, parsed[3], number)
            exact = parse_exactly(file, names, raw) if raw else None
            on_date = on_date or bool(parsed[1] or parsed[5] or (exact and exact.on_date))
            stray = exact.stray if exact and stray is None else stray
            if not on_date and stray is not None and number + parsed[4] > _ENOUGH_LINES:
                raise _misnamed(file, stray)
            yield _block(file, plain, out, parsed, number, raw, exact, quotes)
            number += parsed[4]
    if number == _FIRST_LINE:
        raise BadFileError(f"{file.key} has a header and no rows: fetch it again, or report it to the vendor")
    if not on_date and stray is not None:
        raise _misnamed(file, stray)


def _block(
    file: SourceFile,
    plain: pa.Table,
    out: Arrays,
    parsed: tuple[int, ...],
    number: int,
    raw: dict[int, str],
    exact: ExactLines | None,
    quotes: QuoteFilter | None,
) -> Block:
    _, rows, _, _, lines, unwanted = parsed
    numbers = out.line[:rows].astype(np.int64) + number
    if exact is None:
        return Block(plain, numbers, *_nothing(file.dataset), raw, lines, unwanted, 0)
    odd = columns.complete(file, exact.rows)
    if quotes:
        odd = odd.filter(quotes.keeps(file.date))
    return Block(plain, numbers, odd, exact.broken, raw, lines, unwanted, exact.repaired)


@cache
def _nothing(name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the odd and broken lines of a block that has none; most have none."""
    odd = pl.DataFrame(schema={"row_number": pl.Int64(), **table(name).columns})
    return odd, pl.DataFrame(schema={"row_number": pl.Int64, "rule": pl.String})


def _raw(content: bytes, out: Arrays, odds: int, number: int) -> dict[int, str]:
    """Return the text of odd lines by row number."""
    return {
        number + line: content[begin:end].decode("utf-8", "replace").rstrip("\r")
        for begin, end, line in out.odd[:, :odds].T.tolist()
    }


def _misnamed(file: SourceFile, moment: int) -> BadFileError:
    found = et_date(moment)
    return BadFileError(f"{file.key} has no row of {file.date}, its first is of {found}: it is misnamed")
