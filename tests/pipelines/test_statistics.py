"""Statistics of what a lake holds, and their page."""

from datetime import date

import pytest

from features.catalog import catalog, choose
from pipelines.featurize import featurize
from pipelines.statistics import feature_statistics
from pipelines.statistics_page import write_statistics
from strikelake.errors import DatasetError, EmptyLakeError

SPAN = (date(2025, 1, 2), date(2025, 2, 18))
NAMES = ["return_1", "sma_distance_20", "macd_histogram_5_10_4", "put_call_volume_ratio"]


@pytest.fixture
def stored(lake):
    """A lake with some features of half-hour bars, and none of options: none is priced."""
    chosen = {name: feature for name, feature in catalog().items() if name in NAMES}
    featurize(lake, *SPAN, bar="30m", features=chosen)
    return lake


def test_statistics_of_stored_features_have_reasons_returns_and_a_page(stored, tmp_path):
    steps = []
    report = feature_statistics(
        stored, catalog(), *SPAN, bar="30m", progress=lambda *step: steps.append(step)
    )
    found = {each.name: each for each in report.features}
    assert set(found) < set(catalog())
    assert {"return_1", "sma_distance_20"} <= set(found)
    assert steps[-1] == (len(found), len(found))
    assert (report.start, report.end, report.underlyings, report.horizons) == (*SPAN, 4, (1, 6, 13))
    moved = found["return_1"]
    assert moved.nulls == {"warm_up": 4}  # the first bar of each series
    assert moved.coverage > 0.99
    assert abs(moved.autocorrelation[1]) < 0.1
    assert [info.across for info in moved.information] == ["time"] * 3
    assert all(abs(info.t_value) < 5.0 for info in moved.information)
    assert found["sma_distance_20"].autocorrelation[1] > 0.8
    page = write_statistics(tmp_path / "page", report, catalog()).read_text()
    assert "sma_distance_20, price" in page
    assert "IC summed: 1 full, 6 dashed, 13 dotted" in page
    assert page.count("warm up 4") == 2  # in the table, and in the feature's own section


def test_what_is_not_stored_is_said(stored, market_lake):
    with pytest.raises(DatasetError, match=r"none of these features is stored for 1d bars"):
        feature_statistics(stored, choose(["return_1"]), *SPAN, bar="1d")
    with pytest.raises(EmptyLakeError, match="features"):
        feature_statistics(market_lake, catalog(), *SPAN, bar="30m")
