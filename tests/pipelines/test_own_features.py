"""The user's own features: read from a file, stored beside ours, and renewed only where they change."""

from datetime import date

import polars as pl
import pytest

from features.catalog import catalog, families
from pipelines.featurize import featurize
from pipelines.inputs import compute
from pipelines.own_features import load, wanted
from strikelake.errors import FeatureError

START, END = date(2025, 2, 12), date(2025, 2, 18)
OWN = '''
from features import windows
from features.feature import feature

WINDOW = {window}


def _mean(values):
    """{note}"""
    return windows.mean(values, WINDOW)


@feature("own", units="share of the price", lookback=20, windowed=True)
def stretch(close):
    """Return close over its mean."""
    return close / _mean(close) - 1.0


@feature("own", units="log", name="calm_{{bars}}", lookback=lambda bars: bars, windowed=True, bars=(5, 9))
def calm(high, low, *, bars):
    """Return the mean range."""
    return windows.mean(high / low - 1.0, bars)
'''

OWN_ONE = (
    "from features.feature import feature\n"
    "@feature('own', units='-'{more})\ndef {name}(close):\n    return close\n"
)


@pytest.fixture
def written(tmp_path):
    def write(window=5, note="Return a mean."):
        path = tmp_path / "my_features.py"
        path.write_text(OWN.format(window=window, note=note))
        return load(path)

    return write


def test_a_file_declares_features(written):
    found = written()
    assert list(found) == ["stretch", "calm_5", "calm_9"]
    assert (found["calm_9"].lookback, found["calm_9"].inputs) == (9, ("high", "low"))


def test_only_what_changed_is_computed_again(written, lake):
    def run(features):
        return featurize(lake, START, END, bar="30m", features=features)

    mine = written()
    both = mine | {"return_1": catalog()["return_1"]}
    first = run(both)
    assert first.computed == first.rows == 4 * 4 * 13 * 4
    assert run(both).computed == 0
    assert run(both | written(note="Another docstring.")).computed == 0
    changed = written(window=7)
    assert run(both | changed).computed == first.rows // 4
    stored = lake.scan("features").filter(feature="stretch").collect().sort("underlying", "asof")
    fresh = compute(lake, START, END, bar="30m", features=changed)
    assert stored["value"].to_numpy() == pytest.approx(fresh["stretch"].to_numpy(), rel=1e-12)
    assert stored["definition"].n_unique() == 1


def test_a_file_published_again_renews_the_sessions_that_see_it(written, lake):
    mine = {"calm_5": written()["calm_5"], "return_1": catalog()["return_1"]}
    featurize(lake, date(2025, 2, 3), END, bar="30m", features=mine)
    rows = lake.scan("stock_minute_bars", START, START).collect()
    lake.replace("stock_minute_bars", START, rows.with_columns(pl.col("close", "high") * 1.01))
    renewed = featurize(lake, date(2025, 2, 3), END, bar="30m", features=mine)
    sessions = lake.scan("features", START, END).select(pl.col("date").n_unique()).collect().item()
    assert renewed.computed == sessions * 2 * 4 * 13


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "declares no feature: put a function under the decorator"),
        ("import nowhere_at_all", "does not run: ModuleNotFoundError"),
        ("import sys; sys.exit(3)", "does not run: SystemExit: 3"),
        (
            "from features.feature import feature as f\n@f('own', units='-')\ndef gap(close): return close\n",
            "declares gap, which the catalogue has",
        ),
        (OWN_ONE.format(name="volume", more=""), "declares volume, which the catalogue has"),
        (OWN_ONE.format(name="date", more=""), "date is a column that frames of features have"),
        (OWN_ONE.format(name="own", more="").replace("close", "closes"), "did you mean close"),
        (OWN_ONE.format(name="own", more=", on='option'"), "no table: did you mean options"),
        (OWN_ONE.format(name="own", more=", on='news'"), "no table: there are bars, options, open_interest"),
        (OWN_ONE.format(name="own", more=", on='options'"), "'close', which is no input on options"),
        (OWN_ONE.format(name="own", more=", lookback=0"), "own has lookback 0: declare a whole number"),
        (OWN_ONE.format(name="own", more=", lookback=2.5"), "own has lookback 2.5"),
        (OWN_ONE.format(name="own", more=", name='own_{bars}'"), "'own_{bars}' cannot be filled in"),
    ],
)
def test_a_file_of_no_use_is_refused(tmp_path, text, message):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(FeatureError, match=message):
        load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FeatureError, match=r"no Python file .*none\.py"):
        load(tmp_path / "none.py")


def test_a_family_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(FeatureError, match=r"no family 'prices': did you mean price\? families are calendar"):
        wanted(None, ["prices"])
    with pytest.raises(FeatureError, match="no feature 'rsi_15': the nearest names are rsi_14"):
        wanted(["rsi_15"], None)


def test_a_file_may_import_one_beside_it(tmp_path):
    (tmp_path / "beside_my_features.py").write_text("def same(values):\n    return values\n")
    path = tmp_path / "own.py"
    path.write_text("from beside_my_features import same\n" + OWN_ONE.format(name="own", more=""))
    assert list(load(path)) == ["own"]


def test_a_feature_that_raises_is_named_with_its_line_and_nothing_is_stored(tmp_path, lake):
    path = tmp_path / "own.py"
    bad = OWN_ONE.format(name="bad", more="").replace("return close", "return close[1:] / {}['a']")
    path.write_text(OWN_ONE.format(name="good", more="") + bad)
    with pytest.raises(FeatureError, match=r"bad cannot be computed: KeyError: 'a' \(.*own\.py:8\)"):
        featurize(lake, START, END, bar="30m", features=load(path))
    assert "features" not in lake.tables()


def test_a_file_alone_stands_for_its_own_features(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(
        "from features.feature import feature\n"
        "@feature('own', units='-')\ndef own(close):\n    return close\n"
    )
    assert list(wanted(None, None, path)) == ["own"]
    assert list(wanted(["gap"], ["own"], path)) == ["gap", "own"]
    assert list(wanted(None, ["volume"], None)) == [each.name for each in families()["volume"]]
    assert wanted(None, None, None) == catalog()
