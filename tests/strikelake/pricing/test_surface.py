"""Surfaces in numbers: tenors, wings and calendars of known slices."""

import numpy as np
import pytest

from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.pricing.surface import Surface
from strikelake.pricing.svi import total_variance


def _flat(vol, days):
    return [vol**2 * days / 365, 0.0, 0.0, 0.0, 0.1]


def _surface(*groups):
    """Flat slices, each (vol, days), of one or more surfaces."""
    starts = np.concatenate(([0], np.cumsum([len(group) for group in groups])))
    slices = [each for group in groups for each in group]
    years = np.array([days / 365 for _, days in slices])
    return Surface(starts, years, np.array([_flat(*each) for each in slices]))


SKEWED = Surface(np.array([0, 1]), np.array([30 / 365]), np.array([[0.002, 0.04, -0.5, 0.01, 0.08]]))


def test_variance_is_linear_in_time_between_expirations_and_flat_in_vol_outside():
    surface = _surface([(0.2, 20), (0.3, 40)], [(0.25, 30)])
    between = np.sqrt((0.5 * 0.2**2 * 20 + 0.5 * 0.3**2 * 40) / 30)
    assert surface.vol(0.0, 30) == pytest.approx([between, 0.25])
    assert surface.vol(0.0, 40) == pytest.approx([0.3, 0.25])
    assert surface.vol(0.0, 60) == pytest.approx([0.3, 0.25])
    assert surface.vol(0.0, 15) == pytest.approx([0.2, 0.25])


def test_a_tenor_out_of_reach_is_unknown():
    surface = _surface([(0.2, 20), (0.3, 40)], [(0.25, 30)])
    assert np.isnan(surface.vol(0.0, 90)).tolist() == [True, True]
    assert np.isnan(surface.vol(0.0, 81)).tolist() == [True, True]
    assert np.isnan(surface.vol(0.0, 14)).tolist() == [False, True]
    assert np.isnan(surface.vol(0.0, 7)).tolist() == [True, True]
    assert np.isnan(surface.strike_of_delta(0.25, 90)).all()


def test_the_strike_of_a_delta_has_that_delta():
    years = 30 / 365
    for delta in (0.25, 0.5, 0.75):
        k = SKEWED.strike_of_delta(delta, 30)
        vol = SKEWED.vol(k, 30)
        call = Options(1, 1.0, np.exp(k), years, 0.0)
        assert european.greeks(call, vol).delta == pytest.approx(delta, abs=1e-9)


def test_wings_of_a_skewed_smile():
    reversal, butterfly = SKEWED.wings(30)
    put, call = (float(SKEWED.vol(SKEWED.strike_of_delta(delta, 30), 30)[0]) for delta in (0.75, 0.25))
    assert (reversal[0], reversal[0] < 0.0) == (pytest.approx(call - put), True)
    assert butterfly[0] == pytest.approx((call + put) / 2 - SKEWED.vol(0.0, 30)[0])
    assert [part[0] for part in _surface([(0.2, 30)]).wings(30)] == pytest.approx([0.0, 0.0])


def test_skew_is_the_slope_of_the_volatility():
    step = 1e-5
    up, down = (SKEWED.vol(k, 30)[0] for k in (step, -step))
    assert SKEWED.skews()[0] == pytest.approx((up - down) / (2 * step), rel=1e-6)


def test_a_slice_below_the_one_before_it_is_a_calendar_gap():
    surface = _surface([(0.3, 20), (0.2, 40), (0.2, 60)], [(0.1, 30)])
    low, high = np.full(4, -0.1), np.full(4, 0.1)
    first, second = 0.3**2 * 20 / 365, 0.2**2 * 40 / 365
    assert surface.calendar_gaps(low, high) == pytest.approx([0.0, first - second, 0.0, 0.0])
    assert surface.calendar_gaps(low, high)[3] == 0.0


def test_interpolated_slices_have_no_calendar_arbitrage():
    """A calendar spread at one moneyness costs something wherever total variance grows."""
    surface = Surface(
        np.array([0, 2]),
        np.array([0.1, 0.2]),
        np.array([[0.002, 0.04, -0.5, 0.01, 0.08], [0.005, 0.05, -0.4, 0.01, 0.09]]),
    )
    assert surface.calendar_gaps(np.full(2, -0.5), np.full(2, 0.5)).tolist() == [0.0, 0.0]
    for k in (-0.3, 0.0, 0.3):
        near, far = (
            european.price(Options(1, 1.0, np.exp(k), 1.0, 0.0), np.sqrt(surface.total_variance(k, years)[0]))
            for years in (0.12, 0.13)
        )
        assert near < far
    assert surface.total_variance(0.1, 0.2)[0] == pytest.approx(float(total_variance(surface.params[1], 0.1)))
