"""Tables of early-exercise premiums beside binomial trees."""

from math import exp, log, sqrt

import numpy as np
import pytest

from strikelake.sandbox.early_exercise import LANES, NODES, premium, solve

RATE, REFERENCE, SPOT = 0.043, 0.25, 100.0
DAY = 1.0 / 365.0
PAYING = ((12 * DAY, 0.003),)
TWICE = ((20 * DAY, 0.004), (111 * DAY, 0.004))


def tree(sign, strike, years, vol, dividends, *, american):
    steps = 800
    step = years / steps
    up = exp(vol * sqrt(step))
    chance, discount = (exp(RATE * step) - 1 / up) / (up - 1 / up), exp(-RATE * step)

    def spots(number):
        kept = np.prod([1.0 - share for after, share in dividends if after <= number * step])
        return SPOT * kept * up ** (2.0 * np.arange(number + 1) - number)

    value = np.maximum(sign * (spots(steps) - strike), 0.0)
    for number in range(steps - 1, -1, -1):
        value = discount * (chance * value[1:] + (1.0 - chance) * value[:-1])
        if american:
            value = np.maximum(value, sign * (spots(number) - strike))
    return value[0]


def table(sign, years, dividends, elapsed=6.5 / 24 * DAY):
    found = np.empty((2, NODES, LANES))
    after, shares = (np.array([row[n] for row in dividends]) for n in (0, 1))
    solve(sign, RATE, years, min(elapsed, years), after, shares, REFERENCE, found)
    return found


@pytest.mark.parametrize(
    ("sign", "years", "vol", "dividends"),
    [
        (-1.0, 30 * DAY, 0.25, ()),
        (-1.0, 30 * DAY, 0.20, PAYING),
        (1.0, 30 * DAY, 0.20, PAYING),
        (-1.0, 120 * DAY, 0.20, TWICE),
        (1.0, 120 * DAY, 0.20, TWICE),
    ],
)
def test_premiums_are_those_of_a_tree(sign, years, vol, dividends):
    solved = table(sign, years, dividends)
    for strike in (85.0, 95.0, 100.0, 105.0, 115.0):
        deviations = log(SPOT / strike) / (vol * sqrt(years))
        ours = strike * premium(solved, deviations, log(vol / REFERENCE), 1.0)
        wanted = tree(sign, strike, years, vol, dividends, american=True)
        wanted -= tree(sign, strike, years, vol, dividends, american=False)
        assert ours == pytest.approx(wanted, abs=0.005)


def test_a_call_without_dividends_is_never_exercised_early():
    assert np.abs(table(1.0, 30 * DAY, ())).max() < 1e-9


def test_nothing_is_left_of_a_premium_at_expiration():
    solved = table(-1.0, 6.5 / 24 * DAY, ())
    assert np.abs(solved[1]).max() == 0.0
    assert solved[0].max() > 0.0


def test_deep_in_the_money_a_put_is_worth_the_interest_on_its_strike():
    years = 30 * DAY
    solved = table(-1.0, years, ())
    assert premium(solved, -5.5, 0.0, 1.0) == pytest.approx(1.0 - exp(-RATE * years), rel=0.01)
