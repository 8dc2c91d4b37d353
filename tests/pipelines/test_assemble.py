"""Training sets: what is in them, what is left out and said, and how they are rebuilt."""

import shutil
from datetime import date

import polars as pl
import pytest

from features.labels import Label, direction
from pipelines.assemble import assemble
from pipelines.featurize import featurize
from pipelines.recall import read_bars
from strikelake.calendar import session
from strikelake.errors import DatasetError, EmptyLakeError, LakeError
from strikelake.lake.store import Lake

START, WARM, END = date(2025, 1, 2), date(2025, 1, 29), date(2025, 2, 18)
FEATURES = ("return_1", "return_13", "rsi_7", "macd_histogram_5_10_4", "volume_z_20", "atm_iv", "vol_premium")


def collected(lake, start, end, *, bar="30m", horizon, **more):
    """The training set of a few features and the direction."""
    labels = [Label("direction", horizon)]
    return assemble(lake, FEATURES, labels, bar=bar, start=start, end=end, **more)


@pytest.fixture(scope="module")
def featured(priced_lake, tmp_path_factory):
    lake = Lake(shutil.copytree(priced_lake.root, tmp_path_factory.mktemp("featured") / "lake"))
    featurize(lake, START, END, bar="30m", names=FEATURES)
    featurize(lake, END, END, bar="1d", names=FEATURES)
    return lake


@pytest.fixture
def writable(featured, tmp_path):
    return Lake(shutil.copytree(featured.root, tmp_path / "lake"))


def test_rows_carry_features_and_the_label_of_their_future(featured):
    found = collected(featured, WARM, END, bar="30m", horizon=2)
    assert found.features == FEATURES
    assert found.frame.columns == [
        "asof",
        "underlying",
        "date",
        *FEATURES,
        "label",
        "forward_return",
        "known_at",
    ]
    assert found.frame.equals(found.frame.sort("asof", "underlying"))
    labels = direction(read_bars(featured, WARM, END, bar="30m"), 2)
    both = found.frame.join(labels, on=["asof", "underlying"], how="left")
    assert both.select(
        (pl.col("label") == pl.col("label_right")).all(),
        (pl.col("known_at") == pl.col("known_at_right")).all(),
    ).row(0) == (True, True)
    assert (found.bar, found.horizon) == ("30m", 2)


def test_no_row_knows_more_than_the_range(featured):
    found = collected(featured, WARM, date(2025, 2, 10), bar="30m", horizon=5)
    assert found.frame["known_at"].max() == session(date(2025, 2, 10)).close_ns
    assert found.unlabelled_rows == 4 * 5


def test_warm_up_rows_are_left_out_and_counted(featured):
    found = collected(featured, START, END, bar="30m", horizon=1)
    assert found.warm_up_rows == 4 * (32 * 7 - 1)  # Wilder's index over 7 bars needs the longest history
    prices = list(FEATURES[:5])
    assert found.frame.select(prices).null_count().sum_horizontal().item() == 0
    assert found.frame["atm_iv"].null_count() > 0  # MSFT and QQQ stay, without options


def test_features_that_are_never_known_are_left_out_and_named(featured):
    found = collected(featured, WARM, END, bar="30m", horizon=1, universe=["MSFT", "QQQ"])
    assert found.empty_features == ("atm_iv", "vol_premium")
    assert found.frame["underlying"].unique().sort().to_list() == ["MSFT", "QQQ"]


def test_versions_rebuild_the_frame_after_the_lake_has_changed(writable):
    first = collected(writable, WARM, END, bar="30m", horizon=2)
    assert {name: writable.versions()[name] for name in first.versions} == first.versions
    assert {"features", "stock_minute_bars"} <= first.versions.keys()
    bars = writable.scan("stock_minute_bars", END, END).collect()
    writable.replace("stock_minute_bars", END, bars.filter(pl.col("ticker") != "AAPL"))
    featurize(writable, WARM, END, bar="30m", names=FEATURES, underlyings=["SPY"])
    assert not collected(writable, WARM, END, bar="30m", horizon=2).frame.equals(first.frame)
    again = collected(writable, WARM, END, bar="30m", horizon=2, as_of=first.versions)
    assert again.frame.equals(first.frame)
    assert again.versions == first.versions


def test_too_few_rows_are_counted(featured):
    with pytest.raises(
        DatasetError, match=r"0 rows are left .*\(\d+ in warm-up.*needs 100: ingest and featurize"
    ):
        collected(featured, START, date(2025, 1, 8), bar="30m", horizon=1)


def test_labels_of_one_kind_are_refused(writable):
    rows = writable.scan("stock_minute_bars", WARM, END).collect()
    falling = rows.with_columns(
        (1e6 - (pl.col("ts_ns") - pl.col("ts_ns").min()) / 1e12).alias(name)
        for name in ("open", "high", "low", "close")
    )
    writable.replace_many(
        "stock_minute_bars", {key[0]: day for key, day in falling.partition_by("date", as_dict=True).items()}
    )
    with pytest.raises(DatasetError, match=r"all \d+ labels .* are flat or down: widen the dates"):
        collected(writable, WARM, END, bar="30m", horizon=1, universe=["SPY"])


def test_a_bar_without_features_names_those_there_are(featured):
    with pytest.raises(DatasetError, match="are there for 1d, 30m, not for 1h: run `strikelake featurize`"):
        collected(featured, WARM, END, bar="1h", horizon=1)


def test_no_features_at_all_name_the_remedy(market_lake):
    with pytest.raises(EmptyLakeError, match="no table features: run `strikelake featurize`"):
        collected(market_lake, WARM, END, bar="30m", horizon=1)


def test_a_version_that_is_not_named_is_refused(featured):
    with pytest.raises(LakeError, match="as_of names no version of"):
        collected(featured, WARM, END, bar="30m", horizon=1, as_of={"stock_minute_bars": 1})
