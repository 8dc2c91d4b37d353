from decimal import Decimal

import pytest

from strikelake.orders import Effect, Side
from strikelake.sandbox.desk_orders import (
    DeskLeg,
    Exit,
    OrderClass,
    OrderType,
    RefusalError,
    Ticket,
    cash_flow,
    signed_quantities,
)
from strikelake.sandbox.tickets import changed, parse_ticket

A, B = "SPY250417C00600000", "SPY250417C00610000"
SINGLE = {
    "symbol": "SPY250417C00600000",
    "qty": "2",
    "side": "buy",
    "type": "limit",
    "limit_price": "1.05",
    "time_in_force": "day",
    "client_order_id": "one",
}
SPREAD = {
    "order_class": "mleg",
    "qty": 3,
    "type": "limit",
    "limit_price": "-0.5",
    "time_in_force": "day",
    "legs": [
        {"symbol": A, "ratio_qty": "1", "side": "sell", "position_intent": "sell_to_open"},
        {"symbol": B, "ratio_qty": 2.0, "position_intent": "buy_to_open"},
    ],
}
SHARES = {"symbol": "SPY", "qty": "100", "side": "buy", "type": "market", "time_in_force": "gtc"}
BRACKET = SHARES | {
    "order_class": "bracket",
    "take_profit": {"limit_price": "610"},
    "stop_loss": {"stop_price": "590", "limit_price": "589.5"},
}


def test_a_single_order_is_read():
    leg = DeskLeg("SPY250417C00600000", Side.BUY, None, 1)
    limit = Decimal("1.05")
    assert parse_ticket(SINGLE) == Ticket("one", (leg,), 2, limit)


def test_a_single_sells_limit_is_a_credit():
    ticket = parse_ticket(SINGLE | {"side": "sell", "position_intent": "sell_to_close"})
    assert (ticket.limit, ticket.shown_limit) == (Decimal("-1.05"), Decimal("1.05"))
    assert ticket.legs[0].effect is Effect.CLOSE


def test_a_spread_is_read():
    ticket = parse_ticket(SPREAD)
    assert ticket.legs == (DeskLeg(A, Side.SELL, Effect.OPEN, 1), DeskLeg(B, Side.BUY, Effect.OPEN, 2))
    assert (ticket.limit, ticket.contracts) == (Decimal("-0.5"), 9)
    assert signed_quantities(ticket) == {A: -3, B: 6}
    assert cash_flow(ticket, Decimal("-0.5")) == Decimal(-150)


def test_stops_are_read():
    stop = SINGLE | {"type": "stop", "stop_price": "0.9", "side": "sell"}
    del stop["limit_price"]
    assert parse_ticket(stop).type is OrderType.STOP
    both = parse_ticket(SINGLE | {"type": "stop_limit", "stop_price": "0.9", "side": "sell"})
    assert (both.type, both.stop, both.limit) == (OrderType.STOP_LIMIT, Decimal("0.9"), Decimal("-1.05"))


def test_a_bracket_for_shares_is_read():
    ticket = parse_ticket(BRACKET)
    assert (ticket.order_class, ticket.type, ticket.good_till_canceled) == ("bracket", "market", True)
    assert ticket.exits == (Exit(Decimal(610), None), Exit(Decimal("589.5"), Decimal(590)))
    assert (ticket.multiplier, ticket.contracts) == (1, 0)


def test_an_oco_is_its_take_profit_with_a_stop_beside_it():
    body = BRACKET | {"order_class": "oco", "side": "sell", "type": "limit"}
    ticket = parse_ticket(body)
    assert (ticket.limit, ticket.exits) == (Decimal(-610), (Exit(Decimal("589.5"), Decimal(590)),))


