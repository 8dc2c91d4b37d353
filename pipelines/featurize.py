"""Compute the features of the lake's bars into its table `features`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import polars as pl

from features import engine
from features.bars import width_minutes
from features.catalog import choose
from features.panel import Panel
from features.verdicts import describe
from pipelines.freshness import Freshness
from pipelines.inputs import read_inputs
from pipelines.recall import bar_table
from strikelake.errors import EmptyLakeError, FeatureError
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import date

    from features.columns import Column
    from features.facts import Facts
    from features.feature import Feature
    from pipelines.inputs import Inputs
    from strikelake.lake.store import Lake

SESSIONS_AT_ONCE = 63
"""A quarter: bounds the minute bars held in memory."""


@dataclass(frozen=True, slots=True)
class FeaturizeReport:
    """What the table holds after a run.

    Attributes
    ----------
    bar
        Width of the bars.
    sessions, rows
        How many of each there are; a row is one value of one feature.
    computed
        Rows that were computed: the others were there, from the same definitions and the same inputs.
    underlyings
        Names with at least one bar, sorted.
    null_share
        Share of nulls by feature, in the order asked for.
    null_reasons
        Nulls by feature and reason (`features.engine.REASONS`, or "no <table>").
    """

    bar: str
    sessions: int
    rows: int
    computed: int
    underlyings: tuple[str, ...]
    null_share: Mapping[str, float]
    null_reasons: Mapping[str, Mapping[str, int]]

    @property
    def absent(self) -> tuple[str, ...]:
        """Tables that features need and the lake does not have, sorted."""
        found = {reason for counts in self.null_reasons.values() for reason in counts}
        return tuple(sorted(reason.removeprefix("no ") for reason in found if reason.startswith("no ")))


def featurize(
    lake: Lake,
    start: date,
    end: date,
    *,
    bar: str,
    names: Iterable[str] | None = None,
    features: Mapping[str, Feature] | None = None,
    underlyings: Collection[str] | None = None,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> FeaturizeReport:
    """Bring the features of every bar of a range up to date, in long form.

    What is stored already from the same definition and the same inputs stays (`pipelines.freshness`): a
    changed feature recomputes only itself, and a file published again only the sessions that can see it. The
    rows of a feature, date and `bar` are replaced as a whole: the universe of a run is the table's universe,
    as relative strength is measured within it. Bars before `start` are read for warm-up.

    Parameters
    ----------
    lake
        Reads stock bars, corporate_actions and the tables of facts; writes features, one commit for 63
        sessions.
    start, end
        First and last date, both included.
    bar
        "1d", or a width such as "30m".
    names
        Features or families; all when None.
    features
        Definitions to use instead of the catalogue.
    underlyings
        Tickers; None takes every ticker with bars. Rows of others that are stored for these features and
        dates go.
    threads
        How many to compute on.
    progress
        Called with the number of sessions committed and of sessions with stock bars.

    Returns
    -------
    FeaturizeReport

    Raises
    ------
    EmptyLakeError
        When there are no stock bars of regular hours in the range.
    FeatureError
        When a name is unknown, or a feature cannot be computed; what was committed before stays.
    ValueError
        When `bar` is not a width inside a session.
    """
    width_minutes(bar)
    chosen = choose(names, features)
    lake.scan(bar_table(bar), start, end)  # says what to run when there is nothing
    days = [day for day in lake.sessions(bar_table(bar)) if start <= day <= end]
    freshness = Freshness(lake, bar, underlyings)
    computed = 0
    for begun in range(0, len(days), SESSIONS_AT_ONCE):
        span = days[begun : begun + SESSIONS_AT_ONCE]
        stale = freshness.stale(span, chosen)
        if not stale.is_empty():
            computed += _renew(lake, stale, chosen, bar, underlyings, threads)
        if progress is not None:
            progress(begun + len(span), len(days))
    report = _report(lake, start, end, bar, list(chosen), underlyings, computed)
    return report if report is not None else _refuse(bar, underlyings, start, end)


def _refuse(bar: str, underlyings: Collection[str] | None, start: date, end: date) -> NoReturn:
    raise EmptyLakeError(
        f"{bar_table(bar)} has no bars of regular hours for {_named(underlyings)} from {start} to {end}: "
        "run `strikelake ingest` for these dates and tickers"
    )


def _renew(
    lake: Lake,
    stale: pl.DataFrame,
    chosen: Mapping[str, Feature],
    bar: str,
    underlyings: Collection[str] | None,
    threads: int,
) -> int:
    """Compute and store what is stale, and return the number of rows."""
    names = set(stale["feature"])
    features = {name: feature for name, feature in chosen.items() if name in names}
    days = stale["date"].unique().sort().to_list()
    read = read_inputs(lake, days[0], days[-1], bar=bar, features=features.values(), underlyings=underlyings)
    rows = _rows(read, features, stale, bar, threads)
    if rows.is_empty():
        return 0
    source = f"featurize {bar}: {len(features)} features"
    lake.update("features", _replacing(bar, stale, rows), days=days, source=source)
    return rows.height


def _rows(
    read: Inputs, features: Mapping[str, Feature], stale: pl.DataFrame, bar: str, threads: int
) -> pl.DataFrame:
    """Return the rows of the features table that are stale, each null with its reason."""
    if read.bars.is_empty():
        return pl.DataFrame(schema=table("features").columns)
    panel, keys = Panel.of(read.bars)
    columns = _computed(panel, read.facts, features, threads)
    why = engine.reasons(panel, read.facts, features, columns)
    inside = keys["date"] >= stale["date"].min()
    keys = keys.filter(inside)
    long = [
        keys.with_columns(
            feature=pl.lit(name),
            value=pl.Series(columns[name].arrow()).filter(inside),
            null_reason=why[name].filter(inside),
        )
        for name in features
    ]
    return (
        pl.concat(long)
        .join(stale, on=["date", "feature"])
        .with_columns(bar=pl.lit(bar), available_at="asof")
        .select(table("features").columns.keys())
    )


def _computed(panel: Panel, facts: Facts, features: Mapping[str, Feature], threads: int) -> dict[str, Column]:
    """Return what the engine makes of features; where one of them raises, say which and where."""
    try:
        return engine.compute(panel, facts, features, threads)
    except Exception as error:
        if len(features) == 1:
            raise FeatureError(
                f"{next(iter(features))} cannot be computed: {describe(error)}; no value of these dates was "
                "stored: mend the feature, or leave it out with --feature"
            ) from error
        for name, feature in features.items():
            _computed(panel, facts, {name: feature}, 1)
        raise


def _replacing(bar: str, stale: pl.DataFrame, rows: pl.DataFrame) -> Callable[[pl.DataFrame], pl.DataFrame]:
    replaced = stale.select("date", "feature", bar=pl.lit(bar))

    def change(present: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([present.join(replaced, on=["date", "feature", "bar"], how="anti"), rows])

    return change


def _report(
    lake: Lake,
    start: date,
    end: date,
    bar: str,
    names: Sequence[str],
    underlyings: Collection[str] | None,
    computed: int,
) -> FeaturizeReport | None:
    """Return what the table holds of some features and underlyings, None where it holds nothing."""
    if "features" not in lake.tables():
        return None
    try:
        stored = lake.scan("features", start, end, underlyings=underlyings)
    except EmptyLakeError:
        return None
    mine = stored.filter(pl.col("bar") == bar, pl.col("feature").is_in(names))
    counts, extent = pl.collect_all(
        [
            mine.group_by("feature", "null_reason").agg(pl.len()),
            mine.select(pl.col("date").n_unique(), pl.col("underlying").unique().implode()),
        ]
    )
    if counts.is_empty():
        return None
    rows = dict(counts.group_by("feature").agg(pl.col("len").sum()).rows())
    reasons: dict[str, dict[str, int]] = {name: {} for name in names}
    for name, reason, count in counts.drop_nulls("null_reason").sort("feature", "null_reason").iter_rows():
        reasons[name][reason] = count
    return FeaturizeReport(
        bar=bar,
        sessions=extent["date"][0],
        rows=sum(rows.values()),
        computed=computed,
        underlyings=tuple(sorted(extent["underlying"][0])),
        null_share={name: sum(reasons[name].values()) / rows[name] for name in names if name in rows},
        null_reasons=reasons,
    )


def _named(underlyings: Collection[str] | None) -> str:
    return "any ticker" if underlyings is None else ", ".join(sorted(underlyings))
