"""The report of an options backtest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from backtests import pages
from backtests.figures import bars_figure, equity_figure, monthly_figure
from backtests.metrics import calendar_returns
from backtests.results import trade_frame
from strikelake.calendar import iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from backtests.metrics import Metrics
    from backtests.results import BacktestResult

_MINUTE = len("2025-01-02 09:30")


def write_report(
    folder: Path, title: str, result: BacktestResult, metrics: Metrics, assumptions: Mapping[str, str]
) -> Path:
    """Write the report of an options backtest as one folder; see `pages.write_page`.

    Parameters
    ----------
    folder
        Made when missing; an earlier report in it is replaced.
    title
        Heading.
    result, metrics
        Of one replay.
    assumptions
        What the numbers rest on, shown under their names.

    Returns
    -------
    Path
        Of the `index.html`.
    """
    trades = trade_frame(result.trades)
    closes = result.curve.filter(pl.col("kind") == "close").select("equity", date="session")
    start = float(result.initial_cash)
    months, years = (calendar_returns(closes, start, every) for every in ("1mo", "1y"))
    parts = [
        pages.metric_tiles(metrics),
        pages.section("Equity and drawdown", pages.chart(equity_figure(result.curve))),
        pages.section("Monthly returns", pages.chart(monthly_figure(months, years), wide=True)),
        pages.pair(
            pages.section("Profit and loss by underlying", _by_underlying(trades)),
            pages.section("Refused, by code", _by_code(result.denials)),
        ),
        pages.assumptions_section(assumptions),
        pages.section(f"Trades ({len(trades)})", f"<div class='scroll'>{_trade_table(trades)}</div>"),
    ]
    return pages.write_page(folder, title, _facts(result), parts)


def _facts(result: BacktestResult) -> tuple[str, ...]:
    days, orders = result.curve["session"], result.orders
    return (
        f"{days[0]} to {days[-1]}",
        f"{len(result.trades)} closed trades, {len(result.holdings)} open at the end",
        f"{orders['filled'].sum()} of {orders.height} orders filled",
    )


def _by_underlying(trades: pl.DataFrame) -> str:
    if trades.is_empty():
        return "<p>No trade was closed.</p>"
    sums = trades.group_by("underlying").agg(pl.col("pnl").sum())
    sums = sums.sort("pnl", "underlying", descending=[True, False])
    return pages.chart(bars_figure(sums["underlying"].to_list(), sums["pnl"].to_list(), money=True))


def _by_code(denials: pl.DataFrame) -> str:
    if denials.is_empty():
        return "<p>Nothing was refused.</p>"
    counts = denials.group_by("code").len().sort("len", "code", descending=[True, False])
    return pages.chart(bars_figure(counts["code"].to_list(), counts["len"].to_list(), money=False))


def _trade_table(trades: pl.DataFrame) -> str:
    heads = (
        "Opened (ET)",
        "Closed (ET)",
        "Underlying",
        "Structure",
        "Quantity",
        "Paid",
        "Received",
        "Fees",
        "Gain",
        "Exit",
    )
    rows = [
        (
            iso(trade["opened_at"])[:_MINUTE],
            iso(trade["closed_at"])[:_MINUTE],
            trade["underlying"],
            trade["strategy"].replace("_", " "),
            f"{trade['quantity']:,}",
            f"{trade['entry_price']:,.2f}",
            f"{trade['exit_price']:,.2f}",
            f"{trade['fees']:,.2f}",
            f"{trade['pnl']:+,.2f}",
            trade["reason"],
        )
        for trade in trades.iter_rows(named=True)
    ]
    return pages.table(heads, ["", "", "", "", "n", "n", "n", "n", "s", ""], rows)
