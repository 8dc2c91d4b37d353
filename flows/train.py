"""Flow: train, evaluate and register the models."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from features.labels import Label
from flows import accounts, artifacts, progress, ranges, wiring
from flows.settings import load
from pipelines import train as pipeline
from pipelines.assemble import assemble
from strikelake.calendar import NS_PER_MINUTE, et_date, is_session

if TYPE_CHECKING:
    from flows.settings import Settings
    from pipelines.dataset import Dataset
    from pipelines.train import TrainingReport
    from strikelake.lake.store import Lake

_SESSION_MINUTES = 390


@flow(name="train")
def train(
    session: date | None = None, start: date | None = None, bar: str | None = None
) -> TrainingReport | None:
    """Train every model kind on the features in the lake and promote the best out of sample.

    Parameters
    ----------
    session
        Last session to train on. By default today's; on a day without a session nothing is trained and None
        is returned.
    start
        First date to train on; the account tier's history by default.
    bar
        `30m`, `1d`, or `auto`: 30m where the lake has minute bars.
    """
    settings = load()
    lake = wiring.lake(settings)
    last = session or et_date(wiring.clock(settings).now())
    if session is None and not is_session(last):
        get_run_logger().info("%s is no session: nothing to train", last)
        return None
    plan = accounts.tier(settings).training
    span = ranges.in_lake(lake, start or last - timedelta(days=plan.history_days), last)
    chosen = ranges.bar(settings, lake, bar, *span)
    dataset = _assemble(settings, lake, span, chosen)
    kinds = tuple(kind for kind in settings.research.models if kind in plan.kinds)
    report = _train(settings, dataset, kinds)
    artifacts.training(report)
    return report


@task(name="dataset", cache_policy=NO_CACHE)
def _assemble(settings: Settings, lake: Lake, span: tuple[date, date], bar: str) -> Dataset:
    research = settings.research
    labels = [Label("direction", research.horizon(bar))]
    return assemble(lake, research.features, labels, bar=bar, start=span[0], end=span[1])


@task(name="models", cache_policy=NO_CACHE)
def _train(settings: Settings, dataset: Dataset, kinds: tuple[str, ...]) -> TrainingReport:
    research = settings.research
    return pipeline.train(
        dataset,
        wiring.registry(settings, dataset.bar),
        seed=research.seed,
        kinds=kinds,
        n_folds=research.folds,
        embargo_ns=research.embargo_horizons * horizon_ns(dataset.bar, dataset.horizon),
        code_version=wiring.code_version(),
        progress=progress.lines("models", len(kinds) * (research.folds + 1) + 1),
    )


def horizon_ns(bar: str, horizon: int) -> int:
    """Return the trading time that a horizon spans, ns; nights and weekends come on top of it.

    Examples
    --------
    >>> horizon_ns("30m", 6) // NS_PER_MINUTE
    180
    """
    return horizon * (_SESSION_MINUTES if bar == "1d" else int(bar.removesuffix("m"))) * NS_PER_MINUTE
