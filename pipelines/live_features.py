"""Compute features at one decision: from history read before the session, and the minutes since its open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from features.bars import extend, width_minutes
from features.catalog import build_at, choose, sessions_of_history
from features.context import needs
from features.facts import in_order, known_at
from pipelines.inputs import read_facts
from pipelines.recall import read_bars, sessions_before
from strikelake.calendar import NS_PER_MINUTE, et_date, iso, session

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date

    from features.facts import Facts
    from strikelake.lake.store import Lake


@dataclass(frozen=True, slots=True)
class History:
    """What the live trader needs to know before its session opens.

    Attributes
    ----------
    bars
        Finished bars (`features.bars.COLUMNS`) of the sessions before, adjusted for splits up to the session.
    facts
        Tables of facts (`features.facts.FACTS`) that the lake has, in the order they are looked up in.
    """

    bars: pl.DataFrame
    facts: Facts


def history(
    lake: Lake,
    day: date,
    *,
    bar: str = "30m",
    names: Iterable[str] | None = None,
    underlyings: Collection[str] | None = None,
) -> History:
    """Return what `live_features` needs for the session `day`, from the sessions before it.

    As many sessions as `featurize` reads for warm-up, so that both start from the same bars; they are
    resampled here, once, and not at every decision. The facts of `day` itself that are known only at its
    close are left out: only a forecast at the close would need them too (`pipelines.inputs.read_facts`).

    Parameters
    ----------
    lake
        Reads stock bars, corporate_actions and the tables of facts.
    day
        The session.
    bar
        Width of the bars.
    names
        Features that will be asked for; all when None.
    underlyings
        Tickers; None takes every ticker with bars.

    Raises
    ------
    EmptyLakeError
        When there are no stock bars before `day`.
    ValueError
        When `bar` is not a width inside a session.
    """
    chosen = choose(names).values()
    warm_up = sessions_before(day, sessions_of_history(bar, chosen))
    bars = read_bars(lake, warm_up, day, bar=bar, underlyings=underlyings)
    facts = read_facts(lake, day, day, needs(chosen), underlyings)
    return History(bars.filter(pl.col("date") < day), in_order(known_at(facts, session(day).open_ns)))


def live_features(
    history_bars: pl.DataFrame,
    today_minutes: pl.DataFrame,
    facts: Facts | None,
    asof: int,
    *,
    bar: str = "30m",
    names: Iterable[str] | None = None,
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
    facts
        Tables of facts, or None.
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
    FeatureError
        When a name is unknown.
    ValueError
        When `asof` does not end a bar.
    """
    _require_bar_end(asof, bar)
    day = et_date(asof)
    panel = extend(_of(history_bars, history_bars["date"] < day), _today(today_minutes, day, asof), bar)
    return build_at(panel, known_at(facts, asof), asof, names)


def _today(minutes: pl.DataFrame, day: date, asof: int) -> pl.DataFrame:
    return _of(minutes, (minutes["date"] == day) & (minutes["available_at"] <= asof))


def _of(rows: pl.DataFrame, wanted: pl.Series) -> pl.DataFrame:
    """Return the rows that are wanted: usually all, which costs nothing."""
    return rows if wanted.all() else rows.filter(wanted)


def _require_bar_end(asof: int, bar: str) -> None:
    day = session(et_date(asof))
    width = width_minutes(bar) * NS_PER_MINUTE
    into = asof - day.open_ns
    if asof != day.close_ns and not (0 < into < day.close_ns - day.open_ns and into % width == 0):
        raise ValueError(
            f"{iso(asof)} does not end a {bar} bar: bars end every {bar} from the open, and at the close"
        )