def test_a_replacement_changes_what_it_names():
    ticket = parse_ticket(SPREAD)
    legs = tuple(leg for leg in ticket.legs)
    new = changed(ticket, {"limit_price": "-0.45", "client_order_id": "two"})
    assert new == Ticket("two", legs, 3, Decimal("-0.45"), order_class=OrderClass.MLEG)
    sale = parse_ticket(SINGLE | {"side": "sell", "position_intent": "sell_to_close"})
    assert changed(sale, {"qty": 1}).shown_limit == Decimal("1.05")
    with pytest.raises(RefusalError, match="order parameters are not changed"):
        changed(sale, {"limit_price": "1.050", "qty": "2"})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (SINGLE | {"type": "trailing_stop"}, "invalid order type for options trading"),
        (SINGLE | {"time_in_force": "gtc"}, "order_time_in_force provided not supported for options trading"),
        (SINGLE | {"extended_hours": True}, "extended hours is not supported for options trading"),
        (SINGLE | {"notional": "100"}, "notional orders are not supported for options trading"),
        (SINGLE | {"order_class": "bracket"}, "complex orders not supported for options trading"),
        (SINGLE | {"order_class": "oco"}, "complex orders not supported for options trading"),
        (SINGLE | {"order_class": "oto"}, "complex orders not supported for options trading"),
        (SINGLE | {"order_class": "swap"}, "invalid order_class"),
        (SINGLE | {"qty": "1.5"}, "qty must be integer for options trading"),
        (SINGLE | {"qty": None}, "qty is required"),
        (SINGLE | {"qty": "-1"}, "qty must be > 0"),
        (SINGLE | {"limit_price": "1.055"}, "sub-penny"),
        (SINGLE | {"limit_price": "0"}, "limit price must be > 0"),
        (SINGLE | {"limit_price": "NaN"}, "invalid limit_price"),
        (SINGLE | {"type": "market"}, "market orders must not have limit_price"),
        (SINGLE | {"type": "stop"}, "stop orders must not have limit_price"),
        (SINGLE | {"type": "stop_limit"}, "stop_price is required"),
        (SINGLE | {"side": "hold"}, "invalid side"),
        (SINGLE | {"position_intent": "sell_to_open"}, "does not match side buy"),
        (SINGLE | {"position_intent": "buy_to_hold"}, "invalid position_intent"),
        (SINGLE | {"client_order_id": "x" * 129}, "no more than 128"),
        (SPREAD | {"legs": SPREAD["legs"][:1]}, "2 to 4 legs"),
        (SPREAD | {"legs": [SPREAD["legs"][0]] * 2}, "must be distinct"),
        (SPREAD | {"legs": [{"symbol": A, "ratio_qty": 1}] * 2}, "leg.0 position intent is required"),
        (SPREAD | {"legs": [leg | {"ratio_qty": 2} for leg in SPREAD["legs"]]}, "relatively prime"),
        (SPREAD | {"legs": [SPREAD["legs"][0] | {"symbol": "SPY"}, SPREAD["legs"][1]]}, "asset not found"),
        (SPREAD | {"legs": [SPREAD["legs"][0] | {"symbol": "QQQ" + A[3:]}, SPREAD["legs"][1]]}, "mismatch"),
        (SPREAD | {"type": "stop"}, "invalid order type for options trading"),
        (SPREAD | {"type": "market"}, "limit price is only valid for limit orders"),
        (SPREAD | {"limit_price": None}, "limit price is required for limit orders"),
        (SPREAD | {"time_in_force": "gtc"}, "invalid time in force"),
        (SPREAD | {"extended_hours": True}, "extended hours is not supported"),
        (SHARES | {"time_in_force": "ioc"}, "invalid time_in_force"),
        (SHARES | {"notional": "100"}, "whole shares only"),
        (SHARES | {"extended_hours": True}, "must be DAY limit orders"),
        (SHARES | {"order_class": "oto"}, "require either take_profit or stop_loss"),
        (BRACKET | {"take_profit": None}, "bracket orders require take_profit.limit_price"),
        (BRACKET | {"stop_loss": {}}, "bracket orders require stop_loss.stop_price"),
        (BRACKET | {"take_profit": {"limit_price": 580}}, "must be > stop_loss.stop_price"),
        (BRACKET | {"side": "sell"}, "must be < stop_loss.stop_price"),
        (BRACKET | {"order_class": "oco", "side": "sell"}, "oco orders must be limit orders"),
    ],
)
def test_what_cannot_be_read_is_named(body, message):
    with pytest.raises(RefusalError, match=message) as refusal:
        parse_ticket(body)
    assert refusal.value.status == 422


def test_a_body_that_is_no_order_is_refused():
    with pytest.raises(RefusalError, match="request body format is invalid") as refusal:
        parse_ticket([])
    assert refusal.value.status == 400
