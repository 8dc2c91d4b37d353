"""Training compares kinds out of sample, honestly and repeatably."""

import math
from datetime import date

import numpy as np
import polars as pl
import pytest

from models.evaluation import evaluate
from models.registry import Registry
from pipelines.dataset import Dataset
from pipelines.train import train
from strikelake.calendar import NS_PER_MINUTE, sessions
from strikelake.errors import DatasetError, ModelError

FEATURES = ("momentum", "iv_rank", "noise")
CHEAP = {
    "forest": {"trees": 20, "n_jobs": 1},
    "boosted": {"rounds": 20, "n_jobs": 1},
    "neural": {"epochs": 3, "hidden": 8},
}
HORIZON_NS = 60 * NS_PER_MINUTE


def make_dataset(edge=1.5, seed=5):
    """Four underlyings at every half hour of a month; momentum decides as strongly as `edge` says."""
    rng = np.random.default_rng(seed)
    times = [
        (session.date, session.open_ns + k * 30 * NS_PER_MINUTE)
        for session in sessions(date(2025, 1, 2), date(2025, 2, 3))
        for k in range(1, 12)
    ]
    rows = [(day, asof, name) for day, asof in times for name in ("AAPL", "MSFT", "QQQ", "SPY")]
    X = rng.normal(size=(len(rows), len(FEATURES)))
    up = rng.random(len(rows)) < 1 / (1 + np.exp(-edge * X[:, 0]))
    X[rng.random(X.shape) < 0.03] = np.nan
    frame = pl.DataFrame(rows, schema=["date", "asof", "underlying"], orient="row").with_columns(
        *(pl.Series(name, X[:, i]).fill_nan(None) for i, name in enumerate(FEATURES)),
        label=pl.Series(up).cast(pl.Int8),
        forward_return=pl.Series(np.where(up, 0.01, -0.01)),
        known_at=pl.col("asof") + HORIZON_NS,
    )
    return dataset_of(frame)


def dataset_of(frame):
    versions = {"stock_minute_bars": 7, "features": 3}
    return Dataset(frame, FEATURES, versions, "30m", 2, 0, 0, ())


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracking")
    return Registry(f"sqlite:///{folder}/mlflow.db", f"{folder}/artifacts", "research", "direction-30m")


@pytest.fixture(scope="module")
def lines():
    return []


@pytest.fixture(scope="module")
def report(registry, lines):
    return train(
        make_dataset(),
        registry,
        seed=1,
        n_folds=3,
        parameters=CHEAP,
        code_version="1.2",
        progress=lines.append,
    )


@pytest.fixture(scope="module")
def forecasts(registry, report):
    return registry.champion_forecasts()


def test_every_kind_is_registered_and_the_lowest_log_loss_is_champion(report, registry):
    losses = {model.kind: model.metrics["oos_log_loss"] for model in report.models}
    assert list(losses) == ["forest", "boosted", "neural"]
    assert report.champion.kind == min(losses, key=losses.__getitem__)
    assert registry.champion_info() == report.champion
    assert report.champion.lineage.code_version == "1.2"


def test_the_planted_edge_is_found_out_of_sample(report):
    assert report.champion.metrics["oos_auc"] > 0.7
    assert report.champion.metrics["oos_log_loss"] < math.log(2)


def test_forecasts_cover_every_decision_after_the_first_window_once(forecasts):
    frame = make_dataset().frame
    times = frame["asof"].unique().sort()
    tested = frame.filter(pl.col("asof") >= times[int(len(times) * 0.4)])
    assert forecasts.columns == [
        "asof",
        "underlying",
        "probability",
        "model",
        "fold",
        "label",
        "forward_return",
        "known_at",
    ]
    usable = tested.filter(~pl.all_horizontal(pl.col(FEATURES).is_null()))
    assert usable.select("asof", "underlying").equals(forecasts.select("asof", "underlying"))
    assert forecasts["fold"].unique().sort().to_list() == [0, 1, 2]


def test_metrics_are_those_of_the_forecasts(forecasts, report):
    expected = evaluate(forecasts["label"].to_numpy(), forecasts["probability"].to_numpy()).metrics()
    assert expected == pytest.approx(report.champion.metrics)


