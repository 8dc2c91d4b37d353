"""The lake first, the vendor when asked."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Literal

import polars as pl

from strikelake.calendar import sessions
from strikelake.errors import MissingCredentialsError
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import date

    from strikelake.lake.store import Lake
    from strikelake.vendors.rest import RestMarketData

    Ask = Callable[[RestMarketData, date, date], pl.DataFrame]

Source = Literal["lake", "vendor", "both"]
"""Read what is stored, ask REST, or ask REST for the sessions that are not stored."""


def vendor(rest: RestMarketData | None) -> RestMarketData:
    """Return the vendor.

    Raises
    ------
    MissingCredentialsError
        When there is none.
    """
    if rest is None:
        raise MissingCredentialsError(
            "the vendor is to be asked and there is no REST client: set POLYGON_API_KEY, or use source='lake'"
        )
    return rest


def rows(
    lake: Lake,
    rest: RestMarketData | None,
    name: str,
    keys: Collection[str],
    span: tuple[date, date],
    source: Source,
    ask: Ask,
) -> pl.DataFrame:
    """Return rows of a table with a file for each date, from the lake, the vendor or both.

    Parameters
    ----------
    lake, rest
        The sources.
    name
        The table.
    keys
        Values to keep, of `ticker`, else of `underlying` in tables of chains, else of `occ_symbol`.
    span
        First and last date, both included.
    source
        Which to use. Of `both` a session counts as stored when the table has rows of it; in tables of chains,
        when it has rows of these underlyings.
    ask
        Gets the vendor's rows from one date to another.

    Returns
    -------
    pl.DataFrame
        The table's columns.
    """
    columns = table(name).columns
    start, end = span
    chains = name in {"contracts", "chain_snapshots"}
    key = "ticker" if "ticker" in columns else "underlying" if chains else "occ_symbol"
    mine = pl.col(key).is_in(list(keys))
    if source == "lake":
        return lake.scan(name, start, end).filter(mine).collect()
    stored = {day for day in lake.sessions(name) if start <= day <= end} if source == "both" else set()
    found = [pl.DataFrame(schema=columns)]
    if stored:
        found.append(lake.scan(name, start, end).filter(mine).collect())
        stored = set(found[-1]["date"]) if chains else stored
    for first, last in gaps(start, end, stored):
        found.append(ask(vendor(rest), first, last).select(*columns))
    return pl.concat(found)


def gaps(start: date, end: date, stored: Collection[date]) -> list[tuple[date, date]]:
    """Return the runs of sessions that are not stored: the first and the last date of each.

    Examples
    --------
    >>> from datetime import date
    >>> [(str(a), str(b)) for a, b in gaps(date(2025, 1, 6), date(2025, 1, 13), {date(2025, 1, 7)})]
    [('2025-01-06', '2025-01-06'), ('2025-01-08', '2025-01-13')]
    """
    days = [each.date for each in sessions(start, end)]
    runs = [(held, list(run)) for held, run in groupby(days, key=lambda day: day in stored)]
    return [(run[0], run[-1]) for held, run in runs if not held]
