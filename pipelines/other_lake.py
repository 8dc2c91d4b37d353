"""A lake as it would be had the future been another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from polars.io.plugins import register_io_source

from features.worlds import changeable
from strikelake.errors import EmptyLakeError, LakeError
from strikelake.lake.store import Lake

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import date

    from features.worlds import World
    from strikelake.lake.tables import AsOf, Versions

Held = dict[tuple[str, ...], pl.DataFrame]
"""Rows that were read once, by table and by what was asked of it."""


class OtherLake(Lake):
    """A lake whose rows are those of a world: what reads a lake can be run in it, and nothing is written.

    Parameters
    ----------
    lake
        The recorded one.
    world
        What became of rows that a decision could not know.
    held
        Keeps what was read, so that other worlds of the same decision read no file again.
    """

    def __init__(self, lake: Lake, world: World, held: Held) -> None:
        vars(self).update(vars(lake))  # the same tables, storage and credentials
        self._world, self._held = world, held

    def scan(
        self,
        table: str,
        start: date | None = None,
        end: date | None = None,
        *,
        underlyings: Collection[str] | None = None,
        as_of: AsOf = None,
    ) -> pl.LazyFrame:
        """Return the rows of a table in this world, lazily; see `Lake.scan`."""
        rows = super().scan(table, start, end, underlyings=underlyings, as_of=as_of)
        schema = rows.collect_schema()
        asked = (table, str(start), str(end), str(as_of), ",".join(sorted(underlyings or ())))
        none = pl.DataFrame(schema=schema)
        facts, later = set(changeable(none)), self._world.later(table, none)
        if (
            self._world.kind == "removed"
            and later is not None
            and rows.filter(~later).head(1).collect().is_empty()
        ):
            raise EmptyLakeError(f"{table} has no rows in the range that are known by then")

        def read(
            columns: list[str] | None, predicate: pl.Expr | None, count: int | None, _: int | None
        ) -> Iterator[pl.DataFrame]:
            # A choice by keys may be made before the world changes facts; any other one only afterwards.
            early = predicate is not None and facts.isdisjoint(predicate.meta.root_names())
            key = (*asked, str(predicate) if early else "")
            if key not in self._held:
                chosen = rows.filter(predicate) if early and predicate is not None else rows
                self._held[key] = chosen.collect()
            found = self._world.of(table, self._held[key]).lazy()
            if predicate is not None and not early:
                found = found.filter(predicate)
            found = found.select(columns) if columns is not None else found
            yield (found if count is None else found.head(count)).collect()

        return register_io_source(read, schema=schema)

    def sql(self, query: str, *, as_of: Versions = None) -> pl.DataFrame:
        """Refuse: a query would read the recorded rows."""
        raise LakeError(f"a lake of another world answers no SQL ({query!r}, {as_of!r}): read it with scan")
