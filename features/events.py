"""News and earnings around a bar."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features.facts import NS_PER_DAY
from features.feature import feature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from features.facts import Facts
    from features.feature import FloatArray, IntArray
    from features.panel import Panel

_NEWS_DAYS = 5
_QUARTER_DAYS = 130
"""A quarter and some weeks: a report further away than that is not the one around a bar."""
_DATED_DAYS = 365
"""Days that a report's date is kept; dates told so early that they would be forgotten are not used."""

_news = partial(
    feature, "market", available_at="the end of the bar; articles published by asof", windowed=True
)
_earnings = partial(
    feature,
    "calendar",
    units="calendar days",
    available_at="the end of the bar; reports whose date was known by asof",
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


def _mean_score(panel: Panel, facts: Facts) -> FloatArray:
    rated = facts["news"].filter(pl.col("score").is_not_null())
    count, total = _recent(panel, rated)
    return np.asarray(np.divide(total, count, out=np.full(len(panel), np.nan), where=count > 0))


def _articles(panel: Panel, facts: Facts) -> FloatArray:
    return _recent(panel, facts["news"])[0]


def _recent(panel: Panel, news: pl.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return the number of articles of the last days and the sum of their scores: whole numbers, exactly."""
    count, total = np.zeros(len(panel)), np.zeros(len(panel))
    for bars, rows in _matched(panel, news):
        available = rows["available_at"].to_numpy()
        after = np.searchsorted(available, panel.asof[bars], side="right")
        before = np.searchsorted(available, panel.asof[bars] - _NEWS_DAYS * NS_PER_DAY, side="right")
        running = np.append(0.0, np.cumsum(rows["score"].fill_null(0.0).to_numpy()))
        count[bars] = after - before
        total[bars] = running[after] - running[before]
    return count, total


def _report_days(panel: Panel, facts: Facts, *, ahead: bool) -> FloatArray:
    """Return the days to the nearest report whose date is known: the next one, or the last one."""
    days = np.full(len(panel), np.nan)
    quarter = _QUARTER_DAYS * NS_PER_DAY
    for bars, rows in _matched(panel, facts["earnings"]):
        # The furthest first, so that the nearest one that is known has the last word.
        for known, report in _reports(rows.sort("report_at", descending=ahead)):
            begin, end = (report - quarter, report) if ahead else (report, report + quarter)
            _put(days[bars], panel.asof[bars], max(known, begin), end, report)
    return days


def _put(days: FloatArray, asof: IntArray, begin: int, end: int, report: int) -> None:
    """Write the distance to a report on the bars with begin <= asof < end; asof is sorted."""
    first, after = np.searchsorted(asof, (begin, end))
    days[first:after] = np.abs(report - asof[first:after]) / NS_PER_DAY


def _reports(rows: pl.DataFrame) -> Iterator[tuple[int, int]]:
    early = pl.col("report_at") - pl.col("available_at") > (_DATED_DAYS - _QUARTER_DAYS) * NS_PER_DAY
    yield from rows.filter(~early).select("available_at", "report_at").iter_rows()


def _matched(panel: Panel, rows: pl.DataFrame) -> Iterator[tuple[slice, pl.DataFrame]]:
    """Yield the bars and the sorted rows of each underlying that has some."""
    parts = rows.sort("available_at").partition_by("underlying", as_dict=True)
    for name, bars in zip(panel.underlyings, panel.names.slices, strict=True):
        if (name,) in parts:
            yield bars, parts[name,]


INPUTS: Mapping[str, tuple[Callable[[Panel, Facts], FloatArray], Mapping[str, int]]] = {
    "mean_score": (_mean_score, {"news": _NEWS_DAYS}),
    "articles": (_articles, {"news": _NEWS_DAYS}),
    "next_report_days": (partial(_report_days, ahead=True), {"earnings": _DATED_DAYS}),
    "last_report_days": (partial(_report_days, ahead=False), {"earnings": _DATED_DAYS}),
}
"""Inputs that this module computes, and the days of events that each needs."""
