"""Training sets: what is in them, what is left out and said, and how they are rebuilt."""

import json
import shutil
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from features.catalog import choose
from features.labels import Label, direction
from features.structure_labels import StructureLabel
from pipelines.assemble import assemble, rebuild
from pipelines.featurize import featurize
from pipelines.recall import read_bars
from strikelake.calendar import NS_PER_MINUTE, session
from strikelake.contracts import OptionContract
from strikelake.errors import DatasetError, EmptyLakeError, LakeError
from strikelake.lake.store import Lake
from strikelake.schemas import table

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


def test_values_of_another_definition_are_refused(writable):
    now = choose(FEATURES)
    slower = {"rsi_7": replace(now["rsi_7"], lookback=now["rsi_7"].lookback + 1)}
    labels, span = [Label("direction", 2)], {"bar": "30m", "start": WARM, "end": END}
    with pytest.raises(DatasetError, match=r"^rsi_7 are stored as another definition computed them"):
        assemble(writable, now | slower, labels, **span)
    featurize(writable, END, END, bar="30m", features=slower)  # one session of another definition
    for features in (now, now | slower):
        with pytest.raises(DatasetError, match=r"features build --bar 30m"):
            assemble(writable, features, labels, **span)
    featurize(writable, WARM, END, bar="30m", features=slower)
    assert assemble(writable, now | slower, labels, **span).frame.height > 0


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


def _quotes(bars, strikes, expiration):
    """A quote of each strike's call a minute before each bar's end; the price tells which strike it was."""
    rows = [
        (
            day,
            OptionContract("MSFT", expiration, "C", strike).occ_symbol,
            "MSFT",
            expiration,
            "C",
            float(strike),
            asof - NS_PER_MINUTE,
            bid,
            1.0,
            bid + 0.1,
            1.0,
            asof - NS_PER_MINUTE,
        )
        for day, asof, close in bars.select("date", "asof", "close").iter_rows()
        for strike in strikes
        for bid in [max(close - strike, 0.0) + strike / 50.0]
    ]
    return pl.DataFrame(rows, schema=table("option_quotes").columns, orient="row")


@pytest.fixture
def quoted(writable):
    """Calls on MSFT, which splits two for one on 2025-02-10: strikes near 200 dollars before, 100 after."""
    bars = read_bars(writable, WARM, END, bar="30m", underlyings=["MSFT"], as_traded=True)
    before = pl.col("date") < date(2025, 2, 10)
    expiration = date(2025, 3, 7)
    rows = [
        _quotes(bars.filter(before), range(180, 225, 5), expiration),
        _quotes(bars.filter(~before), range(90, 115, 5), expiration),
    ]
    days = pl.concat(rows).sort("occ_symbol", "ts_ns").partition_by("date", as_dict=True)
    writable.replace_many("option_quotes", {day: quotes for (day,), quotes in days.items()})
    return writable


def test_a_structure_s_profit_is_of_quotes_near_the_price_as_traded(quoted):
    call = StructureLabel("long_call", 2)
    labels = [Label("direction", 2), call]
    found = assemble(quoted, FEATURES[:5], labels, bar="30m", start=WARM, end=END)
    assert found.frame["underlying"].unique().to_list() == ["MSFT"]
    assert "option_quotes" in found.versions
    bars = read_bars(quoted, WARM, END, bar="30m", underlyings=["MSFT"], as_traded=True)
    asof, value = found.frame.select("asof", call.name).row(0)
    place = bars["asof"].index_of(asof)
    entered, left = bars["close"][place], bars["close"][place + 2]
    strike = min(range(180, 225, 5), key=lambda each: abs(each / entered - 1.0))
    paid = max(entered - strike, 0.0) + strike / 50.0 + 0.1
    received = max(left - strike, 0.0) + strike / 50.0
    assert value == pytest.approx((received - paid - 0.013) / paid)
    # What was bought before the split is gone after it, under another name.
    crossing = bars.filter(pl.col("date") < date(2025, 2, 10))["asof"][-2:]
    assert found.frame.filter(pl.col("asof").is_in(crossing.implode())).is_empty()
    assert rebuild(quoted, json.loads(json.dumps(found.manifest()))).frame.equals(found.frame)


def test_a_structure_without_quotes_names_the_remedy(featured):
    labels = [Label("direction", 2), StructureLabel("straddle", 2)]
    with pytest.raises(DatasetError, match="straddle_pnl_2 needs option quotes, and the lake has none from"):
        assemble(featured, FEATURES, labels, bar="30m", start=WARM, end=END)
    with pytest.raises(DatasetError, match="the first label is straddle_pnl_2: models need one that is 0 or"):
        assemble(featured, FEATURES, labels[1:], bar="30m", start=WARM, end=END)
