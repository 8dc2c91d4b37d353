"""The tabulated premium meets what is known of it: at the boundary, at expiration, and by quadrature."""

import numpy as np
import pytest
from numpy.polynomial import polynomial as series

from strikelake.pricing import european
from strikelake.pricing.boundary_nodes import FAR, POWERS_U, POWERS_VOL, nodes
from strikelake.pricing.options import Options
from strikelake.pricing.premium_tables import (
    DISTANCE,
    LN_LIMIT,
    NEARER,
    SHORTER,
    SIZE,
    SURFACE,
    fill_tables,
)

LOW, HIGH = 0.15, 0.6
MARKETS = [
    (0.045, 0.015, 0.5),
    (0.045, 0.0, 0.08),
    (0.03, 0.05, 1.0),
    (0.045, 0.0455, 1.0),
    (0.0, -0.02, 0.3),
]


def _table(rate, carry, years):
    table = np.empty((1, SIZE))
    reach = np.array([[np.log(LOW), np.log(HIGH), years, years]])
    one = np.array([True])
    fill_tables(np.array([rate]), np.array([carry]), ~one, reach, nodes(), table)
    return table[0]


def _boundary(table, vol, years):
    place = 2.0 * np.log(vol / LOW) / np.log(HIGH / LOW) - 1.0
    distance = series.polyval(place, table[DISTANCE:NEARER])
    return np.exp(table[LN_LIMIT] - distance * vol * np.sqrt(years)), place


@pytest.mark.parametrize(("rate", "carry", "years"), MARKETS)
def test_at_the_boundary_the_option_is_worth_its_exercise(rate, carry, years):
    table = _table(rate, carry, years)
    surface = table[SURFACE:SHORTER].reshape(POWERS_U, POWERS_VOL)
    for vol in (0.16, 0.2, 0.31, 0.55):
        spot, place = _boundary(table, vol, years)
        premium = np.exp(series.polyval2d(-1.0, place, surface))
        value = european.price(Options(-1, spot, 1.0, years, rate, carry), vol)
        assert value + premium == pytest.approx(1.0 - spot, abs=2e-6)


@pytest.mark.parametrize(("rate", "carry", "years"), MARKETS)
def test_it_leaves_the_boundary_smoothly(rate, carry, years):
    table = _table(rate, carry, years)
    surface = table[SURFACE:SHORTER].reshape(POWERS_U, POWERS_VOL)
    vol = 0.3
    spot, place = _boundary(table, vol, years)
    # d(e)/d(spot) where u = 0 is -1 less the European delta.
    premium = np.exp(series.polyval2d(-1.0, place, surface))
    by_u = premium * series.polyval2d(-1.0, place, series.polyder(surface)) * 2.0 / FAR
    step = 1e-5
    up, down = (european.price(Options(-1, spot + d, 1.0, years, rate, carry), vol) for d in (step, -step))
    slope = by_u / (spot * vol * np.sqrt(years)) + (up - down) / (2.0 * step)
    assert slope == pytest.approx(-1.0, abs=3e-4)


def test_the_boundary_ends_where_yield_and_interest_balance():
    assert _table(0.03, 0.05, 1.0)[LN_LIMIT] == pytest.approx(np.log(0.6))
    assert _table(0.05, 0.03, 1.0)[LN_LIMIT] == 0.0


def test_long_options_are_exercised_near_the_perpetual_boundary():
    rate, vol = 0.2, 0.2
    spot, _ = _boundary(_table(rate, 0.0, 60.0), vol, 60.0)
    ratio = 2.0 * rate / vol**2
    assert spot == pytest.approx(ratio / (1.0 + ratio), rel=1e-3)


def test_without_rates_there_is_no_premium():
    table = _table(1e-12, 0.0, 0.5)
    assert table[SURFACE] < -600.0
    assert not np.any(table[SURFACE + 1 :])
