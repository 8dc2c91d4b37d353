"""The report of a backtest of forecasts on the underlyings themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from backtests import pages
from backtests.figures import bars_figure, compared_figure, exposure_figure, monthly_figure
from backtests.metrics import calendar_returns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from backtests.underlyings import UnderlyingResult

SHOWN_TRADES = 200
"""Trades on the page; all of them are in `trades.csv` beside it."""

_NAMES = ("Forecasts", "Buy and hold, equal weights")
_COMPARED = (
    "Total return",
    "Sharpe ratio",
    "Max drawdown",
    "Calmar ratio",
    "Exposure",
    "Fees",
    "Final equity",
)
_DIRECTIONS = {1: "long", -1: "short"}


def write_underlyings_report(
    folder: Path, title: str, result: UnderlyingResult, assumptions: Mapping[str, str]
) -> Path:
    """Write the report as one folder, with all trades as `trades.csv`; see `pages.write_page`.

    Parameters
    ----------
    folder
        Made when missing; an earlier report in it is replaced.
    title
        Heading.
    result
        Of one backtest.
    assumptions
        What the numbers rest on, shown under their names.

    Returns
    -------
    Path
        Of the `index.html`.
    """
    months, years = (calendar_returns(result.curve, result.initial_cash, every) for every in ("1mo", "1y"))
    parts = [
        pages.metric_tiles(result.metrics),
        pages.section("Equity and drawdown", pages.chart(compared_figure(result.curve, _NAMES))),
        pages.section("Beside buy and hold: the same names, sessions and fees", _beside(result)),
        pages.section("Returns by month and year", pages.chart(monthly_figure(months, years), wide=True)),
        pages.section("Profit and loss by underlying, open positions included", _by_underlying(result)),
        pages.section("Exposure, weekly mean", pages.chart(exposure_figure(result.curve))),
        pages.assumptions_section(assumptions),
        pages.section(_trades_title(result.trades.height), _trade_table(result.trades)),
    ]
    page = pages.write_page(folder, title, _facts(result), parts)
    result.trades.write_csv(folder / "trades.csv")
    return page


def _facts(result: UnderlyingResult) -> tuple[str, ...]:
    dates, exits = result.curve["date"], result.trades["exit"]
    still_open = int((exits == "open").sum())
    return (
        f"{dates[0]} to {dates[-1]}, {len(dates):,} sessions",
        f"{result.tickers} underlyings",
        f"{len(exits) - still_open:,} closed trades, {still_open} open at the end",
    )


def _by_underlying(result: UnderlyingResult) -> str:
    if result.trades.is_empty():
        return "<p>Nothing was traded.</p>"
    sums = result.trades.group_by("underlying").agg(pl.col("pnl").sum())
    sums = sums.sort("pnl", "underlying", descending=[True, False])
    return pages.chart(bars_figure(sums["underlying"].to_list(), sums["pnl"].to_list(), money=True))


def _beside(result: UnderlyingResult) -> str:
    mine, other = (pages.metric_texts(metrics) for metrics in (result.metrics, result.buy_and_hold))
    rows = [
        (name, *(texts[metric] for metric in _COMPARED))
        for name, texts in zip(_NAMES, (mine, other), strict=True)
    ]
    return pages.table(("", *_COMPARED), ("", *("n" for _ in _COMPARED)), rows)


def _trades_title(count: int) -> str:
    return f"Trades ({count:,})" if count <= SHOWN_TRADES else f"The last {SHOWN_TRADES} of {count:,} trades"


def _trade_table(trades: pl.DataFrame) -> str:
    heads = ("Opened", "Closed", "Underlying", "Direction", "Entry", "Exit", "Return", "Gain", "Closed by")
    rows = [
        (
            str(trade["opened"]),
            "" if trade["exit"] == "open" else str(trade["closed"]),
            trade["underlying"],
            _DIRECTIONS[trade["direction"]],
            f"{trade['entry_price']:,.2f}",
            f"{trade['exit_price']:,.2f}",
            f"{trade['trade_return']:+.2%}",
            f"{trade['pnl']:+,.2f}",
            {"ended": "end of its prices", "open": "still open"}.get(trade["exit"], trade["exit"]),
        )
        for trade in trades.tail(SHOWN_TRADES).reverse().iter_rows(named=True)
    ]
    table = pages.table(heads, ("", "", "", "", "n", "n", "s", "s", ""), rows)
    note = (
        "Latest first; prices are means over a trade's shares. All trades are in trades.csv in this folder."
    )
    return f"<p class='note'>{note}</p><div class='scroll'>{table}</div>"
