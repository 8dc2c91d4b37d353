from decimal import Decimal

import pytest

from strikelake.orders import Effect, Side
from strikelake.sandbox.desk_orders import (
    DeskLeg,
    RefusalError,
    Ticket,
    cash_flow,
    parse_ticket,
    signed_quantities,
)

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
        {"symbol": "A", "ratio_qty": "1", "side": "sell", "position_intent": "sell_to_open"},
        {"symbol": "B", "ratio_qty": 2.0, "position_intent": "buy_to_open"},
    ],
}


def test_a_single_order_is_read():
    leg = DeskLeg("SPY250417C00600000", Side.BUY, None, 1)
    limit = Decimal("1.05")
    assert parse_ticket(SINGLE) == Ticket("one", (leg,), 2, limit, limit, multi=False)


def test_a_single_sells_limit_is_a_credit():
    ticket = parse_ticket(SINGLE | {"side": "sell", "position_intent": "sell_to_close"})
    assert (ticket.limit, ticket.shown_limit) == (Decimal("-1.05"), Decimal("1.05"))
    assert ticket.legs[0].effect is Effect.CLOSE


def test_a_spread_is_read():
    ticket = parse_ticket(SPREAD)
    assert ticket.legs == (DeskLeg("A", Side.SELL, Effect.OPEN, 1), DeskLeg("B", Side.BUY, Effect.OPEN, 2))
    assert (ticket.limit, ticket.contracts) == (Decimal("-0.5"), 9)
    assert signed_quantities(ticket) == {"A": -3, "B": 6}
    assert cash_flow(ticket, Decimal("-0.5")) == Decimal(-150)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (SINGLE | {"type": "stop"}, "invalid type"),
        (SINGLE | {"time_in_force": "gtc"}, "invalid time_in_force"),
        (SINGLE | {"extended_hours": True}, "extended hours"),
        (SINGLE | {"qty": "1.5"}, "qty must be a whole number"),
        (SINGLE | {"qty": None}, "qty is required"),
        (SINGLE | {"limit_price": "1.055"}, "sub-penny"),
        (SINGLE | {"limit_price": "0"}, "limit price must be > 0"),
        (SINGLE | {"limit_price": "NaN"}, "invalid limit_price"),
        (SINGLE | {"type": "market"}, "market orders must not have limit_price"),
        (SINGLE | {"side": "hold"}, "invalid side"),
        (SINGLE | {"position_intent": "sell_to_open"}, "does not match side buy"),
        (SINGLE | {"position_intent": "buy_to_hold"}, "invalid position_intent"),
        (SINGLE | {"client_order_id": "x" * 129}, "no more than 128"),
        (SPREAD | {"legs": SPREAD["legs"][:1]}, "2 to 4 legs"),
        (SPREAD | {"legs": [SPREAD["legs"][0]] * 2}, "must be distinct"),
        (SPREAD | {"legs": [{"symbol": "A", "ratio_qty": 1}] * 2}, "side or position_intent is required"),
    ],
)
def test_what_cannot_be_read_is_named(body, message):
    with pytest.raises(RefusalError, match=message) as refusal:
        parse_ticket(body)
    assert refusal.value.status == 422
