"""Backtests on a small lake: random walks from conftest, quoted around the model's prices."""

import shutil
from dataclasses import asdict
from datetime import date
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from pipelines.backtest import backtest_options, backtest_underlyings, signals_from_forecasts
from strikelake.calendar import NS_PER_MINUTE, et_ns, sessions
from strikelake.contracts import OptionContract, expiry_ns
from strikelake.errors import DatasetError, EmptyLakeError
from strikelake.lake.store import Lake
from strikelake.portfolio import Account
from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.pricing.rates import years_between
from strikelake.risk.limits import RiskRules, limits_for
from strikelake.risk.tiers import Tier, TrainingPlan
from strikelake.schemas import table
from strikelake.strategy.signals import Signal, decision_times

START, END = date(2025, 2, 10), date(2025, 2, 12)
DAYS = sessions(START, END)
NAMES = ("AAPL", "SPY")
TIER = Tier("made", Decimal(0), NAMES, 5, Decimal("0.03"), 10, 2_000, TrainingPlan(60, ("forest",), 0))
LIMITS = limits_for(TIER, "medium", RiskRules())
ACCOUNT = Account("backtest", Decimal(20_000), Decimal(20_000), Decimal(20_000), options_level=3)


def _quotes(minutes, name, day):
    expiration = date(2025, 3, 21)
    bars = minutes.filter(pl.col("ticker") == name, pl.col("date") == day.date).sort("ts_ns")
    bars = bars.filter((pl.col("available_at") > day.open_ns) & (pl.col("available_at") <= day.close_ns))
    ts, spot = (bars[column].to_numpy()[4::5] for column in ("available_at", "close"))
    years, parts = years_between(ts, expiry_ns(expiration)), []
    middle = 5 * round(spot[0] / 5)
    for strike in range(middle - 10, middle + 15, 5):
        for kind, sign in (("C", 1), ("P", -1)):
            fair = european.price(Options(sign, spot, strike, years, 0.04), 0.3)
            parts.append(
                pl.DataFrame({"ts_ns": ts + 20, "bid_price": np.round(fair * 0.99, 2)}).with_columns(
                    occ_symbol=pl.lit(OptionContract(name, expiration, kind, Decimal(strike)).occ_symbol),
                    option_type=pl.lit(kind),
                    strike=pl.lit(float(strike)),
                    ask_price=pl.Series(np.round(fair * 1.01 + 0.01, 2)),
                )
            )
    return pl.concat(parts).with_columns(
        date=pl.lit(day.date),
        underlying=pl.lit(name),
        expiration=pl.lit(expiration),
        bid_price=pl.max_horizontal("bid_price", 0.01),
        bid_size=10.0,
        ask_size=10.0,
        available_at="ts_ns",
    )


@pytest.fixture(scope="module")
def quoted_lake(market_lake, tmp_path_factory):
    lake = Lake(shutil.copytree(market_lake.root, tmp_path_factory.mktemp("quoted") / "lake"))
    minutes = lake.scan("stock_minute_bars", START, END).collect()
    columns = table("option_quotes").columns
    for day in DAYS:
        quotes = pl.concat([_quotes(minutes, name, day) for name in NAMES])
        typed = quotes.select(pl.col(name).cast(dtype) for name, dtype in columns.items())
        lake.replace("option_quotes", day.date, typed.sort("occ_symbol", "ts_ns"))
    return lake


@pytest.fixture(scope="module")
def forecasts():
    rng = np.random.default_rng(3)
    rows = [
        (asof, name, float(rng.uniform(0.2, 0.8)))
        for day in DAYS
        for asof in decision_times(day)[::3]
        for name in NAMES
    ]
    return frame(rows)


