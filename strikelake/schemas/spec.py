"""What the lake has to know of a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dataframely as dy
    import polars as pl


@dataclass(frozen=True)
class TableSpec:
    """A table of the lake.

    Attributes
    ----------
    name, schema
        The table and what a good row of it is.
    sort
        Order of the rows inside a file.
    available_at
        The rule behind that column, in words.
    made_by
        What fills the table; messages about missing rows name it.
    partition_by
        `("date",)`, or nothing for small tables that are kept in one file.
    day
        The column that a range of dates selects by.
    sparse
        Whether a session without rows is nothing unusual.
    """

    name: str
    schema: type[dy.Schema]
    sort: tuple[str, ...]
    available_at: str
    made_by: str
    partition_by: tuple[str, ...] = ("date",)
    day: str = "date"
    sparse: bool = False

    @cached_property
    def columns(self) -> Mapping[str, pl.DataType]:
        """Names and types of the columns, in order."""
        return MappingProxyType({name: column.dtype for name, column in self.schema.columns().items()})

    @cached_property
    def nullable(self) -> frozenset[str]:
        """The columns that may be null."""
        return frozenset(name for name, column in self.schema.columns().items() if column.nullable)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The columns that name a row; empty where rows have no key."""
        return tuple(self.schema.primary_key())
