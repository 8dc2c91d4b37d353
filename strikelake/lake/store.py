"""The lake: tables of Parquet files that can be read as they were at any version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from deltalake.exceptions import CommitFailedError

from strikelake.errors import EmptyLakeError, LakeError
from strikelake.lake import versions
from strikelake.lake.quality import require
from strikelake.lake.queries import answer
from strikelake.schemas import TableSpec, tables
from strikelake.schemas import table as table_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import date

    from deltalake import DeltaTable

AsOf = Mapping[str, int] | int | None
"""Versions to read: of each table, of the one table asked for, or the latest of all."""

_ATTEMPTS = 50


class Lake:
    """Tables under one folder. Opening it touches nothing; a table is made when it is first written.

    Parameters
    ----------
    root
        A local folder; need not exist.

    Raises
    ------
    LakeError
        When `root` is a URL.

    Examples
    --------
    >>> Lake("nowhere").tables()
    []
    """

    def __init__(self, root: str | Path) -> None:
        if "://" in str(root):
            raise LakeError(f"the lake's root {root} is a URL: give a local folder")
        self.root = Path(root)

    def __repr__(self) -> str:
        return f"Lake({str(self.root)!r})"

    def tables(self) -> list[str]:
        """Return the names of the tables that exist."""
        return sorted(name for name in tables() if versions.exists(self.root / name))

    def versions(self) -> dict[str, int]:
        """Return the latest version of each table: `as_of` takes it to read the lake as it is now."""
        return {name: versions.load(self.root / name).version() for name in self.tables()}

    def sessions(self, table: str, *, as_of: AsOf = None) -> list[date]:
        """Return the dates a table has rows of, in order; none for a table that does not exist."""
        spec = table_spec(table)
        if not versions.exists(self.root / table):
            return []
        files = versions.live(self._log(spec, as_of), spec).filter(pl.col("rows") > 0)
        if spec.partition_by:
            return files["date"].unique().sort().to_list()
        rows = versions.scan_files(self.root / table, spec, files["path"])
        return rows.select(pl.col(spec.day).unique().sort()).collect().to_series().to_list()

    def replace(self, table: str, session: date, frame: pl.DataFrame, *, source: str = "") -> int:
        """Make `frame` the rows of one date; see `replace_many`."""
        return self.replace_many(table, {session: frame}, source=source)

    def replace_many(self, table: str, frames: Mapping[date, pl.DataFrame], *, source: str = "") -> int:
        """Make each frame the rows of its date, all in one version; readers see all of it or nothing.

        Parameters
        ----------
        table
            A table with a file for each date.
        frames
            Rows by date, in any order. An empty frame leaves its date without rows.
        source
            Where the rows come from, kept in the table's log.

        Returns
        -------
        int
            The version that holds the rows. The same rows again give the same version.

        Raises
        ------
        LakeError
            When the table is unknown or has no dates, or rows are of another date, type or break a rule.
        """
        spec = table_spec(table)
        if not spec.partition_by:
            raise LakeError(f"{table} is kept in one file: use overwrite or update")
        require(spec, *frames.values())
        for day, frame in frames.items():
            _require_day(spec, frame, {day})
        return self._commit(spec, lambda _: dict(frames.items()), source)

    def overwrite(self, table: str, frame: pl.DataFrame, *, source: str = "") -> int:
        """Make `frame` the whole content of a table that is kept in one file; return the version.

        Raises
        ------
        LakeError
            When the table has a file for each date, or rows are of another type or break a rule.
        """
        return self.update(table, lambda _: frame, source=source)

    def update(
        self,
        table: str,
        change: Callable[[pl.DataFrame], pl.DataFrame],
        *,
        days: Collection[date] | None = None,
        source: str = "",
    ) -> int:
        """Replace rows by what `change` makes of them, without losing what another writer does meanwhile.

        Parameters
        ----------
        table
            The table.
        change
            From the present rows to the new ones. Called again when another writer came first.
        days
            The dates to read and replace, in tables with a file for each date; None elsewhere.
        source
            Where the rows come from, kept in the table's log.

        Returns
        -------
        int
            The version that holds the rows.

        Raises
        ------
        LakeError
            When `days` does not fit the table, or rows are of another date, type or break a rule.
        """
        spec = table_spec(table)
        if bool(spec.partition_by) != (days is not None):
            kept = "a file for each date: name the days" if spec.partition_by else "one file: name no days"
            raise LakeError(f"{table} is kept in {kept}")

        def compute(log: DeltaTable) -> dict[date | None, pl.DataFrame]:
            files = versions.live(log, spec)
            paths = files["path"] if days is None else files.filter(pl.col("date").is_in(list(days)))["path"]
            new = change(versions.scan_files(self.root / table, spec, paths).collect())
            require(spec, new)
            if days is None:
                return {None: new}
            _require_day(spec, new, days)
            return {day: new.filter(pl.col("date") == day) for day in days}

        return self._commit(spec, compute, source)

    def scan(
        self,
        table: str,
        start: date | None = None,
        end: date | None = None,
        *,
        underlyings: Collection[str] | None = None,
        as_of: AsOf = None,
    ) -> pl.LazyFrame:
        """Return rows of a table, lazily; only the dates asked for are opened.

        Parameters
        ----------
        table
            The table.
        start, end
            First and last date, both included; None is open. `corporate_actions` selects by `ex_date`.
        underlyings
            Tickers to keep, by `underlying` or, in stock tables, by `ticker`.
        as_of
            The version to read, or versions by table as `versions()` gives them; None is the latest.

        Returns
        -------
        pl.LazyFrame
            The table's columns. `collect()` does not promise an order: sort.

        Raises
        ------
        EmptyLakeError
            When the table does not exist or has no rows in the range; the message names the remedy.
        LakeError
            When the table or the version is unknown.
        """
        spec = table_spec(table)
        if not versions.exists(self.root / table):
            raise EmptyLakeError(f"the lake {self.root} has no table {table}: run {spec.made_by}")
        files = versions.live(self._log(spec, as_of), spec).filter(pl.col("rows") > 0)
        in_range = _between(spec.day, start, end)
        chosen = files.filter(in_range) if spec.partition_by else files
        rows = versions.scan_files(self.root / table, spec, chosen["path"])
        if not spec.partition_by:
            rows = rows.filter(in_range)
        if chosen.is_empty() or (not spec.partition_by and rows.head(1).collect().is_empty()):
            raise EmptyLakeError(self._nothing(spec, start, end, as_of))
        if underlyings is not None:
            column = "ticker" if "ticker" in spec.columns else "underlying"
            rows = rows.filter(pl.col(column).is_in(list(underlyings)))
        return rows

    def sql(self, query: str, *, as_of: Mapping[str, int] | None = None) -> pl.DataFrame:
        """Answer a DuckDB query in which every table of the lake is a view.

        Parameters
        ----------
        query
            One SELECT statement.
        as_of
            Versions by table; only these tables are then visible. None shows the latest of all.

        Returns
        -------
        pl.DataFrame
            The answer. DuckDB's sum of integers arrives as Decimal.

        Raises
        ------
        LakeError
            When the query does not run; the message names the tables there are.

        Examples
        --------
        >>> Lake("nowhere").sql("select 1 as one").item()
        1
        """
        views = {}
        for spec in map(table_spec, self.tables() if as_of is None else sorted(as_of)):
            paths = versions.live(self._log(spec, as_of), spec)["path"]
            views[spec] = [self.root / spec.name / path for path in paths]
        return answer(query, views)

    def _log(self, spec: TableSpec, as_of: AsOf) -> DeltaTable:
        if isinstance(as_of, Mapping):
            if spec.name not in as_of:
                known = ", ".join(sorted(as_of))
                raise LakeError(f"as_of names no version of {spec.name}, only of {known}: add it")
            return versions.load(self.root / spec.name, as_of[spec.name])
        return versions.load(self.root / spec.name, as_of)

    def _commit(
        self, spec: TableSpec, compute: Callable[[DeltaTable], dict[date | None, pl.DataFrame]], source: str
    ) -> int:
        folder = self.root / spec.name
        versions.create(folder, spec)
        for _ in range(_ATTEMPTS):
            log = versions.load(folder)
            staged = {day: versions.write(folder, spec, day, rows) for day, rows in compute(log).items()}
            try:
                return versions.commit(log, spec, staged, source)
            except CommitFailedError:
                continue
        raise LakeError(f"{spec.name} is written by others without a pause: try again")

    def _nothing(self, spec: TableSpec, start: date | None, end: date | None, as_of: AsOf) -> str:
        held = self.sessions(spec.name, as_of=as_of)
        holds = f"it holds {held[0]} to {held[-1]}" if held else "it is empty"
        asked = f"from {start or 'the beginning'} to {end or 'the end'}"
        return f"{spec.name} in {self.root} has no rows {asked} ({holds}): run {spec.made_by} for these dates"


def _between(column: str, start: date | None, end: date | None) -> pl.Expr:
    after = pl.lit(value=True) if start is None else pl.col(column) >= start
    return after if end is None else after & (pl.col(column) <= end)


def _require_day(spec: TableSpec, frame: pl.DataFrame, days: Collection[date]) -> None:
    foreign = frame.filter(~pl.col("date").is_in(list(days)))
    if not foreign.is_empty():
        raise LakeError(
            f"{foreign.height} rows for {spec.name} are of {foreign['date'][0]} and not of "
            f"{min(days)} to {max(days)}: give each date its own rows"
        )
