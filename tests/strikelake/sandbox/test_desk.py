from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from strikelake.calendar import NS_PER_MINUTE, session
from strikelake.contracts import OptionContract
from strikelake.orders import Effect, Side
from strikelake.sandbox.books import Held
from strikelake.sandbox.desk import BrokerConfig, Desk
from strikelake.sandbox.desk_orders import DeskLeg, Exit, OrderClass, RefusalError, Status, Ticket
from strikelake.sandbox.exchange import Bars, Exchange, Listing, Tape

LIVE = session(date(2025, 1, 7))
OPEN = LIVE.open_ns
LOW, HIGH = "SPY250117C00590000", "SPY250117C00600000"


def tape(bid: int, ask: int, size: int = 50) -> Tape:
    """The same quote every five minutes, from three minutes after the open."""
    ts = OPEN + (3 + 5 * np.arange(70, dtype=np.int64)) * NS_PER_MINUTE
    unknown = np.full(len(ts), np.nan)
    sides = [np.full(len(ts), number, dtype=np.int64) for number in (bid, ask, size, size)]
    return Tape(ts, *sides, unknown, unknown, unknown, unknown)


def falling(bids: list[int]) -> Tape:
    """Quotes 10 cents wide, one every five minutes from three minutes after the open."""
    ts = OPEN + (3 + 5 * np.arange(len(bids), dtype=np.int64)) * NS_PER_MINUTE
    bid, unknown = np.array(bids, dtype=np.int64), np.full(len(bids), np.nan)
    size = np.full(len(bids), 50, dtype=np.int64)
    return Tape(ts, bid, bid + 10, size, size, unknown, unknown, unknown, unknown)


def shares(closes: list[float]) -> Bars:
    """One minute bar every five minutes; each ends three minutes after."""
    start = OPEN + (2 + 5 * np.arange(len(closes), dtype=np.int64)) * NS_PER_MINUTE
    price, volume = np.array(closes), np.full(len(closes), 1e5)
    return Bars(start, price, price, price, price, volume, np.full(len(closes), 10))


@pytest.fixture
def desk():
    listings = {
        symbol: Listing(OptionContract.parse(symbol), 100, tape(bid, ask))
        for symbol, bid, ask in ((LOW, 500, 520), (HIGH, 200, 210))
    }
    return Desk(Exchange(LIVE, {"SPY": shares([600.0] * 70)}, listings), BrokerConfig(cash=Decimal(5000)))


def quote(desk: Desk, symbol: str, tape: Tape) -> None:
    desk.exchange.listings[symbol] = replace(desk.exchange.listings[symbol], tape=tape)


def share_order(side: Side, quantity: int, **more: object) -> Ticket:
    return Ticket("", (DeskLeg("SPY", side, None),), quantity, **more)


def statuses(desk: Desk) -> list[str]:
    return [str(order.status) for order in desk.orders.values()]


def single(side: Side, effect: Effect | None, limit: str, quantity: int = 1, symbol: str = LOW) -> Ticket:
    shown = Decimal(limit)
    signed = shown if side is Side.BUY else -shown
    return Ticket("", (DeskLeg(symbol, side, effect),), quantity, signed)


def spread(limit: str, quantity: int = 1) -> Ticket:
    """Buy the low strike and sell the high one."""
    legs = (DeskLeg(LOW, Side.BUY, Effect.OPEN, 1), DeskLeg(HIGH, Side.SELL, Effect.OPEN, 1))
    return Ticket("", legs, quantity, Decimal(limit), order_class=OrderClass.MLEG)


def reverse(ticket: Ticket, effect: Effect, limit: str) -> Ticket:
    other = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}
    legs = tuple(replace(leg, side=other[leg.side], effect=effect) for leg in ticket.legs)
    return replace(ticket, legs=legs, limit=Decimal(limit))


def later(minutes: int) -> int:
    return OPEN + minutes * NS_PER_MINUTE


