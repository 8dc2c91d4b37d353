"""Reference files as they come: CSV, small and made with care.

A value that does not parse stops the load. A row that parses and breaks a rule of its table goes to
quarantine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from strikelake.errors import BadFileError
from strikelake.lake.quality import Checked, check, count_rules, quarantine_rows
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file's good rows, and its bad ones as rows of `quarantine`."""

    name: str
    good: pl.DataFrame
    bad: pl.DataFrame


def read(path: Path, required: Iterable[str]) -> pl.DataFrame:
    """Return all fields as strings, with `row_number` (the header is line 1) and `raw`.

    Raises
    ------
    BadFileError
        When it is no CSV file, or lacks a column.
    """
    try:
        strings = pl.read_csv(path, infer_schema=False, row_index_name="row_number", row_index_offset=2)
    except pl.exceptions.PolarsError as error:
        raise BadFileError(f"{path} is no CSV file ({error}): write it again") from error
    names = strings.columns[1:]
    if missing := [name for name in required if name not in names]:
        raise BadFileError(
            f"{path} lacks the columns {', '.join(missing)}: its header has {', '.join(names)}"
        )
    return strings.with_columns(
        pl.col("row_number").cast(pl.Int64), raw=pl.concat_str(names, separator=",", ignore_nulls=True)
    )


def typed(
    path: Path,
    strings: pl.DataFrame,
    columns: Mapping[str, type[pl.DataType]],
    optional: Collection[str] = (),
) -> pl.DataFrame:
    """Return the fields of some columns as values; only those that are `optional` may be null.

    Raises
    ------
    BadFileError
        When a value does not parse.
    """
    for name, dtype in columns.items():
        text = pl.col(name)
        value = (
            text.str.to_date("%Y-%m-%d", strict=False) if dtype == pl.Date else text.cast(dtype, strict=False)
        )
        lost = strings.filter(value.is_null() & text.is_not_null() if name in optional else value.is_null())
        if not lost.is_empty():
            line, found = lost.select("row_number", name).row(0)
            raise BadFileError(
                f"{path} line {line}: {name} is {found!r}, which is no {dtype.__name__}: correct it"
            )
        strings = strings.with_columns(value)
    return strings


def checked(path: Path, name: str, frame: pl.DataFrame, day: str) -> Loaded:
    """Return the rows of a table, those that break its rules apart; `day` is the column they are dated by.

    Raises
    ------
    BadFileError
        When most rows break a rule.
    """
    spec = table(name)
    rows = frame.select("row_number", *spec.columns)
    # A key holds within a date, where there is a file for each.
    dated = rows.partition_by("date") if spec.partition_by and rows.height else [rows]
    each = [check(spec, part) for part in dated]
    found = Checked(pl.concat(part.good for part in each), pl.concat(part.bad for part in each))
    if found.bad.height > found.good.height:
        counts = ", ".join(f"{rule} {count}" for rule, count in count_rules(found.bad).items())
        raise BadFileError(
            f"{path}: {found.bad.height} of {frame.height} values break the rules of {name} "
            f"({counts}): correct it"
        )
    days = frame.select("row_number", "raw", pl.col(day).alias("day")).unique("row_number")
    bad = found.bad.join(days, on="row_number", how="left", maintain_order="left")
    raw = dict(bad.select("row_number", "raw").iter_rows())
    parts = [
        quarantine_rows(name, bad_day, path.name, part, raw)
        for (bad_day,), part in bad.group_by("day", maintain_order=True)
    ]
    quarantined = pl.concat([pl.DataFrame(schema=table("quarantine").columns), *parts])
    return Loaded(path.name, found.good, quarantined)
