"""Runs, model versions and the champion, kept by MLflow.

Only this module, `models.records` and `models.flavours` import it.

Everything goes through a client with an explicit address. MLflow's fluent functions would change the tracking
address of the whole process.
"""

import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from models.flavours import log_model, save_native, save_onnx
from models.records import pages, record, record_metrics
from models.scoring import Scorer, load_scorer
from models.versions import FORECASTS_FILE, Candidate, Lineage, ModelVersion, data_versions, lineage_from_tags
from strikelake.errors import ModelError, NoChampionError

CHAMPION = "champion"
_SQLITE = "sqlite:///"
# MLflow's answers to an unknown model and to an unknown alias.
_NOT_FOUND = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})


@dataclass(frozen=True, slots=True)
class Registry:
    """An MLflow experiment and the registered model that its runs produce.

    Parameters
    ----------
    tracking_uri : str
        MLflow tracking store, such as ``sqlite:///mlruns/mlflow.db``; a SQLite file is created when first
        written to.
    artifact_root : str
        Folder or ``s3://`` address below which the experiment keeps its files. An existing experiment keeps
        the place it was created with.
    experiment : str
        Name of the experiment.
    model_name : str
        Name of the registered model.
    """

    tracking_uri: str
    artifact_root: str
    experiment: str
    model_name: str

    @contextmanager
    def training(self, parameters: Mapping[str, object], lineage: Lineage) -> Iterator[str]:
        """Open the parent run of one training and give its id; it is marked failed if the block raises."""
        client = self._client()
        run_id = str(client.create_run(self._experiment_id(client), run_name="training").info.run_id)
        record(client, run_id, parameters=parameters, tags=lineage.tags())
        with _ending(client, run_id):
            yield run_id

    def register(self, training_id: str, candidate: Candidate, lineage: Lineage) -> ModelVersion:
        """Record a candidate in a child run and register its ONNX model as a new version.

        Parameters
        ----------
        training_id : str
            Parent run from `training`.
        candidate : Candidate
            What to record: its parameters, metrics (all forecasts, and each fold as a step), tables, charts,
            out-of-sample forecasts, and the model in its library's own format and in ONNX.
        lineage : Lineage
            What it was trained on.

        Returns
        -------
        ModelVersion
            The new version; it is not used before it is promoted.
        """
        client = self._client()
        kind = candidate.fitted.kind
        experiment = self._experiment_id(client)
        tags = {**lineage.tags(), "kind": kind, "mlflow.parentRunId": training_id}
        run_id = str(client.create_run(experiment, run_name=kind, tags=tags).info.run_id)
        with _ending(client, run_id):
            record(client, run_id, parameters=candidate.fitted.parameters)
            with TemporaryDirectory() as folder:
                candidate.write(Path(folder))
                client.log_artifacts(run_id, folder)
            log_model(client, run_id, "native", save_native, candidate, lineage)
            model_id = log_model(client, run_id, "onnx", save_onnx, candidate, lineage)
            record_metrics(client, run_id, candidate, lineage, model_id)
        if not client.search_registered_models(f"name = '{self.model_name}'"):
            client.create_registered_model(self.model_name)
        created = client.create_model_version(
            self.model_name,
            client.get_logged_model(model_id).artifact_location,
            run_id,
            tags={**lineage.version_tags(), "kind": kind},
            model_id=model_id,
        )
        return _model_version(created, candidate.evaluation.metrics())

    def summarise(self, training_id: str, winner: ModelVersion) -> None:
        """Copy the winner's metrics to the parent run, so that trainings compare in one table."""
        tags = {"winner": winner.kind, "winner_version": str(winner.version)}
        record(self._client(), training_id, metrics=winner.metrics, tags=tags)

    def promote(self, version: int) -> None:
        """Make a version the champion: the one that predicts and trades from now on."""
        self._client().set_registered_model_alias(self.model_name, CHAMPION, str(version))

    def champion(self) -> Scorer:
        """Load the champion for scoring.

        Raises
        ------
        NoChampionError
            If no version has been promoted.
        """
        _, version = self._champion()
        from mlflow.artifacts import download_artifacts

        with TemporaryDirectory() as folder:
            file = download_artifacts(
                f"{version.source}/model.onnx", dst_path=folder, tracking_uri=self.tracking_uri
            )
            content = Path(file).read_bytes()
        info = _model_version(version, {})
        return load_scorer(
            content,
            name=info.name,
            version=info.version,
            kind=info.kind,
            features=info.lineage.features,
            bar=info.lineage.bar,
            horizon=info.lineage.horizon,
        )

    def champion_info(self) -> ModelVersion:
        """Describe the champion without loading it.

        Raises
        ------
        NoChampionError
            If no version has been promoted.
        """
        client, version = self._champion()
        return _model_version(version, client.get_run(version.run_id).data.metrics)

    def champion_forecasts(self) -> pl.DataFrame:
        """Read the champion's out-of-sample forecasts.

        Returns
        -------
        polars.DataFrame
            Columns asof, underlying, probability, model, fold, label, forward_return and known_at. Each was
            made by a model trained only on labels known before its test window: safe to backtest on.

        Raises
        ------
        NoChampionError
            If no version has been promoted.
        """
        client, version = self._champion()
        with TemporaryDirectory() as folder:
            return pl.read_parquet(client.download_artifacts(version.run_id, FORECASTS_FILE, folder))

    def referenced_versions(self) -> dict[str, set[int]]:
        """Return the versions of lake tables that the experiment's runs were made from.

        Returns
        -------
        dict
            Versions by table. Deleted runs count until MLflow purges them: models that they registered stay.
            Without these versions their training sets cannot be rebuilt.
        """
        database = _database(self.tracking_uri)
        if database is not None and not database.exists():
            return {}
        client = self._client()
        experiment = client.get_experiment_by_name(self.experiment)
        if experiment is None:
            return {}
        from mlflow.entities import ViewType

        runs = pages(
            client.search_runs, experiment_ids=[experiment.experiment_id], run_view_type=ViewType.ALL
        )
        found: dict[str, set[int]] = {}
        for run in runs:
            for table, number in data_versions(run.data.tags).items():
                found.setdefault(table, set()).add(number)
        return found

    def _champion(self) -> tuple[Any, Any]:
        nobody = NoChampionError(
            f"Model {self.model_name} has no champion in {_shown(self.tracking_uri)}: run `strikelake train`."
        )
        database = _database(self.tracking_uri)
        if database is not None and not database.exists():
            raise nobody
        client = self._client()
        from mlflow.exceptions import MlflowException

        try:
            return client, client.get_model_version_by_alias(self.model_name, CHAMPION)
        except MlflowException as error:
            if error.error_code not in _NOT_FOUND:
                raise
            raise nobody from error

    def _client(self) -> Any:
        """Return a client whose store has answered once; a ModelError says why one does not."""
        database = _database(self.tracking_uri)
        if database is not None:
            database.parent.mkdir(parents=True, exist_ok=True)
        try:
            client = _open_client(self.tracking_uri)
            client.get_experiment_by_name(self.experiment)
        except Exception as error:  # SQLAlchemy's, Alembic's, a driver's that is not installed
            where, why = _shown(self.tracking_uri), str(error).strip().splitlines() or [type(error).__name__]
            raise ModelError(
                f"MLflow cannot be used at {where} ({_shown(why[0])[:300]}): check tracking.uri, "
                "and that what it names is there, runs and is no newer than this MLflow"
            ) from error
        return client

    def _experiment_id(self, client: Any) -> str:
        found = client.get_experiment_by_name(self.experiment)
        if found is not None:
            return str(found.experiment_id)
        root = self.artifact_root
        # MLflow would resolve a relative folder in whichever directory a later reader happens to run.
        location = root if "://" in root else Path(root).resolve().as_uri()
        return str(client.create_experiment(self.experiment, f"{location}/{self.experiment}"))


