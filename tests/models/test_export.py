"""A model whose ONNX twin disagrees is not exported."""

import numpy as np
import onnx
import pytest

from models.export import export
from models.kinds import fit
from strikelake.errors import ModelError


class Shifted:
    """A model that answers a little differently from its ONNX twin, on rows with a gap only."""

    kind = "forest"

    def __init__(self, fitted, shift):
        self._fitted, self._shift = fitted, shift

    def predict_proba(self, X):
        return self._fitted.predict_proba(X) + self._shift * np.isnan(X).any(axis=1)

    def to_onnx(self, n_features):
        return self._fitted.to_onnx(n_features)


@pytest.fixture(scope="module")
def forest(problem, cheap):
    return fit("forest", problem.X, problem.y, seed=3, **cheap["forest"])


def test_only_the_probability_is_computed(forest, problem):
    model = onnx.load_from_string(export(forest, problem.X))
    assert [output.name for output in model.graph.output] == ["probability"]


def test_a_difference_on_gaps_is_found_even_in_complete_training_rows(forest, problem):
    complete = problem.X[~np.isnan(problem.X).any(axis=1)]
    with pytest.raises(
        ModelError, match=r"ONNX forest model differs .* by 0.0001 on row 49\d .* requirements.lock"
    ):
        export(Shifted(forest, 1e-4), complete)


def test_a_probability_that_is_no_number_is_a_difference(forest, problem):
    with pytest.raises(ModelError, match="differs from its source by nan"):
        export(Shifted(forest, np.nan), problem.X)


def test_every_feature_is_probed_however_few_rows_there_are(forest, problem):
    assert export(forest, problem.X[:2]) == export(forest, problem.X)
