from decimal import Decimal

import polars as pl
import pytest

from backtests.fills import Execution, QuoteBook, execute, mark
from strikelake.orders import Effect, Leg, OrderIntent, Side

LONG, SHORT = "AAA250124C00100000", "AAA250124C00105000"


def book(*rows):
    return QuoteBook(
        pl.DataFrame(
            rows,
            schema={
                "occ_symbol": pl.String,
                "ts_ns": pl.Int64,
                "bid_price": pl.Float64,
                "ask_price": pl.Float64,
            },
            orient="row",
        )
    )


def order(limit, *legs):
    return OrderIntent(
        asof=0,
        underlying="AAA",
        strategy="made",
        legs=legs,
        quantity=1,
        limit_price=Decimal(limit),
        reason="entry",
        max_loss=Decimal(0),
        client_order_id="sl-1",
        exit_at=None,
        direction=1,
    )


BUY = Leg(LONG, Side.BUY, Effect.OPEN)
SELL = Leg(LONG, Side.SELL, Effect.CLOSE)
SELL_SHORT = Leg(SHORT, Side.SELL, Effect.OPEN)
# Out of order on purpose: the book sorts.
QUOTES = book(
    (LONG, 30, 1.8, 1.9),
    (LONG, 10, 2.0, 2.1),
    (LONG, 20, 1.9, 2.0),
    (SHORT, 12, 0.9, 1.0),
    (SHORT, 25, 0.8, 0.9),
    (SHORT, 40, None, 0.9),
)


@pytest.mark.parametrize(
    ("after", "until", "limit", "expected"),
    [
        (0, 100, "2.10", (10, "2.1")),
        (9, 100, "2.10", (10, "2.1")),
        (10, 100, "2.10", (20, "2.0")),
        (0, 100, "2.05", (20, "2.0")),
        (0, 100, "1.90", (30, "1.9")),
        (0, 30, "1.90", (30, "1.9")),
        (0, 29, "1.90", None),
        (0, 100, "1.89", None),
        (30, 100, "9.00", None),
    ],
)
def test_a_purchase_pays_the_first_ask_within_the_limit_after_the_decision(after, until, limit, expected):
    found = execute(order(limit, BUY), QUOTES, after, until)
    assert expected == (None if found is None else (found.ts_ns, str(found.net)))


def test_a_sale_takes_the_bid_and_its_net_is_a_credit():
    assert Execution(20, (Decimal("1.9"),), Decimal("-1.9")) == execute(order("-1.85", SELL), QUOTES, 10, 100)
    assert execute(order("-1.95", SELL), QUOTES, 10, 100) is None


def test_a_spread_waits_for_a_fresh_quote_of_every_leg():
    # Both legs are quoted after 10 only from 20 on; the short leg's quote of 12 still stands then.
    assert Execution(20, (Decimal("2.0"), Decimal("0.9")), Decimal("1.1")) == execute(
        order("1.20", BUY, SELL_SHORT), QUOTES, 10, 100
    )
    assert Execution(25, (Decimal("2.0"), Decimal("0.8")), Decimal("1.2")) == execute(
        order("1.20", BUY, SELL_SHORT), QUOTES, 15, 100
    )


def test_a_missing_side_never_fills():
    assert execute(order("9.00", SELL_SHORT), QUOTES, 30, 100) is None


def test_a_contract_without_quotes_never_fills():
    assert execute(order("9.00", Leg("ZZZ250124C00100000", Side.BUY, Effect.OPEN)), QUOTES, 0, 100) is None
    assert execute(order("9.00", BUY), book(), 0, 100) is None


def test_binary_fractions_do_not_miss_a_limit():
    quotes = book((LONG, 1, 0.2, 0.3), (SHORT, 1, 0.1, 0.2))
    assert execute(order("0.20", BUY, SELL_SHORT), quotes, 0, 1) is not None


@pytest.mark.parametrize(
    ("at", "quantity", "expected"),
    [(9, 1, "7"), (10, 1, "2.0"), (25, 1, "1.9"), (25, -1, "2.0"), (99, -1, "1.9")],
)
def test_longs_are_marked_at_the_bid_and_shorts_at_the_ask(at, quantity, expected):
    assert {LONG: Decimal(expected)} == mark(QUOTES, {LONG: quantity}, at, {LONG: Decimal(7)})


def test_a_long_nobody_bids_for_is_worth_nothing_and_a_short_without_an_offer_keeps_its_mark():
    quotes = book((LONG, 1, None, None))
    assert {LONG: Decimal(0)} == mark(quotes, {LONG: 1}, 5, {LONG: Decimal(7)})
    assert {LONG: Decimal(7)} == mark(quotes, {LONG: -1}, 5, {LONG: Decimal(7)})
