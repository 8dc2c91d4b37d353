"""What splits make of contracts: symbols, counts, deliverables, and holdings made of them."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strikelake.calendar import iso
from strikelake.contracts import MULTIPLIER, OptionContract
from strikelake.orders import Effect, Leg, Side
from strikelake.portfolio import Holding, adjust_holding
from strikelake.splits import Adjusted, Split, adjust_contract, split_ratio

EX_DATE = date(2025, 2, 24)


def split(ratio, ticker="META"):
    return Split(ticker, EX_DATE, Fraction(ratio))


@pytest.mark.parametrize(
    ("symbol", "shares", "ratio", "expected"),
    [
        ("META250321C00602500", 100, "2", ("META250321C00301250", 2, 100)),
        # As in June 2014: the 645 calls went on as seven of 92.14.
        ("AAPL140621C00645000", 100, "7", ("AAPL140621C00092140", 7, 100)),
        ("META250321C00602500", 100, "3/2", ("META1250321C00602500", 1, 150)),
        ("META250321C00602500", 100, "1/8", ("META1250321C00602500", 1, Decimal("12.5"))),
        # What does not deliver a hundred shares keeps its strike, and takes the next root.
        ("META1250321C00602500", 150, "2", ("META2250321C00602500", 1, 300)),
    ],
)
def test_a_contract_after_a_split(symbol, shares, ratio, expected):
    assert adjust_contract(symbol, split(ratio), Decimal(shares)) == Adjusted(*expected)


@given(
    st.sampled_from([Fraction(2), Fraction(4), Fraction(3, 2), Fraction(1, 10), Fraction(1, 8)]),
    st.integers(1, 4_000),
    st.integers(1, 9_000),
)
def test_exercise_is_worth_the_same(ratio, strike, price):
    # Shares worth `price` before are worth price / ratio each after.
    symbol = OptionContract("META", date(2025, 3, 21), "C", Decimal(strike)).occ_symbol
    after = adjust_contract(symbol, split(ratio))
    paid = OptionContract.parse(after.occ_symbol).strike * MULTIPLIER
    worth = Fraction(after.shares) * Fraction(price) / ratio - Fraction(paid)
    assert after.contracts * worth == MULTIPLIER * (price - strike)


def test_a_spread_is_adjusted_as_a_whole():
    legs = (
        Leg("META250321C00600000", Side.BUY, Effect.OPEN),
        Leg("META250321C00620000", Side.SELL, Effect.OPEN),
    )
    held = Holding("sl-1", "META", "made", legs, 3, Decimal("5.50"), 0, 1, 1, Decimal(700))
    after = adjust_holding(held, split(2))
    assert [leg.occ_symbol for leg in after.legs] == ["META250321C00300000", "META250321C00310000"]
    assert [leg.side for leg in after.legs] == [Side.BUY, Side.SELL]
    assert (after.quantity, after.entry_price, after.max_loss) == (6, Decimal("2.75"), Decimal(700))
    assert adjust_holding(after, split(2, "AAPL")) is after


def test_ratios_are_exact_and_splits_come_at_midnight():
    assert [split_ratio(1, 4), split_ratio(20.0, 1.0), split_ratio(1.0, 1.1)] == [
        Fraction(4),
        Fraction(1, 20),
        Fraction(11, 10),
    ]
    assert iso(split(2).effective_ns) == "2025-02-24 00:00:00 ET"
