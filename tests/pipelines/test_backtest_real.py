"""Backtests on real day bars: splits, a failed bank, a ticker that was given away."""

from datetime import date

import polars as pl
import pytest

from pipelines.backtest import backtest_underlyings
from pipelines.ingest import ingest
from pipelines.reference import load_reference
from strikelake.calendar import sessions
from strikelake.lake.store import Lake
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles

pytestmark = pytest.mark.real


@pytest.fixture
def real_lake(real_data, tmp_path):
    def make(start, end):
        lake = Lake(tmp_path / "lake")
        source = DirectoryFlatFiles(real_data / "flatfiles")
        ingest(lake, source, [Dataset.STOCK_DAY_BARS], start, end)
        load_reference(lake, real_data / "reference")
        return lake

    return make


def always_long(start, end, *names):
    rows = [(day.close_ns, name, 0.9) for day in sessions(start, end) for name in names]
    schema = {"asof": pl.Int64, "underlying": pl.String, "probability": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.mark.parametrize(
    ("name", "split", "expected"),
    [
        # From the close before the split to the split day's, per share held before.
        ("AAPL", date(2005, 2, 28), 2 * 44.84 / 88.97 - 1),
        ("AIG", date(2009, 7, 1), 18.08 / 20 / 1.13 - 1),
        ("GOOG", date(2014, 4, 3), 2 * 569.74 / 1135.10 - 1),
        ("AAPL", date(2014, 6, 9), 7 * 93.70 / 645.57 - 1),
    ],
)
def test_a_split_day_is_a_day_like_any_other(real_lake, tmp_path, name, split, expected):
    days = [day.date for day in sessions(split.replace(day=1), split.replace(day=28))]
    if split.day == 1:
        days = [date(2009, 6, 29), date(2009, 6, 30), *days]
    start, end = days[0], days[-1]
    report = backtest_underlyings(
        real_lake(start, end), always_long(start, end, name), start, end, report_dir=tmp_path / "report"
    )
    curve = report.result.curve.with_columns(change=pl.col("equity").pct_change())
    # Two fees of a basis point each are held back in cash.
    assert pytest.approx(expected, rel=1e-3) == curve.filter(pl.col("date") == split)["change"].item()


def test_a_failed_banks_ticker_is_not_its_rescue(real_lake, tmp_path):
    start, end = date(2008, 9, 15), date(2009, 8, 14)
    lake = real_lake(start, end)
    report = backtest_underlyings(
        lake, always_long(start, end, "WM", "SPY"), start, end, report_dir=tmp_path / "report"
    )
    trades = report.result.trades.filter(pl.col("underlying") != "SPY")
    # Washington Mutual's last close was 0.16, on 26 September; Waste Management took the ticker on 5 August.
    assert trades.select("underlying", "closed", "exit").rows() == [
        ("WM", date(2008, 10, 14), "ended"),
        ("WM from 2009-08-05", end, "open"),
    ]
    assert trades["exit_price"].to_list() == [pytest.approx(0.16), pytest.approx(29.0, abs=2)]
    assert "1 positions, worth" in report.assumptions["Missing prices"]
