"""Compiled recursions against TA-Lib, once nothing is left of the start."""

import numpy as np
import pytest
import talib

from features import recursions

WALK = 100.0 * np.exp(np.cumsum(np.random.default_rng(3).normal(0.0, 0.01, 700)))
SPREAD = np.abs(np.random.default_rng(4).normal(0.0, 0.01, (2, 700)))
HIGH, LOW = WALK * (1.0 + SPREAD[0]), WALK * (1.0 - SPREAD[1])


@pytest.mark.parametrize(
    ("found", "expected", "lookback"),
    [
        (recursions.ema_distance(WALK, 20), WALK / talib.EMA(WALK, 20) - 1.0, 320),
        (recursions.ema_ratio(WALK, 5, 10), talib.EMA(WALK, 5) / talib.EMA(WALK, 10) - 1.0, 160),
        (recursions.macd(WALK, 12, 26), talib.MACD(WALK)[0] / WALK, 416),
        (recursions.macd_histogram(WALK, 12, 26, 9), talib.MACD(WALK)[2] / WALK, 560),
        (recursions.relative_strength(WALK, 14, 447), talib.RSI(WALK, 14), 448),
        (recursions.true_range(HIGH, LOW, WALK, 14), talib.ATR(HIGH, LOW, WALK, 14) / WALK, 448),
    ],
)
def test_they_are_talib_s(found, expected, lookback):
    assert found.shape == expected.shape
    assert found[lookback - 1 :] == pytest.approx(expected[lookback - 1 :], rel=1e-9, abs=1e-12)


def test_where_nothing_moved_for_so_long_there_is_no_strength():
    held = np.concatenate([WALK[:50], np.full(30, WALK[49]), [WALK[49] + 1.0]])
    found = recursions.relative_strength(held, 3, 10)
    assert np.flatnonzero(np.isnan(found)).tolist() == [0, *range(59, 80)]
    assert np.isnan(recursions.relative_strength(np.full(20, 7.0), 3, 10)).all()


def test_only_rises_are_a_hundred_and_only_falls_nothing():
    assert recursions.relative_strength(np.arange(1.0, 9.0), 3, 10)[1:] == pytest.approx(100.0)
    assert recursions.relative_strength(np.arange(9.0, 1.0, -1.0), 3, 10)[1:] == pytest.approx(0.0)


def test_no_rows_give_no_values():
    none = np.empty(0)
    assert recursions.ema_distance(none, 3).shape == recursions.true_range(none, none, none, 3).shape == (0,)
