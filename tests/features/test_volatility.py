"""Realised volatility: known values, and the clock behind the yearly number."""

import numpy as np
import pytest

from features.catalog import build
from features.price import average_true_range
from features.volatility import parkinson_vol_26, realized_vol, realized_vol_year_65


def _zigzag(bars, step=0.01):
    return 100.0 * np.exp(np.where(np.arange(bars) % 2 == 0, 0.0, step))


def test_alternating_returns_have_their_size_as_volatility():
    close = _zigzag(40)
    assert realized_vol(close, bars=26)[-1] == pytest.approx(0.01)


def test_yearly_volatility_counts_the_calendar_time_of_the_bars():
    close = _zigzag(66)
    week = np.linspace(0.0, 7 * 24 * 3600.0, 66)
    expected = 0.01 * np.sqrt(65 * 365 / 7)
    assert realized_vol_year_65(close, week)[-1] == pytest.approx(expected)
    assert realized_vol_year_65(close, 4.0 * week)[-1] == pytest.approx(expected / 2.0)


def test_ranges():
    close = np.full(300, 50.0)
    high, low = close * 1.01, close * 0.99
    assert average_true_range(high, low, close, bars=7)[-1] == pytest.approx(0.02)
    assert parkinson_vol_26(high, low)[-1] == pytest.approx(np.log(1.01 / 0.99) / np.sqrt(4.0 * np.log(2.0)))


def test_the_premium_is_implied_minus_realised(bars, options):
    found = (
        build(bars, {"options": options}, ["atm_iv", "vol_premium"])
        .filter(underlying="SPY")
        .row(-1, named=True)
    )
    spy = bars.filter(underlying="SPY")
    realised = realized_vol_year_65(spy["close"].to_numpy(), spy["asof"].to_numpy() / 1e9)[-1]
    assert found["vol_premium"] == found["atm_iv"] - realised
