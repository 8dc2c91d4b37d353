from dataclasses import replace

import polars as pl
import pytest

from backtests.engine import replay
from backtests.metrics import curve_statistics, measure
from backtests.report import write_report
from backtests.results import Assumptions, trade_frame


@pytest.fixture(scope="module")
def result(made_market, made_signals, made_limits, made_account):
    signals = made_signals(made_market.names, made_market.days)
    return replay(
        made_market, made_market.days, signals, made_account, made_limits(made_market.names), Assumptions()
    )


@pytest.fixture(scope="module")
def metrics(result):
    closes = result.curve.filter(pl.col("kind") == "close")["equity"].to_list()
    pnl = [float(trade.pnl) for trade in result.trades]
    curve = curve_statistics([float(result.initial_cash), *closes])
    return measure(curve, pnl, fees=12.34, exposure=0.25, final_equity=closes[-1])


def test_a_report_is_one_folder_that_needs_no_network(tmp_path, result, metrics):
    page = write_report(tmp_path / "made", "A <made> backtest", result, metrics, {"Fees": "$0.65 & more"})
    text = page.read_text(encoding="utf-8")
    assert sorted(path.name for path in page.parent.iterdir()) == ["index.html", "plotly.min.js"]
    assert text.count('src="plotly.min.js"') == 1
    assert not [word for word in ("http://", "https://", "href=") if word in text]
    assert "A &lt;made&gt; backtest" in text
    assert "$0.65 &amp; more" in text
    for title in (
        "Equity and drawdown",
        "Monthly returns",
        "Assumptions",
        "Refused, by code",
        "Profit and loss by underlying",
    ):
        assert f"<h2>{title}</h2>" in text
    assert f"<h2>Trades ({len(result.trades)})</h2>" in text
    assert "<b>$12</b><span>Fees</span>" in text


def test_a_report_without_trades_says_so(tmp_path, result, metrics):
    empty = replace(result, trades=(), denials=result.denials.clear())
    undefined = replace(metrics, sharpe=None, win_rate=None)
    text = write_report(tmp_path, "Nothing", empty, undefined, {}).read_text(encoding="utf-8")
    assert "No trade was closed." in text
    assert "Nothing was refused." in text
    assert "<b>n/a</b><span>Sharpe ratio</span>" in text


def test_a_second_report_replaces_the_first(tmp_path, result, metrics):
    write_report(tmp_path, "First", result, metrics, {})
    assert "First" not in write_report(tmp_path, "Second", result, metrics, {}).read_text(encoding="utf-8")


def test_trades_as_a_table_keep_every_field(result):
    table = trade_frame(result.trades)
    assert (len(result.trades), pl.Float64, pl.Int64) == (
        table.height,
        table.schema["pnl"],
        table.schema["closed_at"],
    )
    assert float(result.trades[0].pnl) == table["pnl"][0]
