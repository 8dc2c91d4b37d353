"""The kinds of model by name, and what each of them can do once fitted."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models import boosted, forest, neural
from strikelake.errors import ModelError

_FIT: Mapping[str, Callable[..., "Fitted"]] = {
    "forest": forest.fit,
    "boosted": boosted.fit,
    "neural": neural.fit,
}

KINDS = tuple(_FIT)


class Fitted(Protocol):
    """A fitted model of any kind."""

    @property
    def kind(self) -> str:
        """Name of the kind, one of `KINDS`."""

    @property
    def parameters(self) -> Mapping[str, float]:
        """Everything that `fit` was given except the rows: with the same rows it gives the same model."""

    @property
    def native(self) -> Any:
        """The library's own object, for storage in the library's own format."""

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probability of a rise, shape (n,), for rows of shape (n, p); NaN is a missing value."""

    def importance(self, feature_names: Sequence[str]) -> pl.DataFrame:
        """Weight of each feature: columns feature and importance, largest first, summing to 1."""

    def to_onnx(self, n_features: int) -> Any:
        """ONNX model with input ``X`` (n, p) float32 and output ``probability`` (n, 1) float32."""


def fit(kind: str, X: NDArray[np.float32], y: NDArray[np.int64], *, seed: int, **parameters: Any) -> Fitted:
    """Fit a model by the name of its kind.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    X : numpy.ndarray of float32, shape (n, p)
        Features, rows in time order; NaN where unknown.
    y : numpy.ndarray of int64, shape (n,)
        1 for a rise, 0 otherwise.
    seed : int
        Seed of everything random; the same rows and seed give the same probabilities, bit by bit.
    **parameters
        Keyword arguments of that kind's own ``fit``.

    Returns
    -------
    Fitted

    Raises
    ------
    ModelError
        If there is no such kind.
    DatasetError
        If the rows cannot be learnt from.
    """
    if kind not in _FIT:
        raise ModelError(f"There is no model kind {kind!r}: choose from {', '.join(KINDS)}.")
    return _FIT[kind](X, y, seed=seed, **parameters)
