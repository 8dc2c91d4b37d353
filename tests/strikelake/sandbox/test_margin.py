from decimal import Decimal

import pytest

from strikelake.sandbox.margin import requirement, uncovered_call

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
        # Another expiration covers nothing.
        ({C600: -1, C610: 1, "SPY250516P00500000": -1, "SPY250417P00500000": 1}, 51000),
    ],
)
def test_the_requirement_is_the_worst_payoff(positions, dollars):
    assert requirement(positions) == Decimal(dollars)


def test_uncovered_calls_are_found():
    assert uncovered_call({C600: -1, C610: 1}) is None
    assert uncovered_call({P590: -5}) is None
    assert uncovered_call({C600: -2, C610: 1}) == C600
    assert uncovered_call({C600: -1, "SPY250516C00600000": 1}) == C600
