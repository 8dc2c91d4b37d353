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


# A reverse split one for ten and one for four, and a split three for two, of contracts on a hundred shares.
TEN, QUARTER, HALF_MORE = "SPY1250417C00600000", "SPY2250417C00600000", "SPY3250417C00600000"
DELIVERS = {TEN: Decimal(10), QUARTER: Decimal(25), HALF_MORE: Decimal(150)}


def delivers(symbol):
    root = symbol[:-15]
    return next((shares for known, shares in DELIVERS.items() if known[:-15] == root), Decimal(100))


@pytest.mark.parametrize(
    ("short", "needed"),
    [({TEN: -1}, 10), ({TEN: -3}, 30), ({QUARTER: -1, TEN: -1}, 35), ({HALF_MORE: -2}, 300)],
)
def test_an_adjusted_call_is_covered_by_what_it_delivers(short, needed):
    assert uncovered_call({**short, "SPY": needed}, delivers) is None
    assert uncovered_call({**short, "SPY": needed - 1}, delivers) in short
    assert covering_shares({**short, "SPY": needed + 7}, "SPY", delivers) == needed
    assert covering_shares({**short, "SPY": needed - 1}, "SPY", delivers) == needed - 1
    assert requirement({**short, "SPY": needed}, delivers=delivers) == 0


def test_calls_on_fewer_shares_do_not_cover_one_on_more():
    assert uncovered_call({C600: -1, TEN: 1}, delivers) == C600
    assert uncovered_call({C600: -1, TEN: 10}, delivers) is None
    assert uncovered_call({C600: -1, QUARTER: 3, "SPY": 99}, delivers) == C600
    assert uncovered_call({C600: -1, QUARTER: 3, "SPY": 100}, delivers) is None


@pytest.mark.parametrize(
    ("positions", "dollars"),
    [
        # The strike is for a hundred shares, however many are delivered.
        ({"SPY1250417P00600000": -1}, 60_000),
        # A spread of contracts alike loses its width times a hundred.
        ({TEN: -1, "SPY1250417C00610000": 1}, 1_000),
        # Ten contracts on ten shares pay from 6,000 dollars on, when one on a hundred owes 540,000.
        ({C600: -1, TEN: 10}, 540_000),
        # One on 150 shares pays from 400 dollars on, and covers one on a hundred at 600.
        ({C600: -1, HALF_MORE: 1}, 0),
    ],
)
def test_the_payoff_of_adjusted_contracts_is_that_of_what_they_deliver(positions, dollars):
    assert requirement(positions, delivers=delivers) == Decimal(dollars)
