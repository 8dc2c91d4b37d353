"""Metrics agree with scikit-learn where it defines them, and say NaN where nothing is defined."""

import math

import numpy as np
import polars as pl
import pytest
from sklearn import metrics as reference

from models.evaluation import calibration, evaluate
from strikelake.errors import ModelError

RNG = np.random.default_rng(11)
PROBABILITY = np.round(RNG.random(500), 2)
LABEL = (RNG.random(500) < PROBABILITY).astype(np.int64)


def test_metrics_are_scikit_learns():
    called = (PROBABILITY >= 0.5).astype(int)
    clipped = np.clip(PROBABILITY, 1e-15, 1)
    expected = {
        "n": 500,
        "base_rate": LABEL.mean(),
        "accuracy": reference.accuracy_score(LABEL, called),
        "precision": reference.precision_score(LABEL, called),
        "recall": reference.recall_score(LABEL, called),
        "f1": reference.f1_score(LABEL, called),
        "auc": reference.roc_auc_score(LABEL, PROBABILITY),
        "log_loss": reference.log_loss(LABEL, clipped),
        "brier": reference.brier_score_loss(LABEL, PROBABILITY),
        "mean_confidence": np.maximum(PROBABILITY, 1 - PROBABILITY).mean(),
    }
    assert evaluate(LABEL, PROBABILITY).metrics(prefix="") == pytest.approx(expected)


def test_a_coin_scores_as_a_coin():
    result = evaluate(LABEL, np.full(500, 0.5))
    assert (math.log(2), 0.25, 0.5) == pytest.approx((result.log_loss, result.brier, result.auc))


def test_certain_and_wrong_stays_finite():
    assert evaluate(np.array([1, 0]), np.array([0.0, 0.2])).log_loss == pytest.approx(
        (-math.log(1e-15) - math.log(0.8)) / 2
    )


@pytest.mark.parametrize(
    ("label", "probability", "undefined"),
    [
        ([1, 1], [0.6, 0.7], {"auc"}),
        ([0, 0], [0.6, 0.7], {"auc", "recall"}),
        ([0, 0], [0.2, 0.3], {"auc", "recall", "precision", "f1"}),
        ([0, 1], [0.2, 0.3], {"precision"}),
    ],
)
def test_what_is_undefined_is_nan_and_not_recorded(label, probability, undefined):
    result = evaluate(np.array(label), np.array(probability))
    missing = {name for name in result.__slots__ if math.isnan(getattr(result, name))}
    assert undefined == missing
    assert not {f"oos_{name}" for name in undefined} & result.metrics().keys()


@pytest.mark.parametrize(
    ("label", "probability"), [([], []), ([1], [0.5, 0.5]), ([2], [0.5]), ([1], [1.2]), ([1], [math.nan])]
)
def test_values_that_are_no_forecast_are_refused(label, probability):
    with pytest.raises(ModelError, match=r"pass two arrays|drop rows whose label is unknown"):
        evaluate(np.array(label, dtype=np.int64), np.array(probability, dtype=float))


def test_calibration_counts_every_forecast_once():
    table = calibration(LABEL, PROBABILITY)
    assert table.height == 10
    assert table["n"].sum() == 500
    assert (table["n"] * table["share_up"]).sum() == pytest.approx(LABEL.sum())
    inside = table.filter(pl.col("mean_probability").is_between("lower", "upper"))
    assert inside.height == 10


def test_calibration_leaves_empty_bins_null():
    table = calibration(np.array([1, 0]), np.array([0.0, 1.0]), n_bins=4)
    assert table["n"].to_list() == [1, 0, 0, 1]
    assert table["share_up"].to_list() == [1.0, None, None, 0.0]
