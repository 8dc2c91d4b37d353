"""What the registry keeps: candidates, where they come from, and the versions they become."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from models.evaluation import Evaluation
from models.explain import calibration_chart, importance_chart
from models.kinds import Fitted

FORECASTS_FILE = "forecasts.parquet"


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a model was trained on.

    Parameters
    ----------
    features : tuple of str
        Feature columns in the order of training.
    bar : str
        Bar of the decisions, such as "30m".
    horizon : int
        Bars ahead that the label looks.
    versions : mapping of str to int
        Version of every lake table that the dataset was read from.
    code_version : str
        Version of the code that trained.
    """

    features: tuple[str, ...]
    bar: str
    horizon: int
    versions: Mapping[str, int]
    code_version: str

    def tags(self) -> dict[str, str]:
        """Flat text tags of a run, tables as ``data.<table>``; a long list of features would not fit."""
        data = {f"data.{table}": str(version) for table, version in sorted(self.versions.items())}
        spec = {"bar": self.bar, "horizon": str(self.horizon), "code_version": self.code_version}
        return {**spec, **data}

    def version_tags(self) -> dict[str, str]:
        """Tags of a registered version: those of a run, and the features in order as JSON."""
        return {**self.tags(), "features": json.dumps(self.features)}

    def digest(self) -> str:
        """Short hash of features, bar, horizon and table versions: equal for equal datasets."""
        tags = {name: value for name, value in self.version_tags().items() if name != "code_version"}
        return hashlib.sha256(json.dumps(tags, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is fitted, validated and exported, ready to be registered.

    Parameters
    ----------
    fitted : Fitted
        Model refitted on all rows.
    onnx : bytes
        The same model, exported and checked.
    evaluation : Evaluation
        Metrics of all out-of-sample forecasts.
    folds : tuple of Evaluation
        Metrics of each test window in time order.
    calibration, importance : polars.DataFrame
        As `models.evaluation.calibration` and `Fitted.importance` return them.
    forecasts : polars.DataFrame
        Out-of-sample forecasts: asof, underlying, probability, model, fold, label, forward_return, known_at.
    """

    fitted: Fitted
    onnx: bytes
    evaluation: Evaluation
    folds: tuple[Evaluation, ...]
    calibration: pl.DataFrame
    importance: pl.DataFrame
    forecasts: pl.DataFrame

    def write(self, folder: Path) -> None:
        """Write forecasts (Parquet), importance and calibration (CSV and PNG each) into a folder."""
        kind = self.fitted.kind
        self.forecasts.write_parquet(folder / FORECASTS_FILE)
        self.importance.write_csv(folder / "importance.csv")
        self.calibration.write_csv(folder / "calibration.csv")
        (folder / "importance.png").write_bytes(importance_chart(self.importance, f"{kind}: importance"))
        (folder / "calibration.png").write_bytes(calibration_chart(self.calibration, f"{kind}: calibration"))


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered version and what it was registered with.

    Parameters
    ----------
    name : str
        Registered model.
    version : int
        Number of the version.
    kind : str
        forest, boosted or neural.
    run_id : str
        Run that recorded it.
    lineage : Lineage
        What it was trained on.
    metrics : mapping of str to float
        Out-of-sample metrics, named ``oos_...``.
    """

    name: str
    version: int
    kind: str
    run_id: str
    lineage: Lineage
    metrics: Mapping[str, float]


def lineage_from_tags(tags: Mapping[str, str]) -> Lineage:
    """Read back what `Lineage.version_tags` wrote; other tags are ignored.

    Examples
    --------
    >>> lineage = Lineage(("rsi_14",), "30m", 2, {"stock_day_bars": 3}, "0.1.0")
    >>> lineage_from_tags(lineage.version_tags()) == lineage
    True
    """
    return Lineage(
        tuple(json.loads(tags["features"])),
        tags["bar"],
        int(tags["horizon"]),
        data_versions(tags),
        tags["code_version"],
    )


def data_versions(tags: Mapping[str, str]) -> dict[str, int]:
    """Return the version of each lake table that tags of a run name.

    Examples
    --------
    >>> data_versions({"bar": "30m", "data.features": "3"})
    {'features': 3}
    """
    return {tag.removeprefix("data."): int(tags[tag]) for tag in tags if tag.startswith("data.")}
