"""SQL over the lake: DuckDB in memory, every table a view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import polars as pl

from strikelake.errors import LakeError
from strikelake.lake.packing import packing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from strikelake.schemas import TableSpec


class View(NamedTuple):
    """What a table is read from: plain files and packed ones, by addresses or as a pyarrow dataset."""

    plain: list[str] | Any
    packed: list[str] | Any


def answer(query: str, views: Mapping[TableSpec, View]) -> pl.DataFrame:
    """Run one SELECT over tables.

    Raises
    ------
    LakeError
        When the query does not run or is no SELECT; the message names the tables there are.
    """
    import duckdb

    names = ", ".join(sorted(spec.name for spec in views)) or "none"
    # Extensions cannot be fetched everywhere; without this, a query that wants one waits for the network.
    settings: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": False}
    with duckdb.connect(":memory:", config=settings) as connection:
        for spec, view in views.items():
            _create(connection, spec, view)
        try:
            # A query of nothing but comments has no relation, which duckdb's types leave out.
            relation = cast("duckdb.DuckDBPyRelation | None", connection.sql(query))
            rows: pl.DataFrame | None = None if relation is None else relation.pl()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise LakeError(f"the query failed: {reason}; the tables are {names}") from error
    if rows is None:
        raise LakeError(f"{query!r} answers nothing: give one SELECT over {names}")
    return rows


def _create(connection: duckdb.DuckDBPyConnection, spec: TableSpec, view: View) -> None:
    packed = packing(spec.name)
    kinds: list[tuple[str, list[str] | Any, Mapping[str, str]]] = [("plain", view.plain, {})]
    kinds += [("packed", view.packed, packed.sql)] if packed else []
    parts = []
    for kind, files, read in kinds:
        if isinstance(files, list):
            source = _files(spec, files) if files else None
        else:
            source = f"_{kind}_{spec.name}"
            connection.register(source, files)
        if source:
            columns = ", ".join(
                f'{read[name]} AS "{name}"' if name in read else f'"{name}"' for name in spec.columns
            )
            parts.append(f"SELECT {columns} FROM {source}")  # noqa: S608 - names are ours
    if parts:
        connection.execute(f"CREATE VIEW {spec.name} AS {' UNION ALL '.join(parts)}")
    else:
        connection.register(spec.name, pl.DataFrame(schema=spec.columns).to_arrow())


def _files(spec: TableSpec, files: list[str]) -> str:
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    hive = ", hive_partitioning=true, hive_types={'date': DATE}" if spec.partition_by else ""
    return f"read_parquet([{listed}]{hive})"
