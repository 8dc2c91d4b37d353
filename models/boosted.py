"""Gradient-boosted trees (XGBoost), which learn where missing values belong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.explain import importance_table
from models.export import constant, keep_probability
from models.matrices import check_training


@dataclass(frozen=True, slots=True)
class FittedBoosted:
    """A fitted XGBoost booster."""

    kind: ClassVar[str] = "boosted"
    parameters: Mapping[str, float]
    native: Any

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probability of a rise, shape (n,)."""
        probabilities: NDArray[np.float64] = self.native.inplace_predict(X).astype(np.float64)
        return probabilities

    def importance(self, feature_names: Sequence[str]) -> pl.DataFrame:
        """Share of the loss reduction that each feature's splits brought; unused features have 0."""
        gains = self.native.get_score(importance_type="total_gain")
        return importance_table(feature_names, [gains.get(f"f{i}", 0.0) for i in range(len(feature_names))])

    def to_onnx(self, n_features: int) -> Any:
        """ONNX model of the trees, with the branch that missing values take.

        Trees without a split, which few rows leave, are one number: the converter would take them wrongly.
        """
        if not self.native.get_score():
            return constant(float(self.predict_proba(np.zeros((1, n_features), np.float32))[0]), n_features)
        from onnxmltools import convert_xgboost
        from onnxmltools.convert.common.data_types import FloatTensorType

        types = [("X", FloatTensorType([None, n_features]))]
        return keep_probability(convert_xgboost(self.native, initial_types=types))


def fit(
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    *,
    seed: int,
    rounds: int = 60,
    max_depth: int = 2,
    learning_rate: float = 0.02,
    row_share: float = 0.7,
    feature_share: float = 0.7,
    min_leaf: float = 50.0,
    n_jobs: int = 1,
) -> FittedBoosted:
    """Fit gradient-boosted trees.

    Parameters
    ----------
    X : numpy.ndarray of float32, shape (n, p)
        Features; NaN follows the branch that lowered the loss most in training.
    y : numpy.ndarray of int64, shape (n,)
        1 for a rise, 0 otherwise.
    seed : int
        Seed of row and feature draws.
    rounds, max_depth : int
        Number of trees and their depth.
    learning_rate : float
        Share of each tree's step that is taken.
    row_share, feature_share : float
        Shares of rows and of features, in (0, 1], that each tree sees.
    min_leaf : float
        Least sum of second derivatives in a leaf: four times as many rows at a probability of one half.
    n_jobs : int
        Threads; the result does not depend on it. One by default: for tens of thousands of rows more gain
        nothing on idle cores, and on busy ones they spin while they wait for each other, many times longer.

    Returns
    -------
    FittedBoosted

    Raises
    ------
    DatasetError
        If the rows cannot be learnt from.
    """
    import xgboost

    check_training(X, y)
    parameters = {
        "seed": seed,
        "max_depth": max_depth,
        "learning_rate": learning_rate,
        "subsample": row_share,
        "colsample_bytree": feature_share,
        "min_child_weight": min_leaf,
    }
    booster = xgboost.train(
        # A stated base score: the default, estimated from y, is stored in a form ONNX exporters misread.
        {**parameters, "objective": "binary:logistic", "base_score": 0.5, "nthread": n_jobs, "verbosity": 0},
        xgboost.DMatrix(X, label=y, nthread=n_jobs),
        num_boost_round=rounds,
    )
    return FittedBoosted(parameters={**parameters, "rounds": rounds}, native=booster)
