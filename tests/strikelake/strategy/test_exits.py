from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from strikelake.calendar import et_ns, session
from strikelake.orders import Effect, Leg, Side
from strikelake.portfolio import Holding
from strikelake.strategy.exits import (
    ExitReason,
    Quote,
    closing_legs,
    closing_value,
    exit_reason,
    liquidation_value,
)

DAY = session(date(2025, 1, 14))
LONG = Leg("SPY250117C00500000", Side.BUY, Effect.OPEN)
SHORT = Leg("SPY250117C00510000", Side.SELL, Effect.OPEN)
CALL = Holding(
    client_order_id="sl-1",
    underlying="SPY",
    strategy="long_call",
    legs=(LONG,),
    quantity=2,
    entry_price=Decimal("4.00"),
    opened_at=0,
    exit_at=et_ns(DAY.date, "14:00"),
    direction=1,
    max_loss=Decimal(320),
)
SPREAD = replace(CALL, strategy="call_debit_spread", legs=(LONG, SHORT))
QUOTES = {
    LONG.occ_symbol: Quote(Decimal("4.10"), Decimal("4.20")),
    SHORT.occ_symbol: Quote(Decimal("1.00"), Decimal("1.10")),
}


def test_closing_undoes_every_leg():
    expected = (Leg(LONG.occ_symbol, Side.SELL, Effect.CLOSE), Leg(SHORT.occ_symbol, Side.BUY, Effect.CLOSE))
    assert expected == closing_legs(SPREAD)


def test_longs_are_valued_at_the_bid_and_shorts_at_the_ask():
    assert Decimal("4.10") == closing_value(CALL.legs, QUOTES)
    assert Decimal("3.00") == closing_value(SPREAD.legs, QUOTES)


@pytest.mark.parametrize(
    "quotes",
    [
        {},
        {LONG.occ_symbol: Quote(None, Decimal(4)), SHORT.occ_symbol: QUOTES[SHORT.occ_symbol]},
        {LONG.occ_symbol: QUOTES[LONG.occ_symbol], SHORT.occ_symbol: Quote(Decimal(1), None)},
    ],
)
def test_a_missing_side_leaves_no_value_and_is_marked_worthless(quotes):
    assert closing_value(SPREAD.legs, quotes) is None
    assert liquidation_value(SPREAD, quotes) == 0


def test_liquidation_counts_units_and_shares():
    assert Decimal(600) == liquidation_value(SPREAD, QUOTES)


@pytest.mark.parametrize(
    ("value", "clock", "expected"),
    [
        ("4.10", "10:00", None),
        ("2.41", "10:00", None),
        ("2.40", "10:00", ExitReason.STOP),
        ("6.00", "10:00", ExitReason.TARGET),
        ("5.99", "10:00", None),
        ("4.10", "13:30", None),
        ("4.10", "14:00", ExitReason.TIME),
        ("2.40", "14:00", ExitReason.STOP),
        (None, "10:00", None),
        (None, "14:00", ExitReason.TIME),
    ],
)
def test_stop_target_and_time(value, clock, expected):
    found = exit_reason(
        CALL,
        None if value is None else Decimal(value),
        et_ns(DAY.date, clock),
        DAY,
        Decimal("0.40"),
        Decimal("0.50"),
    )
    assert expected == found


@pytest.mark.parametrize(("clock", "expected"), [("15:00", None), ("15:30", ExitReason.TIME)])
def test_time_that_runs_out_at_the_close_exits_at_the_last_decision(clock, expected):
    holding = replace(CALL, exit_at=DAY.close_ns)
    asof = et_ns(DAY.date, clock)
    assert expected == exit_reason(holding, Decimal(4), asof, DAY, Decimal("0.4"), Decimal("0.5"))


def test_a_trade_over_night_is_kept_at_the_last_decision():
    holding = replace(CALL, exit_at=DAY.close_ns + 1)
    asof = et_ns(DAY.date, "15:30")
    assert exit_reason(holding, Decimal(4), asof, DAY, Decimal("0.4"), Decimal("0.5")) is None


def test_expiration_day_comes_before_everything():
    day = session(date(2025, 1, 17))
    asof = et_ns(day.date, "10:00")
    assert exit_reason(CALL, Decimal(1), asof, day, Decimal("0.4"), Decimal("0.5")) is ExitReason.EXPIRATION


def test_a_saturday_expiration_is_closed_on_friday():
    holding = replace(CALL, legs=(Leg("AAPL140621C00645000", Side.BUY, Effect.OPEN),), exit_at=2**62)
    friday = session(date(2014, 6, 20))
    asof = et_ns(friday.date, "10:00")
    assert (
        exit_reason(holding, Decimal(4), asof, friday, Decimal("0.4"), Decimal("0.5"))
        is ExitReason.EXPIRATION
    )
