"""What changed in a table between two versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from datetime import date

    from strikelake.schemas import TableSpec

_TWIN = "_twin"


@dataclass(frozen=True, slots=True)
class Diff:
    """Rows of one date that differ between two versions of a table.

    Attributes
    ----------
    table, date
        What was compared; date is None when the whole table was.
    before, after
        The versions.
    added, removed
        Rows whose key only the later, only the earlier version has; in the table's columns, sorted by key.
    changed
        Rows with the same key and other values: the key, then `<column>_before` and `<column>_after` of each
        column that differs in any row. A table without a key has none: a changed row is one removed and one
        added.
    """

    table: str
    date: date | None
    before: int
    after: int
    added: pl.DataFrame
    removed: pl.DataFrame
    changed: pl.DataFrame

    @property
    def counts(self) -> dict[str, int]:
        """Rows added, removed and changed."""
        return {
            "added": self.added.height,
            "removed": self.removed.height,
            "changed": self.changed.height,
        }

    @property
    def is_empty(self) -> bool:
        """Whether both versions hold the same rows."""
        return not any(self.counts.values())


def compare(
    spec: TableSpec, day: date | None, versions: tuple[int, int], before: pl.DataFrame, after: pl.DataFrame
) -> Diff:
    """Tell what became of rows.

    Parameters
    ----------
    spec, day, versions
        What the rows are of.
    before, after
        Rows of the table in any order. Two nulls are the same value, and so are two NaNs.
    """
    columns = list(spec.columns)
    # Some keys hold within a date only.
    key = [*(spec.partition_by if day is None else ()), *spec.key]
    if not spec.key:
        # Rows that are equal in every column are told apart by how many there are of them.
        key = [*columns, _TWIN]
        before, after = (
            rows.with_columns(pl.int_range(pl.len()).over(columns).alias(_TWIN)) for rows in (before, after)
        )
    added = after.join(before, on=key, how="anti", nulls_equal=True).select(columns).sort(columns)
    removed = before.join(after, on=key, how="anti", nulls_equal=True).select(columns).sort(columns)
    return Diff(spec.name, day, *versions, added, removed, _changed(columns, key, before, after))


def _changed(columns: list[str], key: list[str], before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    others = [name for name in columns if name not in key]
    both = before.join(after, on=key, how="inner", nulls_equal=True, suffix="_after").rename(
        {name: f"{name}_before" for name in others}
    )
    differs = {name: pl.col(f"{name}_before").ne_missing(pl.col(f"{name}_after")) for name in others}
    rows = both.filter(pl.any_horizontal(*differs.values())) if others else both.clear()
    flags = (
        rows.select(expression.any().alias(name) for name, expression in differs.items()).row(0)
        if others
        else ()
    )
    shown = [name for name, differing in zip(others, flags, strict=True) if differing]
    paired = [f"{name}_{side}" for name in shown for side in ("before", "after")]
    names = [name for name in key if name != _TWIN]
    return rows.select(*names, *paired).sort(names)
