from decimal import Decimal

import pytest

from strikelake.sandbox.margin import covering_shares, requirement, uncovered_call

C600, C610, P600, P590 = (
    "SPY250417C00600000",
    "SPY250417C00610000",
    "SPY250417P00600000",
    "SPY250417P00590000",
)


@pytest.mark.parametrize(
    ("positions", "dollars"),
    [
        ({}, 0),
        ({C600: 3}, 0),
        ({C600: 1, C610: -1}, 0),
        ({C600: -1, C610: 1}, 1000),
        ({P600: -2, P590: 2}, 2000),
        # An iron condor can lose on one side only.
        ({C600: -1, C610: 1, P600: -1, P590: 1}, 1000),
        # A short put without cover is secured by its strike in cash.
        ({P590: -1}, 59000),
        # What expires before a short covers nothing.
        ({C600: -1, C610: 1, "SPY250516P00500000": -1, "SPY250417P00500000": 1}, 51000),
        # A calendar spread: the long put outlives the short one.
        ({P590: -1, "SPY250516P00590000": 1}, 0),
        ({P600: -1, "SPY250516P00590000": 1}, 1000),
        # Shares cover calls, a hundred each.
        ({C600: -2, "SPY": 200}, 0),
        ({"SPY": 100}, 0),
    ],
)
def test_the_requirement_is_the_worst_payoff(positions, dollars):
    assert requirement(positions) == Decimal(dollars)


def test_uncovered_calls_are_found():
    assert uncovered_call({C600: -1, C610: 1}) is None
    assert uncovered_call({P590: -5}) is None
    assert uncovered_call({C600: -2, C610: 1}) == C600
    assert uncovered_call({C600: -1, "SPY250516C00600000": 1}) is None
    assert uncovered_call({"SPY250516C00600000": -1, C600: 1}) == "SPY250516C00600000"
    assert uncovered_call({C600: -2, "SPY": 199}) == C600


def test_shares_sold_short_tie_up_half_as_much_again():
    assert requirement({"SPY": -100}, {"SPY": Decimal(600)}) == Decimal(90_000)


def test_shares_cover_calls_that_nothing_else_covers():
    assert covering_shares({C600: -1, "SPY": 250}, "SPY") == 100
    assert covering_shares({C600: -1, C610: 1, "SPY": 250}, "SPY") == 0
    assert covering_shares({"SPY": 250}, "SPY") == 0
    assert covering_shares({C600: -1}, "SPY") == 0
