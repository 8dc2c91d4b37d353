"""Compute features: from the lake for training, from the live window for trading, with one `build`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from features.bars import extend, width_minutes
from features.catalog import build, catalog, history_sessions
from pipelines.recall import bar_table, read_bars, read_options, sessions_before
from strikelake.calendar import NS_PER_MINUTE, et_date, iso, session
from strikelake.errors import EmptyLakeError
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date

    from strikelake.lake.store import Lake

_KEY = ("asof", "underlying", "date")
SESSIONS_AT_ONCE = 63
"""A quarter: bounds the minute bars held in memory."""


@dataclass(frozen=True, slots=True)
class FeaturizeReport:
    """What a run computed.

    Attributes
    ----------
    bar
        Width of the bars.
    sessions, rows
        How many of each were written; a row is one value of one feature.
    underlyings
        Names with at least one bar, sorted.
    null_share
        Share of nulls by feature, in the order of the catalogue.
    with_options
        Whether any option was priced; without options those features are null.
    """

    bar: str
    sessions: int
    rows: int
    underlyings: tuple[str, ...]
    null_share: Mapping[str, float]
    with_options: bool


@dataclass(frozen=True, slots=True)
class History:
    """What the live trader needs to know before its session opens.

    Attributes
    ----------
    bars
        Finished bars (`features.bars.COLUMNS`) of the sessions before, adjusted for splits up to the session.
    options
        Option summaries (`features.options_flow.SUMMARY`), or None where nothing is priced.
    """

    bars: pl.DataFrame
    options: pl.DataFrame | None


def featurize(
    lake: Lake,
    start: date,
    end: date,
    *,
    bar: str,
    underlyings: Collection[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FeaturizeReport:
    """Write the features of every bar of the range, in long form.

    The rows of this `bar` on each date are replaced as a whole: the universe of a run is the table's
    universe, as relative strength is measured within it. Rows of other bars stay. Bars before `start` are
    read for warm-up.

    Parameters
    ----------
    lake
        Reads stock bars, corporate_actions, option_analytics and option_day_bars; writes features, one
        commit for 63 sessions.
    start, end
        First and last date, both included.
    bar
        "1d", or a width such as "30m".
    underlyings
        Tickers; None takes every ticker with bars.
    progress
        Called with the number of sessions committed and of sessions with stock bars.

    Returns
    -------
    FeaturizeReport

    Raises
    ------
    EmptyLakeError
        When there are no stock bars of regular hours in the range.
    ValueError
        When `bar` is not a width inside a session.
    """
    width_minutes(bar)
    lake.scan(bar_table(bar), start, end)  # says what to run when there is nothing
    days = [day for day in lake.sessions(bar_table(bar)) if start <= day <= end]
    counts: list[pl.DataFrame] = []
    with_options = False
    for begun in range(0, len(days), SESSIONS_AT_ONCE):
        span = days[begun : begun + SESSIONS_AT_ONCE]
        options = read_options(lake, span[0], span[-1], underlyings)
        warm_up = sessions_before(span[0], history_sessions(bar))
        bars = read_bars(lake, warm_up, span[-1], bar=bar, underlyings=underlyings)
        rows = _long(build(bars, options).filter(pl.col("date") >= span[0]), bar)
        if not rows.is_empty():
            lake.update("features", _replacing(bar, rows), days=span, source=f"featurize {bar}")
            with_options |= options is not None
            counts.append(
                rows.group_by("date", "underlying", "feature").agg(pl.len(), pl.col("value").null_count())
            )
        if progress is not None:
            progress(begun + len(span), len(days))
    if not counts:
        raise EmptyLakeError(
            f"{bar_table(bar)} has no bars of regular hours for {_named(underlyings)} from {start} to {end}: "
            "run `strikelake ingest` for these dates and tickers"
        )
    return _report(bar, pl.concat(counts), with_options=with_options)


def history(
    lake: Lake, day: date, *, bar: str = "30m", underlyings: Collection[str] | None = None
) -> History:
    """Return what `live_features` needs for the session `day`, from the sessions before it.

    As many sessions as `featurize` reads for warm-up, so that both start from the same bars; they are
    resampled here, once, and not at every decision. The options of `day` itself are known at its close: only
    a forecast at the close would need them too (`recall.read_options`).

    Raises
    ------
    EmptyLakeError
        When there are no stock bars before `day`.
    ValueError
        When `bar` is not a width inside a session.
    """
    warm_up = sessions_before(day, history_sessions(bar))
    bars = read_bars(lake, warm_up, day, bar=bar, underlyings=underlyings)
    options = read_options(lake, day, day, underlyings)
    opened = session(day).open_ns
    return History(
        bars.filter(pl.col("date") < day),
        None if options is None else options.filter(pl.col("available_at") <= opened),
    )


def live_features(
    history_bars: pl.DataFrame,
    today_minutes: pl.DataFrame,
    options: pl.DataFrame | None,
    asof: int,
    *,
    bar: str = "30m",
    names: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Return the features of every underlying at a decision time.

    Point in time: rows that became available after `asof` are not looked at. With the history that
    `history` gives, and the universe of the training set, the values are those `featurize` stores for the
    same moment.

    Parameters
    ----------
    history_bars
        Bars (`features.bars.COLUMNS`) of width `bar`; those of sessions before that of `asof` are looked at.
    today_minutes
        Stock minute bars; those of the session of `asof` are looked at.
    options
        Option summaries, or None.
    asof
        End of a bar, ns UTC.
    bar
        Width of the bars.
    names
        Features wanted; all when None.

    Returns
    -------
    pl.DataFrame
        asof, underlying, date and the features, one row for each underlying with a trade in the bar, sorted
        by underlying; null where unknown.

    Raises
    ------
    ValueError
        When `asof` does not end a bar, or a name is unknown.
    """
    _require_bar_end(asof, bar)
    day = et_date(asof)
    minutes = today_minutes.filter(pl.col("date") == day, pl.col("available_at") <= asof)
    bars = extend(
        history_bars.filter(pl.col("date") < day), minutes.unique(["ticker", "ts_ns"], keep="last"), bar
    )
    known = None if options is None else options.filter(pl.col("available_at") <= asof)
    return build(bars, known, names).filter(pl.col("asof") == asof)