def test_the_champion_scores_what_is_registered(registry, report):
    assert registry.champion().features == FEATURES
    assert registry.champion().version == report.champion.version


def test_one_seed_gives_the_same_metrics_to_the_last_digit(registry, report):
    again = train(make_dataset(), registry, seed=1, n_folds=3, parameters=CHEAP)
    assert [model.metrics for model in again.models] == [model.metrics for model in report.models]


def test_the_order_of_rows_does_not_matter(registry, report):
    dataset = make_dataset()
    shuffled = dataset_of(dataset.frame.sample(fraction=1, shuffle=True, seed=2))
    again = train(shuffled, registry, seed=1, kinds=["boosted"], n_folds=3, parameters=CHEAP)
    assert again.champion.metrics == report.models[1].metrics


def test_the_future_does_not_change_a_fold(registry):
    """Labels that become known after a fold's start cannot reach that fold's forecasts."""
    dataset = make_dataset()
    train(dataset, registry, seed=1, kinds=["boosted"], n_folds=3, parameters=CHEAP)
    before = registry.champion_forecasts().filter(pl.col("fold") == 0)
    start = before["asof"].min()
    flipped = pl.when(pl.col("known_at") > start).then(1 - pl.col("label")).otherwise("label")
    changed = dataset_of(dataset.frame.with_columns(flipped.cast(pl.Int8).alias("label")))
    train(changed, registry, seed=1, kinds=["boosted"], n_folds=3, parameters=CHEAP)
    after = registry.champion_forecasts().filter(pl.col("fold") == 0)
    assert before["probability"].to_list() == after["probability"].to_list()


def test_progress_tells_every_step(lines, report):
    assert len(lines) == 3 * (3 + 1) + 1
    assert lines[0] == "forest: fold 1 of 3, trained on 364 rows"
    assert lines[-1].startswith(f"{report.champion.kind}: promoted, out-of-sample log-loss 0.")


def test_the_table_has_a_row_per_model(report):
    table = report.table()
    assert table["model"].to_list() == ["forest", "boosted", "neural"]
    assert table.filter("champion")["version"].to_list() == [report.champion.version]
    assert {"oos_accuracy", "oos_f1", "oos_precision", "oos_recall", "oos_auc"} <= set(table.columns)


def test_rows_without_any_feature_or_label_are_not_used(registry):
    frame = make_dataset().frame
    row = pl.int_range(pl.len())
    holes = frame.with_columns(
        *(pl.when(row < 10).then(None).otherwise(name).alias(name) for name in FEATURES),
        label=pl.when(row >= pl.len() - 5).then(None).otherwise("label"),
    )
    empty = frame.slice(10, frame.height - 15).filter(pl.all_horizontal(pl.col(FEATURES).is_null())).height
    report = train(dataset_of(holes), registry, seed=1, kinds=["boosted"], n_folds=2, parameters=CHEAP)
    assert report.rows == frame.height - 15 - empty


def test_a_dataset_without_usable_rows_is_refused(registry):
    frame = make_dataset().frame.with_columns(*(pl.lit(None, pl.Float64).alias(name) for name in FEATURES))
    with pytest.raises(DatasetError, match=r"None of \d+ rows has both a label and a feature: ingest"):
        train(dataset_of(frame), registry, seed=1)


def test_a_failed_training_leaves_the_champion_in_place(registry, report):
    registry.promote(report.champion.version)
    frame = make_dataset().frame.with_columns(label=pl.lit(1, pl.Int8))
    with pytest.raises(DatasetError, match="train on more sessions or underlyings"):
        train(dataset_of(frame), registry, seed=1, kinds=["boosted"], parameters=CHEAP)
    assert registry.champion_info().version == report.champion.version


@pytest.mark.parametrize("kinds", [[], ["forest", "forest"], ["oracle"]])
def test_kinds_that_cannot_be_compared_are_refused(registry, kinds):
    with pytest.raises(ModelError, match="name some of forest, boosted, neural, each once"):
        train(make_dataset(), registry, seed=1, kinds=kinds)