def _open_client(tracking_uri: str) -> Any:
    # MLflow takes these from the environment only; who sets them otherwise is obeyed.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # A server that is busy is asked for half a minute; as shipped, one that is gone is for more than four.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")
    with warnings.catch_warnings():
        # About MLflow's own chat types, on import; nothing a caller could change.
        warnings.filterwarnings("ignore", 'Field name "schema" in "JsonSchemaSpec" shadows', UserWarning)
        from mlflow import MlflowClient
    # Both narrate the creation of a new database on stderr; their warnings still show.
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri, tracking_uri)


def _shown(text: str) -> str:
    """Return a URI, or a text with one in it, without its user and password."""
    return re.sub(r"//[^/@]*@", "//…@", text)


def _database(tracking_uri: str) -> Path | None:
    return Path(tracking_uri.removeprefix(_SQLITE)) if tracking_uri.startswith(_SQLITE) else None


@contextmanager
def _ending(client: Any, run_id: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")


def _model_version(version: Any, metrics: Mapping[str, float]) -> ModelVersion:
    return ModelVersion(
        name=version.name,
        version=int(version.version),
        kind=version.tags["kind"],
        run_id=version.run_id,
        lineage=lineage_from_tags(version.tags),
        metrics={name: value for name, value in metrics.items() if name.startswith("oos_")},
    )
