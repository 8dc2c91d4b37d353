"""Exercise, assignment and expiration on a Friday: what becomes of positions, cash and activities."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from strikelake.calendar import NS_PER_MINUTE, session
from strikelake.contracts import OptionContract
from strikelake.sandbox import lifecycle
from strikelake.sandbox.books import Held
from strikelake.sandbox.desk import BrokerConfig, Desk
from strikelake.sandbox.desk_orders import RefusalError
from strikelake.sandbox.exchange import Bars, Exchange, Listing, Tape

FRIDAY = session(date(2025, 1, 10))
OPEN, CLOSE = FRIDAY.open_ns, FRIDAY.close_ns
CALL, HIGH_CALL, PUT = "SPY250110C00590000", "SPY250110C00610000", "SPY250110P00610000"
LATER_CALL = "SPY250117C00590000"
INDEX_CALL = "SPXW250110C05900000"


def tape(bid, ask, spot=600.0):
    ts = np.array([OPEN + NS_PER_MINUTE, CLOSE - NS_PER_MINUTE])
    sides = [np.full(2, number, dtype=np.int64) for number in (bid, ask, 50, 50)]
    return Tape(ts, *sides, *(np.full(2, value) for value in (np.nan, spot, np.nan, np.nan)))


def bars(price):
    start = np.array([OPEN, CLOSE - NS_PER_MINUTE])
    flat, volume = np.full(2, price), np.full(2, 1e5)
    return Bars(start, flat, flat, flat, flat, volume, np.full(2, 10))


@pytest.fixture
def desk():
    quotes = {CALL: (990, 1010), HIGH_CALL: (0, 5), PUT: (990, 1010), LATER_CALL: (1010, 1050)}
    listings = {s: Listing(OptionContract.parse(s), 100, tape(*sides)) for s, sides in quotes.items()}
    listings[INDEX_CALL] = Listing(OptionContract.parse(INDEX_CALL), 100, tape(9900, 10100, 6000.0))
    dividends = [{"ticker": "SPY", "ex_dividend_date": "2025-01-13", "cash_amount": "0.75"}]
    exchange = Exchange(FRIDAY, {"SPY": bars(600.0)}, listings, {"dividends": dividends})
    return Desk(exchange, BrokerConfig(cash=Decimal(100_000)))


def hold(desk, **positions):
    for symbol, quantity in positions.items():
        desk.books.move(symbol, quantity, Decimal(5))


def told(desk):
    return [(event.kind, event.symbol, event.quantity, event.amount) for event in desk.books.activities]


def test_a_long_call_in_the_money_becomes_shares_at_the_close(desk):
    hold(desk, **{CALL: 1})
    desk.advance(CLOSE - 1)
    assert told(desk) == []
    desk.advance(CLOSE)
    assert desk.books.positions == {"SPY": Held(100, Decimal(590))}
    assert desk.books.cash == Decimal(100_000) - 59_000
    assert told(desk) == [("OPEXC", CALL, -1, 0), ("OPTRD", "SPY", 100, Decimal(-59_000))]
    assert len({event.group for event in desk.books.activities}) == 1


@pytest.mark.parametrize(("price", "kind"), [(590.01, "OPEXC"), (590.0, "OPEXP")])
def test_a_cent_in_the_money_is_enough(desk, price, kind):
    desk.exchange.stocks["SPY"] = bars(price)
    hold(desk, **{CALL: 1})
    desk.advance(CLOSE)
    assert desk.books.activities[0].kind == kind


def test_what_is_out_of_the_money_expires(desk):
    hold(desk, **{HIGH_CALL: 2})
    desk.advance(CLOSE)
    assert (desk.books.positions, desk.books.cash) == ({}, Decimal(100_000))
    assert told(desk) == [("OPEXP", HIGH_CALL, -2, 0)]


def test_a_short_call_is_assigned(desk):
    hold(desk, SPY=100, **{CALL: -1})
    desk.advance(CLOSE)
    assert (desk.books.positions, desk.books.cash) == ({}, Decimal(159_000))
    assert told(desk) == [("OPASN", CALL, 1, 0), ("OPTRD", "SPY", -100, Decimal(59_000))]


def test_a_short_put_is_assigned_its_shares(desk):
    hold(desk, **{PUT: -1})
    desk.advance(CLOSE)
    assert desk.books.positions == {"SPY": Held(100, Decimal(610))}
    assert told(desk) == [("OPASN", PUT, 1, 0), ("OPTRD", "SPY", 100, Decimal(-61_000))]


def test_a_spread_in_the_money_leaves_its_width_and_no_shares(desk):
    desk.exchange.stocks["SPY"] = bars(620.0)
    hold(desk, **{CALL: 2, HIGH_CALL: -2})
    desk.books.cash = Decimal(1_000)
    desk.advance(CLOSE)
    assert (desk.books.positions, desk.books.cash) == ({}, Decimal(1_000 + 4_000))


def test_a_short_leg_alone_in_the_money_leaves_a_short_position(desk):
    hold(desk, **{CALL: -1, HIGH_CALL: 1})
    desk.advance(CLOSE)
    assert desk.books.positions == {"SPY": Held(-100, Decimal(590))}
    assert desk.margin(CLOSE) == Decimal("600.01") * 150


def test_a_put_without_its_shares_is_sold_before_the_close(desk):
    desk.exchange.listings[PUT] = Listing(OptionContract.parse(PUT), 100, tape(990, 1010))
    hold(desk, **{PUT: 1})
    desk.advance(CLOSE)
    assert (desk.books.positions, desk.books.cash) == ({}, Decimal(100_000) + 990 - Decimal("0.65"))


def test_a_call_that_cannot_be_paid_is_sold_before_the_close(desk):
    desk.books.cash = Decimal(1_000)
    hold(desk, **{CALL: 1})
    desk.advance(CLOSE)
    assert (desk.books.positions, desk.books.cash) == ({}, Decimal(1_990) - Decimal("0.65"))


def test_a_put_with_its_shares_is_exercised(desk):
    hold(desk, SPY=100, **{PUT: 1})
    desk.advance(CLOSE)
    assert (desk.books.positions, desk.books.cash) == ({}, Decimal(161_000))


def test_do_not_exercise_lets_it_expire(desk):
    hold(desk, **{CALL: 1, LATER_CALL: 1})
    lifecycle.do_not_exercise(desk, CALL, OPEN)
    with pytest.raises(RefusalError, match="only accepted on the expiration day"):
        lifecycle.do_not_exercise(desk, LATER_CALL, OPEN)
    with pytest.raises(RefusalError, match="marked as do-not-exercise"):
        lifecycle.exercise(desk, CALL, OPEN + 2 * NS_PER_MINUTE)
    desk.advance(CLOSE)
    assert told(desk) == [("OPEXP", CALL, -1, 0)]
    with pytest.raises(RefusalError, match="long position not found") as refusal:
        lifecycle.do_not_exercise(desk, CALL, CLOSE)
    assert refusal.value.status == 404


def test_an_early_exercise_happens_at_once(desk):
    hold(desk, **{LATER_CALL: 2})
    now = OPEN + 2 * NS_PER_MINUTE
    desk.books.cash = Decimal(118_000)
    lifecycle.exercise(desk, LATER_CALL, now)
    assert desk.books.positions == {"SPY": Held(200, Decimal(590))}
    assert desk.books.cash == 0


@pytest.mark.parametrize(
    ("positions", "moment", "cash", "message"),
    [
        ({LATER_CALL: 1}, CLOSE, 100_000, "not accepted after market close until midnight"),
        ({HIGH_CALL: 1}, OPEN + 2 * NS_PER_MINUTE, 100_000, "out of the money option contract"),
        ({LATER_CALL: 1}, OPEN + 2 * NS_PER_MINUTE, 500, r"cash available .required: 59000, available: 500"),
        ({PUT: 1}, OPEN + 2 * NS_PER_MINUTE, 500, r"deliverable: SPY .requested: 100, available: 0"),
        ({LATER_CALL: -1}, OPEN + 2 * NS_PER_MINUTE, 500, "long position not found"),
    ],
)
def test_what_cannot_be_exercised(desk, positions, moment, cash, message):
    hold(desk, **positions)
    desk.books.cash = Decimal(cash)
    with pytest.raises(RefusalError, match=message):
        lifecycle.exercise(desk, *positions, moment)


def test_a_short_call_is_called_away_before_a_dividend_above_its_time_value(desk):
    hold(desk, SPY=100, **{LATER_CALL: -1})
    desk.advance(CLOSE)
    assert told(desk) == [("OPASN", LATER_CALL, 1, 0), ("OPTRD", "SPY", -100, Decimal(59_000))]


def test_a_short_call_with_time_value_stays(desk):
    desk.exchange.listings[LATER_CALL] = Listing(OptionContract.parse(LATER_CALL), 100, tape(1070, 1080))
    hold(desk, SPY=100, **{LATER_CALL: -1})
    desk.advance(CLOSE)
    assert told(desk) == []


def test_index_options_settle_in_cash(desk):
    hold(desk, **{INDEX_CALL: 1})
    desk.advance(CLOSE)
    assert told(desk) == [("OPCSH", INDEX_CALL, -1, Decimal(10_000))]
    assert desk.books.cash == Decimal(110_000)
