"""Flow: implied volatilities, Greeks and features of the sessions in the lake."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import artifacts, kernels, parts, progress, ranges, wiring
from flows.settings import load
from pipelines import analytics as analytics_pipeline
from pipelines import featurize as pipeline
from pipelines import surfaces as surfaces_pipeline
from pipelines.inputs import OWN_INDEX
from pipelines.recall import bar_table
from pipelines.volatility_index import build_volatility_index

if TYPE_CHECKING:
    from flows.settings import Settings
    from pipelines.analytics import AnalyticsReport, Bar
    from pipelines.featurize import FeaturizeReport

_ANALYTICS_PARTS = 16
_OPTION_BARS: dict[Bar, str] = {"1d": "option_day_bars", "1m": "option_minute_bars"}


@dataclass(frozen=True, slots=True)
class Featurized:
    """What the flow made.

    Attributes
    ----------
    bar
        Bar of the features.
    analytics
        One report for each length of option bars that the lake has.
    features
        None where the lake has no stock bars.
    """

    bar: str
    analytics: tuple[AnalyticsReport, ...]
    features: FeaturizeReport | None


@flow(name="featurize")
def featurize(
    start: date | None = None,
    end: date | None = None,
    bar: str | None = None,
    symbols: list[str] | None = None,
) -> Featurized:
    """Price the option bars, fit the surfaces at the closes and compute the features of a range.

    Parameters
    ----------
    start, end
        Dates, both included; all that the lake has by default.
    bar
        `30m`, `1d`, or `auto`: 30m where the lake has minute bars.
    symbols
        Underlyings; all in the lake by default.
    """
    settings = load()
    lake = wiring.lake(settings)
    span = ranges.in_lake(lake, start, end)
    chosen = ranges.bar(settings, lake, bar, *span)
    stocks = ranges.sessions_of(lake, bar_table(chosen), *span)
    kernels.ready()
    with parts.workers(settings) as workers:
        analytics = tuple(
            workers.run(
                _analyse,
                span,
                partial(ranges.rows_by_date, lake, table, *span),
                most=_ANALYTICS_PARTS,
                settings=settings,
                bar=option_bar,
            )
            for option_bar, table in _OPTION_BARS.items()
            if ranges.sessions_of(lake, table, *span)
        )
        # In one go: a surface's rank looks at the sessions before it.
        if any(each.bar == "1d" for each in analytics):
            _fit(settings, span)
        if ranges.sessions_of(lake, "option_quotes", *span):
            _index(settings, span)
        features = (
            workers.run(
                _featurize,
                span,
                lambda: dict.fromkeys(stocks, 1.0),
                # Each part reads the bars before it for warm-up.
                most=1 + len(stocks) // pipeline.SESSIONS_AT_ONCE,
                settings=settings,
                bar=chosen,
                symbols=symbols,
            )
            if stocks
            else None
        )
    made = Featurized(chosen, analytics, features)
    artifacts.features(made)
    return made


@task(name="surfaces", cache_policy=NO_CACHE)
def _fit(settings: Settings, span: tuple[date, date]) -> None:
    rate = settings.trading.default_rate
    advance = progress.advance("surfaces, 1d")
    surfaces_pipeline.build_surfaces(
        wiring.lake(settings),
        *span,
        bar="1d",
        rates_default=rate,
        threads=os.cpu_count() or 1,
        progress=advance,
    )


@task(name="volatility index", cache_policy=NO_CACHE)
def _index(settings: Settings, span: tuple[date, date]) -> None:
    build_volatility_index(
        wiring.lake(settings),
        *span,
        underlyings=[OWN_INDEX],
        rates_default=settings.trading.default_rate,
        progress=progress.advance(f"volatility index of {OWN_INDEX}"),
    )


@task(name="implied volatilities and Greeks", cache_policy=NO_CACHE)
def _analyse(settings: Settings, span: tuple[date, date], bar: Bar) -> AnalyticsReport:
    advance = progress.advance(f"IV and Greeks, {bar}")
    rate = settings.trading.default_rate
    return analytics_pipeline.analyse(
        wiring.lake(settings),
        *span,
        bar=bar,
        rates_default=rate,
        threads=os.cpu_count() or 1,
        progress=advance,
    )


@task(name="features", cache_policy=NO_CACHE)
def _featurize(
    settings: Settings, span: tuple[date, date], bar: str, symbols: list[str] | None
) -> FeaturizeReport:
    return pipeline.featurize(
        wiring.lake(settings),
        *span,
        bar=bar,
        names=settings.research.features,
        underlyings=symbols,
        threads=os.cpu_count() or 1,
        progress=progress.advance("features"),
    )
