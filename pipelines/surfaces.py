"""Volatility surfaces of every underlying, from what option_analytics has of a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from pipelines.provenance import Inputs, fingerprint, record, unchanged
from pipelines.rates import newest_curve, rate_for, read_yields
from pipelines.recall import sessions_before
from pipelines.slices import GROUP, at_decisions, fit_smiles, smile_points
from pipelines.surface_rows import Realized, surface_rows, with_rank
from pipelines.volatility_index import volatility_indices
from strikelake.calendar import session
from strikelake.errors import EmptyLakeError
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from strikelake.lake.store import Lake

    Frames = Mapping[str, pl.DataFrame]
    """A session's rows by table."""

METHOD = "raw SVI 2, Cboe VIX 1"
"""Goes up when the same inputs would give other rows."""

RANK_SESSIONS = 252
"""Sessions that `iv_rank` looks back, the present one included."""

_CLOSES = pl.Schema({"underlying": pl.String, "date": pl.Date, "atm_iv_30d": pl.Float64})
_TABLES = ("smiles", "surfaces", "volatility_indices")
_SESSIONS_A_COMMIT = 21  # a commit takes as long as the slices of a day's closes


@dataclass(frozen=True, slots=True)
class SurfaceReport:
    """What a run fitted.

    Attributes
    ----------
    bar
        "1d", "1m" or "quote".
    sessions, skipped
        How many were computed, and how many had the same inputs before.
    smiles
        Slices by status.
    surfaces
        Surfaces by reason, "" for those with all numbers.
    indices
        Volatility indices by reason, "" for those with a value.
    with_calendar_gap
        Slices that lie below the one before them somewhere.
    """

    bar: str
    sessions: int
    skipped: int
    smiles: Mapping[str, int]
    surfaces: Mapping[str, int]
    indices: Mapping[str, int]
    with_calendar_gap: int