def test_a_long_call_opens_and_closes_to_the_cent(desk):
    bought = desk.submit(single(Side.BUY, Effect.OPEN, "5.25"), OPEN)
    assert desk.buying_power(OPEN) == Decimal(5000) - Decimal("525.65")
    desk.advance(later(4))
    assert bought.status is Status.FILLED
    assert bought.updated_ns == later(3)
    assert desk.books.positions == {LOW: Held(1, Decimal("5.20"))}
    assert desk.books.cash == Decimal(5000) - 520 - Decimal("0.65")
    assert desk.books.equity(later(4)) == desk.books.cash + 500
    desk.submit(single(Side.SELL, Effect.CLOSE, "4.90"), later(4))
    desk.advance(later(9))
    assert desk.books.positions == {}
    assert desk.books.cash == Decimal(5000) - 20 - Decimal("1.30")


def test_a_debit_spread_ties_up_its_debit_only(desk):
    desk.submit(spread("3.30"), OPEN)
    desk.advance(later(4))
    assert desk.books.positions == {LOW: Held(1, Decimal("5.20")), HIGH: Held(-1, Decimal("2.00"))}
    assert desk.books.cash == Decimal(5000) - 320 - Decimal("1.30")
    assert desk.buying_power(OPEN) == desk.books.cash
    assert desk.books.equity(later(4)) == desk.books.cash + 500 - 210


def test_a_credit_spread_ties_up_its_width(desk):
    opened = reverse(spread("0"), Effect.OPEN, "-2.80")
    desk.submit(opened, OPEN)
    desk.advance(later(4))
    assert desk.books.cash == Decimal(5000) + 290 - Decimal("1.30")
    assert desk.margin(OPEN) == Decimal(1000)
    assert desk.buying_power(OPEN) == desk.books.cash - 1000
    desk.submit(reverse(opened, Effect.CLOSE, "3.30"), later(4))
    desk.advance(later(9))
    assert (desk.books.positions, desk.margin(OPEN)) == ({}, Decimal(0))


def test_day_orders_expire_at_the_close_and_give_back_what_they_held(desk):
    order = desk.submit(single(Side.BUY, Effect.OPEN, "1.00"), OPEN)
    desk.advance(LIVE.close_ns - 1)
    assert order.status is Status.NEW
    desk.advance(LIVE.close_ns + NS_PER_MINUTE)
    assert (order.status, order.ended_ns) == (Status.EXPIRED, LIVE.close_ns)
    assert desk.buying_power(OPEN) == Decimal(5000)


def test_a_cancelled_order_never_fills(desk):
    order = desk.submit(single(Side.BUY, Effect.OPEN, "5.25"), OPEN)
    desk.cancel(order, OPEN)
    desk.advance(later(60))
    assert (order.status, desk.books.positions) == (Status.CANCELED, {})
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
        (single(Side.BUY, Effect.OPEN, "5.25", quantity=10), 403, "insufficient options buying power"),
        (single(Side.SELL, Effect.OPEN, "5.00"), 403, "uncovered option contracts"),
        (single(Side.SELL, Effect.CLOSE, "5.00"), 422, "inferred: sell_to_open, specified: sell_to_close"),
        (reverse(spread("0", quantity=8), Effect.OPEN, "-2.80"), 403, "insufficient options buying power"),
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
    with pytest.raises(RefusalError, match="not eligible to trade spreads"):
        desk.submit(spread("3.30"), OPEN)
    desk.submit(single(Side.BUY, Effect.OPEN, "5.25"), OPEN)


def test_market_orders_wait_for_the_open(desk):
    ticket = replace(single(Side.BUY, Effect.OPEN, "5.25"), limit=None)
    with pytest.raises(RefusalError, match="only allowed during market hours"):
        desk.submit(ticket, OPEN - NS_PER_MINUTE)


def test_the_average_price_moves_only_when_a_position_grows(desk):
    desk.books.move(LOW, 2, Decimal(4))
    desk.books.move(LOW, 2, Decimal(6))
    assert desk.books.positions[LOW] == Held(4, Decimal(5))
    desk.books.move(LOW, -3, Decimal(9))
    assert desk.books.positions[LOW] == Held(1, Decimal(5))
    desk.books.move(LOW, -3, Decimal(7))
    assert desk.books.positions[LOW] == Held(-2, Decimal(7))


