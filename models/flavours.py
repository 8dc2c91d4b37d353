"""Fitted models in MLflow's formats: ONNX to score with, and the library's own as the source of truth."""

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from models.versions import Candidate, Lineage


class _Flavour(NamedTuple):
    module: str
    packages: tuple[str, ...]
    options: Mapping[str, object]
    traced: bool = False


# The formats that hold no pickle: opening a stored model must not run code.
_FLAVOURS: Mapping[str, _Flavour] = {
    "forest": _Flavour(
        "mlflow.sklearn",
        ("scikit-learn", "skops"),
        {"serialization_format": "skops", "skops_trusted_types": ["sklearn.tree._tree.Tree", "numpy.dtype"]},
    ),
    "boosted": _Flavour("mlflow.xgboost", ("xgboost",), {"model_format": "ubj"}),
    "neural": _Flavour("mlflow.pytorch", ("torch",), {"serialization_format": "pt2"}, traced=True),
}


def log_model(
    client: Any, run_id: str, suffix: str, save: Callable[..., None], candidate: Candidate, lineage: Lineage
) -> str:
    """Save a model in one format and log it to a run.

    Parameters
    ----------
    client : mlflow.MlflowClient
        Client of the registry.
    run_id : str
        Run that the model belongs to.
    suffix : str
        What follows the kind in the logged model's name.
    save : callable
        `save_onnx` or `save_native`.
    candidate, lineage : Candidate, Lineage
        The model and its features.

    Returns
    -------
    str
        Id of the logged model.
    """
    from mlflow.models import Model

    kind = candidate.fitted.kind
    experiment = client.get_run(run_id).info.experiment_id
    logged = client.create_logged_model(experiment, f"{kind}-{suffix}", run_id, tags={"kind": kind})
    identity = Model(artifact_path=logged.artifact_location, run_id=run_id, model_id=logged.model_id)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        # Both arise once, while MLflow and skops import their own modules; nothing a caller could change.
        warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
        warnings.filterwarnings("ignore", "numpy.core is deprecated", DeprecationWarning)
        path = str(Path(folder) / "model")
        save(candidate, lineage, path=path, mlflow_model=identity)
        client.log_model_artifacts(logged.model_id, path)
    client.finalize_logged_model(logged.model_id, "READY")
    return str(logged.model_id)


def save_onnx(candidate: Candidate, lineage: Lineage, **where: Any) -> None:
    """Write the ONNX model with MLflow's description; the signature names the features in order."""
    import mlflow.onnx
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    inputs = Schema([ColSpec("float", feature) for feature in lineage.features])
    outputs = Schema([TensorSpec(np.dtype(np.float32), (-1, 1), "probability")])
    mlflow.onnx.save_model(
        onnx.load_from_string(candidate.onnx),
        signature=ModelSignature(inputs, outputs),
        pip_requirements=_requirements("onnx", "onnxruntime"),
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
        **where,
    )


def save_native(candidate: Candidate, lineage: Lineage, **where: Any) -> None:
    """Write the library's own format: skops for the forest, UBJSON for XGBoost, PT2 for torch."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    flavour = _FLAVOURS[candidate.fitted.kind]
    n_features = len(lineage.features)
    options: dict[str, Any] = dict(flavour.options)
    if flavour.traced:
        options["input_example"] = np.zeros((2, n_features), dtype=np.float32)
    import_module(flavour.module).save_model(
        candidate.fitted.native,
        signature=ModelSignature(Schema([TensorSpec(np.dtype(np.float32), (-1, n_features))])),
        pip_requirements=_requirements(*flavour.packages),
        **options,
        **where,
    )


def _requirements(*packages: str) -> list[str]:
    """Pin what a model needs; MLflow would import it in another process to find out, which takes seconds."""
    return [f"{package}=={installed(package)}" for package in ("mlflow", *packages)]
