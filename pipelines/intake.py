"""One flat file's rows, read and checked block by block into a staged file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.arrange import LastOfMinute, Order, merge, to_arrow
from strikelake.errors import BadFileError, QualityError
from strikelake.lake.quality import check, count_rules
from strikelake.lake.staging import Staged, StagedWriter
from strikelake.schemas import table
from strikelake.vendors.columns import arrow_schema
from strikelake.vendors.flat_files import Dataset
from strikelake.vendors.flat_rows import read_rows
from strikelake.vendors.text_blocks import lines_of

if TYPE_CHECKING:
    from pathlib import Path

    from strikelake.vendors.flat_files import FlatFiles, SourceFile
    from strikelake.vendors.flat_rows import Block
    from strikelake.vendors.quote_filter import QuoteFilter

# Bad and late rows are kept in memory until the end of their file.
_MOST_BAD, _MOST_LATE = 100_000, 500_000


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What a file held.

    Attributes
    ----------
    staged
        Its good rows.
    bad, raw
        row_number and rule of the others, by row number, and their text.
    total, unwanted, repaired
        All rows that were looked at, those that the filter of quotes left aside, and those whose known-bad
        window start was mended.
    ignored
        Columns that have no place in the table.
    """

    staged: Staged
    bad: pl.DataFrame
    raw: dict[int, str]
    total: int
    unwanted: int
    repaired: int
    ignored: tuple[str, ...]


@dataclass(slots=True, eq=False)
class _Count:
    total: int = 0
    unwanted: int = 0
    repaired: int = 0
    bad: list[pl.DataFrame] = field(default_factory=list)
    raw: dict[int, str] = field(default_factory=dict)
    bad_rows: int = 0


def take_in(source: FlatFiles, file: SourceFile, folder: Path, quotes: QuoteFilter) -> Taken:
    """Read and check a file.

    Parameters
    ----------
    source, file
        The file and where it is.
    folder
        Where to stage its rows.
    quotes
        Which quotes of options to keep.

    Raises
    ------
    BadFileError
        When the file is damaged, misnamed or out of order beyond repair.
    QualityError
        When it has too many bad rows to keep.
    VendorError
        When the source does not hand it out.
    """
    spec, schema = table(file.dataset), arrow_schema(file.dataset)
    chosen = quotes if file.dataset is Dataset.OPTION_QUOTES else None
    sampled = chosen is not None and chosen.sampling == "minute"
    order, count, sampler = Order(spec), _Count(), LastOfMinute(spec)
    name = f"{file.dataset}-{file.date}.parquet"
    with source.open(file) as stream, StagedWriter(spec, folder / name, schema) as writer:
        rows = read_rows(file, stream, chosen)
        for block in rows.blocks:
            good = order.take(*_good(file, block, count, schema))
            _require_order(file, order)
            writer.append(sampler.take(good) if sampled else good)
        for rest in sampler.rest():
            writer.append(rest)
        staged = writer.finish()
    if order.late_rows:
        staged = _with_late(source, file, staged, order, count, sampled=sampled)
    bad = pl.concat(count.bad).sort("row_number") if count.bad else _no_bad()
    return Taken(staged, bad, count.raw, count.total, count.unwanted, count.repaired, rows.ignored)


def _good(file: SourceFile, block: Block, count: _Count, schema: pa.Schema) -> tuple[pa.Table, np.ndarray]:
    """Return the good rows of a block in the order of the file, with their numbers, and count the others."""
    count.total += block.lines - block.unwanted
    count.unwanted += block.unwanted
    count.repaired += block.repaired
    if not block.raw:
        return block.plain, block.numbers
    checked = check(table(file.dataset), block.odd)
    bad = pl.concat([block.broken, checked.bad])
    numbers = bad["row_number"].to_list()
    count.bad.append(bad)
    count.raw.update({number: block.raw[number] for number in numbers})
    count.bad_rows += len(numbers)
    if count.bad_rows > _MOST_BAD:
        rules = ", ".join(count_rules(pl.concat(count.bad)))
        raise QualityError(
            f"{file.key} was not published to the lake: more than {_MOST_BAD:,} rows are bad ({rules}); the "
            f"first is {next(iter(count.raw.values()))!r}; report it to the vendor"
        )
    found = block.odd["row_number"].is_in(bad["row_number"].implode()).not_().to_numpy()
    odd_numbers = block.odd["row_number"].to_numpy()[found]
    if not len(odd_numbers):
        return block.plain, block.numbers
    together = pa.concat_tables([block.plain, to_arrow(checked.good, schema)]).unify_dictionaries()
    all_numbers = np.concatenate([block.numbers, odd_numbers])
    places = np.argsort(all_numbers, kind="stable")
    return together.combine_chunks().take(pa.array(places)), all_numbers[places]


def _with_late(
    source: FlatFiles, file: SourceFile, staged: Staged, order: Order, count: _Count, *, sampled: bool
) -> Staged:
    """Write the staged file once more, with the late rows in their places."""
    spec = table(file.dataset)
    bad: list[pl.DataFrame] = []
    late = order.late(file.date)
    held = [*count.bad, late.select("row_number")]
    skipped = np.unique(np.concatenate([rows["row_number"].to_numpy() for rows in held]))
    sampler, schema = LastOfMinute(spec), arrow_schema(file.dataset)
    path = staged.path.with_suffix(".merged.parquet")
    with StagedWriter(spec, path, schema) as writer:
        for rows in merge(spec, staged, late, skipped, bad):
            writer.append(sampler.take(rows) if sampled else rows)
        for rest in sampler.rest():
            writer.append(rest)
        merged = writer.finish()
    staged.path.unlink()
    found = pl.concat(bad) if bad else _no_bad()
    if not found.is_empty():
        with source.open(file) as stream:
            count.raw.update(lines_of(file, stream, found["row_number"].to_list()))
        count.bad.append(found)
    return merged


def _require_order(file: SourceFile, order: Order) -> None:
    if order.late_rows > _MOST_LATE:
        raise BadFileError(
            f"{file.key} is not sorted: more than {_MOST_LATE:,} rows come too late; "
            "fetch it again, or report it to the vendor"
        )


def _no_bad() -> pl.DataFrame:
    return pl.DataFrame(schema={"row_number": pl.Int64, "rule": pl.String})
