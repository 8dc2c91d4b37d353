from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from strikelake.calendar import NS_PER_MINUTE, session
from strikelake.contracts import OptionContract
from strikelake.orders import Effect, OrderStatus, Side
from strikelake.sandbox.desk import BrokerConfig, Desk, Held
from strikelake.sandbox.desk_orders import DeskLeg, RefusalError, Ticket
from strikelake.sandbox.exchange import Exchange, Listing, Tape

LIVE = session(date(2025, 1, 7))
OPEN = LIVE.open_ns
LOW, HIGH = "SPY250117C00590000", "SPY250117C00600000"


def tape(bid: int, ask: int) -> Tape:
    """The same quote every five minutes, from three minutes after the open."""
    ts = OPEN + (3 + 5 * np.arange(70, dtype=np.int64)) * NS_PER_MINUTE
    unknown = np.full(len(ts), np.nan)
    sides = [np.full(len(ts), cents, dtype=np.int64) for cents in (bid, ask)]
    return Tape(ts, *sides, *sides, unknown, unknown, unknown, unknown)


@pytest.fixture
def desk():
    listings = {
        symbol: Listing(OptionContract.parse(symbol), 100, tape(bid, ask))
        for symbol, bid, ask in ((LOW, 500, 520), (HIGH, 200, 210))
    }
    return Desk(Exchange(LIVE, {}, listings), BrokerConfig(cash=Decimal(5000)))


def single(side: Side, effect: Effect | None, limit: str, quantity: int = 1, symbol: str = LOW) -> Ticket:
    shown = Decimal(limit)
    signed = shown if side is Side.BUY else -shown
    return Ticket("", (DeskLeg(symbol, side, effect, 1),), quantity, signed, shown, multi=False)


def spread(limit: str, quantity: int = 1) -> Ticket:
    """Buy the low strike and sell the high one."""
    legs = (DeskLeg(LOW, Side.BUY, Effect.OPEN, 1), DeskLeg(HIGH, Side.SELL, Effect.OPEN, 1))
    return Ticket("", legs, quantity, Decimal(limit), Decimal(limit), multi=True)


def reverse(ticket: Ticket, effect: Effect, limit: str) -> Ticket:
    other = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}
    legs = tuple(replace(leg, side=other[leg.side], effect=effect) for leg in ticket.legs)
    return replace(ticket, legs=legs, limit=Decimal(limit), shown_limit=Decimal(limit))


def later(minutes: int) -> int:
    return OPEN + minutes * NS_PER_MINUTE


def test_a_long_call_opens_and_closes_to_the_cent(desk):
    bought = desk.submit(single(Side.BUY, Effect.OPEN, "5.25"), OPEN)
    assert desk.buying_power() == Decimal(5000) - Decimal("525.65")
    desk.advance(later(4))
    assert bought.status is OrderStatus.FILLED
    assert bought.updated_ns == later(3)
    assert desk.positions == {LOW: Held(1, Decimal("5.20"))}
    assert desk.cash == Decimal(5000) - 520 - Decimal("0.65")
    assert desk.equity(later(4)) == desk.cash + 500
    desk.submit(single(Side.SELL, Effect.CLOSE, "4.90"), later(4))
    desk.advance(later(9))
    assert desk.positions == {}
    assert desk.cash == Decimal(5000) - 20 - Decimal("1.30")


def test_a_debit_spread_ties_up_its_debit_only(desk):
    desk.submit(spread("3.30"), OPEN)
    desk.advance(later(4))
    assert desk.positions == {LOW: Held(1, Decimal("5.20")), HIGH: Held(-1, Decimal("2.00"))}
    assert desk.cash == Decimal(5000) - 320 - Decimal("1.30")
    assert desk.buying_power() == desk.cash
    assert desk.equity(later(4)) == desk.cash + 500 - 210


