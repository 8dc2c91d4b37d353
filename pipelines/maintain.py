"""Looking after the lake: copies of closed months, and removal of what nothing refers to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from strikelake import schemas
from strikelake.errors import LakeError
from strikelake.lake.months import copies, months, write_copy
from strikelake.lake.vacuum import Removal, remove

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import date, timedelta

    from strikelake.lake.store import Lake


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of one table's closed months.

    Attributes
    ----------
    table
        Which.
    written, unchanged
        Months copied by this run, and months that had their copy.
    rows
        Rows copied by this run.
    """

    table: str
    written: tuple[str, ...]
    unchanged: int
    rows: int


def compact(
    lake: Lake,
    today: date,
    tables: Collection[str] | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[Compacted]:
    """Give every closed month of the bar tables a copy that is sorted by symbol across its days.

    Nothing that readers see changes but the time they wait: `Lake.scan` reads the copy where it is asked for
    the whole month, and no version is made. A month with a replaced date gets another copy on the next run.

    Parameters
    ----------
    lake
        Where.
    today
        Months that end before this date are closed.
    tables
        Bar tables; None is all there are.
    progress
        Called with the number of months handled and of months to handle.

    Raises
    ------
    LakeError
        When one of `tables` is no table, or none of bars.
    """
    names = [name for name in lake.tables() if name.endswith("_bars")] if tables is None else sorted(tables)
    foreign = [name for name in names if not schemas.table(name).name.endswith("_bars")]
    if foreign:
        raise LakeError(f"{', '.join(foreign)} have no bars: only tables of bars are compacted")
    closed = {
        name: [month for month in months(lake.table(name).files()) if month.name < f"{today:%Y-%m}"]
        for name in names
    }
    total, handled, done = sum(map(len, closed.values())), 0, []
    for name, found in closed.items():
        table = lake.table(name)
        held = copies(table.place)
        written: dict[str, int] = {}
        for month in found:
            if month.copy not in held:
                written[month.name] = write_copy(table.place, table.spec, month)
            handled += 1
            if progress:
                progress(handled, total)
        done.append(Compacted(name, tuple(written), len(found) - len(written), sum(written.values())))
    return done


def vacuum(
    lake: Lake,
    now_ns: int,
    keep: timedelta,
    protected: Mapping[str, Collection[int]],
    *,
    delete: bool,
) -> list[Removal]:
    """Remove files that neither a kept nor a protected version of any table refers to.

    Parameters
    ----------
    lake, now_ns
        Where, and the time, ns UTC.
    keep
        Versions that were current at any time within this span are kept; the latest always is.
    protected
        Versions by table that must stay readable: those that runs of the model registry refer to.
    delete
        Whether to remove anything; what would be removed is reported all the same.

    Returns
    -------
    list of Removal
        One for each table.
    """
    return [
        remove(lake.table(name), now_ns, keep, frozenset(protected.get(name, ())), delete=delete)
        for name in lake.tables()
    ]
