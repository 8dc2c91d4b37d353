"""Which sessions a flow works on when it is not told."""

from __future__ import annotations

from datetime import date, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from features.bars import width_minutes
from flows import accounts
from strikelake.calendar import et_date, previous_session, sessions
from strikelake.errors import CalendarError, ConfigError, EmptyLakeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.settings import Settings
    from strikelake.calendar import Clock
    from strikelake.lake.store import Lake

_ENOUGH = 0.9
"""Share of sessions with minute bars from which `--bar auto` takes them."""


def to_ingest(settings: Settings, clock: Clock, start: date | None, end: date | None) -> tuple[date, date]:
    """Return the dates to ingest: by default the tier's history up to the session before today.

    Raises
    ------
    CalendarError
        When `start` is after `end`, or no session lies between them.
    """
    last = end or previous_session(et_date(clock.now())).date
    first = start or last - timedelta(days=accounts.tier(settings).training.history_days)
    return checked(first, last)


def in_lake(lake: Lake, start: date | None, end: date | None) -> tuple[date, date]:
    """Return the dates to work on: by default all that the lake has of day bars.

    Raises
    ------
    EmptyLakeError
        When nothing has been ingested.
    CalendarError
        When `start` is after `end`.
    """
    if start is not None and end is not None:
        in_order(start, end)
    span = start or date.min, end or date.max
    bars = ("stock_day_bars", "option_day_bars")
    found = sorted({day for table in bars for day in sessions_of(lake, table, *span)})
    if not found:
        where = f" from {start or 'the start'} to {end or 'the end'}" if start or end else ""
        raise EmptyLakeError(
            f"the lake {lake.root} has no day bars{where}: run `strikelake ingest` for them first"
        )
    return checked(start or found[0], end or found[-1])


def checked(start: date, end: date) -> tuple[date, date]:
    """Return the range, or refuse one without a session.

    Raises
    ------
    CalendarError
        Naming what is wrong with it.
    """
    in_order(start, end)
    if not sessions(start, end):
        raise CalendarError(f"there is no trading session from {start} to {end}: widen --start and --end")
    return start, end


def in_order(start: date | None, end: date | None) -> None:
    """Refuse a range that ends before it starts; raises CalendarError."""
    if start and end and start > end:
        raise CalendarError(f"the range starts on {start}, after it ends on {end}: swap --start and --end")


def symbols(lake: Lake, wanted: Sequence[str] | None, start: date, end: date) -> list[str] | None:
    """Return the underlyings asked for, or refuse one that the lake has no day bars of; None is all.

    Raises
    ------
    EmptyLakeError
        Naming the nearest there are.
    """
    if not wanted:
        return None
    bars = lake.scan("stock_day_bars", start, end, underlyings=wanted)
    missing = sorted(set(wanted) - set(bars.collect()["ticker"]))
    if not missing:
        return list(wanted)
    there = sorted(lake.scan("stock_day_bars", start, end).collect()["ticker"].unique())
    near = {name: get_close_matches(name.upper(), there, n=1, cutoff=0.5) for name in missing}
    meant = [name for names in near.values() for name in names]
    raise EmptyLakeError(
        f"the lake {lake.root} has no day bars of {', '.join(missing)} from {start} to {end}: "
        + (f"did you mean {', '.join(meant)}?" if meant else "run `strikelake ingest` for them first")
    )


def bar(settings: Settings, lake: Lake, wanted: str | None, start: date, end: date) -> str:
    """Return the bar of features: as wanted, or by what the lake holds between two dates.

    Raises
    ------
    ConfigError
        When what is wanted is no width of a bar.
    """
    chosen = wanted or settings.research.bar
    if chosen != "auto":
        try:
            width_minutes(chosen)
        except ValueError as error:
            raise ConfigError(f"{error}, or auto") from error
        return chosen
    days = sessions_of(lake, "stock_day_bars", start, end)
    minutes = sessions_of(lake, "stock_minute_bars", start, end)
    return "30m" if minutes and len(minutes) >= _ENOUGH * len(days) else "1d"


def sessions_of(lake: Lake, table: str, start: date, end: date) -> list[date]:
    """Return the sessions of a table between two dates; none where the table does not exist."""
    found = lake.sessions(table) if table in lake.tables() else []
    return [day for day in found if start <= day <= end]


def rows_by_date(lake: Lake, table: str, start: date, end: date) -> dict[date, float]:
    """Return how many rows a table has of each session between two dates."""
    held = lake.table(table).files().select("date", "rows").iter_rows()
    return {day: float(rows) for day, rows in held if rows and start <= day <= end}