def build_surfaces(
    lake: Lake,
    start: date,
    end: date,
    *,
    bar: str = "1d",
    rates_default: float = 0.0,
    again: bool = False,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> SurfaceReport:
    """Write smiles, surfaces and, from quotes, volatility_indices of the sessions that are priced.

    Decision times are the close for day bars, and every half hour for minute bars and quotes. Point in time:
    a row at `asof` is made of rows with `available_at` at or before it, of closes of earlier sessions (and
    of the session's own at its close), and of surfaces of earlier sessions. Rows of other bars stay.

    Parameters
    ----------
    lake
        Reads option_analytics, option_quotes, stock_day_bars, corporate_actions and treasury_yields.
    start, end
        First and last date, both included.
    bar
        Which rows of option_analytics: "1d", "1m" or "quote".
    rates_default
        Continuous rate where there is no curve; only the volatility indices use rates.
    again
        Compute sessions again whose inputs did not change.
    threads
        How many fit slices at a time.
    progress
        Called with the number of sessions done and of sessions to do.

    Returns
    -------
    SurfaceReport

    Raises
    ------
    EmptyLakeError
        When nothing is priced in the range.
    """
    lake.scan("option_analytics", start, end)  # says what to run when there is nothing
    days = [day for day in lake.sessions("option_analytics") if start <= day <= end]
    closes = _known_closes(lake, days[0], bar)
    realized = Realized(lake, days[0], days[-1])
    counts: dict[str, dict[str, int]] = {name: {} for name in _TABLES}
    waiting: dict[date, tuple[Frames, Inputs]] = {}
    computed = skipped = gaps = 0
    for done, day in enumerate(days, 1):
        inputs = _inputs(lake, day, closes)
        rows = None
        if not again and unchanged(lake, "surfaces", bar, {day: inputs}):
            skipped += 1
        else:
            frames = _session_frames(lake, day, bar, closes, realized, rates_default, threads)
            if frames["surfaces"].height:
                computed += 1
                waiting[day], rows = (frames, inputs), frames["surfaces"]
                gaps += int((frames["smiles"]["calendar_gap"] > 0.0).sum())
                _count(counts, frames)
        if waiting and (len(waiting) == _SESSIONS_A_COMMIT or day == days[-1]):
            _store(lake, bar, waiting)
            waiting.clear()
        closes = _advanced(day, closes, _stored(lake, day, bar) if rows is None else rows)
        if progress is not None:
            progress(done, len(days))
    return SurfaceReport(
        bar, computed, skipped, counts["smiles"], counts["surfaces"], counts["volatility_indices"], gaps
    )


def _session_frames(
    lake: Lake,
    day: date,
    bar: str,
    closes: pl.DataFrame,
    realized: Realized,
    rates_default: float,
    threads: int,
) -> Frames:
    opened = session(day)
    priced = lake.scan("option_analytics", day, day).filter(pl.col("bar") == bar).collect()
    rows = at_decisions(priced, opened, bar)
    smiles = fit_smiles(smile_points(rows), bar, threads).with_columns(date=pl.lit(day))
    surfaces = surface_rows(smiles, rows).drop(
        "realized_vol", "realized_minus_implied", "iv_rank", "iv_rank_sessions"
    )
    surfaces = realized.join(with_rank(surfaces, closes), day, opened.close_ns).with_columns(bar=pl.lit(bar))
    indices = pl.DataFrame(schema=table("volatility_indices").columns)
    if bar == "quote":
        quotes = lake.scan("option_quotes", day, day).collect()
        rate = rate_for(newest_curve(read_yields(lake), opened.open_ns), rates_default)
        indices = volatility_indices(quotes, opened, rate)
    return {
        "smiles": smiles,
        "surfaces": surfaces.select(table("surfaces").columns.keys()).sort(*GROUP),
        "volatility_indices": indices,
    }


def _store(lake: Lake, bar: str, waiting: Mapping[date, tuple[Frames, Inputs]]) -> None:
    """Make the rows of sessions those of this bar on their dates; rows of other bars stay."""
    method = next(iter(waiting.values()))[1].method
    versions = [
        lake.update(
            name,
            _replacing(bar, pl.concat([frames[name] for frames, _ in waiting.values()])),
            days=list(waiting),
            source=f"surfaces {bar}; {method}",
        )
        for name in _TABLES
        if name != "volatility_indices" or bar == "quote"
    ]
    made = [(day, inputs, frames["surfaces"].height) for day, (frames, inputs) in waiting.items()]
    record(lake, "surfaces", bar, made, versions[1])


def _replacing(bar: str, rows: pl.DataFrame) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda present: pl.concat([present.filter(pl.col("bar") != bar), rows])


def _inputs(lake: Lake, day: date, closes: pl.DataFrame) -> Inputs:
    sources = ("option_analytics", "option_quotes", "stock_day_bars")
    return Inputs(fingerprint(lake, day, sources, closes.sort("underlying", "date"), METHOD), METHOD)


def _known_closes(lake: Lake, day: date, bar: str) -> pl.DataFrame:
    """Return the surfaces' last 30-day level of each of the 251 sessions before a date."""
    try:
        rows = lake.scan("surfaces", sessions_before(day, RANK_SESSIONS - 1), day - timedelta(days=1))
    except EmptyLakeError:
        return pl.DataFrame(schema=_CLOSES)
    return _last(rows.filter(pl.col("bar") == bar).collect())


def _stored(lake: Lake, day: date, bar: str) -> pl.DataFrame:
    """Return the surfaces that the lake has of a session."""
    try:
        return lake.scan("surfaces", day, day).filter(pl.col("bar") == bar).collect()
    except EmptyLakeError:
        return pl.DataFrame(schema=table("surfaces").columns)


def _advanced(day: date, closes: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the closes as the session after `day` knows them, given the surfaces of `day`."""
    oldest = sessions_before(day + timedelta(days=1), RANK_SESSIONS - 1)
    return pl.concat([closes.filter(pl.col("date") >= oldest, pl.col("date") != day), _last(rows)])


def _last(rows: pl.DataFrame) -> pl.DataFrame:
    latest = rows.sort("asof").unique(["underlying", "date"], keep="last", maintain_order=True)
    return latest.select(*_CLOSES)


def _count(counts: dict[str, dict[str, int]], frames: Frames) -> None:
    for name, column in zip(_TABLES, ("status", "reason", "reason"), strict=True):
        for status, rows in frames[name][column].fill_null("").value_counts().iter_rows():
            counts[name][status] = counts[name].get(status, 0) + rows
