"""A small perceptron, trained with Lightning and stopped early on the latest rows."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.explain import importance_table
from models.matrices import check_training

# ONNX versions from 2022, with every operator used here: readable by any onnxruntime since.
_OPSET = 17
_IR_VERSION = 8


@dataclass(frozen=True, slots=True)
class FittedNeural:
    """A fitted torch network, which standardises its own input."""

    kind: ClassVar[str] = "neural"
    parameters: Mapping[str, float]
    native: Any
    contributions: NDArray[np.float32]

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probability of a rise, shape (n,)."""
        import torch

        with _one_thread(), torch.inference_mode():
            probabilities: NDArray[np.float64] = self.native(torch.from_numpy(X)).numpy().astype(np.float64)
        return probabilities

    def importance(self, feature_names: Sequence[str]) -> pl.DataFrame:
        """Share of the mean absolute contribution to the training rows' log-odds: value times gradient."""
        return importance_table(feature_names, self.contributions)

    def to_onnx(self, n_features: int) -> Any:
        """ONNX model of scaling, missing values and layers."""
        from onnx import TensorProto, checker, helper, numpy_helper

        layers = _dense_layers(self.native)
        constants = _constants(self.native, layers)
        graph = helper.make_graph(
            _nodes(len(layers)),
            "neural",
            [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, n_features])],
            [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        checker.check_model(model, full_check=True)
        return model


def fit(
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    *,
    seed: int,
    hidden: int = 16,
    dropout: float = 0.5,
    epochs: int = 30,
    patience: int = 4,
    batch_size: int = 256,
    learning_rate: float = 5e-4,
    held_out_share: float = 0.15,
) -> FittedNeural:
    """Fit a perceptron with two hidden layers.

    Parameters
    ----------
    X : numpy.ndarray of float32, shape (n, p)
        Features, rows in time order; NaN becomes the training mean.
    y : numpy.ndarray of int64, shape (n,)
        1 for a rise, 0 otherwise.
    seed : int
        Seed of first weights, dropout and the order of rows; torch's global generator is left as it was.
    hidden : int
        Width of the hidden layers.
    dropout : float
        Share of hidden units silenced in each step.
    epochs, patience : int
        Most passes over the rows, and passes without improvement after which to stop.
    batch_size : int
        Rows per step.
    learning_rate : float
        Step size of AdamW.
    held_out_share : float
        Share of rows, the latest ones, that decide when to stop and are not learnt from. They are the latest
        because rows drawn at random would share their bars with their neighbours and never say stop.

    Returns
    -------
    FittedNeural

    Raises
    ------
    DatasetError
        If the rows cannot be learnt from.
    """
    import torch

    from models.networks import Network, Schedule, contributions, train

    check_training(X, y)
    cut = max(1, len(X) - max(1, round(len(X) * held_out_share)))
    inputs, targets = torch.from_numpy(X), torch.from_numpy(y.astype(np.float32))
    schedule = Schedule(epochs, patience, batch_size, learning_rate)
    with _one_thread(), _quiet_lightning(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(*_scaling(X[:cut]), hidden, dropout)
        train(network, (inputs[:cut], targets[:cut]), (inputs[cut:], targets[cut:]), schedule, seed)
        weights = contributions(network, inputs)
    shape = {"hidden": hidden, "dropout": dropout, "held_out_share": held_out_share}
    return FittedNeural(
        parameters={"seed": seed, **shape, **schedule._asdict()}, native=network, contributions=weights
    )


def _scaling(X: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of known values.

    A feature that never varies has an infinite spread, so that the network always sees 0 for it: weights that
    no row has trained must not act on the first row in which it does vary.
    """
    known = np.maximum(np.isfinite(X).sum(axis=0), 1)
    mean = np.nansum(X, axis=0, dtype=np.float64) / known
    spread = np.sqrt(np.nansum((X - mean) ** 2, axis=0) / known)
    return mean.astype(np.float32), np.where(spread > 0, spread, np.inf).astype(np.float32)


def _dense_layers(network: Any) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    return [
        (layer.weight.detach().numpy(), layer.bias.detach().numpy())
        for layer in network.layers
        if hasattr(layer, "weight")
    ]


def _constants(
    network: Any, layers: list[tuple[NDArray[np.float32], NDArray[np.float32]]]
) -> dict[str, NDArray[np.float32] | np.float32]:
    from models.networks import SCALED_LIMIT

    constants = {
        "mean": network.mean.numpy(),
        "scale": network.scale.numpy(),
        "zero": np.float32(0),
        "low": np.float32(-SCALED_LIMIT),
        "high": np.float32(SCALED_LIMIT),
    }
    for i, (weights, bias) in enumerate(layers):
        constants |= {f"weights{i}": weights, f"bias{i}": bias}
    return constants


def _nodes(n_layers: int) -> list[Any]:
    """`models.networks.Network.forward`, node by node: torch's exporter needs more packages."""
    from onnx import helper

    nodes = [
        helper.make_node("Sub", ["X", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["scaled"]),
        helper.make_node("IsNaN", ["scaled"], ["unknown"]),
        helper.make_node("Where", ["unknown", "zero", "scaled"], ["known"]),
        helper.make_node("Clip", ["known", "low", "high"], ["hidden0"]),
    ]
    for i in range(n_layers):
        dense = [f"hidden{i}", f"weights{i}", f"bias{i}"]
        nodes.append(helper.make_node("Gemm", dense, [f"dense{i}"], transB=1))
        if i < n_layers - 1:
            nodes.append(helper.make_node("Relu", [f"dense{i}"], [f"hidden{i + 1}"]))
    return [
        *nodes,
        helper.make_node("Sigmoid", [f"dense{n_layers - 1}"], ["probability"]),
    ]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch on one thread: more are slower for layers this small, and starve the other cores' work."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Hide Lightning's greetings about devices and tips; its warnings still show."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Lightning calls a torch function that torch has since renamed; nothing a caller could change.
            warnings.filterwarnings(
                "ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning
            )
            yield
    finally:
        logger.setLevel(level)
