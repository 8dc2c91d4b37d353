"""The lake: tables of Parquet files that can be read as they were at any version."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from strikelake.errors import LakeError
from strikelake.lake import versions
from strikelake.lake.bucket import Place, open_bucket
from strikelake.lake.diffs import Diff, compare
from strikelake.lake.quality import require, require_day
from strikelake.lake.queries import answer
from strikelake.lake.storage import Folder
from strikelake.lake.tables import Latest, Table
from strikelake.schemas import TableSpec, tables
from strikelake.schemas import table as table_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import date

    from deltalake import DeltaTable

    from strikelake.lake.staging import Staged
    from strikelake.lake.tables import AsOf, Rows, Versions


class Lake:
    """Tables under one folder. Opening it touches nothing; a table is made when it is first written.

    Parameters
    ----------
    root
        A local folder, which need not exist, or ``s3://bucket/prefix``.
    storage_options
        Credentials and endpoint of a bucket by the names of the AWS variables, for example AWS_ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL; those of the environment otherwise.

    Raises
    ------
    LakeError
        When `root` is a URL of something else than S3.

    Examples
    --------
    >>> Lake("nowhere").tables()
    []
    """

    def __init__(self, root: str | Path, *, storage_options: Mapping[str, str] | None = None) -> None:
        url = "://" in str(root)
        self.root: Path | str = str(root) if url else Path(root)
        self._home: Place = open_bucket(str(root), storage_options) if url else Folder(Path(root))
        self._seen: dict[str, Latest] = {}

    def __repr__(self) -> str:
        return f"Lake({str(self.root)!r})"

    def tables(self) -> list[str]:
        """Return the names of the tables that exist."""
        return sorted(name for name in tables() if self.table(name).exists())

    def table(self, name: str) -> Table:
        """Return one table, which need not exist yet, for what looks after the lake."""
        return Table(self._home.child(name), table_spec(name), self._seen)

    def versions(self) -> dict[str, int]:
        """Return the latest version of each table: `as_of` takes it to read the lake as it is now."""
        return {name: self.table(name).log().version() for name in self.tables()}

    def versions_at(self, moment: datetime) -> dict[str, int]:
        """Return the version of each table that was the latest at a moment, of the tables there were by then.

        What counts is when *we* stored a version, not when its rows could be known.

        Raises
        ------
        CalendarError
            When `moment` has no time zone.
        """
        found = {name: versions.version_at(self.table(name).place, moment) for name in self.tables()}
        return {name: version for name, version in found.items() if version is not None}

    def resolve(self, as_of: Versions = None) -> dict[str, int]:
        """Return the version of each table that `as_of` stands for: the latest of all by default."""
        if as_of is None:
            return self.versions()
        return self.versions_at(as_of) if isinstance(as_of, datetime) else dict(as_of)

    def sessions(self, table: str, *, as_of: AsOf = None) -> list[date]:
        """Return the dates a table has rows of, in order; none for a table that does not exist."""
        found = self.table(table)
        return found.sessions(as_of) if found.exists() else []

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
            require_day(spec, frame, {day})
        return self._commit(spec, lambda _: dict(frames.items()), source)

    def replace_staged(self, table: str, staged: Mapping[date, Staged], *, source: str = "") -> int:
        """Make each staged file the rows of its date, all in one version; see `replace_many`.

        The rows are taken as they are: whoever stages them has checked and sorted them.
        """
        return self._commit(table_spec(table), lambda _: dict(staged.items()), source)

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

        def compute(log: DeltaTable) -> Rows:
            files = versions.live(log, spec)
            chosen = files if days is None else files.filter(pl.col("date").is_in(list(days)))
            new = change(self.table(table).rows(chosen).collect())
            require(spec, new)
            if days is None:
                return {None: new}
            require_day(spec, new, days)
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
            The version to read; versions by table as `versions()` gives them; or a moment with a time
            zone, to read what was stored by then. None is the latest.

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
        rows = self.table(table).scan(start, end, as_of)
        if underlyings is not None:
            column = "ticker" if "ticker" in table_spec(table).columns else "underlying"
            rows = rows.filter(pl.col(column).is_in(list(underlyings)))
        return rows

    def diff(self, table: str, day: date | None, before: AsOf, after: AsOf = None) -> Diff:
        """Tell which rows of a date were added, removed and changed between two versions.

        Parameters
        ----------
        table
            The table.
        day
            The date, by the column that `scan` selects by; None compares all rows.
        before, after
            Versions, or moments; `after` is the latest by default.

        Returns
        -------
        Diff
            The rows, by the table's key, and their counts. A date that a version lacks has no rows there.

        Raises
        ------
        EmptyLakeError
            When the table does not exist.
        LakeError
            When the table or a version is unknown.
        """
        found = self.table(table)
        logs = [found.log(as_of) for as_of in (before, after)]
        frames = [found.rows(versions.live(log, found.spec), day).collect() for log in logs]
        return compare(found.spec, day, (logs[0].version(), logs[1].version()), frames[0], frames[1])

    def sql(self, query: str, *, as_of: Versions = None) -> pl.DataFrame:
        """Answer a DuckDB query in which every table of the lake is a view.

        Parameters
        ----------
        query
            One SELECT statement.
        as_of
            Versions by table, or a moment; only these tables are then visible. None shows the latest of all.

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
        for name, version in sorted(self.resolve(as_of).items()):
            table = self.table(name)
            views[table.spec] = table.view(version)
        return answer(query, views)

    def _commit(self, spec: TableSpec, compute: Callable[[DeltaTable], Rows], source: str) -> int:
        return self.table(spec.name).commit(compute, source)
