from datetime import date

import polars as pl
import pytest

from strikelake.errors import LakeError
from strikelake.lake.quality import check, count_rules, quarantine_rows, require
from strikelake.schemas import table

MON = date(2025, 1, 6)
SPEC = table("stock_day_bars")


def numbered(*frames: pl.DataFrame) -> pl.DataFrame:
    return (
        pl.concat(frames)
        .with_row_index("row_number", offset=2)
        .with_columns(pl.col("row_number").cast(pl.Int64))
    )


def test_bad_rows_are_told_with_every_rule_they_break(bars):
    bad = bars(MON, QQQ=2.0).with_columns(low=pl.lit(5.0), volume=pl.lit(-1.0))
    checked = check(SPEC, numbered(bars(MON, SPY=1.0), bad, bars(MON, AAPL=3.0)))
    assert checked.good["ticker"].to_list() == ["SPY", "AAPL"]
    assert checked.good.columns == list(SPEC.columns)
    assert checked.bad.rows() == [(3, "low_is_lowest; volume|min")]
    assert count_rules(checked.bad) == {"low_is_lowest": 1, "volume|min": 1}


def test_one_of_identical_rows_is_kept_and_none_of_different_ones(bars):
    same, other = bars(MON, SPY=1.0), bars(MON, QQQ=2.0)
    checked = check(SPEC, numbered(same, other, same, bars(MON, QQQ=3.0)))
    assert checked.good["ticker"].to_list() == ["SPY"]
    assert checked.bad.rows() == [(3, "primary_key"), (4, "row|duplicate"), (5, "primary_key")]


def test_no_rows_are_good_rows(bars):
    checked = check(SPEC, numbered(bars(MON)))
    assert (checked.good.height, checked.bad.height) == (0, 0)


def test_quarantine_keeps_the_raw_text():
    bad = pl.DataFrame({"row_number": [7], "rule": ["low|nan"]})
    rows = quarantine_rows("stock_day_bars", MON, "a/b.csv.gz", bad, {7: "SPY,nan"})
    assert rows.rows() == [(MON, "stock_day_bars", "a/b.csv.gz", 7, "low|nan", "SPY,nan")]
    require(table("quarantine"), rows)


def test_frames_of_our_own_making_must_keep_the_rules(bars):
    require(SPEC, bars(MON, SPY=1.0), bars(MON, QQQ=1.0))
    require(SPEC)
    with pytest.raises(LakeError, match=r"break its rules \(primary_key 2\).*'ticker': 'SPY'"):
        require(SPEC, bars(MON, SPY=1.0), bars(MON, SPY=2.0))
