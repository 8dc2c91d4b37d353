from datetime import date

import polars as pl
import pytest

from pipelines.ingest import ingest
from pipelines.reference import load_reference
from strikelake.calendar import et_ns
from strikelake.errors import EmptyLakeError, LakeError
from strikelake.lake.store import Lake
from strikelake.lake.views import adjusted_bars
from strikelake.schemas import table
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles

MON, TUE, WED = date(2025, 1, 6), date(2025, 1, 7), date(2025, 1, 8)


def split(ticker: str, ex_date: date, old: float, new: float) -> pl.DataFrame:
    row = {
        "ticker": ticker,
        "action": "split",
        "ex_date": ex_date,
        "split_from": old,
        "split_to": new,
        "available_at": et_ns(ex_date, "09:30"),
    }
    return pl.DataFrame([row], schema=table("corporate_actions").columns)


def close_and_volume(bars: pl.LazyFrame) -> list[tuple[float, float]]:
    return bars.sort("ticker", "date").select("close", "volume").collect().rows()


@pytest.fixture
def market(lake, bars):
    lake.replace_many(
        "stock_day_bars",
        {MON: bars(MON, A=60.0, B=9.0), TUE: bars(TUE, A=30.0, B=9.0), WED: bars(WED, A=10.0, B=9.0)},
    )
    lake.overwrite("corporate_actions", pl.concat([split("A", TUE, 1, 2), split("A", WED, 1, 3)]))
    return lake


def test_splits_inside_the_range_compound(market):
    adjusted = adjusted_bars(market, "stock_day_bars", MON, WED, ["A"])
    assert close_and_volume(adjusted) == [(10.0, 600.0), (10.0, 300.0), (10.0, 100.0)]
    assert adjusted.collect_schema() == pl.Schema(table("stock_day_bars").columns)


def test_other_tickers_are_left_alone(market):
    assert close_and_volume(adjusted_bars(market, "stock_day_bars", MON, WED, ["B"])) == [(9.0, 100.0)] * 3


def test_splits_after_the_range_and_on_its_first_day_are_not_applied(market):
    assert close_and_volume(adjusted_bars(market, "stock_day_bars", MON, MON, ["A"])) == [(60.0, 100.0)]
    assert close_and_volume(adjusted_bars(market, "stock_day_bars", WED, WED, ["A"])) == [(10.0, 100.0)]
    shorter = close_and_volume(adjusted_bars(market, "stock_day_bars", MON, TUE, ["A"]))
    assert shorter == [(30.0, 200.0), (30.0, 100.0)]


def test_returns_do_not_depend_on_the_end(market):
    whole = [close for close, _ in close_and_volume(adjusted_bars(market, "stock_day_bars", MON, WED, ["A"]))]
    part = [close for close, _ in close_and_volume(adjusted_bars(market, "stock_day_bars", MON, TUE, ["A"]))]
    assert part[1] / part[0] == whole[1] / whole[0]


def test_reverse_and_fractional_ratios(lake, bars):
    lake.replace("stock_day_bars", MON, bars(MON, A=1.0, B=1.0027))
    lake.overwrite("corporate_actions", pl.concat([split("A", TUE, 20, 1), split("B", TUE, 1, 1.0027)]))
    adjusted = adjusted_bars(lake, "stock_day_bars", MON, TUE)
    assert close_and_volume(adjusted) == [(20.0, 5.0), (1.0, pytest.approx(100.27))]


def test_versions_are_read_as_they_were(market):
    versions = market.versions()
    market.overwrite("corporate_actions", split("A", WED, 1, 5))
    old = close_and_volume(adjusted_bars(market, "stock_day_bars", MON, WED, ["A"], as_of=versions))
    assert old == [(10.0, 600.0), (10.0, 300.0), (10.0, 100.0)]


def test_unknown_splits_are_no_splits_only_when_the_table_exists(lake, bars):
    lake.replace("stock_day_bars", MON, bars(MON, A=1.0))
    with pytest.raises(EmptyLakeError, match="no table corporate_actions, so that splits are unknown"):
        adjusted_bars(lake, "stock_day_bars", MON, WED)
    lake.overwrite("corporate_actions", split("A", MON, 1, 2).clear())
    assert close_and_volume(adjusted_bars(lake, "stock_day_bars", MON, WED)) == [(1.0, 100.0)]


def test_only_stock_bars_are_adjusted(lake):
    with pytest.raises(LakeError, match="option_day_bars has no stock bars to adjust: use stock_day_bars"):
        adjusted_bars(lake, "option_day_bars", MON, WED)


@pytest.mark.real
def test_real_splits_leave_no_jump(real_data, tmp_path):
    """The first close after a split is within 10 % of the last before it: AAPL 7:1."""
    lake = Lake(tmp_path)
    start, end = date(2014, 5, 1), date(2014, 6, 30)
    ingest(lake, DirectoryFlatFiles(real_data / "flatfiles"), [Dataset.STOCK_DAY_BARS], start, end)
    load_reference(lake, real_data / "reference")
    raw = lake.scan("stock_day_bars", start, end, underlyings=["AAPL"])
    adjusted = adjusted_bars(lake, "stock_day_bars", start, end, ["AAPL"])

    def largest_move(frame: pl.LazyFrame) -> float:
        return frame.sort("date").select(pl.col("close").pct_change().abs().max()).collect().item()

    assert largest_move(raw) > 0.8
    assert largest_move(adjusted) < 0.1
