"""Runs, versions and the champion, in a real MLflow store.

Tests import MLflow where they use it, after the registry has: importing it warns about its own modules.
"""

import json
import sqlite3
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from models.evaluation import calibration, evaluate
from models.export import export
from models.kinds import KINDS, fit
from models.registry import Registry
from models.versions import Candidate, Lineage
from strikelake.errors import ModelError, NoChampionError


@pytest.fixture(scope="module")
def lineage(problem):
    return Lineage(problem.features, "30m", 2, {"stock_minute_bars": 7, "features": 3}, "0.1.0+abc")


@pytest.fixture(scope="module")
def candidates(problem, cheap):
    return {kind: candidate(kind, problem, cheap[kind]) for kind in KINDS}


def candidate(kind, problem, options):
    fitted = fit(kind, problem.X, problem.y, seed=3, **options)
    probability = fitted.predict_proba(problem.X)
    return Candidate(
        fitted=fitted,
        onnx=export(fitted, problem.X),
        evaluation=evaluate(problem.y, probability),
        folds=tuple(evaluate(problem.y[i::2], probability[i::2]) for i in range(2)),
        calibration=calibration(problem.y, probability),
        importance=fitted.importance(problem.features),
        forecasts=pl.DataFrame({"asof": range(600), "probability": probability, "model": kind}),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tracking")


@pytest.fixture(scope="module")
def registry(folder):
    return Registry(f"sqlite:///{folder}/deep/mlflow.db", f"{folder}/artifacts", "research", "direction-30m")


@pytest.fixture(scope="module")
def client(registry, training):
    from mlflow import MlflowClient

    return MlflowClient(registry.tracking_uri, registry.tracking_uri)


@pytest.fixture(scope="module")
def training(registry, candidates, lineage):
    """One training with a version of each kind; none is promoted."""
    with registry.training({"seed": 3, "n_folds": 2}, lineage) as run_id:
        versions = {kind: registry.register(run_id, candidates[kind], lineage) for kind in KINDS}
        registry.summarise(run_id, versions["boosted"])
    return run_id, versions


def test_versions_are_numbered_and_say_what_they_are(training, candidates, lineage):
    _, versions = training
    assert [version.version for version in versions.values()] == [1, 2, 3]
    assert {version.kind for version in versions.values()} == set(KINDS)
    assert versions["neural"].lineage == lineage
    assert versions["neural"].metrics == candidates["neural"].evaluation.metrics()


def test_versions_that_runs_refer_to_are_found(registry, training, client, monkeypatch):
    research = client.get_experiment_by_name("research").experiment_id
    other = client.create_run(research, tags={"data.features": "9"})
    client.create_run(client.create_experiment("elsewhere"), tags={"data.features": "8"})
    pages = []

    def search(self, *args, **kwargs):
        pages.append(kwargs)
        return found(self, *args, **kwargs | {"max_results": 2})

    found = type(client).search_runs
    monkeypatch.setattr(type(client), "search_runs", search)
    assert registry.referenced_versions() == {"stock_minute_bars": {7}, "features": {3, 9}}
    assert len(pages) > 1
    client.delete_run(other.info.run_id)
    assert registry.referenced_versions()["features"] == {3, 9}
    assert replace(registry, experiment="nowhere").referenced_versions() == {}


def test_a_store_without_runs_protects_nothing_and_is_not_made(tmp_path):
    registry = Registry(f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path), "research", "direction")
    assert registry.referenced_versions() == {}
    assert list(tmp_path.iterdir()) == []


