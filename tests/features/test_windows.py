"""Moving windows against polars, and their exactness."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import windows

VALUES = np.random.default_rng(1).normal(50.0, 4.0, 60)
OTHER = np.random.default_rng(2).normal(0.0, 1.0, 60)


def test_windows_agree_with_polars():
    series, other = pl.Series(VALUES), pl.Series(OTHER)
    rolled = (
        pl.DataFrame({"a": series, "b": other}).select(pl.rolling_corr("a", "b", window_size=9)).to_series()
    )
    for found, expected in [
        (windows.mean(VALUES, 9), series.rolling_mean(9)),
        (windows.deviation(VALUES, 9), series.rolling_std(9, ddof=0)),
        (windows.correlation(VALUES, OTHER, 9), rolled),
        (windows.lag(VALUES, 3), series.shift(3)),
        (windows.z_score(VALUES, 9), (series - series.rolling_mean(9)) / series.rolling_std(9, ddof=0)),
        (windows.total(VALUES, 9), series.rolling_sum(9)),
        (windows.growth(VALUES, 9), series.pct_change(9)),
        (windows.above_mean(VALUES, 9), series / series.rolling_mean(9) - 1.0),
        (
            windows.place_between(VALUES, VALUES - 1.0, VALUES + 1.0, 9),
            (series - series.rolling_min(9) + 1.0) / (series.rolling_max(9) - series.rolling_min(9) + 2.0),
        ),
        (windows.extremes(VALUES, VALUES, 9)[0], series.rolling_min(9)),
        (windows.extremes(VALUES, VALUES, 9)[1], series.rolling_max(9)),
    ]:
        assert found == pytest.approx(
            expected.cast(pl.Float64).fill_null(np.nan).to_numpy(), rel=1e-9, nan_ok=True
        )


@settings(deadline=None)  # the first call compiles
@given(st.integers(9, 60))
def test_a_window_has_the_same_bits_whatever_came_before(length):
    for function in (windows.mean, windows.deviation, windows.z_score, windows.above_mean):
        assert function(VALUES[-length:], 9)[-1] == function(VALUES, 9)[-1]
    assert (
        windows.correlation(VALUES[-length:], OTHER[-length:], 9)[-1]
        == windows.correlation(VALUES, OTHER, 9)[-1]
    )


def test_a_hole_spoils_only_the_windows_that_hold_it():
    holed = VALUES.copy()
    holed[20] = np.nan
    placed = windows.place_between(VALUES, holed, holed, 5)
    for found in (windows.mean(holed, 5), *windows.extremes(holed, holed, 5), placed):
        assert np.flatnonzero(np.isnan(found)).tolist() == [0, 1, 2, 3, 20, 21, 22, 23, 24]


def test_a_window_that_does_not_move_has_no_deviation():
    assert np.isnan(windows.deviation(np.full(30, 0.1), 20)).all()


@pytest.mark.parametrize("length", [0, 1, 4])
def test_series_shorter_than_the_window_are_unknown(length):
    assert np.isnan(windows.mean(VALUES[:length], 5)).all()
    assert windows.correlation(VALUES[:length], OTHER[:length], 5).shape == (length,)
    assert np.isnan(windows.lag(VALUES[:length], 9)).all()
