"""Discrete dividends: schedules, forwards, European rows."""

import numpy as np
import pytest

from strikelake.pricing import black_scholes
from strikelake.pricing.chain import Dividends, Terms, analyse_chain, forwards, price_chain, value_chain
from strikelake.pricing.discrete import fractions

PAID = Dividends(np.array([1, 1, 0]), np.array([0.35, 0.1, 0.2]), np.array([0.01, 0.02, 0.03]))


def _terms(*, american=False, dividends=PAID):
    return Terms(np.array([0.04, 0.04]), np.array([0.0, 0.01]), np.full(2, american), dividends)


def test_the_forward_is_that_of_the_cash():
    cash, when, spot, rate = np.array([1.0, 0.5, 0.8]), np.array([0.4, 0.1, 0.7]), 60.0, 0.05
    shares = fractions(cash, when, spot, rate)
    terms = Terms(
        np.array([rate]), np.zeros(1), np.array([True]), Dividends(np.zeros(3, int), 1.0 - when, shares)
    )
    expected = (spot - np.sum(cash * np.exp(-rate * when))) * np.exp(rate)
    assert forwards(spot, 1.0, [0], terms) == pytest.approx([expected], rel=1e-14)


def test_only_dividends_ahead_count():
    found = forwards(100.0, [0.5, 0.3, 0.05, 0.5], [1, 1, 1, 0], _terms())
    growth = np.exp(np.array([0.03, 0.03, 0.03, 0.04]) * [0.5, 0.3, 0.05, 0.5])
    assert found == pytest.approx(100.0 * growth * [0.99 * 0.98, 0.98, 1.0, 0.97], rel=1e-14)


def test_european_rows_are_exact_and_lose_no_dividend_day_by_day():
    sign, strike, years = (
        np.array([1.0, -1.0, 1.0]),
        np.array([95.0, 105.0, 100.0]),
        np.array([0.5, 0.3, 0.05]),
    )
    group, vol = np.array([1, 1, 1]), np.array([0.2, 0.3, 0.4])
    value = price_chain(sign, 100.0, strike, years, vol, group, _terms())
    spot = 100.0 * np.array([0.99 * 0.98, 0.98, 1.0])
    assert value == pytest.approx(black_scholes.price(sign, spot, strike, years, 0.04, vol, 0.01), rel=1e-13)
    found = analyse_chain(value, sign, 100.0, strike, years, group, _terms())
    assert found.vol == pytest.approx(vol, abs=1e-10)
    later = price_chain(sign, 100.0, strike, years - 1e-5, vol, group, _terms())
    assert found.theta == pytest.approx((later - value) / 1e-5, rel=1e-3)
    assert value_chain(sign, 100.0, strike, years, vol, group, _terms()).theta == pytest.approx(found.theta)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0], [0.1, 0.2], [0.01]), "give three of one length"),
        (([0], [0.1], [1.0]), r"shares in \[0, 1\)"),
        (([0], [0.1], [-0.1]), r"shares in \[0, 1\)"),
        (([0], [np.nan], [0.1]), "leave the dividend out"),
    ],
)
def test_bad_dividends_are_named(columns, message):
    with pytest.raises(ValueError, match=message):
        Dividends(*map(np.array, columns))


def test_a_schedule_of_an_unknown_group_and_one_beyond_the_spot_are_refused():
    with pytest.raises(ValueError, match="dividends name groups 0 to 5, but there are 2 terms"):
        forwards(1.0, 1.0, [0], _terms(dividends=Dividends(np.array([0, 5]), np.ones(2), np.zeros(2))))
    with pytest.raises(ValueError, match="leave nothing of a spot of 10"):
        fractions([6.0, 6.0], [0.1, 0.2], 10.0, 0.0)
    with pytest.raises(ValueError, match="one date per dividend"):
        fractions([6.0], [0.1, 0.2], 10.0, 0.0)
