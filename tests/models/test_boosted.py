"""The booster's own promises."""

import numpy as np
import pytest

from models.boosted import fit
from models.export import export
from models.scoring import open_session, up_probabilities


def test_that_a_value_is_missing_can_be_the_signal(problem):
    X = problem.X.copy()
    X[:, 3] = np.where(problem.y == 1, np.nan, X[:, 3])
    fitted = fit(X, problem.y, seed=3, rounds=30, n_jobs=1)
    assert fitted.importance(problem.features)["feature"][0] == "noise"


def test_threads_do_not_change_the_result(problem):
    one = fit(problem.X, problem.y, seed=3, rounds=20, n_jobs=1)
    two = fit(problem.X, problem.y, seed=3, rounds=20, n_jobs=2)
    assert one.predict_proba(problem.X).tobytes() == two.predict_proba(problem.X).tobytes()


def test_trees_without_a_split_are_exported_as_one_number(problem):
    X, y = problem.X, problem.y
    fitted = fit(X, y, seed=1, min_leaf=float(len(y)))
    assert not fitted.native.get_score()
    session = open_session(export(fitted, X))
    assert np.ptp(fitted.predict_proba(X)) == 0.0
    assert up_probabilities(session, X[:7]) == pytest.approx(fitted.predict_proba(X[:7]), abs=1e-6)
