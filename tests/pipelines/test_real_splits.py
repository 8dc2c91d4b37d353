"""Real splits leave no jump in features."""

from datetime import date, timedelta

import polars as pl
import pytest

from pipelines.ingest import ingest
from pipelines.inputs import compute
from pipelines.reference import load_reference
from strikelake.lake.store import Lake
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles

SPLITS = {
    ("BAC", date(2004, 8, 30)): 0.5,
    ("AAPL", date(2005, 2, 28)): 0.5,
    ("AIG", date(2009, 7, 1)): 20.0,
    ("GOOG", date(2014, 4, 3)): 0.5,
    ("AAPL", date(2014, 6, 9)): 1 / 7,
}
"""Ticker and ex-date, and how much of the old price the new one is."""


@pytest.mark.slow
@pytest.mark.real
def test_real_split_dates_leave_no_jump(real_data, tmp_path):
    lake = Lake(tmp_path / "lake")
    files = DirectoryFlatFiles(real_data / "flatfiles")
    for _, day in SPLITS:
        ingest(lake, files, [Dataset.STOCK_DAY_BARS], day - timedelta(days=40), day)
    load_reference(lake, real_data / "reference")
    names = ["return_1", "return_3", "gap", "sma_distance_20", "realized_vol_13", "volume_trend_5_20"]
    for (ticker, day), ratio in SPLITS.items():
        raw = lake.scan("stock_day_bars", day - timedelta(days=7), day, underlyings=[ticker]).collect()
        traded = raw.sort("date")["close"]
        assert traded[-1] / traded[-2] == pytest.approx(ratio, rel=0.25)  # the price as it was traded
        (found,) = compute(lake, day, day, bar="1d", names=names, underlyings=[ticker]).to_dicts()
        assert found["return_1"] == pytest.approx(traded[-1] / traded[-2] / ratio - 1.0, abs=1e-9)
        # A split of two for one that is missed is a return of a half.
        assert max(abs(found[name]) for name in names if name != "volume_trend_5_20") < 0.45
        assert abs(found["volume_trend_5_20"]) < 2.0
        assert found["asof"] == raw.filter(pl.col("date") == day)["available_at"].item()
