from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from backtests.assumptions import underlyings_assumptions
from backtests.matrices import LONGEST_GAP
from backtests.underlyings import underlying_signals
from backtests.underlyings_report import SHOWN_TRADES, write_underlyings_report
from strikelake.calendar import sessions

DAYS = sessions(date(2024, 11, 1), date(2025, 3, 31))


def bars(name, days, price):
    closes = [price * (1.01 if i % 3 else 0.99) for i in range(len(days))]
    return pl.DataFrame(
        {"date": [d.date for d in days], "underlying": name, "open": closes, "close": closes[::-1]}
    )


@pytest.fixture(scope="module")
def result():
    """Two names all the way, and one that is lost and whose ticker comes back."""
    parts = [("A", DAYS, 50.0), ("B", DAYS, 20.0), ("WM", DAYS[:9], 5.0), ("WM", DAYS[40:], 30.0)]
    prices = pl.concat([bars(*part) for part in parts])
    rows = [
        (day.close_ns, name, 0.6 if name == "WM" or (i + j) % 4 else 0.4)
        for i, day in enumerate(DAYS)
        for j, name in enumerate(("A", "B", "WM"))
    ]
    schema = {"asof": pl.Int64, "underlying": pl.String, "probability": pl.Float64}
    return underlying_signals(prices, pl.DataFrame(rows, schema=schema, orient="row"), short=True)


@pytest.fixture(scope="module")
def words(result):
    return underlyings_assumptions(result, edge=0.02, fees_bps=1.5, short=True, left_out=7, silent=2)


def test_a_report_is_one_folder_that_needs_no_network(tmp_path, result, words):
    page = write_underlyings_report(tmp_path / "made", "A <made> backtest", result, words)
    text = page.read_text(encoding="utf-8")
    names = sorted(path.name for path in page.parent.iterdir())
    assert names == ["index.html", "plotly.min.js", "trades.csv"]
    assert text.count('src="plotly.min.js"') == 1
    assert not [word for word in ("http://", "https://", "href=") if word in text]
    for title in (
        "A &lt;made&gt; backtest",
        "Equity and drawdown",
        "Beside buy and hold: the same names, sessions and fees",
        "Returns by month and year",
        "Profit and loss by underlying, open positions included",
        "Exposure, weekly mean",
        "Assumptions",
        f"Trades ({result.trades.height})",
    ):
        assert f"{title}</h" in text
    for name in ("Total return", "Sharpe ratio", "Max drawdown", "Calmar ratio", "Win rate", "Profit factor"):
        assert f"<span>{name}</span>" in text
    assert f"<td class='n'>${result.buy_and_hold.final_equity:,.0f}</td>" in text
    assert f"WM from {DAYS[40].date}" in text
    assert "end of its prices" in text
    assert "still open" in text


def test_the_trades_beside_the_page_are_all_of_them(tmp_path, result, words):
    many = replace(result, trades=pl.concat([result.trades] * 20))
    assert many.trades.height > SHOWN_TRADES
    page = write_underlyings_report(tmp_path, "Many", many, words)
    text = page.read_text(encoding="utf-8")
    assert f"The last {SHOWN_TRADES} of {many.trades.height:,} trades</h2>" in text
    assert text.count("<td class=''>long</td>") + text.count("<td class=''>short</td>") == SHOWN_TRADES
    assert many.trades.height == pl.read_csv(tmp_path / "trades.csv").height


def test_a_report_without_trades_says_so(tmp_path, result, words):
    empty = replace(result, trades=result.trades.clear(), metrics=replace(result.metrics, sharpe=None))
    text = write_underlyings_report(tmp_path, "Nothing", empty, words).read_text(encoding="utf-8")
    assert "Nothing was traded." in text
    assert "<b>n/a</b><span>Sharpe ratio</span>" in text


def test_the_assumptions_say_what_became_of_lost_names(result, words):
    (ended,) = result.trades.filter(pl.col("exit") == "ended").rows(named=True)
    assert (ended["underlying"], ended["closed"]) == ("WM", DAYS[9 + LONGEST_GAP + 1].date)
    assert f"1 positions, worth ${result.ended_value:,.0f} in all" in words["Missing prices"]
    assert "2 sessions of the range have no bar" in words["Missing prices"]
    assert "4 series of 3 tickers" in words["Tickers"]
    assert words["Decisions"].startswith("long above 52.0%, short below 48.0%, else flat")
    assert "7 did not" in words["Decisions"]
    assert "1.5 bps" in words["Fees"]
