"""What a backtest supposes and what it did, as values and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from backtests.costs import Costs
from backtests.ledger import Trade
from strikelake.calendar import NS_PER_SECOND

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from strikelake.orders import Fill, OrderIntent
    from strikelake.portfolio import Holding
    from strikelake.risk.limits import Denial


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a backtest supposes about execution.

    Attributes
    ----------
    latency_ns
        Nanoseconds from the decision to the order's arrival; only later quotes can fill it.
    costs
        Fees.
    """

    latency_ns: int = NS_PER_SECOND
    costs: Costs = field(default_factory=Costs)


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """What a replay did.

    Attributes
    ----------
    initial_cash
        Dollars at the start.
    fills
        Every leg's execution in time order; settlements at expiry, and the exchange of contracts that a split
        adjusts, are included, free of fees.
    trades
        Closed trades in the order they closed.
    holdings
        What is still open at the end.
    curve
        ts_ns, session (Date), kind (`start`, `decision`, `close`), equity, cash, open_value (Float64
        dollars), positions (Int64). Equity is marked at the side we would trade at.
    marks
        ts_ns, occ_symbol, mark (Float64 dollars per share): what each position was marked at.
    denials
        asof, underlying, code, detail: one row per refused entry, or exit without a price.
    orders
        client_order_id, asof, underlying, strategy, reason, quantity, limit_price, filled (Boolean).
    unquoted
        Sessions and contracts that were held to their close without a quote all day: their marks are older.
    """

    initial_cash: Decimal
    fills: tuple[Fill, ...]
    trades: tuple[Trade, ...]
    holdings: tuple[Holding, ...]
    curve: pl.DataFrame
    marks: pl.DataFrame
    denials: pl.DataFrame
    orders: pl.DataFrame
    unquoted: tuple[tuple[date, str], ...]
    assumptions: Assumptions


def curve_frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    """Return the marks of the account as a table; see `BacktestResult`."""
    money = dict.fromkeys(("equity", "cash", "open_value"), pl.Float64)
    schema = {"ts_ns": pl.Int64, "session": pl.Date, "kind": pl.String, **money, "positions": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def denial_frame(rows: list[tuple[int, Denial]]) -> pl.DataFrame:
    """Return denials as a table; see `BacktestResult`."""
    flat = [(asof, denial.underlying, str(denial.code), denial.detail) for asof, denial in rows]
    schema = {"asof": pl.Int64, "underlying": pl.String, "code": pl.String, "detail": pl.String}
    return pl.DataFrame(flat, schema=schema, orient="row")


def order_frame(rows: list[tuple[OrderIntent, bool]]) -> pl.DataFrame:
    """Return orders and whether they were filled as a table; see `BacktestResult`."""
    schema = {
        "client_order_id": pl.String,
        "asof": pl.Int64,
        "underlying": pl.String,
        "strategy": pl.String,
        "reason": pl.String,
        "quantity": pl.Int64,
        "limit_price": pl.Float64,
        "filled": pl.Boolean,
    }
    flat = [
        (
            o.client_order_id,
            o.asof,
            o.underlying,
            o.strategy,
            o.reason,
            o.quantity,
            float(o.limit_price),
            filled,
        )
        for o, filled in rows
    ]
    return pl.DataFrame(flat, schema=schema, orient="row")


def mark_frame(rows: list[tuple[int, str, float]]) -> pl.DataFrame:
    """Return what positions were marked at as a table."""
    schema = {"ts_ns": pl.Int64, "occ_symbol": pl.String, "mark": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def trade_frame(trades: tuple[Trade, ...]) -> pl.DataFrame:
    """Return closed trades as a table: the fields of `Trade`, money as Float64."""
    money = ("entry_price", "exit_price", "fees", "pnl")
    text = ("client_order_id", "underlying", "strategy", "reason")
    names = tuple(Trade.__dataclass_fields__)
    schema = {n: pl.Float64 if n in money else pl.String if n in text else pl.Int64 for n in names}
    rows = [tuple(float(v) if n in money else v for n in names for v in (getattr(t, n),)) for t in trades]
    return pl.DataFrame(rows, schema=schema, orient="row")