def test_no_more_fills_than_is_quoted(desk):
    quote(desk, LOW, tape(10, 12, size=3))
    order = desk.submit(single(Side.BUY, Effect.OPEN, "0.12", quantity=5), OPEN)
    hold = order.hold
    desk.advance(later(4))
    assert (order.status, order.filled, order.fees) == (Status.PARTIALLY_FILLED, 3, Decimal("1.95"))
    assert order.hold == hold * 2 / 5
    desk.advance(later(9))
    assert (order.status, order.filled, order.ended_ns) == (Status.FILLED, 5, later(8))
    assert [a.left for a in desk.books.activities] == [2, 0]
    assert desk.books.cash == Decimal(5000) - 60 - Decimal("3.25")


def test_what_filled_before_a_cancel_stays(desk):
    quote(desk, LOW, tape(10, 12, size=3))
    order = desk.submit(single(Side.BUY, Effect.OPEN, "0.12", quantity=5), OPEN)
    desk.advance(later(4))
    desk.cancel(order, later(5))
    desk.advance(later(60))
    assert (order.status, order.filled) == (Status.CANCELED, 3)
    assert desk.books.positions == {LOW: Held(3, Decimal("0.12"))}


def test_a_stop_sells_when_the_bid_falls_to_it(desk):
    quote(desk, LOW, falling([500, 490, 470, 465]))
    desk.submit(single(Side.BUY, Effect.OPEN, "5.25"), OPEN)
    desk.advance(later(4))
    stop = Ticket("", (DeskLeg(LOW, Side.SELL, Effect.CLOSE),), 1, stop=Decimal("4.80"))
    order = desk.submit(stop, later(4))
    desk.advance(later(12))
    assert (order.status, order.triggered_ns) == (Status.NEW, None)
    desk.advance(later(14))
    assert (order.status, order.triggered_ns, order.net) == (Status.FILLED, later(13), Decimal("-4.70"))


def test_a_stop_limit_may_be_left_behind(desk):
    quote(desk, LOW, falling([500, 490, 470, 480, 479]))
    desk.submit(single(Side.BUY, Effect.OPEN, "5.25"), OPEN)
    desk.advance(later(4))
    leg = DeskLeg(LOW, Side.SELL, Effect.CLOSE)
    order = desk.submit(Ticket("", (leg,), 1, Decimal("-4.75"), Decimal("4.80")), later(4))
    desk.advance(later(14))
    assert (order.status, order.triggered_ns) == (Status.NEW, later(13))
    desk.advance(later(19))
    assert (order.status, order.net) == (Status.FILLED, Decimal("-4.80"))


def test_a_replacement_takes_the_place_and_what_has_filled(desk):
    quote(desk, LOW, tape(10, 12, size=3))
    order = desk.submit(single(Side.BUY, Effect.OPEN, "0.12", quantity=5), OPEN)
    desk.advance(later(4))
    with pytest.raises(RefusalError, match="qty must be > filled_qty"):
        desk.replace(order, replace(order.ticket, client_order_id="", quantity=3), later(5))
    new = desk.replace(order, replace(order.ticket, client_order_id="new", quantity=6), later(5))
    assert (order.status, order.replaced_by, new.replaces) == (Status.REPLACED, new.order_id, order.order_id)
    with pytest.raises(RefusalError, match="order already replaced"):
        desk.replace(order, new.ticket, later(6))
    desk.advance(later(9))
    assert (new.status, new.filled) == (Status.FILLED, 6)
    assert desk.books.positions[LOW].quantity == 6
    with pytest.raises(RefusalError, match="cannot replace order in filled status"):
        desk.replace(new, new.ticket, later(10))


def test_a_replacement_that_cannot_be_paid_leaves_the_order(desk):
    order = desk.submit(single(Side.BUY, Effect.OPEN, "1.00"), OPEN)
    with pytest.raises(RefusalError, match="insufficient options buying power"):
        desk.replace(order, replace(order.ticket, client_order_id="", quantity=90), OPEN)
    assert (order.status, len(desk.orders)) == (Status.ACCEPTED, 1)