def test_a_credit_spread_ties_up_its_width(desk):
    opened = reverse(spread("0"), Effect.OPEN, "-2.80")
    desk.submit(opened, OPEN)
    desk.advance(later(4))
    assert desk.cash == Decimal(5000) + 290 - Decimal("1.30")
    assert desk.margin() == Decimal(1000)
    assert desk.buying_power() == desk.cash - 1000
    desk.submit(reverse(opened, Effect.CLOSE, "3.30"), later(4))
    desk.advance(later(9))
    assert (desk.positions, desk.margin()) == ({}, Decimal(0))


def test_day_orders_expire_at_the_close_and_give_back_what_they_held(desk):
    order = desk.submit(single(Side.BUY, Effect.OPEN, "1.00"), OPEN)
    desk.advance(LIVE.close_ns - 1)
    assert order.status is OrderStatus.NEW
    desk.advance(LIVE.close_ns + NS_PER_MINUTE)
    assert (order.status, order.ended_ns) == (OrderStatus.EXPIRED, LIVE.close_ns)
    assert desk.buying_power() == Decimal(5000)


def test_a_cancelled_order_never_fills(desk):
    order = desk.submit(single(Side.BUY, Effect.OPEN, "5.25"), OPEN)
    desk.cancel(order, OPEN)
    desk.advance(later(60))
    assert (order.status, desk.positions) == (OrderStatus.CANCELED, {})
    with pytest.raises(RefusalError, match='already in "canceled" state'):
        desk.cancel(order, later(60))


def test_an_open_intent_is_filled_in_from_the_position(desk):
    desk.submit(single(Side.BUY, None, "5.25"), OPEN)
    desk.advance(later(4))
    closing = desk.submit(single(Side.SELL, None, "5.00"), later(4))
    assert closing.ticket.legs[0].effect is Effect.CLOSE
    assert desk.available(LOW) == 0


@pytest.mark.parametrize(
    ("ticket", "status", "message"),
    [
        (single(Side.BUY, Effect.OPEN, "5.25", symbol="SPY250117C00999000"), 422, "not found"),
        (single(Side.BUY, Effect.OPEN, "5.25", quantity=10), 403, "insufficient buying power"),
        (single(Side.SELL, Effect.OPEN, "5.00"), 403, "uncovered option contracts"),
        (single(Side.SELL, Effect.CLOSE, "5.00"), 403, r"insufficient qty .*requested: 1, available: 0"),
        (reverse(spread("0", quantity=8), Effect.OPEN, "-2.80"), 403, "insufficient buying power"),
    ],
)
def test_orders_the_account_may_not_place(desk, ticket, status, message):
    with pytest.raises(RefusalError, match=message) as refusal:
        desk.submit(ticket, OPEN)
    assert (refusal.value.status, desk.orders) == (status, {})


def test_a_client_order_id_is_taken_once(desk):
    ticket = replace(single(Side.BUY, Effect.OPEN, "5.25"), client_order_id="mine")
    placed = desk.submit(ticket, OPEN)
    desk.cancel(placed, OPEN)
    with pytest.raises(RefusalError, match="client_order_id must be unique"):
        desk.submit(ticket, later(1))


def test_levels_are_checked(desk):
    desk.config = BrokerConfig(cash=Decimal(5000), options_level=2)
    with pytest.raises(RefusalError, match="level 3"):
        desk.submit(spread("3.30"), OPEN)
    desk.submit(single(Side.BUY, Effect.OPEN, "5.25"), OPEN)


def test_market_orders_wait_for_the_open(desk):
    ticket = replace(single(Side.BUY, Effect.OPEN, "5.25"), limit=None, shown_limit=None)
    with pytest.raises(RefusalError, match="only allowed during market hours"):
        desk.submit(ticket, OPEN - NS_PER_MINUTE)


def test_the_average_price_moves_only_when_a_position_grows(desk):
    desk._move(LOW, 2, Decimal(4))
    desk._move(LOW, 2, Decimal(6))
    assert desk.positions[LOW] == Held(4, Decimal(5))
    desk._move(LOW, -3, Decimal(9))
    assert desk.positions[LOW] == Held(1, Decimal(5))
    desk._move(LOW, -3, Decimal(7))
    assert desk.positions[LOW] == Held(-2, Decimal(7))
