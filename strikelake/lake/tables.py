"""One table of the lake: what a version of it consists of, and how a new version is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
from deltalake.exceptions import CommitFailedError, DeltaError

from strikelake.errors import EmptyLakeError, LakeError
from strikelake.lake import versions
from strikelake.lake.bucket import Bucket
from strikelake.lake.months import prefer_copies, scan_copies
from strikelake.lake.packing import is_packed
from strikelake.lake.queries import View
from strikelake.lake.storage import unwritable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from deltalake import DeltaTable

    from strikelake.lake.bucket import Place
    from strikelake.lake.staging import Staged
    from strikelake.schemas import TableSpec

Versions = Mapping[str, int] | datetime | None
"""Which version of each table to read: by name, those current at a moment with a time zone, or the latest."""

AsOf = Versions | int
"""As `Versions`, or the version of the one table asked for."""

Rows = Mapping["date | None", "pl.DataFrame | Staged"]
"""What a version consists of, by date: rows, or a file with rows that are checked and sorted already."""

_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class Latest:
    """The files of the version that was the latest when it was last read, and the stamp of its log entry."""

    version: int
    stamp: object
    files: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Table:
    """A table at its place.

    Attributes
    ----------
    place, spec
        Where it is and what it is.
    seen
        Latest versions by table, kept between reads: looking whether a log has grown takes microseconds,
        reading it milliseconds.
    """

    place: Place
    spec: TableSpec
    seen: dict[str, Latest] = field(default_factory=dict)

    def exists(self) -> bool:
        """Return whether the table is there."""
        return versions.exists(self.place)

    def log(self, as_of: AsOf = None) -> DeltaTable:
        """Return the table's log at a version.

        Raises
        ------
        EmptyLakeError
            When the table does not exist, or did not at the moment asked for.
        LakeError
            When there is no such version.
        """
        name = self.spec.name
        if not self.exists():
            raise EmptyLakeError(f"the lake {self._lake} has no table {name}: run {self.spec.made_by}")
        if isinstance(as_of, datetime):
            version = versions.version_at(self.place, as_of)
            if version is None:
                raise EmptyLakeError(f"the lake {self._lake} had no table {name} at {as_of}: read it later")
            return versions.load(self.place, version)
        if isinstance(as_of, Mapping):
            if name not in as_of:
                known = ", ".join(sorted(as_of)) or "none"
                raise LakeError(f"as_of names no version of {name}, only of {known}: add it")
            return versions.load(self.place, as_of[name])
        return versions.load(self.place, as_of)

    def files(self, as_of: AsOf = None) -> pl.DataFrame:
        """Return the files of a version, as `versions.live` does."""
        wanted = as_of.get(self.spec.name) if isinstance(as_of, Mapping) else as_of
        seen = self._seen()
        if seen and wanted in {None, seen.version} and (as_of is None or wanted is not None):
            return seen.files
        log = self.log(as_of)
        files = versions.live(log, self.spec)
        stamp = self.place.stamp(versions.entry(log.version()))
        if as_of is None and stamp:
            self.seen[self.spec.name] = Latest(log.version(), stamp, files)
        return files

    def rows(self, files: pl.DataFrame, day: date | None = None) -> pl.LazyFrame:
        """Return the rows of some of a version's files, or of one date in them."""
        chosen = files.filter(pl.col("date") == day) if day and self.spec.partition_by else files
        rows = versions.scan_files(self.place, self.spec, chosen["path"])
        return rows.filter(between(self.spec.day, day, day))

    def view(self, as_of: AsOf = None) -> View:
        """Return what DuckDB reads a version from."""
        paths = self.files(as_of)["path"].to_list()
        plain, packed = (
            self._source([path for path in paths if is_packed(path) == squeezed])
            for squeezed in (False, True)
        )
        return View(plain, packed)

    def _source(self, paths: list[str]) -> list[str] | Any:
        partition = pa.schema([("date", pa.date32())]) if self.spec.partition_by else None
        if isinstance(self.place, Bucket) and paths:
            return self.place.dataset(paths, partition)
        return [self.place.address(path) for path in paths]

    def scan(self, start: date | None, end: date | None, as_of: AsOf) -> pl.LazyFrame:
        """Return the rows of a range of dates, of whole months from their copies where there are any."""
        found = self.files(as_of)
        held = found.filter(pl.col("rows") > 0)
        in_range = between(self.spec.day, start, end)
        if not self.spec.partition_by:
            rows = self.rows(held).filter(in_range)
            if rows.head(1).collect().is_empty():
                raise EmptyLakeError(self._nothing(start, end, as_of))
            return rows
        chosen = held.filter(in_range)
        if chosen.is_empty():
            raise EmptyLakeError(self._nothing(start, end, as_of))
        days, copied = prefer_copies(self.place, held, chosen)
        parts = [versions.scan_files(self.place, self.spec, days)] if days else []
        if copied:
            parts.append(scan_copies(self.place, self.spec, copied))
        return parts[0] if len(parts) == 1 else pl.concat(parts)

    def sessions(self, as_of: AsOf = None) -> list[date]:
        """Return the dates that a version has rows of, in order."""
        files = self.files(as_of).filter(pl.col("rows") > 0)
        if self.spec.partition_by:
            return files["date"].unique().sort().to_list()
        days = self.rows(files).select(pl.col(self.spec.day).unique().sort())
        return days.collect().to_series().to_list()

    def commit(self, compute: Callable[[DeltaTable], Rows], source: str) -> int:
        """Make a version of what `compute` makes of the latest; again when another writer came first.

        Raises
        ------
        LakeError
            When the place cannot be written. Another try of the same rows does no harm, whatever was done.
        """
        versions.create(self.place, self.spec)
        for _ in range(_ATTEMPTS):
            log = versions.load(self.place)
            staged = {
                day: versions.write(self.place, self.spec, day, rows) for day, rows in compute(log).items()
            }
            try:
                return versions.commit(log, self.spec, staged, source)
            except CommitFailedError:
                continue
            except (DeltaError, OSError) as error:
                raise unwritable(self.place.uri, error) from error
        raise LakeError(f"{self.spec.name} is written by others without a pause: try again")

    def _seen(self) -> Latest | None:
        """Return what was read before, if it still is the latest version."""
        seen = self.seen.get(self.spec.name)
        if seen is None or self.place.stamp(versions.entry(seen.version + 1)):
            return None
        return seen if self.place.stamp(versions.entry(seen.version)) == seen.stamp else None

    @property
    def _lake(self) -> str:
        return self.place.uri.rpartition("/")[0]

    def _nothing(self, start: date | None, end: date | None, as_of: AsOf) -> str:
        held = self.sessions(as_of)
        holds = f"it holds {held[0]} to {held[-1]}" if held else "it is empty"
        asked = f"from {start or 'the beginning'} to {end or 'the end'}"
        name, remedy = self.spec.name, self.spec.made_by
        return f"{name} in {self._lake} has no rows {asked} ({holds}): run {remedy} for these dates"


def between(column: str, start: date | None, end: date | None) -> pl.Expr:
    """Return the condition that a date lies in a range; both ends are included, and None is open."""
    after = pl.lit(value=True) if start is None else pl.col(column) >= start
    return after if end is None else after & (pl.col(column) <= end)
