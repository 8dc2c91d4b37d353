"""Features become signals, or are refused."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from models.export import export
from models.kinds import fit
from models.scoring import load_scorer
from pipelines.predict import predict
from strikelake.calendar import et_ns
from strikelake.errors import ModelError
from strikelake.strategy.signals import Signal

FEATURES = ("momentum", "iv_rank")
TEN = et_ns(date(2025, 1, 2), "10:00")
CLOSE = et_ns(date(2025, 1, 2), "16:00")


@pytest.fixture(scope="module")
def scorer():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(200, 2)).astype(np.float32)
    fitted = fit("boosted", X, (X[:, 0] > 0).astype(np.int64), seed=1, rounds=20, min_leaf=1, n_jobs=1)
    return load_scorer(
        export(fitted, X),
        name="direction",
        version=1,
        kind="boosted",
        features=FEATURES,
        bar="30m",
        horizon=2,
    )


def frame(*rows):
    schema = {"asof": pl.Int64, "underlying": pl.String, "momentum": pl.Float64, "iv_rank": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_rows_without_any_feature_are_refused_and_named(scorer):
    features = frame((TEN, "SPY", 1.0, None), (TEN, "QQQ", None, None), (TEN, "IWM", float("nan"), None))
    prediction = predict(scorer, features)
    assert prediction.forecasts["underlying"].to_list() == ["SPY"]
    assert prediction.refused.rows() == [(TEN, "QQQ"), (TEN, "IWM")]


def test_forecasts_become_signals_that_end_with_the_horizon(scorer):
    prediction = predict(scorer, frame((TEN, "SPY", 2.0, 0.0), (CLOSE, "QQQ", -2.0, 0.0)))
    first, second = prediction.signals()
    next_day = date(2025, 1, 3)
    assert first == Signal(TEN, "SPY", et_ns(date(2025, 1, 2), "11:00"), first.probability)
    assert second == Signal(CLOSE, "QQQ", et_ns(next_day, "10:30"), second.probability)
    assert (first.direction, second.direction) == (1, -1)


def test_probabilities_are_the_scorers(scorer):
    features = frame((TEN, "SPY", 0.3, None), (TEN, "QQQ", -0.1, 2.0))
    assert predict(scorer, features).forecasts.drop("exit_at").equals(scorer.predict(features))


@pytest.mark.parametrize("rows", [(), ((TEN, "SPY", None, None),)])
def test_nothing_to_forecast_gives_no_signals(scorer, rows):
    prediction = predict(scorer, frame(*rows))
    assert prediction.signals() == ()
    assert prediction.refused.height == len(rows)


def test_a_missing_feature_is_named(scorer):
    with pytest.raises(ModelError, match="lacks iv_rank: build it"):
        predict(scorer, frame((TEN, "SPY", 0.3, 0.0)).drop("iv_rank"))