def _require_bar_end(asof: int, bar: str) -> None:
    day = session(et_date(asof))
    width = width_minutes(bar) * NS_PER_MINUTE
    into = asof - day.open_ns
    if asof != day.close_ns and not (0 < into < day.close_ns - day.open_ns and into % width == 0):
        raise ValueError(
            f"{iso(asof)} does not end a {bar} bar: bars end every {bar} from the open, and at the close"
        )


def _long(wide: pl.DataFrame, bar: str) -> pl.DataFrame:
    """Return the rows of the features table."""
    return (
        wide.unpivot(index=_KEY, variable_name="feature", value_name="value")
        .with_columns(bar=pl.lit(bar), available_at="asof")
        .select(table("features").columns.keys())
    )


def _replacing(bar: str, rows: pl.DataFrame) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda present: pl.concat([present.filter(pl.col("bar") != bar), rows])


def _report(bar: str, counts: pl.DataFrame, *, with_options: bool) -> FeaturizeReport:
    nulls = counts.group_by("feature").agg(pl.col("value").sum() / pl.col("len").sum())
    shares = dict(nulls.rows())
    return FeaturizeReport(
        bar=bar,
        sessions=counts["date"].n_unique(),
        rows=int(counts["len"].sum()),
        underlyings=tuple(sorted(counts["underlying"].unique())),
        null_share={name: shares[name] for name in catalog()},
        with_options=with_options,
    )


def _named(underlyings: Collection[str] | None) -> str:
    return "any ticker" if underlyings is None else ", ".join(sorted(underlyings))
