"""Labels: what they look at and when they are known."""

import polars as pl
import pytest

from features.labels import direction


def test_the_label_is_the_move_to_the_later_bar(bars):
    found = direction(bars, 3).filter(pl.col("underlying") == "SPY")
    closes = bars.filter(pl.col("underlying") == "SPY").select("asof", "close").rows()
    assert found.row(10) == (
        closes[10][0],
        "SPY",
        closes[13][1] / closes[10][1] - 1.0,
        int(closes[13][1] > closes[10][1]),
        closes[13][0],
    )


def test_rows_without_a_future_are_left_out_and_segments_are_not_crossed(bars):
    found = direction(bars, 3)
    assert found.null_count().sum_horizontal().item() == 0
    assert len(bars) - len(found) == 3 * 5  # four underlyings, one of them in two segments
    assert (found["known_at"] > found["asof"]).all()
    reused = bars.filter(pl.col("underlying") == "MSFT", pl.col("segment") == 0)["asof"]
    crossing = found.filter(pl.col("underlying") == "MSFT", pl.col("asof") <= reused.max())
    assert crossing["known_at"].max() == reused.max()


def test_rows_are_in_order(bars):
    assert direction(bars.sample(fraction=1.0, shuffle=True, seed=1), 1).equals(direction(bars, 1))
    assert direction(bars, 1).equals(direction(bars, 1).sort("asof", "underlying"))


def test_no_move_is_not_up(bars):
    flat = bars.with_columns(close=pl.lit(5.0))
    assert direction(flat, 1)["label"].unique().to_list() == [0]


def test_a_horizon_below_one_bar_is_refused(bars):
    with pytest.raises(ValueError, match=r"horizon is 0 bars.*at least 1"):
        direction(bars, 0)