def test_the_parent_run_holds_settings_and_the_winners_metrics(training, client):
    run = client.get_run(training[0])
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "3", "n_folds": "2"}
    assert (run.data.tags["winner"], run.data.tags["winner_version"]) == ("boosted", "2")
    assert run.data.metrics["oos_log_loss"] == training[1]["boosted"].metrics["oos_log_loss"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_child_run_holds_everything_about_its_model(kind, training, client, candidates):
    run = client.get_run(training[1][kind].run_id)
    wanted = candidates[kind]
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.parentRunId"] == training[0]
    assert {
        "kind": kind,
        "bar": "30m",
        "horizon": "2",
        "code_version": "0.1.0+abc",
    }.items() <= run.data.tags.items()
    assert (run.data.tags["data.stock_minute_bars"], run.data.tags["data.features"]) == ("7", "3")
    assert run.data.params == {name: str(value) for name, value in wanted.fitted.parameters.items()}
    assert wanted.evaluation.metrics().items() <= run.data.metrics.items()
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {
        "forecasts.parquet",
        "importance.csv",
        "importance.png",
        "calibration.csv",
        "calibration.png",
    }
    (dataset,) = run.inputs.dataset_inputs
    assert json.loads(dataset.dataset.source) == {"features": 3, "stock_minute_bars": 7}


def test_each_fold_is_a_step(training, client, candidates):
    history = client.get_metric_history(training[1]["forest"].run_id, "fold_accuracy")
    expected = [(step, fold.accuracy) for step, fold in enumerate(candidates["forest"].folds)]
    assert expected == [(point.step, point.value) for point in history]


@pytest.mark.parametrize("kind", KINDS)
def test_the_registered_version_is_onnx_with_named_inputs(kind, training, client, problem, candidates):
    import mlflow.pyfunc

    version = client.get_model_version("direction-30m", str(training[1][kind].version))
    assert json.loads(version.tags["features"]) == list(problem.features)
    loaded = mlflow.pyfunc.load_model(version.source)
    assert loaded.metadata.signature.inputs.input_names() == list(problem.features)
    rows = pl.DataFrame(problem.X, schema=list(problem.features)).to_pandas()
    probabilities = loaded.predict(rows)["probability"].to_numpy()
    assert np.abs(probabilities - candidates[kind].fitted.predict_proba(problem.X)).max() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_the_source_of_truth_loads_without_pickle(kind, training, client, problem, candidates):
    import mlflow

    experiment = client.get_experiment_by_name("research").experiment_id
    logged = client.search_logged_models([experiment], filter_string=f"name = '{kind}-native'")
    (model,) = [m for m in logged if m.source_run_id == training[1][kind].run_id]
    score = {
        "forest": lambda path: mlflow.sklearn.load_model(path).predict_proba(problem.X)[:, 1],
        "boosted": lambda path: mlflow.xgboost.load_model(path).inplace_predict(problem.X),
        "neural": lambda path: mlflow.pytorch.load_model(path)(torch.from_numpy(problem.X)).detach().numpy(),
    }
    expected = candidates[kind].fitted.predict_proba(problem.X)
    assert np.abs(score[kind](model.artifact_location) - expected).max() < 1e-6
    assert model.status == "READY"


def test_champion_is_who_was_promoted_last(registry, training, problem, candidates):
    _, versions = training
    registry.promote(versions["forest"].version)
    assert registry.champion_info() == versions["forest"]
    registry.promote(versions["neural"].version)
    scorer = registry.champion()
    assert (scorer.name, scorer.version, scorer.kind) == ("direction-30m", 3, "neural")
    assert (scorer.features, scorer.bar, scorer.horizon) == (problem.features, "30m", 2)
    frame = pl.DataFrame(problem.X, schema=list(problem.features)).with_columns(
        asof=pl.int_range(pl.len()), underlying=pl.lit("SPY")
    )
    expected = candidates["neural"].fitted.predict_proba(problem.X)
    assert np.abs(scorer.predict(frame)["probability"].to_numpy() - expected).max() < 1e-6
    assert registry.champion_forecasts().equals(candidates["neural"].forecasts)


def test_a_failure_marks_the_run_failed(registry, client, lineage):
    with pytest.raises(ZeroDivisionError), registry.training({}, lineage) as run_id:
        raise ZeroDivisionError
    assert client.get_run(run_id).info.status == "FAILED"


def test_a_store_that_does_not_exist_is_not_created_by_asking(tmp_path):
    nowhere = Registry(f"sqlite:///{tmp_path}/none/mlflow.db", str(tmp_path), "research", "direction")
    with pytest.raises(
        NoChampionError, match=r"Model direction has no champion in sqlite.*run `strikelake train`"
    ):
        nowhere.champion()
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_model_and_a_model_without_alias_have_no_champion(registry, candidates, lineage, training):
    other = replace(registry, model_name="direction-1d")
    with pytest.raises(NoChampionError, match="direction-1d has no champion"):
        other.champion_info()
    other.register(training[0], candidates["boosted"], lineage)
    with pytest.raises(NoChampionError, match="direction-1d has no champion"):
        other.champion_forecasts()


def test_the_process_keeps_its_own_tracking_store(training):
    import mlflow

    assert "tracking" not in mlflow.get_tracking_uri()


def test_equal_datasets_have_equal_digests(lineage):
    assert lineage.digest() == replace(lineage, code_version="other").digest()
    assert lineage.digest() != replace(lineage, versions={"features": 4, "stock_minute_bars": 7}).digest()


def test_recording_is_quiet(registry, candidates, lineage, training, capfd):
    registry.register(training[0], candidates["boosted"], lineage)
    registry.promote(2)
    registry.champion()
    registry.champion_forecasts()
    assert capfd.readouterr() == ("", "")


def test_a_run_takes_any_number_of_features(registry, candidates, training):
    many = Lineage(tuple(f"a_rather_long_feature_name_{i:04}" for i in range(600)), "30m", 2, {}, "0.1.0")
    version = registry.register(training[0], candidates["boosted"], many)
    assert version.lineage == many


def test_a_store_that_cannot_be_used_is_one_line_without_a_password(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 1_000)
    newer = sqlite3.connect(tmp_path / "newer.db")
    newer.execute("create table alembic_version as select 'ffffffffffff' as version_num")
    newer.commit()
    newer.close()
    stores = {
        f"sqlite:///{tmp_path}/mlflow.db": "file is not a database",
        f"sqlite:///{tmp_path}/newer.db": "Can't locate revision",
        "nothing://me:hush@127.0.0.1/mlflow": "unsupported URI",
    }
    for uri, why in stores.items():
        registry = Registry(uri, str(tmp_path / "artifacts"), "research", "direction")
        with pytest.raises(ModelError, match=why) as caught:
            registry.champion_info()
        said = str(caught.value)
        assert said.startswith("MLflow cannot be used at ")
        assert "check tracking.uri" in said
        assert ("\n" in said, "hush" in said) == (False, False)
