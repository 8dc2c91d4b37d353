"""A training set is made of versions, and can be made again from them, byte for byte."""

import gzip
import io
import json
import os
import shutil
import time
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from features.labels import Label
from models.registry import Registry
from models.versions import Lineage
from pipelines.assemble import assemble, rebuild
from pipelines.featurize import featurize
from pipelines.ingest import ingest
from pipelines.inputs import read_facts
from pipelines.maintain import compact, vacuum
from strikelake.calendar import et_ns, sessions
from strikelake.errors import DatasetError
from strikelake.lake.store import Lake
from strikelake.schemas import table
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles

DAYS = [session.date for session in sessions(date(2024, 1, 2), date(2025, 2, 28))]
TICKERS = ("AAPL", "QQQ", "SPY")
HEADER = "ticker,volume,open,close,high,low,window_start,transactions"


FEATURES = ("return_1", "return_13", "gap", "bollinger_z_20", "volume", "realized_vol_26")


def publish(root, day, seed):
    """Write the file of a day; each writing has an ETag of its own."""
    rng = np.random.default_rng(seed)
    lines = []
    for ticker in TICKERS:
        opened, close = np.round(100.0 + rng.normal(0.0, 2.0, 2), 2)
        low, high = min(opened, close) - 1.0, max(opened, close) + 1.0
        volume = rng.integers(1_000, 9_000)
        lines.append(f"{ticker},{volume},{opened},{close},{high},{low},{et_ns(day, '00:00')},5")
    path = root / Dataset.STOCK_DAY_BARS.prefix / f"{day:%Y/%m}" / f"{day}.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join([HEADER, *lines, ""]).encode()))
    os.utime(path, ns=(seed, seed))


def bring(lake, root):
    ingest(lake, DirectoryFlatFiles(root), [Dataset.STOCK_DAY_BARS], DAYS[0], DAYS[-1])
    featurize(lake, DAYS[0], DAYS[-1], bar="1d", names=FEATURES)


def training_set(lake, as_of=None):
    labels = [Label("direction", 1), Label("triple_barrier", 5)]
    return assemble(lake, FEATURES, labels, bar="1d", start=DAYS[0], end=DAYS[-1], as_of=as_of)


def written(dataset):
    sink = io.BytesIO()
    dataset.frame.write_parquet(sink)
    return sink.getvalue()


@pytest.fixture(scope="module")
def republished(tmp_path_factory):
    """A lake whose last file but five was replaced, the training set of before, and a moment between."""
    root = tmp_path_factory.mktemp("vendor")
    lake = Lake(tmp_path_factory.mktemp("lake"))
    lake.overwrite("corporate_actions", pl.DataFrame(schema=table("corporate_actions").columns))
    for seed, day in enumerate(DAYS):
        publish(root, day, seed)
    bring(lake, root)
    before = training_set(lake)
    moment = datetime.now(UTC)
    publish(root, DAYS[-6], 10_000)
    bring(lake, root)
    return lake, before, moment


def test_a_training_set_is_rebuilt_byte_for_byte_after_republication(republished):
    lake, before, _ = republished
    assert before.frame.height > 100
    assert written(training_set(lake, before.versions)) == written(before)
    assert written(training_set(lake)) != written(before)
    assert lake.diff("stock_day_bars", DAYS[-6], before.versions["stock_day_bars"]).counts["changed"] == 3


def test_a_manifest_rebuilds_the_bytes_after_republication(republished):
    lake, before, _ = republished
    manifest = json.loads(json.dumps(before.manifest()))
    assert rebuild(lake, manifest).content() == before.content()
    assert set(manifest["versions"]) == {"features", "stock_day_bars", "corporate_actions"}
    assert [label["kind"] for label in manifest["labels"]] == ["direction", "triple_barrier"]
    with pytest.raises(DatasetError, match="differs from its manifest in rows"):
        rebuild(lake, manifest | {"rows": 1})
    newest = manifest | {"versions": lake.versions()}
    with pytest.raises(DatasetError, match=r"differs from its manifest in .*sha256"):
        rebuild(lake, newest)
    with pytest.raises(DatasetError, match="manifest is of version 9"):
        rebuild(lake, manifest | {"manifest": 9})


def test_the_moment_before_republication_gives_the_same_training_set(republished):
    lake, before, moment = republished
    rebuilt = training_set(lake, moment)
    assert rebuilt.versions == before.versions
    assert written(rebuilt) == written(before)


def test_a_version_that_an_mlflow_run_refers_to_survives_vacuum_and_rebuilds(republished, tmp_path):
    stored, before, _ = republished
    lake = Lake(shutil.copytree(stored.root, tmp_path / "lake"))
    registry = Registry(
        f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path / "artifacts"), "research", "direction"
    )
    lineage = Lineage(before.features, before.bar, before.horizon, before.versions, "0.1.0")
    with registry.training({"seed": 1}, lineage):
        pass
    protected = registry.referenced_versions()
    assert protected == {name: {version} for name, version in before.versions.items()}
    compact(lake, date(2025, 3, 1))
    removed = vacuum(lake, time.time_ns() + 10**9, timedelta(0), protected, delete=True)
    assert sum(each.files for each in removed) > 0
    assert written(training_set(lake, before.versions)) == written(before)
    assert written(training_set(lake)) == written(training_set(stored))


def test_option_summaries_are_read_as_of_a_version(priced_lake, tmp_path):
    lake = Lake(shutil.copytree(priced_lake.root, tmp_path / "lake"))
    start, end = date(2025, 2, 3), date(2025, 2, 18)
    versions, before = lake.versions(), read_facts(lake, start, end, {"options": 2})["options"]
    rows = lake.scan("option_analytics", end, end).collect()
    lake.replace("option_analytics", end, rows.with_columns(implied_vol=pl.col("implied_vol") * 2.0))
    assert not read_facts(lake, start, end, {"options": 2})["options"].equals(before)
    again = read_facts(lake, start, end, {"options": 2}, as_of=versions)["options"]
    assert again.equals(before)
