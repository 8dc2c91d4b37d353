"""Random forest on median-imputed features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.explain import importance_table
from models.export import keep_probability
from models.matrices import check_training


@dataclass(frozen=True, slots=True)
class FittedForest:
    """A fitted scikit-learn pipeline: median imputer, then random forest."""

    kind: ClassVar[str] = "forest"
    parameters: Mapping[str, float]
    native: Any

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probability of a rise, shape (n,)."""
        probabilities: NDArray[np.float64] = self.native.predict_proba(X)[:, 1]
        return probabilities

    def importance(self, feature_names: Sequence[str]) -> pl.DataFrame:
        """Mean decrease in impurity per feature; it favours features with many distinct values."""
        return importance_table(feature_names, self.native[-1].feature_importances_)

    def to_onnx(self, n_features: int) -> Any:
        """ONNX model of imputer and trees."""
        from skl2onnx import to_onnx

        example = np.zeros((1, n_features), dtype=np.float32)
        return keep_probability(to_onnx(self.native, example, options={id(self.native): {"zipmap": False}}))


def fit(
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    *,
    seed: int,
    trees: int = 200,
    max_depth: int = 4,
    min_leaf: int = 100,
    n_jobs: int = 2,
) -> FittedForest:
    """Fit a random forest.

    Parameters
    ----------
    X : numpy.ndarray of float32, shape (n, p)
        Features; NaN is replaced by the feature's median over these rows, or by 0 if all are NaN.
    y : numpy.ndarray of int64, shape (n,)
        1 for a rise, 0 otherwise.
    seed : int
        Seed of bootstrap samples and feature draws.
    trees, max_depth, min_leaf : int
        Number of trees, their depth, and the fewest rows in a leaf: shallow trees with large leaves, because
        returns are mostly noise and the rows of a panel, with labels that overlap, are far fewer than they
        seem.
    n_jobs : int
        Threads while fitting; the result does not depend on it.

    Returns
    -------
    FittedForest

    Raises
    ------
    DatasetError
        If the rows cannot be learnt from.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    check_training(X, y)
    classifier = RandomForestClassifier(
        n_estimators=trees, max_depth=max_depth, min_samples_leaf=min_leaf, n_jobs=n_jobs, random_state=seed
    )
    pipeline = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), classifier)
    pipeline.fit(X, y)
    # Threads add the trees' votes in the order in which they finish, which changes the last bits of the sum.
    classifier.set_params(n_jobs=1)
    parameters = {"seed": seed, "trees": trees, "max_depth": max_depth, "min_leaf": min_leaf}
    return FittedForest(parameters=parameters, native=pipeline)
