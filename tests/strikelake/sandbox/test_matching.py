from decimal import Decimal

import numpy as np
import pytest

from strikelake.orders import Side
from strikelake.sandbox.exchange import Tape
from strikelake.sandbox.matching import Match, WorkingLeg, match, reached


def tape(*quotes: tuple[int, int, int], size: int = 50) -> Tape:
    """Quotes as (time, bid, ask) in cents."""
    ts, bid, ask = (np.array(column, dtype=np.int64) for column in zip(*quotes, strict=True))
    unknown = np.full(len(ts), np.nan)
    many = np.full(len(ts), size, dtype=np.int64)
    return Tape(ts, bid, ask, many, many, unknown, unknown, unknown, unknown)


NEAR = tape((10, 100, 110), (20, 90, 100), (30, 95, 105))
FAR = tape((15, 40, 45), (25, 50, 55), (35, 0, 60))


def buy(quotes: Tape, ratio: int = 1) -> WorkingLeg:
    return WorkingLeg(quotes, Side.BUY, ratio)


def sell(quotes: Tape, ratio: int = 1) -> WorkingLeg:
    return WorkingLeg(quotes, Side.SELL, ratio)


def test_a_market_order_takes_the_next_quote_at_our_side():
    assert match([buy(NEAR)], None, 10, 99) == Match(20, (Decimal("1.00"),), Decimal("1.00"))
    assert match([sell(NEAR)], None, 10, 99) == Match(20, (Decimal("0.90"),), Decimal("-0.90"))


@pytest.mark.parametrize(("after", "until"), [(30, 99), (10, 19), (20, 20)])
def test_only_quotes_after_the_submission_and_up_to_now_count(after, until):
    assert match([buy(NEAR)], None, after, until) is None


def test_a_limit_waits_for_its_price():
    assert match([buy(NEAR)], Decimal("1.05"), 0, 99) == Match(20, (Decimal("1.00"),), Decimal("1.00"))
    assert match([buy(NEAR)], Decimal("0.99"), 0, 99) is None
    assert match([sell(NEAR)], Decimal("-0.95"), 10, 99) == Match(30, (Decimal("0.95"),), Decimal("-0.95"))


def test_a_spread_fills_when_every_leg_has_a_new_quote():
    found = match([buy(NEAR), sell(FAR)], None, 12, 99)
    assert found == Match(20, (Decimal("1.00"), Decimal("0.40")), Decimal("0.60"))
    assert match([buy(NEAR), sell(FAR)], None, 16, 24) is None


def test_a_spread_waits_for_its_net_price_with_ratios():
    found = match([buy(NEAR), sell(FAR, ratio=2)], Decimal("0.05"), 0, 99)
    assert found == Match(25, (Decimal("1.00"), Decimal("0.50")), Decimal("0.00"))


def test_a_missing_side_never_fills():
    assert match([sell(FAR)], None, 25, 99) is None
    assert match([buy(FAR)], None, 25, 99) == Match(35, (Decimal("0.60"),), Decimal("0.60"))


def test_no_more_fills_than_is_quoted_and_the_rest_waits_for_new_quotes():
    thin = tape((10, 100, 110), (20, 90, 100), (30, 95, 105), size=3)
    first = match([buy(thin)], None, 0, 99, units=5)
    assert (first.ts_ns, first.units) == (10, 3)
    rest = match([buy(thin)], None, first.ts_ns, 99, units=2)
    assert (rest.ts_ns, rest.units) == (20, 2)


def test_a_spread_fills_as_often_as_its_scarcest_leg_allows():
    thin = tape((15, 40, 45), (25, 50, 55), size=5)
    assert match([buy(NEAR), sell(thin, ratio=2)], None, 12, 99, units=9).units == 2
    assert match([buy(NEAR), sell(tape((15, 40, 45), size=1), ratio=2)], None, 12, 99) is None


def test_a_stop_is_reached_on_the_side_it_would_trade_at():
    assert reached(NEAR, Side.SELL, Decimal("0.95"), 0, 99) == 20
    assert reached(NEAR, Side.SELL, Decimal("0.95"), 20, 99) == 30
    assert reached(NEAR, Side.BUY, Decimal("1.05"), 10, 99) == 30
    assert reached(NEAR, Side.BUY, Decimal("1.11"), 0, 99) is None


def test_a_missing_bid_reaches_no_stop():
    assert reached(FAR, Side.SELL, Decimal("0.10"), 0, 99) is None
