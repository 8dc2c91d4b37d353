"""SQL over the lake: DuckDB in memory, every table a view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import polars as pl

from strikelake.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strikelake.schemas import TableSpec


def answer(query: str, views: Mapping[TableSpec, list[str] | Any]) -> pl.DataFrame:
    """Run one SELECT over tables given by their Parquet files or as pyarrow datasets.

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
        for spec, files in views.items():
            if not isinstance(files, list):
                connection.register(spec.name, files)
            elif files:
                connection.execute(_view(spec, files))
            else:
                connection.register(spec.name, pl.DataFrame(schema=spec.columns).to_arrow())
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


def _view(spec: TableSpec, files: list[str]) -> str:
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    hive = ", hive_partitioning=true, hive_types={'date': DATE}" if spec.partition_by else ""
    columns = ", ".join(f'"{name}"' for name in spec.columns)
    return f"CREATE VIEW {spec.name} AS SELECT {columns} FROM read_parquet([{listed}]{hive})"  # noqa: S608 - names are ours
