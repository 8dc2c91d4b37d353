"""The forest's own promises."""

from models.forest import fit


def test_threads_do_not_change_the_result(problem):
    one = fit(problem.X, problem.y, seed=3, trees=20, n_jobs=1)
    two = fit(problem.X, problem.y, seed=3, trees=20, n_jobs=2)
    assert one.predict_proba(problem.X).tobytes() == two.predict_proba(problem.X).tobytes()
