"""From fills to holdings and realised gains."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

from strikelake.journal.states import IntentRecord, IntentState
from strikelake.journal.trades import match_trades, structure
from strikelake.orders import Effect, Leg, OrderIntent, Side
from strikelake.splits import Split

LONG = Leg("SPY250321C00590000", Side.BUY, Effect.OPEN)
SHORT = Leg("SPY250321C00595000", Side.SELL, Effect.OPEN)


def closing(*legs: Leg) -> tuple[Leg, ...]:
    other = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}
    return tuple(Leg(leg.occ_symbol, other[leg.side], Effect.CLOSE, leg.ratio) for leg in legs)


def record(
    name: str,
    asof: int,
    legs: tuple[Leg, ...],
    price: str | None,
    *,
    quantity: int = 4,
    filled: int | None = None,
) -> IntentRecord:
    entry = legs[0].effect is Effect.OPEN
    intent = OrderIntent(
        asof=asof,
        underlying="SPY",
        strategy="long_call",
        legs=legs,
        quantity=quantity,
        limit_price=Decimal("1.30"),
        reason="entry",
        max_loss=Decimal(200),
        client_order_id=name,
        exit_at=asof + 50 if entry else None,
        direction=1,
    )
    units = quantity if filled is None else filled
    state = IntentState.FILLED if units == quantity else IntentState.CANCELED
    return IntentRecord(
        intent, "A1", state, "b", units, None if price is None else Decimal(price), asof + 1, ""
    )


def test_a_partly_filled_entry_is_a_smaller_holding() -> None:
    (holding,) = match_trades([record("e", 10, (LONG,), "1.25", filled=1)]).holdings

    assert (holding.quantity, holding.entry_price, holding.max_loss) == (1, Decimal("1.25"), Decimal(50))
    assert (holding.opened_at, holding.exit_at, holding.legs) == (10, 60, (LONG,))


def test_an_unfilled_entry_is_nothing() -> None:
    assert match_trades([record("e", 10, (LONG,), None, filled=0)]).holdings == ()


def test_a_closed_trade_makes_the_difference() -> None:
    trades = match_trades(
        [record("e", 10, (LONG, SHORT), "0.80"), record("x", 20, closing(SHORT, LONG), "-1.10")]
    )

    (closed,) = trades.closed
    assert trades.holdings == ()
    assert (closed.entry_id, closed.exit_id, closed.quantity, closed.closed_at) == ("e", "x", 4, 21)
    assert closed.realised == Decimal("120.00")


def test_an_exit_in_parts_takes_the_oldest_first() -> None:
    trades = match_trades(
        [
            record("e1", 10, (LONG,), "1.00", quantity=2),
            record("e2", 20, (LONG,), "2.00", quantity=2),
            record("x", 30, closing(LONG), "-3.00", quantity=4, filled=3),
        ]
    )

    assert [(c.entry_id, c.quantity, c.realised) for c in trades.closed] == [
        ("e1", 2, Decimal(400)),
        ("e2", 1, Decimal(100)),
    ]
    (left,) = trades.holdings
    assert (left.client_order_id, left.quantity, left.max_loss) == ("e2", 1, Decimal(100))


def test_another_structure_is_not_closed() -> None:
    trades = match_trades([record("e", 10, (LONG, SHORT), "0.80"), record("x", 20, closing(LONG), "-1.10")])

    assert [h.client_order_id for h in trades.holdings] == ["e"]
    assert trades.closed == ()


def test_an_exit_after_a_settlement_closes_what_is_still_there() -> None:
    records = [
        record("e1", 10, (LONG,), "1.00"),
        record("e2", 20, (LONG,), "2.00"),
        record("x", 30, closing(LONG), "-3.00"),
    ]

    trades = match_trades(records, frozenset({"e1"}))

    assert [c.entry_id for c in trades.closed] == ["e2"]
    assert trades.holdings == ()


def test_a_structure_is_the_same_opened_and_closed() -> None:
    assert structure((LONG, SHORT)) == structure(closing(SHORT, LONG))


def test_an_exit_after_a_split_closes_what_was_opened_before_it() -> None:
    split = Split("SPY", date(2025, 3, 10), Fraction(2))
    later = split.effective_ns
    new = Leg("SPY250321C00295000", Side.BUY, Effect.OPEN)
    records = [
        record("e", 10, (LONG,), "5.00", quantity=2),
        record("n", later + 10, (new,), "2.00", quantity=1),
        record("x", later + 20, closing(new), "-3.00", quantity=4, filled=3),
    ]

    trades = match_trades(records, splits=[split])

    (closed,) = trades.closed
    assert (closed.entry_id, closed.quantity, closed.realised) == ("e", 3, Decimal(150))
    assert [(h.client_order_id, h.quantity, h.entry_price, h.legs) for h in trades.holdings] == [
        ("e", 1, Decimal("2.50"), (new,)),
        ("n", 1, Decimal("2.00"), (new,)),
    ]


def test_a_split_counts_from_its_ex_date_on_and_once() -> None:
    split = Split("SPY", date(2025, 3, 10), Fraction(2))
    records = [record("e", split.effective_ns, (LONG,), "5.00", quantity=2)]

    assert match_trades(records, splits=[split]).holdings[0].quantity == 2
