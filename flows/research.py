"""Flow: ingest, features, models and backtest, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, cast

from prefect import flow

from flows import ranges, wiring
from flows.backtest import backtest
from flows.featurize import featurize
from flows.ingest import ingest
from flows.settings import load
from flows.train import train
from models.warm import import_libraries

if TYPE_CHECKING:
    from flows.backtest import Backtested
    from flows.featurize import Featurized
    from pipelines.ingest import IngestReport
    from pipelines.train import TrainingReport


@dataclass(frozen=True, slots=True)
class Research:
    """What each step reported."""

    ingested: IngestReport
    featurized: Featurized
    trained: TrainingReport
    backtested: Backtested


@flow(name="research")
def research(
    start: date | None = None,
    end: date | None = None,
    flat_files: Path | None = None,
    reference: Path | None = None,
    bar: str | None = None,
    symbols: list[str] | None = None,
) -> Research:
    """Take a range of dates from flat files to a backtest; the parameters are those of the single flows."""
    settings = load()
    first, last = ranges.to_ingest(settings, wiring.clock(settings), start, end)
    ingested = ingest(start=first, end=last, flat_files=flat_files, reference=reference)
    # Beside the wait for kernels and compiled code; when one fails, training says so.
    Thread(target=import_libraries, name="imports of training", daemon=True).start()
    featurized = featurize(start=first, end=last, bar=bar, symbols=symbols)
    # A session is named, so there is something to train on: the flow skips only an unnamed holiday.
    trained = cast("TrainingReport", train(session=last, start=first, bar=featurized.bar))
    backtested = backtest(start=first, end=last, bar=featurized.bar)
    return Research(ingested, featurized, trained, backtested)
