"""The booster's own promises."""

import numpy as np

from models.boosted import fit


def test_that_a_value_is_missing_can_be_the_signal(problem):
    X = problem.X.copy()
    X[:, 3] = np.where(problem.y == 1, np.nan, X[:, 3])
    fitted = fit(X, problem.y, seed=3, rounds=30, n_jobs=1)
    assert fitted.importance(problem.features)["feature"][0] == "noise"


def test_threads_do_not_change_the_result(problem):
    one = fit(problem.X, problem.y, seed=3, rounds=20, n_jobs=1)
    two = fit(problem.X, problem.y, seed=3, rounds=20, n_jobs=2)
    assert one.predict_proba(problem.X).tobytes() == two.predict_proba(problem.X).tobytes()
