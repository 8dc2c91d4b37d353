"""Labels: what they look at and when they are known."""

import numpy as np
import polars as pl
import pytest

from features.labels import COLUMNS, Label, catalog, direction
from strikelake.errors import FeatureError


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


def _label(bars, kind, horizon, **settings):
    found = Label(kind, horizon, settings)(bars)
    return found.filter(underlying="SPY")


def test_every_label_is_known_after_its_decision(bars):
    for label in catalog(4).values():
        found = label(bars)
        assert dict(found.schema) == COLUMNS
        assert found.height > 1_500
        assert found.null_count().sum_horizontal().item() == 0
        assert (found["known_at"] > found["asof"]).all()


def test_realised_volatility_is_that_of_the_bars_ahead(bars):
    spy = bars.filter(underlying="SPY")
    moves = np.diff(np.log(spy["close"].to_numpy()))
    found = _label(bars, "realized_vol", 3)
    assert found["value"][10] == pytest.approx(np.sqrt(np.mean(moves[10:13] ** 2)))
    assert found["known_at"][10] == spy["asof"][13]


def test_the_barrier_that_is_touched_first_counts(bars):
    spy = bars.filter(underlying="SPY")
    steps = {name: spy[name].to_numpy().copy() for name in ("open", "high", "low", "close")}
    for values in steps.values():
        values[:] = 100.0 * np.exp(0.001 * (np.arange(len(values)) % 2))
    steps["high"][32], steps["low"][33] = 110.0, 90.0
    steps["high"][52], steps["low"][52] = 110.0, 90.0
    flat = spy.with_columns(**steps)
    found = _label(flat, "triple_barrier", 4, up=2.0, down=2.0)
    by_bar = {asof: (value, known_at) for asof, _, value, known_at in found.iter_rows()}
    asof = flat["asof"]
    assert by_bar[asof[30]] == (1.0, asof[32])
    assert by_bar[asof[32]] == (-1.0, asof[33])
    assert by_bar[asof[50]] == (-1.0, asof[52])  # both in one bar
    assert by_bar[asof[40]] == (0.0, asof[44])


def test_labels_have_names_and_bad_ones_are_refused():
    assert Label("triple_barrier", 6, {"up": 1.5}).name == "triple_barrier_6_up1.5"
    with pytest.raises(FeatureError, match="no label 'up': labels are forward_return"):
        Label("up", 1)
