"""The scorer that predicts and trades: onnxruntime on one thread, no training library."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.matrices import design_matrix
from strikelake.errors import ModelError


@dataclass(frozen=True, slots=True)
class Scorer:
    """A registered model, ready to score.

    Parameters
    ----------
    name : str
        Name of the registered model.
    version : int
        Its version.
    kind : str
        forest, boosted or neural.
    features : tuple of str
        Feature columns in the order of training.
    bar : str
        Bar the features were computed on, such as "30m".
    horizon : int
        Bars ahead that the probability speaks of.
    session : onnxruntime.InferenceSession
        Loaded model.
    """

    name: str
    version: int
    kind: str
    features: tuple[str, ...]
    bar: str
    horizon: int
    session: Any = field(repr=False, compare=False)

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Score decisions.

        Parameters
        ----------
        frame : polars.DataFrame
            Columns asof, underlying and every name in `features`; other columns are ignored. A row's features
            must have been known at its asof: the scorer cannot check that.

        Returns
        -------
        polars.DataFrame
            Columns asof, underlying and probability (of a rise), one row per input row in the same order.
            Probabilities are never null: each kind of model has its own answer to a missing feature.

        Raises
        ------
        ModelError
            If a column is missing.
        """
        missing = [name for name in ("asof", "underlying") if name not in frame.columns]
        if missing:
            raise ModelError(
                f"The feature frame lacks {', '.join(missing)}: add the decision's time and underlying."
            )
        probability = up_probabilities(self.session, design_matrix(frame, self.features))
        return frame.select("asof", "underlying").with_columns(probability=probability)


def load_scorer(
    content: bytes, *, name: str, version: int, kind: str, features: tuple[str, ...], bar: str, horizon: int
) -> Scorer:
    """Load a scorer from an ONNX model.

    Raises
    ------
    ModelError
        If the bytes are no ONNX model, or its number of inputs is not the number of features.
    """
    session = open_session(content)
    inputs = session.get_inputs()[0].shape[1]
    if inputs != len(features):
        raise ModelError(
            f"Model {name} version {version} takes {inputs} features, not the {len(features)} registered: "
            "run `strikelake train` to register a new one."
        )
    return Scorer(name, version, kind, features, bar, horizon, session)


def open_session(content: bytes) -> Any:
    """Open an ONNX model in an onnxruntime session on one thread.

    One thread because a row takes microseconds, less than waking a second thread.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime raises a dozen unrelated classes from its native module.
        raise ModelError(f"{len(content)} bytes are no ONNX model, export it again: {error}") from error


def up_probabilities(session: Any, X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probability of a rise, shape (n,), for rows of shape (n, p)."""
    if not len(X):
        return np.empty(0)
    probabilities: NDArray[np.float64] = session.run(["probability"], {"X": X})[0][:, 0].astype(np.float64)
    return probabilities
