"""Which rows are good, and what is said of the others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

import dataframely as dy
import polars as pl

from strikelake.errors import LakeError
from strikelake.schemas import Quarantine
from strikelake.schemas import table as table_spec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from strikelake.lake.store import Lake
    from strikelake.schemas import TableSpec

ROW_NUMBER = "row_number"
_TIMES = frozenset({"date", "ts_ns", "asof"})


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows, told apart.

    Attributes
    ----------
    good
        Rows that keep every rule, in the table's columns and in the order they came.
    bad
        row_number (Int64) and rule (String): the rules that the row broke, joined by "; ".
    """

    good: pl.DataFrame
    bad: pl.DataFrame


def check(spec: TableSpec, frame: pl.DataFrame) -> Checked:
    """Tell good rows from bad ones.

    Parameters
    ----------
    spec
        The table the rows are for.
    frame
        The table's columns and `row_number` (Int64).

    Returns
    -------
    Checked
        A row that repeats an earlier one exactly breaks `row|duplicate`. Rows that share a key and differ
        are all bad, by `primary_key`: nothing says which of them is right.
    """
    repeats = frame.clear()
    if spec.key and frame.select(spec.key).is_duplicated().any():
        first = pl.struct(*spec.columns).is_first_distinct()
        frame, repeats = frame.filter(first), frame.filter(~first)
    good, failure = _numbered(spec.schema).filter(frame)
    bad = repeats.select(ROW_NUMBER, pl.lit("row|duplicate").alias("rule"))
    if len(failure):
        bad = pl.concat([bad, _broken_rules(failure)]).sort(ROW_NUMBER)
    return Checked(good.select(*spec.columns), bad)


def require(spec: TableSpec, *frames: pl.DataFrame) -> None:
    """Insist that frames are fit for their table: the lake's own guard, for rows from anywhere.

    Raises
    ------
    LakeError
        When columns are missing, foreign or of another type, or rows break a rule.
    """
    for frame in frames:
        _require_columns(spec, frame)
    rows = [frame.select(*spec.columns) for frame in frames]
    if rows and spec.key and spec.partition_by and _TIMES.isdisjoint(spec.key):
        # The key holds within a date: the same contract comes again on the next.
        rows = pl.concat(rows).partition_by("date")
    elif rows:
        rows = [pl.concat(rows)]
    for part in rows:
        _, failure = spec.schema.filter(part)
        if not len(failure):
            continue
        first = failure.invalid().row(0, named=True)
        broken = ", ".join(f"{rule} {count}" for rule, count in failure.counts().items())
        raise LakeError(
            f"{len(failure)} rows for {spec.name} break its rules ({broken}): mend what computes them; "
            f"the first is {first}"
        )


def require_day(spec: TableSpec, frame: pl.DataFrame, days: Collection[date]) -> None:
    """Insist that rows are of some dates.

    Raises
    ------
    LakeError
        When a row is of another date.
    """
    foreign = frame.filter(~pl.col("date").is_in(list(days)))
    if not foreign.is_empty():
        raise LakeError(
            f"{foreign.height} rows for {spec.name} are of {foreign['date'][0]} and not of "
            f"{min(days)} to {max(days)}: give each date its own rows"
        )


def quarantine_rows(
    table: str, day: date, source_key: str, bad: pl.DataFrame, raw: Mapping[int, str]
) -> pl.DataFrame:
    """Return bad rows as rows of the `quarantine` table.

    Parameters
    ----------
    table, day, source_key
        Where the rows were to go and where they came from.
    bad
        row_number and rule.
    raw
        The text of each row by its number.
    """
    return bad.select(
        pl.lit(day).alias("date"),
        pl.lit(table).alias("table_name"),
        pl.lit(source_key).alias("source_key"),
        pl.col(ROW_NUMBER),
        pl.col("rule"),
        pl.Series("raw", [raw[number] for number in bad[ROW_NUMBER]], dtype=pl.String),
    ).select(*Quarantine.column_names())


def quarantined(lake: Lake, table: str | None = None, day: date | None = None) -> pl.DataFrame:
    """Return rows of the `quarantine` table, by table, date and row number.

    Raises
    ------
    EmptyLakeError
        When there are none on that date, or no row was ever rejected.
    LakeError
        When there is no table of that name.
    """
    rows = lake.scan("quarantine", day, day)
    if table is not None:
        rows = rows.filter(pl.col("table_name") == table_spec(table).name)
    return rows.sort("table_name", "date", "row_number").collect()


def count_rules(bad: pl.DataFrame) -> dict[str, int]:
    """Return how many rows broke each rule; a row that broke two counts in both.

    Examples
    --------
    >>> count_rules(pl.DataFrame({"rule": ["low|nan", "low|nan; high|nan"]}))
    {'high|nan': 1, 'low|nan': 2}
    """
    counts = bad.select(pl.col("rule").str.split("; ").explode().alias("rule")).group_by("rule").len()
    return dict(counts.sort("rule").iter_rows())


def _require_columns(spec: TableSpec, frame: pl.DataFrame) -> None:
    wanted, found = spec.columns, dict(frame.schema)
    missing, foreign = [c for c in wanted if c not in found], [c for c in found if c not in wanted]
    if missing or foreign:
        raise LakeError(
            f"rows for {spec.name} lack the columns {missing} and have the foreign columns {foreign}: "
            f"its columns are {', '.join(wanted)}"
        )
    wrong = [f"{c} is {found[c]}, not {wanted[c]}" for c in wanted if found[c] != wanted[c]]
    if wrong:
        raise LakeError(f"rows for {spec.name} have wrong types ({'; '.join(wrong)}): cast them")


def _broken_rules(failure: dy.FailureInfo) -> pl.DataFrame:
    details = failure.details()
    rules = [name for name, dtype in details.schema.items() if isinstance(dtype, pl.Enum)]
    broken = [pl.when(pl.col(rule) == "invalid").then(pl.lit(rule)) for rule in rules]
    return details.select(ROW_NUMBER, pl.concat_list(broken).list.drop_nulls().list.join("; ").alias("rule"))


@cache
def _numbered(schema: type[dy.Schema]) -> type[dy.Schema]:
    """Return the schema with a row number, which dataframely would else drop from the rows it rejects."""
    return cast("type[dy.Schema]", type(f"Numbered{schema.__name__}", (schema,), {ROW_NUMBER: dy.Int64()}))
