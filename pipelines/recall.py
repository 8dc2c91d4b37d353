"""Read back from the lake what features and labels are made of."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from features.bars import from_day_bars, resample
from strikelake.calendar import sessions
from strikelake.lake.views import adjusted_bars

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    import polars as pl

    from strikelake.lake.store import Lake
    from strikelake.lake.tables import Versions


def bar_table(bar: str) -> str:
    """Return the table that bars of this width are made from.

    Examples
    --------
    >>> bar_table("1d"), bar_table("30m")
    ('stock_day_bars', 'stock_minute_bars')
    """
    return "stock_day_bars" if bar == "1d" else "stock_minute_bars"


def sessions_before(day: date, count: int) -> date:
    """Return the date of the session that lies `count` sessions before `day`.

    Examples
    --------
    >>> from datetime import date
    >>> sessions_before(date(2025, 1, 13), 2)
    datetime.date(2025, 1, 8)
    """
    earlier = sessions(day - timedelta(days=2 * count + 14), day - timedelta(days=1))
    return earlier[-count].date


def read_minutes(
    lake: Lake,
    start: date,
    end: date,
    underlyings: Collection[str] | None = None,
    *,
    as_of: Versions = None,
) -> pl.DataFrame:
    """Return stock minute bars, adjusted for the splits up to `end`.

    Raises
    ------
    EmptyLakeError
        When there are none in the range.
    """
    return adjusted_bars(lake, "stock_minute_bars", start, end, _listed(underlyings), as_of=as_of).collect()


def read_bars(
    lake: Lake,
    start: date,
    end: date,
    *,
    bar: str,
    underlyings: Collection[str] | None = None,
    as_of: Versions = None,
    as_traded: bool = False,
) -> pl.DataFrame:
    """Return bars of any width (`features.bars.COLUMNS`), adjusted for the splits up to `end` or `as_traded`.

    Raises
    ------
    EmptyLakeError
        When there are no stock bars in the range.
    ValueError
        When `bar` is not a width inside a session.
    """
    table, names = bar_table(bar), _listed(underlyings)
    if as_traded:
        rows = lake.scan(table, start, end, underlyings=names, as_of=as_of).collect()
    else:
        rows = adjusted_bars(lake, table, start, end, names, as_of=as_of).collect()
    return from_day_bars(rows) if bar == "1d" else resample(rows, bar)


def _listed(underlyings: Collection[str] | None) -> list[str] | None:
    return None if underlyings is None else sorted(underlyings)
