"""News and earnings around a bar."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from features.facts import NS_PER_DAY
from features.feature import feature
from features.series import at, sorted_by
from strikelake.calendar import et_date, sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from features.facts import Facts
    from features.feature import FloatArray, IntArray
    from features.panel import Panel

_NEWS_DAYS = 5
_QUARTER_DAYS = 130
"""A quarter and some weeks: a report further away than that is not the one around a bar."""
LONGEST_CLOSURE = timedelta(days=10)
"""No session comes later than that after any day."""
_DATED_DAYS = 365
"""Days that a report's date is kept; dates told so early that they would be forgotten are not used."""

_news = partial(
    feature,
    "market",
    available_at="the end of the bar; articles published by the session's open",
    windowed=True,
)
_earnings = partial(
    feature,
    "calendar",
    units="calendar days",
    available_at="the end of the bar; reports whose date was known by the session's open",
    windowed=True,
)


@_news(units="-1 negative to 1 positive", nulls="null without a rated article in the last 5 days")
def news_sentiment_5d(mean_score: FloatArray) -> FloatArray:
    """Return the mean rating of the articles about the underlying in the last 5 calendar days."""
    return mean_score


@_news(units="log of 1 + articles", nulls="null where the lake has no news")
def news_volume_5d(articles: FloatArray) -> FloatArray:
    """Return the log of one plus the number of articles about the underlying in the last 5 calendar days."""
    return np.log1p(articles)


@_earnings(nulls="null where no later report is dated yet")
def days_to_earnings(next_report_days: FloatArray) -> FloatArray:
    """Return the days to the underlying's next earnings report."""
    return next_report_days


@_earnings(nulls="null without a report in the last 130 days")
def days_since_earnings(last_report_days: FloatArray) -> FloatArray:
    """Return the days since the underlying's last earnings report."""
    return last_report_days


def known_at_opens(events: pl.DataFrame) -> pl.DataFrame:
    """Return events as known from the first open of a session on, at or after they were told.

    A live trader reads them before the session: one that is told in the middle of it changes no decision of
    that session, and must change no training row of it either.
    """
    told = events["available_at"].to_numpy()
    if not len(told):
        return events
    first, last = et_date(int(told.min())), et_date(int(told.max())) + LONGEST_CLOSURE
    opens = np.array([each.open_ns for each in sessions(first, last)])
    return events.with_columns(available_at=pl.Series(opens[np.searchsorted(opens, told)]))


def _mean_score(panel: Panel, facts: Facts) -> FloatArray:
    mean = np.full(len(panel), np.nan)
    for bars, before, after, score in _recent(panel, facts["news"]):
        # Sums of whole numbers, exact in whatever order.
        rated, total = (np.append(0.0, np.cumsum(each)) for each in (~np.isnan(score), np.nan_to_num(score)))
        count = rated[after] - rated[before]
        np.divide(total[after] - total[before], count, out=mean[bars], where=count > 0.0)
    return mean


def _articles(panel: Panel, facts: Facts) -> FloatArray:
    count = np.zeros(len(panel))
    for bars, before, after, _ in _recent(panel, facts["news"]):
        count[bars] = after - before
    return count


def _recent(panel: Panel, news: pl.DataFrame) -> Iterator[tuple[slice, IntArray, IntArray, FloatArray]]:
    """Yield bars, the first article of the last days of each and the one after its last, and all scores."""
    for bars, (available, score) in _matched(panel, news, "available_at", "score"):
        since = panel.asof[bars] - _NEWS_DAYS * NS_PER_DAY
        before, after = (
            np.searchsorted(available, moment, side="right") for moment in (since, panel.asof[bars])
        )
        yield bars, before, after, score


def _report_days(panel: Panel, facts: Facts, *, ahead: bool) -> FloatArray:
    """Return the days to the nearest report whose date is known: the next one, or the last one."""
    days = np.full(len(panel), np.nan)
    quarter = _QUARTER_DAYS * NS_PER_DAY
    for bars, (known, reports) in _matched(panel, facts["earnings"], "available_at", "report_at"):
        asof, own = panel.asof[bars], days[bars]
        in_time = np.flatnonzero(reports - known <= (_DATED_DAYS - _QUARTER_DAYS) * NS_PER_DAY)
        order = in_time[np.argsort(reports[in_time])]
        # The furthest first, so that the nearest one that is known has the last word.
        for row in order[::-1] if ahead else order:
            report = reports[row]
            begin, end = (report - quarter, report) if ahead else (report, report + quarter)
            first, after = np.searchsorted(asof, (max(known[row], begin), end))  # asof is sorted
            own[first:after] = np.abs(report - asof[first:after]) / NS_PER_DAY
    return days


def _matched(panel: Panel, rows: pl.DataFrame, *columns: str) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
    """Yield the bars of each underlying that has rows, and these rows' columns, sorted by `available_at`."""
    ordered, names = sorted_by(rows, "underlying", "available_at")
    values = [ordered[column].to_numpy() for column in columns]
    where = dict(zip(at(ordered["underlying"], names.starts), names.slices, strict=True))
    for name, bars in zip(panel.underlyings, panel.names.slices, strict=True):
        own = where.get(name)
        if own is not None:
            yield bars, [column[own] for column in values]


INPUTS: Mapping[str, tuple[Callable[[Panel, Facts], FloatArray], Mapping[str, int]]] = {
    "mean_score": (_mean_score, {"news": _NEWS_DAYS}),
    "articles": (_articles, {"news": _NEWS_DAYS}),
    "next_report_days": (partial(_report_days, ahead=True), {"earnings": _DATED_DAYS}),
    "last_report_days": (partial(_report_days, ahead=False), {"earnings": _DATED_DAYS}),
}
"""Inputs that this module computes, and the days of events that each needs."""
