"""What every kind of model must do."""

import numpy as np
import pytest

from models.evaluation import evaluate
from models.export import export
from models.kinds import KINDS, fit
from models.scoring import open_session, up_probabilities
from strikelake.errors import DatasetError, ModelError


@pytest.fixture(params=KINDS, scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(kind, problem, cheap):
    return fit(kind, problem.X, problem.y, seed=3, **cheap[kind])


def test_one_seed_gives_one_model_bit_by_bit(kind, fitted, problem, cheap):
    again = fit(kind, problem.X, problem.y, seed=3, **cheap[kind])
    assert fitted.predict_proba(problem.X).tobytes() == again.predict_proba(problem.X).tobytes()


def test_another_seed_gives_another_model(kind, fitted, problem, cheap):
    other = fit(kind, problem.X, problem.y, seed=4, **cheap[kind])
    assert (fitted.predict_proba(problem.X) != other.predict_proba(problem.X)).any()


def test_the_learner_finds_the_planted_signal(kind, problem, cheap):
    fitted = fit(kind, problem.X[:400], problem.y[:400], seed=3, **cheap[kind])
    assert evaluate(problem.y[400:], fitted.predict_proba(problem.X[400:])).auc > 0.7


def test_probabilities_are_one_float_per_row(fitted, problem):
    probabilities = fitted.predict_proba(problem.X)
    assert probabilities.dtype == np.float64
    assert probabilities.shape == (600,)
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_a_row_scores_the_same_alone_and_among_others(fitted, problem):
    together = fitted.predict_proba(problem.X[:20])
    alone = np.concatenate([fitted.predict_proba(problem.X[i : i + 1]) for i in range(20)])
    assert np.abs(together - alone).max() < 1e-6


def test_importance_names_the_signal_first_and_sums_to_one(fitted, problem):
    table = fitted.importance(problem.features)
    assert table["feature"][0] == "momentum"
    assert sorted(table["feature"]) == sorted(problem.features)
    assert table["importance"].sum() == pytest.approx(1)


def test_onnx_agrees_on_rows_with_and_without_gaps(fitted, problem):
    session = open_session(export(fitted, problem.X))
    difference = np.abs(up_probabilities(session, problem.X) - fitted.predict_proba(problem.X))
    assert np.isnan(problem.X).all(axis=1).sum() == 1
    assert difference.max() < 1e-6


def test_a_feature_that_is_never_known_is_ignored(kind, problem, cheap):
    X = problem.X.copy()
    X[:, 3] = np.nan
    fitted = fit(kind, X, problem.y, seed=3, **cheap[kind])
    importance = dict(fitted.importance(problem.features).iter_rows())
    assert importance["noise"] == 0
    export(fitted, X)


def test_parameters_record_the_seed_and_settings(fitted, cheap, kind):
    renamed = {"n_jobs", "min_leaf"}  # threads change nothing, and xgboost has its own name for a small leaf
    wanted = {name: value for name, value in cheap[kind].items() if name not in renamed}
    assert fitted.parameters["seed"] == 3
    assert wanted.items() <= fitted.parameters.items()


def test_labels_of_one_class_are_refused(kind, problem):
    with pytest.raises(DatasetError, match=r"labels are all \[1\]: train on more sessions"):
        fit(kind, problem.X, np.ones_like(problem.y), seed=3)


def test_an_unknown_kind_is_named(problem):
    with pytest.raises(ModelError, match="no model kind 'oracle': choose from forest, boosted, neural"):
        fit("oracle", problem.X, problem.y, seed=3)
