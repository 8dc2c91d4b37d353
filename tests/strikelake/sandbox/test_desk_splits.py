"""A split over the weekend: positions, marks, activities and orders of the simulated broker's account."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from strikelake.calendar import NS_PER_MINUTE, et_ns, session
from strikelake.contracts import OptionContract
from strikelake.orders import Effect, Side
from strikelake.sandbox import alpaca_json
from strikelake.sandbox.books import Held
from strikelake.sandbox.desk import BrokerConfig, Desk
from strikelake.sandbox.desk_orders import DeskLeg, Status, Ticket
from strikelake.sandbox.exchange import Bars, Exchange, Listing, Tape

FRIDAY, MONDAY = session(date(2025, 1, 10)), session(date(2025, 1, 13))
MIDNIGHT = et_ns(MONDAY.date, "00:00")
PUT, CALL = "SPY250117P00610000", "SPY250117C00600000"


@pytest.fixture
def make_desk():
    def make(old, new):
        ts = np.array([FRIDAY.open_ns + NS_PER_MINUTE, FRIDAY.close_ns - NS_PER_MINUTE])
        unknown = np.full(2, np.nan)
        listings = {}
        for symbol, bid, ask in ((PUT, 1101, 1150), (CALL, 301, 311)):
            sides = [np.full(2, number, dtype=np.int64) for number in (bid, ask, 50, 50)]
            tape = Tape(ts, *sides, unknown, unknown, unknown, unknown)
            listings[symbol] = Listing(OptionContract.parse(symbol), 100, tape)
        start = np.array([FRIDAY.open_ns, FRIDAY.close_ns - NS_PER_MINUTE])
        flat = np.full(2, 600.0)
        bars = Bars(start, flat, flat, flat, flat, np.full(2, 1e5), np.full(2, 10))
        line = {"ticker": "SPY", "execution_date": "2025-01-13", "split_from": old, "split_to": new}
        exchange = Exchange(FRIDAY, {"SPY": bars}, listings, {"splits": [line]})
        return Desk(exchange, BrokerConfig(cash=Decimal(100_000)))

    return make


def hold(desk, **positions):
    desk.advance(FRIDAY.close_ns)
    for symbol, quantity in positions.items():
        desk.books.move(symbol, quantity, Decimal(12))


def test_contracts_become_twice_as_many_worth_as_much(make_desk):
    desk = make_desk("1", "2")
    hold(desk, **{PUT: 3, CALL: -1, "SPY": 10})
    before = desk.books.equity(MIDNIGHT - 1)
    desk.advance(MIDNIGHT - 1)
    assert desk.books.activities == []
    desk.advance(MONDAY.open_ns)
    assert desk.books.positions == {
        "SPY250117P00305000": Held(6, Decimal(6)),
        "SPY250117C00300000": Held(-2, Decimal(6)),
        "SPY": Held(20, Decimal(6)),
    }
    assert desk.books.equity(MONDAY.open_ns) == before
    # The account's past is still what it was.
    assert desk.books.equity_at(FRIDAY.close_ns) == 100_000
    assert [(e.kind, e.symbol, e.quantity) for e in desk.books.activities] == [
        ("SPLIT", PUT, -3),
        ("SPLIT", "SPY250117P00305000", 6),
        ("SPLIT", CALL, 1),
        ("SPLIT", "SPY250117C00300000", -2),
        ("SPLIT", "SPY", 10),
    ]
    assert alpaca_json.activity(desk.books.activities[0])["description"] == "Stock Split"
    assert alpaca_json.position(desk, "SPY250117P00305000", MONDAY.open_ns)["current_price"] == "5.505"


def test_it_happens_once(make_desk):
    desk = make_desk("1", "2")
    hold(desk, **{PUT: 3})
    for moment in (MIDNIGHT, MONDAY.open_ns, MONDAY.close_ns):
        desk.advance(moment)
    assert desk.books.quantity("SPY250117P00305000") == 6


@pytest.mark.parametrize(
    ("terms", "root", "shares", "left", "cash"),
    [(("10", "1"), "SPY1", 20, 1, "1800"), (("2", "3"), "SPY1", 300, 19, "200")],
)
def test_other_splits_change_what_is_delivered(make_desk, terms, root, shares, left, cash):
    desk = make_desk(*terms)
    hold(desk, **{CALL: 2, PUT: 0, "SPY": 13})
    desk.advance(MONDAY.open_ns)
    symbol = CALL.replace("SPY", root)
    assert desk.books.positions == {
        symbol: Held(2, Decimal(12)),
        "SPY": Held(left, Decimal(12) * int(terms[0]) / int(terms[1])),
    }
    # The part of a share that is left over comes as cash: 0.3 shares of 6,000 dollars, 0.5 of 400.
    assert desk.books.cash == 100_000 + Decimal(cash)
    desk.books.cash, desk.books.positions["SPY"] = Decimal(200_000), Held(left, Decimal(1))
    price = Decimal(600) * int(terms[0]) / int(terms[1])
    assert desk.board.last_price("SPY", MONDAY.open_ns) == price
    desk.advance(session(date(2025, 1, 17)).close_ns)
    # At the money nothing is exercised: the deliverable is worth the strike, whatever the share's price.
    assert desk.books.activities[-1].kind == "OPEXP"
    assert shares == 2 * desk.books.shares(symbol)


def test_an_adjusted_contract_in_the_money_delivers_its_shares_for_the_strike(make_desk):
    desk = make_desk("10", "1")
    deep = OptionContract.parse(CALL)
    deep = replace(deep, strike=Decimal(500)).occ_symbol
    desk.exchange.listings[deep] = desk.exchange.listings[CALL]
    hold(desk, **{deep: 1})
    desk.advance(session(date(2025, 1, 17)).close_ns)
    assert desk.books.positions == {"SPY": Held(10, Decimal(5_000))}
    assert desk.books.cash == 100_000 - 50_000


def test_orders_for_the_shares_are_cancelled(make_desk):
    desk = make_desk("1", "2")
    leg = DeskLeg("SPY", Side.BUY, Effect.OPEN)
    ticket = Ticket("rests", (leg,), 1, Decimal(100), good_till_canceled=True)
    order = desk.submit(ticket, FRIDAY.open_ns + 2 * NS_PER_MINUTE)
    desk.advance(MIDNIGHT - 1)
    assert order.status is Status.NEW
    desk.advance(MONDAY.open_ns)
    assert (order.status, order.ended_ns) == (Status.CANCELED, MIDNIGHT)
