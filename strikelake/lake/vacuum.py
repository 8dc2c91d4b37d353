"""Removal of what no kept version of a table refers to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strikelake.calendar import NS_PER_SECOND
from strikelake.lake import versions
from strikelake.lake.months import months

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from datetime import timedelta

    from strikelake.lake.bucket import Place
    from strikelake.lake.storage import StoredFile
    from strikelake.lake.tables import Table


@dataclass(frozen=True, slots=True)
class Removal:
    """What was removed from a table, or would be.

    Attributes
    ----------
    table
        Which.
    kept
        Versions that stay readable, the protected ones among them.
    versions
        Versions that can no longer be read.
    files, size
        Files removed and their bytes: those of removed versions, and what killed runs left behind.
    unknown
        Protected versions that there are none of, as when runs refer to another lake.
    """

    table: str
    kept: tuple[int, ...]
    versions: tuple[int, ...]
    files: int
    size: int
    unknown: tuple[int, ...]


def remove(
    table: Table, now_ns: int, keep: timedelta, protected: AbstractSet[int], *, delete: bool
) -> Removal:
    """Remove a table's old versions but the kept and the protected ones, and every file that only they used.

    Parameters
    ----------
    table, now_ns
        The table, and the time, ns UTC.
    keep
        Versions that were current within this span stay, and files written within it: a writer may be about
        to refer to them.
    protected
        Versions that stay in any case.
    delete
        Whether to remove, or only to tell.
    """
    limit = now_ns - int(keep.total_seconds() * NS_PER_SECOND)
    made = versions.commits(table.place)
    known = made["version"].to_list()
    gone = versions.removed(table.place)
    superseded = [*made["ts_ns"].to_list()[1:], None]
    current = {v for v, until in zip(known, superseded, strict=True) if until is None or until > limit}
    kept = (current | (protected & set(known))) - gone
    going = set(known) - kept - gone
    used = _used(table, kept)
    stale = [file for file in _data_files(table.place) if file.path not in used and file.modified_ns <= limit]
    if delete:
        # Said before it is done: a version whose files are half gone must not look readable.
        if going:
            table.place.put(versions.REMOVED, json.dumps(sorted(going | gone)).encode())
        table.place.delete(file.path for file in stale)
    return Removal(
        table.spec.name,
        tuple(sorted(kept)),
        tuple(sorted(going)),
        len(stale),
        sum(file.size for file in stale),
        tuple(sorted(protected - set(known))),
    )


def _used(table: Table, kept: AbstractSet[int]) -> set[str]:
    """Return the files of the kept versions, and the copies of their months."""
    used: set[str] = set()
    for version in kept:
        files = versions.live(versions.load(table.place, version), table.spec)
        used.update(files["path"])
        if table.spec.partition_by:
            used.update(month.copy for month in months(files))
    return used


def _data_files(place: Place) -> list[StoredFile]:
    """Return every file that is not the log's own, unfinished ones of killed runs included."""
    return [file for file in place.files() if not file.path.startswith("_delta_log/")]
