"""Read from the lake what features are made of, with exactly the history they declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from features.catalog import build, choose, sessions_of_history
from features.context import needs
from features.events import LONGEST_CLOSURE, known_at_opens
from features.facts import FACTS
from features.option_summaries import summarise, summarise_open_interest
from features.sectors import known_sectors
from pipelines.recall import read_bars, sessions_before
from strikelake.calendar import session_frame
from strikelake.errors import EmptyLakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import date

    from features.feature import Feature
    from strikelake.lake.store import Lake
    from strikelake.lake.tables import Versions

VIX = "I:VIX"
OWN_INDEX = "SPY"
_POINTS = 100.0
EARNINGS_AHEAD = timedelta(days=366)
"""How far beyond the range reports are read: a row is dated by its report, and known long before."""
_SCORES = {"positive": 1.0, "neutral": 0.0, "negative": -1.0}


@dataclass(frozen=True, slots=True)
class Inputs:
    """What `features.catalog.build` takes.

    Attributes
    ----------
    bars
        Bars (`features.bars.COLUMNS`), warm-up included.
    facts
        Tables of facts (`features.facts.FACTS`); those that the lake does not have are left out.
    """

    bars: pl.DataFrame
    facts: Mapping[str, pl.DataFrame]


def read_inputs(
    lake: Lake,
    start: date,
    end: date,
    *,
    bar: str,
    features: Iterable[Feature],
    underlyings: Collection[str] | None = None,
    as_of: Versions = None,
) -> Inputs:
    """Return bars and facts for the features of a range, and the history before it that they declare.

    Parameters
    ----------
    lake
        Everything is read through `Lake.scan`.
    start, end
        First and last date, both included.
    bar
        "1d", or a width such as "30m".
    features
        Whose inputs to read.
    underlyings
        Tickers; None takes every ticker with bars.
    as_of
        Versions by table to read, or a moment.

    Raises
    ------
    EmptyLakeError
        When there are no stock bars in the range.
    """
    chosen = list(features)
    warm_up = sessions_before(start, sessions_of_history(bar, chosen))
    bars = read_bars(lake, warm_up, end, bar=bar, underlyings=underlyings, as_of=as_of)
    facts = read_facts(lake, start, end, needs(chosen), underlyings, as_of=as_of)
    return Inputs(bars, facts)


def compute(
    lake: Lake,
    start: date,
    end: date,
    *,
    bar: str,
    names: Iterable[str] | None = None,
    features: Mapping[str, Feature] | None = None,
    underlyings: Collection[str] | None = None,
    as_of: Versions = None,
    threads: int = 1,
) -> pl.DataFrame:
    """Return the features of every bar of a range: `read_inputs`, then `features.catalog.build`.

    Returns
    -------
    pl.DataFrame
        As `build` returns it, without the warm-up.
    """
    chosen = choose(names, features)
    read = read_inputs(
        lake, start, end, bar=bar, features=chosen.values(), underlyings=underlyings, as_of=as_of
    )
    values = build(read.bars, read.facts, chosen, features=chosen, threads=threads)
    return values.filter(pl.col("date") >= start)


def read_facts(
    lake: Lake,
    start: date,
    end: date,
    needed: Mapping[str, int],
    underlyings: Collection[str] | None = None,
    *,
    as_of: Versions = None,
) -> dict[str, pl.DataFrame]:
    """Return the tables of facts that bars from `start` to `end` read, as far back as `needed` says.

    Parameters
    ----------
    needed
        Rows (days, of events) by table, as `features.context.needs` gives them. Every row of a series may be
        as old as it is allowed to be before it counts as stale.

    Returns
    -------
    dict
        Frames by name; a table without rows in the lake is left out.
    """
    found = {}
    for name, count in needed.items():
        if not _are_there(lake, TABLES[name], as_of):
            continue
        first = first_date(name, start, count)
        try:
            rows = _READERS[name](lake, first, end, underlyings, as_of)
        except EmptyLakeError:
            continue
        if rows is not None and not rows.is_empty():
            found[name] = rows
    return found


def first_date(name: str, start: date, count: int) -> date:
    """Return the first date of a table of facts that bars from `start` on may need."""
    spec = FACTS[name]
    if spec.events:  # known from an open on, which may be days after they were told
        return start - timedelta(days=count) - LONGEST_CLOSURE
    return sessions_before(start, count) - timedelta(days=spec.stale_days)


def _options(
    lake: Lake, first: date, end: date, underlyings: Collection[str] | None, as_of: Versions
) -> pl.DataFrame | None:
    analytics = lake.scan("option_analytics", first, end, underlyings=underlyings, as_of=as_of)
    traded = lake.scan("option_day_bars", first, end, underlyings=underlyings, as_of=as_of)
    priced = analytics.filter(pl.col("bar") == "1d").collect()
    return None if priced.is_empty() else summarise(priced, traded.collect())


def _open_interest(
    lake: Lake, first: date, end: date, underlyings: Collection[str] | None, as_of: Versions
) -> pl.DataFrame | None:
    held = lake.scan("open_interest", first, end, underlyings=underlyings, as_of=as_of).collect()
    analytics = lake.scan("option_analytics", first, end, underlyings=underlyings, as_of=as_of)
    return summarise_open_interest(held, analytics.filter(pl.col("bar") == "1d").collect())


def _surfaces(
    lake: Lake, first: date, end: date, underlyings: Collection[str] | None, as_of: Versions
) -> pl.DataFrame | None:
    rows = lake.scan("surfaces", first, end, underlyings=underlyings, as_of=as_of)
    columns = ("underlying", "available_at", *FACTS["surfaces"].columns)
    return rows.filter(pl.col("bar") == "1d").select(columns).collect()


def _volatility_index(
    lake: Lake, first: date, end: date, _: Collection[str] | None, as_of: Versions
) -> pl.DataFrame | None:
    rows = lake.scan("index_day_bars", first, end, underlyings=[VIX], as_of=as_of)
    return rows.select("available_at", vix=pl.col("close") / _POINTS).collect()


def _own_index(
    lake: Lake, first: date, end: date, _: Collection[str] | None, as_of: Versions
) -> pl.DataFrame | None:
    rows = lake.scan("volatility_indices", first, end, underlyings=[OWN_INDEX], as_of=as_of)
    # The value at the close, not the last there is: which is the last is not known before the session ends.
    closes = session_frame(first, end).lazy().select("date", asof="close_ns")
    # Where several kinds of prices gave one, quotes before bars.
    kinds = pl.col("bar").replace_strict({"quote": 2, "1m": 1, "1d": 0}, default=0)
    last = (
        rows.filter(pl.col("value").is_not_null())
        .join(closes, on=["date", "asof"])
        .with_columns(kind=kinds)
        .sort("date", "kind")
        .group_by("date", maintain_order=True)
        .last()
    )
    return last.select("available_at", own_vix=pl.col("value") / _POINTS).collect()


def _news(
    lake: Lake, first: date, end: date, underlyings: Collection[str] | None, as_of: Versions
) -> pl.DataFrame | None:
    rows = lake.scan("news", first, end, underlyings=underlyings, as_of=as_of)
    score = pl.col("sentiment").replace_strict(_SCORES, default=None, return_dtype=pl.Float64)
    return known_at_opens(rows.select("available_at", underlying="ticker", score=score).collect())


def _earnings(
    lake: Lake, first: date, end: date, underlyings: Collection[str] | None, as_of: Versions
) -> pl.DataFrame | None:
    rows = lake.scan("earnings", first, end + EARNINGS_AHEAD, underlyings=underlyings, as_of=as_of)
    told = rows.select("available_at", underlying="ticker", report_at="report_ns").collect()
    return known_at_opens(told)


def _classifications(
    lake: Lake, first: date, end: date, underlyings: Collection[str] | None, as_of: Versions
) -> pl.DataFrame | None:
    rows = lake.scan("classifications", first, end, underlyings=underlyings, as_of=as_of)
    return known_sectors(rows.collect())


_READERS: Mapping[str, Callable[..., pl.DataFrame | None]] = {
    "options": _options,
    "open_interest": _open_interest,
    "surfaces": _surfaces,
    "volatility_index": _volatility_index,
    "own_index": _own_index,
    "news": _news,
    "earnings": _earnings,
    "classifications": _classifications,
}
TABLES: Mapping[str, tuple[str, ...]] = {
    "options": ("option_analytics", "option_day_bars"),
    "open_interest": ("open_interest", "option_analytics"),
    "surfaces": ("surfaces",),
    "volatility_index": ("index_day_bars",),
    "own_index": ("volatility_indices",),
    "news": ("news",),
    "earnings": ("earnings",),
    "classifications": ("classifications",),
}
"""Tables of the lake behind each table of facts."""


def _are_there(lake: Lake, names: Iterable[str], as_of: Versions) -> bool:
    known = as_of if isinstance(as_of, Mapping) else lake.tables()
    return all(name in known for name in names)
