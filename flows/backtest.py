"""Flow: the champion's out-of-sample forecasts, replayed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import accounts, artifacts, progress, ranges, wiring
from flows.settings import load
from pipelines.backtest import backtest_options, backtest_underlyings
from strikelake.calendar import et_date
from strikelake.errors import DatasetError
from strikelake.portfolio import Account

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from backtests.metrics import Metrics
    from flows.settings import Settings
    from strikelake.lake.store import Lake

_OPTIONS_LEVEL = 3
"""Of the simulated account: spreads are allowed, as on a margin account at the broker."""


@dataclass(frozen=True, slots=True)
class Backtested:
    """What a backtest came to: its metrics and its report's page."""

    metrics: Metrics
    page: Path


@flow(name="backtest")
def backtest(start: date | None = None, end: date | None = None, bar: str | None = None) -> Backtested:
    """Backtest the champion's out-of-sample forecasts.

    Forecasts on 30-minute bars trade options on the lake's quotes through the live trader's own decision
    function; forecasts on day bars trade the underlyings from the next session's open.

    Parameters
    ----------
    start, end
        Dates, both included; those of the forecasts by default.
    bar
        `30m`, `1d`, or `auto`: 30m where the lake has minute bars.
    """
    settings = load()
    lake = wiring.lake(settings)
    chosen = ranges.bar(settings, lake, bar, *ranges.in_lake(lake, start, end))
    forecasts = wiring.registry(settings, chosen).champion_forecasts()
    span = _covered(forecasts, start, end)
    report = (_options if chosen != "1d" else _underlyings)(settings, lake, forecasts, span)
    artifacts.backtest(report)
    return report


@task(name="options on quotes", cache_policy=NO_CACHE)
def _options(settings: Settings, lake: Lake, forecasts: pl.DataFrame, span: tuple[date, date]) -> Backtested:
    cash = settings.account_balance
    report = backtest_options(
        lake,
        forecasts,
        *span,
        limits=accounts.limits(settings),
        account=Account("backtest", cash, cash, cash, _OPTIONS_LEVEL),
        bar="30m",
        horizon=settings.research.horizon("30m"),
        report_dir=settings.path(settings.reports) / "options",
        latency_ns=accounts.latency_ns(),
        rate_default=settings.trading.default_rate,
        progress=progress.advance("backtest"),
    )
    return Backtested(report.metrics, report.page)


@task(name="underlyings", cache_policy=NO_CACHE)
def _underlyings(
    settings: Settings, lake: Lake, forecasts: pl.DataFrame, span: tuple[date, date]
) -> Backtested:
    report = backtest_underlyings(
        lake, forecasts, *span, report_dir=settings.path(settings.reports) / "underlyings"
    )
    return Backtested(report.metrics, report.page)


def _covered(forecasts: pl.DataFrame, start: date | None, end: date | None) -> tuple[date, date]:
    """Return the part of the range that the forecasts cover: nothing before the first was out of sample."""
    moments = forecasts["asof"].sort()
    first, last = et_date(moments[0]), et_date(moments[-1])
    span = max(start or first, first), min(end or last, last)
    if span[0] > span[1]:
        raise DatasetError(
            f"the champion's out-of-sample forecasts are from {first} to {last}, none from {start} to {end}: "
            "train on a range that ends later"
        )
    return span
