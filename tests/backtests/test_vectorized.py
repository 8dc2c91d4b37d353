from dataclasses import replace
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from backtests.engine import replay
from backtests.metrics import profit_factor, win_rate
from backtests.results import Assumptions
from backtests.vectorized import portfolio_from_fills
from strikelake.errors import DatasetError
from strikelake.orders import Fill, Side

LONG, SHORT = "AAA250124C00100000", "AAA250124C00105000"
NO_MARKS = pl.DataFrame(schema={"ts_ns": pl.Int64, "occ_symbol": pl.String, "mark": pl.Float64})


def fill(symbol, side, quantity, price, ts_ns, fees="0"):
    return Fill("sl-1", symbol, side, quantity, Decimal(price), ts_ns, Decimal(fees))


def marks(*rows):
    return pl.DataFrame(rows, schema=NO_MARKS.schema, orient="row")


def test_a_spread_from_entry_to_worthless_expiry_by_hand():
    fills = [
        fill(LONG, Side.BUY, 2, "2.50", 10, "1.30"),
        fill(SHORT, Side.SELL, 2, "1.00", 10, "1.30"),
        fill(LONG, Side.SELL, 2, "0", 30),
        fill(SHORT, Side.BUY, 2, "0", 30),
    ]
    seen = marks((20, LONG, 2.0), (20, SHORT, 0.9))
    books = portfolio_from_fills(fills, seen, [5, 20, 30], Decimal(1_000))
    # -500 + 200 - 2.60, then 400 - 180 on top, then nothing.
    assert [
        (5, 1_000.0),
        (20, pytest.approx(917.4)),
        (30, pytest.approx(697.4, abs=1e-4)),
    ] == books.equity.rows()


def test_a_contract_sold_and_bought_in_one_moment_keeps_both_fills():
    fills = [
        fill(LONG, Side.BUY, 1, "1.00", 10),
        fill(LONG, Side.SELL, 1, "2.00", 20),
        fill(LONG, Side.BUY, 1, "2.00", 20),
    ]
    books = portfolio_from_fills(fills, marks((20, LONG, 3.0)), [20], Decimal(1_000))
    assert books.equity.rows() == [(20, 1_200.0)]
    assert books.portfolio.orders.count() == 3


def test_no_fills_leave_the_cash():
    assert portfolio_from_fills([], NO_MARKS, [7], Decimal(500)).equity.rows() == [(7, 500.0)]


def test_a_fill_that_the_cash_does_not_allow_is_refused():
    with pytest.raises(DatasetError, match="vectorbt's books refuse a fill"):
        portfolio_from_fills([fill(LONG, Side.BUY, 1, "6.00", 10)], NO_MARKS, [20], Decimal(500))


@pytest.mark.parametrize(
    ("cash", "n_legs"),
    [(50_000, {1}), (2_500, {1, 2})],
    ids=["calls", "spreads"],
)
def test_the_engine_and_vectorbt_agree_to_the_cent(
    cash, n_legs, made_market, made_signals, made_limits, made_account
):
    account = replace(made_account, cash=Decimal(cash))
    signals = made_signals(made_market.names, made_market.days, every=2)
    limits = made_limits(made_market.names)
    result = replay(made_market, made_market.days, signals, account, limits, Assumptions())
    assert len(result.trades) > 5
    assert n_legs == {len(legs) for legs in legs_by_order(result).values()}
    books = portfolio_from_fills(
        result.fills, result.marks, result.curve["ts_ns"].to_list(), result.initial_cash
    )
    difference = np.abs(books.equity["equity"].to_numpy() - result.curve["equity"].to_numpy())
    assert difference.max() < 0.005


def test_single_legs_have_the_same_trades_in_vectorbt(made_market, made_signals, made_limits, made_account):
    signals = made_signals(made_market.names, made_market.days)
    result = replay(
        made_market, made_market.days, signals, made_account, made_limits(made_market.names), Assumptions()
    )
    books = portfolio_from_fills(result.fills, result.marks, [result.fills[-1].ts_ns], result.initial_cash)
    pnl = [float(trade.pnl) for trade in result.trades]
    closed = books.portfolio.trades.closed
    assert pytest.approx(sorted(pnl)) == sorted(closed.records["pnl"])
    assert pytest.approx(win_rate(pnl)) == float(closed.win_rate())
    assert pytest.approx(profit_factor(pnl)) == float(closed.profit_factor())


def legs_by_order(result):
    legs = {}
    for order in result.fills:
        legs.setdefault(order.client_order_id, set()).add(order.occ_symbol)
    return legs
