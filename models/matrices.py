"""Design matrices: one rule for turning features into numbers, in training and in trading."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from strikelake.errors import DatasetError, ModelError

_MATRIX_DIMENSIONS = 2


def design_matrix(frame: pl.DataFrame, features: Sequence[str]) -> NDArray[np.float32]:
    """Turn feature columns into the matrix that every model reads.

    Parameters
    ----------
    frame : polars.DataFrame
        One row per decision, with at least the columns named by `features`.
    features : sequence of str
        Columns in the order in which the model was, or will be, trained.

    Returns
    -------
    numpy.ndarray of float32, shape (n, p)
        Rows in the frame's order. Null, NaN and infinite values, and values too large for float32, are NaN.

    Raises
    ------
    ModelError
        If there are no features, or the frame lacks one of them.

    Examples
    --------
    >>> design_matrix(pl.DataFrame({"rsi_14": [0.5, None]}), ["rsi_14"]).tolist()
    [[0.5], [nan]]
    """
    if not features:
        raise ModelError("No feature names were given: a model needs at least one feature column.")
    known = set(frame.columns)
    missing = [name for name in features if name not in known]
    if missing:
        raise ModelError(
            f"The feature frame lacks {', '.join(missing)}: build it with the features of the training."
        )
    chosen = frame[list(features)]
    if set(chosen.dtypes) != {pl.Float64}:
        chosen = chosen.cast(pl.Float64)
    with np.errstate(over="ignore"):
        X = chosen.to_numpy().astype(np.float32, order="C")
    X[~np.isfinite(X)] = np.nan
    return X


def check_training(X: NDArray[np.float32], y: NDArray[np.int64]) -> None:
    """Refuse rows that no model can learn from.

    Raises
    ------
    DatasetError
        If shapes disagree, a value is infinite, a label is neither 0 nor 1, or only one class is present.
    """
    if X.ndim != _MATRIX_DIMENSIONS or y.ndim != 1 or len(X) != len(y):
        raise DatasetError(f"X has shape {X.shape} and y {y.shape}: pass (n, p) and (n,) with the same n.")
    if np.isinf(X).any():
        raise DatasetError("X holds infinite values: build it with design_matrix, which makes them NaN.")
    classes = np.unique(y)
    if not np.isin(classes, (0, 1)).all():
        raise DatasetError(f"Labels must be 0 or 1; found {classes[:5].tolist()}.")
    if len(classes) < 2:  # noqa: PLR2004 - up and down
        raise DatasetError(
            f"The {len(y)} training labels are all {classes.tolist()}: train on more sessions or underlyings."
        )
