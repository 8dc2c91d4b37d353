"""ONNX models that are checked against the model they came from."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.scoring import open_session, up_probabilities
from strikelake.errors import ModelError

if TYPE_CHECKING:
    from models.kinds import Fitted

TOLERANCE = 1e-5


def export(fitted: "Fitted", X: NDArray[np.float32], *, tolerance: float = TOLERANCE) -> bytes:
    """Convert a fitted model to ONNX and prove that both give the same probabilities.

    Parameters
    ----------
    fitted : Fitted
        Model of any kind.
    X : numpy.ndarray of float32, shape (n, p)
        Rows to compare on, normally the training rows. Rows with each feature missing in turn, and one with
        all of them missing, are added: training rows may hold no NaN, trading will.
    tolerance : float
        Largest allowed absolute difference between probabilities.

    Returns
    -------
    bytes
        Serialised ONNX model with input ``X`` (n, p) and output ``probability`` (n, 1), both float32.

    Raises
    ------
    ModelError
        If any probability differs by more than `tolerance`.
    """
    content: bytes = fitted.to_onnx(X.shape[1]).SerializeToString()
    probes = np.concatenate([X, _with_gaps(X)])
    difference = np.abs(up_probabilities(open_session(content), probes) - fitted.predict_proba(probes))
    # Written so that a NaN probability fails too.
    if not (difference <= tolerance).all():
        row = int(np.argmax(np.nan_to_num(difference, nan=np.inf)))
        raise ModelError(
            f"The ONNX {fitted.kind} model differs from its source by {difference[row]:.2g} on row {row} "
            f"(allowed: {tolerance:.2g}): compare the installed converters with requirements.lock."
        )
    return content


def _with_gaps(X: NDArray[np.float32]) -> NDArray[np.float32]:
    features = X.shape[1]
    rows: NDArray[np.float32] = X[np.arange(features + 1) % len(X)]
    rows[np.arange(features), np.arange(features)] = np.nan
    rows[features] = np.nan
    return rows


def keep_probability(model: Any) -> Any:
    """Reduce a converted classifier's outputs to the one that is scored, in place.

    Converters emit a class label and both classes' probabilities. The label would be computed on every call
    for nobody, and MLflow's generic scoring flattens outputs of two columns into one.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array([1]), "rise"))
    graph.node.append(
        helper.make_node(
            "ArrayFeatureExtractor", ["probabilities", "rise"], ["probability"], domain="ai.onnx.ml"
        )
    )
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1]))
    return model


def constant(probability: float, n_features: int) -> Any:
    """Return a model that gives every row the same probability."""
    from onnx import TensorProto, helper

    value = helper.make_tensor("value", TensorProto.FLOAT, [1], [probability])
    graph = helper.make_graph(
        [
            helper.make_node("Shape", ["X"], ["rows"], start=0, end=1),
            helper.make_node("Constant", [], ["one"], value_ints=[1]),
            helper.make_node("Concat", ["rows", "one"], ["shape"], axis=0),
            helper.make_node("ConstantOfShape", ["shape"], ["probability"], value=value),
        ],
        "constant",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, n_features])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