@pytest.mark.parametrize(
    ("level", "ticket", "message"),
    [
        (0, single(Side.BUY, Effect.OPEN, "5.25"), "account not authorized to trade options"),
        (1, single(Side.BUY, Effect.OPEN, "5.25"), "not eligible to trade long option contracts"),
        (1, spread("3.30"), "not eligible to trade spreads or uncovered contracts"),
        (2, spread("3.30"), "not eligible to trade spreads or uncovered contracts"),
        (1, single(Side.SELL, Effect.OPEN, "5.00"), r"covered call \(required: 100, available: 0\)"),
        (2, single(Side.SELL, Effect.OPEN, "5.00"), r"covered call \(required: 100, available: 0\)"),
        (3, single(Side.SELL, Effect.OPEN, "5.00"), "account not eligible to trade uncovered option"),
    ],
)
def test_each_level_allows_what_alpaca_allows(desk, level, ticket, message):
    desk.config = BrokerConfig(cash=Decimal(5000), options_level=level)
    with pytest.raises(RefusalError, match=message) as refusal:
        desk.submit(ticket, OPEN)
    assert refusal.value.status == 403


def test_a_cash_secured_put_needs_its_strike_in_cash(desk):
    put = "SPY250117P00590000"
    contract = OptionContract.parse(put)
    desk.exchange.listings[put] = Listing(contract, 100, tape(300, 310))
    desk.config = BrokerConfig(cash=Decimal(5000), options_level=1)
    sale = single(Side.SELL, Effect.OPEN, "3.00", symbol=put)
    with pytest.raises(RefusalError, match=r"for cash-secured put .required: 58700\.65, available: 5000"):
        desk.submit(sale, OPEN)
    desk.books.cash = Decimal(60_000)
    desk.submit(sale, OPEN)
    desk.advance(later(4))
    assert desk.buying_power(later(4)) == Decimal(60_300) - Decimal("0.65") - 59_000


def test_a_covered_call_locks_its_shares(desk):
    desk.config = BrokerConfig(options_level=1)
    desk.books.move("SPY", 150, Decimal(600))
    desk.submit(single(Side.SELL, Effect.OPEN, "5.00"), OPEN)
    with pytest.raises(RefusalError, match="covered call"):
        desk.submit(single(Side.SELL, Effect.OPEN, "5.00"), OPEN)
    desk.advance(later(4))
    assert (desk.available("SPY"), desk.margin(later(4))) == (50, 0)
    with pytest.raises(RefusalError, match=r"requested: 51, available: 50"):
        desk.submit(share_order(Side.SELL, 51), later(4))
    desk.submit(share_order(Side.SELL, 50), later(4))


def test_a_long_leg_cannot_be_sold_from_under_the_short_one(desk):
    desk.submit(spread("3.30"), OPEN)
    desk.advance(later(4))
    with pytest.raises(RefusalError, match="uncovered option contracts"):
        desk.submit(single(Side.SELL, Effect.CLOSE, "5.00"), later(4))
    desk.submit(single(Side.BUY, Effect.CLOSE, "2.10", symbol=HIGH), later(4))


def test_what_an_order_is_closing_cannot_be_closed_again(desk):
    desk.submit(single(Side.BUY, Effect.OPEN, "5.25", quantity=2), OPEN)
    desk.books.cash = Decimal(5000)
    desk.advance(later(4))
    first = desk.submit(single(Side.SELL, Effect.CLOSE, "9.00"), later(4))
    with pytest.raises(RefusalError, match=r"requested: 2, available: 1") as refusal:
        desk.submit(single(Side.SELL, Effect.CLOSE, "9.00", quantity=2), later(4))
    assert refusal.value.body["related_orders"] == [first.order_id]
    assert (refusal.value.body["existing_qty"], refusal.value.body["held_for_orders"]) == ("2", "1")


