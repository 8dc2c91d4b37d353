"""The vendor's chains, kept day by day: what was not snapped in time can never be asked for again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from strikelake.calendar import et_date, et_ns, is_session, next_session, previous_session
from strikelake.errors import VendorError
from strikelake.lake.quality import check, count_rules
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from strikelake.calendar import Clock
    from strikelake.lake.store import Lake
    from strikelake.vendors.rest import RestMarketData

_HORIZON = timedelta(days=3 * 366)
"""Listed options do not run longer than this."""
_PUBLISHED = "06:30"
"""When the clearing house's open interest is known, New York time."""


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    """What was kept.

    Attributes
    ----------
    session
        The session that the snapshot is of.
    contracts
        Contracts by underlying.
    open_interest
        Contracts with an open interest.
    rejected
        How many rows broke each rule; they are not kept.
    problems
        Underlyings that the vendor did not answer for, and why; they keep what they had.
    """

    session: date
    contracts: dict[str, int]
    open_interest: int
    rejected: dict[str, int]
    problems: tuple[str, ...]


def snap_chains(lake: Lake, rest: RestMarketData, underlyings: Iterable[str], clock: Clock) -> SnapshotReport:
    """Store the chains of underlyings as they are now, and the open interest they tell.

    One request for every 250 contracts of an underlying. Run it once a session, after the close: a later
    snapshot of the session replaces an earlier one of the same underlying.

    Parameters
    ----------
    lake, rest
        Where to and where from.
    underlyings
        Tickers.
    clock
        The time: snapshots carry the moment after their last page, which is when they are known.

    Returns
    -------
    SnapshotReport
        What was kept and what was not.

    Notes
    -----
    Point in time: a snapshot is known when it was taken. Open interest told on a day is that of the end of
    the session before, and was known at 06:30 ET of that day; before 06:30 the vendor still tells that of
    the session before it.
    """
    day = snapshot_session(clock.now())
    frames, problems = [], []
    for underlying in sorted(set(underlyings)):
        try:
            chain = rest.chain(underlying, expiration_from=day, expiration_to=day + _HORIZON)
        except VendorError as error:
            problems.append(f"{underlying}: {error}")
            continue
        frames.append(stamped(chain, day, clock.now()))
    spec = table("chain_snapshots")
    rows = pl.concat([pl.DataFrame(schema=spec.columns), *frames])
    checked = check(spec, _numbered(rows))
    interest = _open_interest(checked.good, day)
    for name, kept in (("chain_snapshots", checked.good), ("open_interest", interest)):
        _replace_underlyings(lake, name, kept)
    counts = dict(checked.good.group_by("underlying", maintain_order=True).len().iter_rows())
    return SnapshotReport(day, counts, interest.height, count_rules(checked.bad), tuple(problems))


def snapshot_session(moment: int) -> date:
    """Return the session that a snapshot taken at a moment is of: that day's, or the last one before it.

    Examples
    --------
    >>> from datetime import date
    >>> snapshot_session(et_ns(date(2025, 1, 4), "10:00"))
    datetime.date(2025, 1, 3)
    """
    day = et_date(moment)
    return day if is_session(day) else previous_session(day).date


def stamped(chain: pl.DataFrame, day: date, now: int) -> pl.DataFrame:
    """Return a chain of `vendors.rest` as rows of `chain_snapshots`, taken at `now` (ns UTC)."""
    return chain.with_columns(date=pl.lit(day), ts_ns=pl.lit(now), available_at=pl.lit(now)).select(
        *table("chain_snapshots").columns
    )


def _open_interest(snapshots: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return the rows of `open_interest` that snapshots tell: of the session before, or one earlier."""
    early = snapshots["ts_ns"].min()
    told = previous_session(day).date
    if isinstance(early, int) and early < et_ns(day, _PUBLISHED):
        told = previous_session(told).date
    known = et_ns(next_session(told).date, _PUBLISHED)
    found = snapshots.filter(pl.col("open_interest").is_not_null())
    return found.with_columns(date=pl.lit(told), available_at=pl.lit(known)).select(
        *table("open_interest").columns
    )


def _replace_underlyings(lake: Lake, name: str, rows: pl.DataFrame) -> None:
    """Put rows of one date in place of those of the same underlyings."""
    if rows.is_empty():
        return
    present = pl.col("underlying").is_in(rows["underlying"].unique().implode())
    lake.update(
        name,
        lambda held: pl.concat([held.filter(~present), rows]),
        days=set(rows["date"]),
        source="rest",
    )


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_row_index("row_number", 1).with_columns(pl.col("row_number").cast(pl.Int64))
