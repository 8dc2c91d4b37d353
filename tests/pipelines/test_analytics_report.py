"""What became of priced rows, on the simulated market and on real days."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from pipelines.analytics import analyse
from pipelines.analytics_page import write_analytics_page
from pipelines.analytics_report import summarise
from pipelines.ingest import ingest
from pipelines.reference import load_reference
from pipelines.surfaces import build_surfaces
from strikelake.errors import EmptyLakeError
from strikelake.lake.store import Lake
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles

GAPS = {"quote": 0.005, "1m": 0.006, "1d": 0.012}
"""Bounds of the median call-put gap on the real days: about twice what docs/pricing.md states."""

ENOUGH_PAIRS = 50


def test_rows_are_counted_by_status_and_pairs_compared(priced_lake):
    aapl, spy = summarise(priced_lake)
    assert [(each.underlying, each.bar, each.without_status) for each in (aapl, spy)] == [
        ("AAPL", "1d", 0),
        ("SPY", "1d", 0),
    ]
    held = priced_lake.scan("option_analytics", underlyings=["SPY"]).collect()
    assert spy.rows == held.height == sum(spy.by_status.values())
    assert spy.by_status == dict(held["status"].value_counts().sort("count", descending=True).iter_rows())
    assert spy.solved == pytest.approx((held["status"] == "solved").mean())
    # Prices are the model's, rounded to a cent.
    assert spy.pairs > 100
    assert 0.0 < spy.gap < 0.002
    assert spy.smiles == {}


def test_the_gap_is_the_median_of_pairs(priced_lake):
    day = priced_lake.sessions("option_analytics")[3]
    [spy] = summarise(priced_lake, day, day, underlyings=["SPY"])
    rows = priced_lake.scan("option_analytics", day, day, underlyings=["SPY"]).collect()
    near = rows.filter(
        pl.col("status") == "solved",
        (pl.col("strike") / pl.col("forward")).log().abs() <= 0.05 + 0.15 * pl.col("years").sqrt(),
    )
    sides = near.pivot("option_type", index=["expiration", "strike"], values="implied_vol").drop_nulls()
    assert spy.pairs == sides.height
    assert spy.gap == pytest.approx(float(np.median(np.abs(sides["C"] - sides["P"]))))


def test_nothing_priced_is_said(priced_lake, tmp_path):
    with pytest.raises(EmptyLakeError, match="nothing of XYZ is priced"):
        summarise(priced_lake, underlyings=["XYZ"])
    with pytest.raises(EmptyLakeError, match="has no table option_analytics"):
        summarise(Lake(tmp_path / "empty"))


def test_the_page_shows_each_underlying(priced_lake, tmp_path):
    page = write_analytics_page(priced_lake, summarise(priced_lake), tmp_path / "page").read_text()
    assert "Rows by status" in page
    assert "AAPL" in page
    assert "Surfaces" not in page  # there are no smiles


@pytest.mark.real
@pytest.mark.parametrize(
    ("day", "underlying", "solved"),
    [
        pytest.param(date(2014, 6, 6), "AAPL", 0.8, marks=pytest.mark.slow),
        (date(2014, 6, 5), "TWX", 0.85),
        (date(2021, 1, 6), "SPX", 0.9),
    ],
)
def test_every_row_of_real_days_has_a_status_and_calls_and_puts_agree(
    real_data, tmp_path, day, underlying, solved
):
    lake = Lake(tmp_path / "lake")
    names = ("stock_minute_bars", "stock_day_bars", "option_day_bars", "option_minute_bars", "option_quotes")
    ingest(lake, DirectoryFlatFiles(real_data / "flatfiles"), [Dataset(name) for name in names], day, day)
    load_reference(lake, real_data / "reference")
    kinds = {"1d": "option_day_bars", "1m": "option_minute_bars", "quote": "option_quotes"}
    for bar, name in kinds.items():
        if name in lake.tables():
            analyse(lake, day, day, bar=bar, threads=2)
    build_surfaces(lake, day, day, bar="quote", threads=2)
    found = {each.bar: each for each in summarise(lake, underlyings=[underlying])}
    assert "quote" in found
    for bar, each in found.items():
        assert each.without_status == 0
        assert sum(each.by_status.values()) == each.rows
        assert "not_converged" not in each.by_status
        if each.pairs >= ENOUGH_PAIRS:
            assert each.gap < GAPS[bar]
    assert found["quote"].solved > solved
    assert (found["quote"].pairs >= ENOUGH_PAIRS) is (underlying != "SPX")  # two strikes, within nine days
    page = write_analytics_page(lake, tuple(found.values()), tmp_path / "page")
    linked = (page.parent / f"{underlying}-{day}" / "index.html").exists()
    assert linked is (underlying != "SPX")