def test_shares_are_bought_and_sold_without_fees(desk):
    desk.books.cash = Decimal(100_000)
    with pytest.raises(RefusalError, match="account is not allowed to short"):
        desk.submit(share_order(Side.SELL, 10), later(4))
    desk.submit(share_order(Side.BUY, 100), later(4))
    desk.advance(later(9))
    assert desk.books.positions == {"SPY": Held(100, Decimal("600.01"))}
    assert desk.books.cash == Decimal(100_000) - Decimal(60_001)
    desk.submit(share_order(Side.SELL, 100), later(9))
    desk.advance(later(14))
    assert desk.books.cash == Decimal(100_000) - 2
    with pytest.raises(RefusalError, match="insufficient buying power"):
        desk.submit(share_order(Side.BUY, 1000), later(14))


@pytest.mark.parametrize(
    ("closes", "ends"),
    [
        ([600.0, 600.0, 605.0, 611.0], ["filled", "filled", "canceled"]),
        ([600.0, 600.0, 595.0, 589.0], ["filled", "canceled", "filled"]),
    ],
)
def test_a_bracket_leaves_once(desk, closes, ends):
    desk.exchange.stocks["SPY"] = shares(closes)
    desk.books.cash = Decimal(100_000)
    exits = (Exit(Decimal(610), None), Exit(None, Decimal(590)))
    desk.submit(share_order(Side.BUY, 100, order_class=OrderClass.BRACKET, exits=exits), later(4))
    assert statuses(desk) == ["accepted", "held", "held"]
    desk.advance(later(9))
    assert statuses(desk) == ["filled", "new", "new"]
    desk.advance(later(30))
    assert statuses(desk) == ends
    assert desk.books.positions == {}


def test_a_cancelled_bracket_takes_its_exits_along(desk):
    desk.books.cash = Decimal(100_000)
    exits = (Exit(Decimal(610), None), Exit(None, Decimal(590)))
    entry = share_order(Side.BUY, 100, limit=Decimal(595), order_class=OrderClass.BRACKET, exits=exits)
    desk.cancel(desk.submit(entry, later(4)), later(5))
    assert statuses(desk) == ["canceled"] * 3


def test_an_oco_closes_what_is_held_and_its_stop_must_be_below_the_price(desk):
    desk.books.move("SPY", 100, Decimal(600))
    legs = {"limit": Decimal(-610), "order_class": OrderClass.OCO}
    for stop, message in ((611, "<= base_price - 0.01"), (590, None)):
        ticket = share_order(Side.SELL, 100, exits=(Exit(None, Decimal(stop)),), **legs)
        if message:
            with pytest.raises(RefusalError, match=message):
                desk.submit(ticket, later(4))
    desk.submit(ticket, later(4))
    assert desk.available("SPY") == 0
    desk.exchange.stocks["SPY"] = shares([600.0, 589.0, 588.0])
    desk.advance(later(9))
    assert (statuses(desk), desk.books.positions) == (["canceled", "filled"], {})
    with pytest.raises(RefusalError, match="oco orders must be exit orders"):
        desk.submit(replace(ticket, legs=(DeskLeg("SPY", Side.BUY, None),)), later(9))


def test_updates_are_told_as_they_happen(desk):
    told = []
    desk.notify = lambda update: told.append((update.event, update.ts_ns))
    quote(desk, LOW, tape(10, 12, size=3))
    desk.submit(single(Side.BUY, Effect.OPEN, "0.12", quantity=5), OPEN)
    order = desk.submit(single(Side.BUY, Effect.OPEN, "0.01"), OPEN)
    desk.advance(later(1))
    desk.replace(order, replace(order.ticket, client_order_id="", quantity=2), later(2))
    desk.advance(later(9))
    desk.cancel(desk.open_orders()[0], later(9))
    assert told == [
        ("accepted", OPEN),
        ("accepted", OPEN),
        ("new", OPEN),
        ("new", OPEN),
        ("accepted", later(2)),
        ("replaced", later(2)),
        ("new", later(2)),
        ("partial_fill", later(3)),
        ("fill", later(8)),
        ("canceled", later(9)),
    ]
