"""A backtest as one HTML folder that needs no network: numbers, assumptions, charts, trades."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import polars as pl

from backtests.figures import bars_figure, equity_figure, monthly_figure
from backtests.results import trade_frame
from strikelake.calendar import iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from backtests.metrics import Metrics
    from backtests.results import BacktestResult

_UNDEFINED = "n/a"
_MINUTE = len("2025-01-02 09:30")
_STYLE = """
:root { color-scheme: light; --ink: #0f172a; --soft: #64748b; --rule: #e2e8f0; --card: #ffffff; }
* { box-sizing: border-box; }
body { margin: 0; background: #f1f5f9; color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 16px; margin: 0 0 12px; }
p.sub { margin: 0 0 24px; color: var(--soft); }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 18px 20px; margin: 0 0 18px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr));
  gap: 12px; margin: 0 0 18px; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 12px; padding: 14px 16px; }
.tile b { display: block; font-size: 22px; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 18px; }
@media (max-width: 800px) { .pair { grid-template-columns: 1fr; } }
.pair section { min-width: 0; overflow: hidden; }
.scroll { max-height: 460px; overflow: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th { text-align: left; color: var(--soft); font-weight: 550; position: sticky; top: 0;
  background: var(--card); }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--rule); white-space: nowrap; }
td.wrap { white-space: normal; }
td.n, th.n, th.s { text-align: right; }
.up { color: #15803d; } .down { color: #b91c1c; }
"""


def write_report(
    folder: Path, title: str, result: BacktestResult, metrics: Metrics, assumptions: Mapping[str, str]
) -> Path:
    """Write `index.html` and plotly's script into a folder; nothing in it is fetched from elsewhere.

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
    from plotly.offline import get_plotlyjs

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
    page = folder / "index.html"
    page.write_text(_page(title, result, metrics, assumptions), encoding="utf-8")
    return page


def monthly_returns(curve: pl.DataFrame) -> pl.DataFrame:
    """Return month (Date, first day) and month_return (fraction), from each month's last close to the next.

    Parameters
    ----------
    curve
        `BacktestResult.curve`. The first month counts from the starting equity, the last may be unfinished.
    """
    closes = curve.filter(pl.col("kind") == "close").sort("ts_ns")
    ends = closes.group_by(pl.col("session").dt.truncate("1mo").alias("month"), maintain_order=True).agg(
        pl.col("equity").last()
    )
    start = curve["equity"][0]
    return ends.select(
        "month", (pl.col("equity") / pl.col("equity").shift(1).fill_null(start) - 1).alias("month_return")
    )


def _page(title: str, result: BacktestResult, metrics: Metrics, assumptions: Mapping[str, str]) -> str:
    trades = trade_frame(result.trades)
    by_name = (
        trades.group_by("underlying")
        .agg(pl.col("pnl").sum())
        .sort("pnl", "underlying", descending=[True, False])
    )
    by_code = result.denials.group_by("code").len().sort("len", "code", descending=[True, False])
    parts = [
        _heading(title, result),
        _tiles(metrics),
        # The first chart brings the script; the others rely on it.
        _section("Equity and drawdown", _chart(equity_figure(result.curve), script=True)),
        _section("Monthly returns", _chart(monthly_figure(monthly_returns(result.curve)))),
        "<div class='pair'>",
        _section(
            "Profit and loss by underlying",
            _chart(bars_figure(by_name["underlying"].to_list(), by_name["pnl"].to_list(), money=True))
            if by_name.height
            else "<p>No trade was closed.</p>",
        ),
        _section(
            "Refused, by code",
            _chart(bars_figure(by_code["code"].to_list(), by_code["len"].to_list(), money=False))
            if by_code.height
            else "<p>Nothing was refused.</p>",
        ),
        "</div>",
        _section("Assumptions", _table(("What", "How"), ("", "wrap"), list(assumptions.items()))),
        _section(f"Trades ({len(trades)})", f"<div class='scroll'>{_trade_table(trades)}</div>"),
    ]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>"
    )


def _heading(title: str, result: BacktestResult) -> str:
    days, orders = result.curve["session"], result.orders
    facts = (
        f"{days[0]} to {days[-1]}",
        f"{len(result.trades)} closed trades, {len(result.holdings)} open at the end",
        f"{orders['filled'].sum()} of {orders.height} orders filled",
    )
    return f"<h1>{escape(title)}</h1><p class='sub'>{' · '.join(facts)}</p>"


def _tiles(metrics: Metrics) -> str:
    shown = (
        ("Total return", _share(metrics.total_return, signed=True)),
        ("Sharpe ratio", _number(metrics.sharpe)),
        ("Max drawdown", _share(metrics.max_drawdown)),
        ("Calmar ratio", _number(metrics.calmar)),
        ("Win rate", _share(metrics.win_rate)),
        ("Profit factor", _number(metrics.profit_factor)),
        ("Trades", f"{metrics.trades:,}"),
        ("Fees", f"${metrics.fees:,.0f}"),
        ("Exposure", _share(metrics.exposure)),
        ("Final equity", f"${metrics.final_equity:,.0f}"),
    )
    tiles = "".join(f"<div class='tile'><b>{value}</b><span>{name}</span></div>" for name, value in shown)
    return f"<div class='tiles'>{tiles}</div>"


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
    return _table(heads, ["", "", "", "", "n", "n", "n", "n", "s", ""], rows)


def _table(heads: Sequence[str], kinds: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th class='{kind}'>{escape(name)}</th>" for name, kind in zip(heads, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str, kind: str) -> str:
    """Return a table cell; a signed number (kind `s`) is coloured by its sign."""
    if kind == "s":
        kind = "n down" if text.startswith("-") else "n up"
    return f"<td class='{kind}'>{escape(text)}</td>"


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _chart(figure: Any, *, script: bool = False) -> str:
    return str(
        figure.to_html(
            full_html=False,
            include_plotlyjs="directory" if script else False,
            config={"displaylogo": False, "responsive": True},
        )
    )


def _share(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return _UNDEFINED
    return f"{value:+.2%}" if signed else f"{value:.2%}"


def _number(value: float | None) -> str:
    return _UNDEFINED if value is None else f"{value:.2f}"
