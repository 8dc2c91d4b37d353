"""Fit every kind of model, compare them out of sample, and promote the best."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.evaluation import calibration, evaluate
from models.export import export
from models.kinds import KINDS, fit
from models.matrices import design_matrix
from models.registry import Registry
from models.splits import Split, walk_forward
from models.versions import Candidate, Lineage, ModelVersion
from strikelake.errors import DatasetError, ModelError

if TYPE_CHECKING:
    from pipelines.dataset import Dataset


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What one training produced.

    Parameters
    ----------
    run_id : str
        Parent run in the registry.
    rows : int
        Rows that could be used: with a known label and at least one known feature.
    folds : int
        Test windows of the walk-forward.
    champion : ModelVersion
        The version that was promoted.
    models : tuple of ModelVersion
        Every version that was registered, in the order of the kinds asked for.
    """

    run_id: str
    rows: int
    folds: int
    champion: ModelVersion
    models: tuple[ModelVersion, ...]

    def table(self) -> pl.DataFrame:
        """One row per model: model, version, champion, out-of-sample metrics (null where undefined)."""
        return pl.DataFrame(
            [
                {"model": m.kind, "version": m.version, "champion": m == self.champion, **m.metrics}
                for m in self.models
            ],
            infer_schema_length=None,
        )


@dataclass(frozen=True, slots=True)
class _Samples:
    """Usable rows in time order, as a frame and as arrays."""

    frame: pl.DataFrame
    X: NDArray[np.float32]
    y: NDArray[np.int64]


def train(
    dataset: "Dataset",
    registry: Registry,
    *,
    seed: int,
    kinds: Sequence[str] = KINDS,
    n_folds: int = 4,
    embargo_ns: int = 0,
    min_train_share: float = 0.4,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    code_version: str = "unknown",
    progress: Callable[[str], None] | None = None,
) -> TrainingReport:
    """Train, validate, register and promote.

    Each kind forecasts every test window of a purged walk-forward with a model fitted only on labels known
    before the window. Those forecasts give its metrics. It is then fitted again on all rows, exported to ONNX
    with a parity check, and registered. The kind with the lowest out-of-sample log-loss becomes champion.

    Parameters
    ----------
    dataset : Dataset
        Features and labels with the lake versions they were read from.
    registry : Registry
        Where runs, models and the champion are kept.
    seed : int
        Seed of everything random: the same dataset, parameters and seed give the same metrics to the last
        digit on one machine.
    kinds : sequence of str
        Kinds of model to compare; on a tie the first wins.
    n_folds, embargo_ns, min_train_share
        As in `models.splits.walk_forward`.
    parameters : mapping of str to mapping, optional
        Keyword arguments of a kind's ``fit`` by its name, where the defaults will not do.
    code_version : str
        Version of the code, recorded with the models.
    progress : callable, optional
        Told in one line what has been done.

    Returns
    -------
    TrainingReport

    Raises
    ------
    DatasetError
        If there are too few usable rows, or a training window has labels of one class only.
    ModelError
        If a kind is unknown or named twice, or its ONNX model disagrees with it.
    """
    _check_kinds(kinds)
    tell = progress or _tell_nobody
    samples = _samples(dataset)
    windows: dict[str, Any] = {
        "n_folds": n_folds,
        "embargo_ns": embargo_ns,
        "min_train_share": min_train_share,
    }
    splits = walk_forward(samples.frame["asof"].to_numpy(), samples.frame["known_at"].to_numpy(), **windows)
    lineage = Lineage(dataset.features, dataset.bar, dataset.horizon, dataset.versions, code_version)
    versions = []
    with registry.training({"seed": seed, **windows, **_extent(samples)}, lineage) as run_id:
        for kind in kinds:
            options = {"seed": seed, **(parameters or {}).get(kind, {})}
            candidate = _candidate(kind, samples, splits, dataset.features, options, tell)
            versions.append(registry.register(run_id, candidate, lineage))
            tell(f"{kind}: registered as version {versions[-1].version}")
        champion = min(versions, key=lambda version: version.metrics["oos_log_loss"])
        registry.summarise(run_id, champion)
        registry.promote(champion.version)
    tell(f"{champion.kind}: promoted, out-of-sample log-loss {champion.metrics['oos_log_loss']:.4f}")
    return TrainingReport(run_id, len(samples.y), len(splits), champion, tuple(versions))


def _candidate(
    kind: str,
    samples: _Samples,
    splits: Sequence[Split],
    features: Sequence[str],
    options: Mapping[str, Any],
    tell: Callable[[str], None],
) -> Candidate:
    windows = []
    for fold, split in enumerate(splits):
        model = fit(kind, samples.X[split.train], samples.y[split.train], **options)
        windows.append(_forecasts(samples, split, fold, kind, model.predict_proba(samples.X[split.test])))
        tell(f"{kind}: fold {fold + 1} of {len(splits)}, trained on {len(split.train)} rows")
    forecasts = pl.concat(windows)
    label, probability = forecasts["label"].to_numpy(), forecasts["probability"].to_numpy()
    fitted = fit(kind, samples.X, samples.y, **options)
    return Candidate(
        fitted=fitted,
        onnx=export(fitted, samples.X),
        evaluation=evaluate(label, probability),
        folds=tuple(evaluate(w["label"].to_numpy(), w["probability"].to_numpy()) for w in windows),
        calibration=calibration(label, probability),
        importance=fitted.importance(features),
        forecasts=forecasts,
    )


def _forecasts(
    samples: _Samples, split: Split, fold: int, kind: str, probability: NDArray[np.float64]
) -> pl.DataFrame:
    return samples.frame[split.test].select(
        "asof",
        "underlying",
        pl.Series("probability", probability),
        pl.lit(kind).alias("model"),
        pl.lit(fold, pl.Int32).alias("fold"),
        "label",
        "forward_return",
        "known_at",
    )


def _samples(dataset: "Dataset") -> _Samples:
    """Drop rows that cannot teach: no label yet, or no feature known (which are not forecast on either)."""
    frame = dataset.frame.drop_nulls(["label", "known_at"]).sort("asof", "underlying")
    X = design_matrix(frame, dataset.features)
    usable = ~np.isnan(X).all(axis=1)
    if not usable.any():
        raise DatasetError(
            f"None of {dataset.frame.height} rows has both a label and a feature: ingest and featurize more "
            "sessions, then train again."
        )
    kept = frame.filter(pl.Series(usable)).with_columns(pl.col("label").cast(pl.Int64))
    return _Samples(kept, X[usable], kept["label"].to_numpy())


def _extent(samples: _Samples) -> dict[str, int]:
    n_rows, n_features = samples.X.shape
    asof = samples.frame["asof"]
    return {"rows": n_rows, "n_features": n_features, "first_asof": asof[0], "last_asof": asof[-1]}


def _check_kinds(kinds: Sequence[str]) -> None:
    unknown = [kind for kind in kinds if kind not in KINDS]
    if not kinds or unknown or len(set(kinds)) < len(kinds):
        raise ModelError(
            f"Model kinds {list(kinds)} cannot be compared: name some of {', '.join(KINDS)}, each once."
        )


def _tell_nobody(_line: str) -> None:
    pass
