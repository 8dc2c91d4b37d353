"""Turn features into forecasts that can be acted on."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from models.matrices import design_matrix
from strikelake.strategy.signals import Signal, exit_time


class Forecaster(Protocol):
    """A model that scores: the registry's champion, or a rule."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features it reads."""
        ...

    @property
    def bar(self) -> str:
        """Bar of the decisions, such as "30m"."""
        ...

    @property
    def horizon(self) -> int:
        """Bars ahead that it forecasts."""
        ...

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return asof, underlying and the probability of a rise, a row per row of features."""
        ...


@dataclass(frozen=True, slots=True)
class Prediction:
    """Forecasts, and the decisions for which there is none.

    Parameters
    ----------
    forecasts : polars.DataFrame
        Columns asof, underlying, exit_at (end of the horizon, int64 nanoseconds UTC) and probability (of a
        rise), never null, in the order of the features.
    refused : polars.DataFrame
        Columns asof and underlying of the rows none of whose features was known.
    """

    forecasts: pl.DataFrame
    refused: pl.DataFrame

    def signals(self) -> tuple[Signal, ...]:
        """Forecasts as the values that decisions are made from."""
        return tuple(Signal(**row) for row in self.forecasts.iter_rows(named=True))


def predict(scorer: Forecaster, features: pl.DataFrame) -> Prediction:
    """Forecast every decision whose features are known.

    Parameters
    ----------
    scorer : Forecaster
        Usually the champion.
    features : polars.DataFrame
        Columns asof, underlying and the scorer's features, all known at asof.

    Returns
    -------
    Prediction
        A row with some features missing is forecast, as in training. A row with all of them missing is
        refused: its forecast would say nothing about that underlying at that time.

    Raises
    ------
    ModelError
        If a column is missing.
    """
    known = pl.Series(~np.isnan(design_matrix(features, scorer.features)).all(axis=1), dtype=pl.Boolean)
    refused = features[["asof", "underlying"]].clear()
    if not known.all():  # two queries that a decision seldom needs
        refused, features = features[["asof", "underlying"]].filter(~known), features.filter(known)
    forecasts = scorer.predict(features)
    moments = forecasts["asof"].to_list()
    exits = {asof: exit_time(asof, scorer.bar, scorer.horizon) for asof in set(moments)}
    exit_at = pl.Series("exit_at", [exits[asof] for asof in moments], dtype=pl.Int64)
    columns = [forecasts["asof"], forecasts["underlying"], exit_at, forecasts["probability"]]
    return Prediction(pl.DataFrame(columns), refused)