@pytest.fixture(scope="module")
def report(quoted_lake, forecasts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return backtest_options(
        quoted_lake,
        forecasts,
        START,
        END,
        limits=LIMITS,
        account=ACCOUNT,
        bar="30m",
        horizon=2,
        report_dir=folder,
    )


def frame(rows):
    schema = {"asof": pl.Int64, "underlying": pl.String, "probability": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_forecasts_become_trades_and_a_report(report, forecasts):
    assert forecasts.height == report.signals
    assert len(report.result.trades) == report.metrics.trades > 3
    assert "Options backtest" in report.page.read_text(encoding="utf-8")
    topics = "Decisions Fills Limits Fees Marks Risk Splits Expiry Model Statistics"
    assert list(report.assumptions) == topics.split()
    assert "0 sessions without a treasury curve" in report.assumptions["Model"]
    assert "withdrawn 5 s before the next decision" in report.assumptions["Fills"]
    said = report.assumptions["Marks"]
    first = report.result.unquoted[:1]
    assert (f"{first[0][1]} on {first[0][0]}" if first else "was quoted in every session") in said


def test_vectorbt_keeps_the_same_books(report):
    assert report.ledger_gap < 0.005


def test_the_metrics_are_of_the_result(report):
    metrics = asdict(report.metrics)
    pnl = [float(trade.pnl) for trade in report.result.trades]
    assert pytest.approx(report.result.curve["equity"][-1]) == metrics["final_equity"]
    assert pytest.approx(metrics["final_equity"] / 20_000 - 1) == metrics["total_return"]
    assert sum(gain > 0 for gain in pnl) / len(pnl) == metrics["win_rate"]
    assert 0 < metrics["exposure"] < 1
    assert float(sum(fill.fees for fill in report.result.fills)) == metrics["fees"]


def test_every_price_paid_was_quoted_after_the_decision(report, quoted_lake):
    quotes = quoted_lake.scan("option_quotes").collect()
    decided = dict(report.result.orders.select("client_order_id", "asof").iter_rows())
    for fill in report.result.fills:
        quote = quotes.filter(pl.col("occ_symbol") == fill.occ_symbol, pl.col("ts_ns") == fill.ts_ns)
        side = "ask_price" if fill.side == "buy" else "bid_price"
        assert float(fill.price) == quote[side].item()
        assert decided[fill.client_order_id] < fill.ts_ns


def test_the_same_versions_give_the_same_backtest(report, quoted_lake, forecasts, tmp_path):
    again = backtest_options(
        quoted_lake,
        forecasts.reverse(),
        START,
        END,
        limits=LIMITS,
        account=ACCOUNT,
        bar="30m",
        horizon=2,
        report_dir=tmp_path,
        as_of=quoted_lake.versions(),
    )
    assert report.result.fills == again.result.fills
    assert report.metrics == again.metrics


def test_a_range_without_quotes_names_the_remedy(quoted_lake, tmp_path):
    later = frame([(et_ns(date(2025, 2, 13), "10:00"), "SPY", 0.9)])
    with pytest.raises(EmptyLakeError, match=r"option_quotes.*strikelake ingest"):
        backtest_options(
            quoted_lake,
            later,
            date(2025, 2, 13),
            date(2025, 2, 13),
            limits=LIMITS,
            account=ACCOUNT,
            bar="30m",
            horizon=2,
            report_dir=tmp_path,
        )


@pytest.mark.parametrize(
    ("clock", "bar", "horizon", "expected"),
    [
        ("10:00", "30m", 2, ("10:00", "11:00")),
        ("15:30", "30m", 1, ("15:30", "16:00")),
        ("16:00", "30m", 2, None),
        ("09:30", "30m", 2, None),
        ("10:00", "45m", 1, ("10:00", "10:15")),
    ],
)
def test_minute_forecasts_are_acted_on_at_their_own_decision_or_never(clock, bar, horizon, expected):
    rows = frame([(et_ns(START, clock), "SPY", 0.6), (et_ns(END, "10:00"), "SPY", 0.6)])
    signals, left_out = signals_from_forecasts(rows, DAYS, bar, horizon)
    found = [(s.asof, s.exit_at) for s in signals if s.asof < DAYS[0].close_ns]
    assert ([] if expected is None else [tuple(et_ns(START, text) for text in expected)]) == found
    assert (1 if expected is None else 0) == left_out


def test_day_forecasts_are_acted_on_at_the_next_sessions_first_decision():
    friday = date(2025, 2, 7)
    rows = frame(
        [
            (et_ns(friday, "16:00"), "SPY", 0.6),
            (et_ns(date(2025, 2, 6), "16:00"), "SPY", 0.7),
            (et_ns(END, "16:00"), "SPY", 0.8),
        ]
    )
    signals, left_out = signals_from_forecasts(rows, DAYS, "1d", 1)
    assert (Signal(et_ns(START, "10:00"), "SPY", et_ns(START, "16:00"), 0.6),) == signals
    assert left_out == 2


def test_two_models_at_once_are_refused():
    rows = frame([(et_ns(START, "10:00"), "SPY", p) for p in (0.6, 0.7)])
    with pytest.raises(DatasetError, match="2 forecasts share asof and underlying, the first of SPY"):
        signals_from_forecasts(rows, DAYS, "30m", 1)


@pytest.mark.parametrize(
    ("days", "message"), [(DAYS, "from 2025-02-10 to 2025-02-12"), ((), "in a range without sessions")]
)
def test_forecasts_of_another_time_are_refused(days, message):
    rows = frame([(et_ns(date(2025, 1, 6), "10:00"), "SPY", 0.6)])
    with pytest.raises(DatasetError, match=f"none of 1 forecasts belongs to a decision {message}"):
        signals_from_forecasts(rows, days, "30m", 1)


def test_underlyings_are_adjusted_for_splits(market_lake, tmp_path):
    # MSFT splits on the 10th: held over it, nothing is halved.
    days = sessions(date(2025, 2, 5), date(2025, 2, 12))
    rows = frame([(day.close_ns, "MSFT", 0.9) for day in days])
    report = backtest_underlyings(
        market_lake, rows, days[0].date, days[-1].date, report_dir=tmp_path / "made", fees_bps=0.0
    )
    assert -0.1 < report.metrics.total_return < 0.1
    assert report.metrics.total_return != 0
    assert [day.date for day in days] == report.result.curve["date"].to_list()
    assert report.page == tmp_path / "made" / "index.html"
    assert "Underlyings backtest" in report.page.read_text(encoding="utf-8")
    # Each session's forecast but the last decides the next session.
    assert f"{len(days) - 1} forecasts decided a session, 1 did not" in report.assumptions["Decisions"]


def test_underlyings_are_not_tested_with_two_models_at_once(market_lake, tmp_path):
    rows = frame([(DAYS[0].close_ns, "SPY", p) for p in (0.6, 0.7)])
    with pytest.raises(DatasetError, match="2 forecasts share asof and underlying, the first of SPY"):
        backtest_underlyings(market_lake, rows, START, END, report_dir=tmp_path)


def test_the_latency_is_a_parameter(quoted_lake, forecasts, tmp_path):
    slow = backtest_options(
        quoted_lake,
        forecasts,
        START,
        END,
        limits=LIMITS,
        account=ACCOUNT,
        bar="30m",
        horizon=2,
        report_dir=tmp_path,
        latency_ns=10 * NS_PER_MINUTE,
    )
    decided = dict(slow.result.orders.select("client_order_id", "asof").iter_rows())
    assert all(fill.ts_ns > decided[fill.client_order_id] + 10 * NS_PER_MINUTE for fill in slow.result.fills)
    assert "more than 600 s after" in slow.assumptions["Fills"]
