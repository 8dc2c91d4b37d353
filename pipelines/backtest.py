"""Backtests on the lake: forecasts through the live decision function, or on the underlyings themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from backtests.assumptions import options_assumptions, underlyings_assumptions
from backtests.costs import Costs
from backtests.engine import replay
from backtests.metrics import Metrics, measure
from backtests.report import write_report
from backtests.results import Assumptions, BacktestResult
from backtests.underlyings import UnderlyingResult, underlying_signals
from backtests.underlyings_report import write_underlyings_report
from backtests.vectorized import curve_statistics, portfolio_from_fills
from pipelines.market import LakeMarket
from strikelake.calendar import NS_PER_SECOND, et_date, next_session, sessions
from strikelake.errors import DatasetError
from strikelake.lake.views import adjusted_bars
from strikelake.strategy.signals import Signal, decision_times, exit_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date
    from pathlib import Path

    from strikelake.calendar import Session
    from strikelake.lake.store import Lake
    from strikelake.portfolio import Account
    from strikelake.risk.limits import Limits

_LATENCY_NS = NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """A backtest of options.

    Attributes
    ----------
    metrics
        Performance; the curve's numbers come from vectorbt.
    result
        Fills, trades, curve, denials.
    signals
        Forecasts that became signals.
    ledger_gap
        Dollars by which vectorbt's accounting of the same fills differs from the engine's at the worst close.
    assumptions
        What the numbers rest on, in words.
    page
        The report's `index.html`.
    """

    metrics: Metrics
    result: BacktestResult
    signals: int
    ledger_gap: float
    assumptions: Mapping[str, str]
    page: Path


@dataclass(frozen=True, slots=True)
class UnderlyingsReport:
    """A backtest of the underlyings.

    Attributes
    ----------
    metrics
        Performance; the curve's numbers come from vectorbt.
    result
        Curve, trades, and the comparison with keeping the same names.
    page
        The report's `index.html`.
    assumptions
        What the numbers rest on, in words.
    """

    metrics: Metrics
    result: UnderlyingResult
    page: Path
    assumptions: Mapping[str, str]


def backtest_options(
    lake: Lake,
    forecasts: pl.DataFrame,
    start: date,
    end: date,
    *,
    limits: Limits,
    account: Account,
    bar: str,
    horizon: int,
    report_dir: Path,
    latency_ns: int = _LATENCY_NS,
    rate_default: float = 0.0,
    as_of: Mapping[str, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BacktestReport:
    """Replay forecasts against the lake's option quotes with the rules of the live trader.

    Parameters
    ----------
    lake
        Reads option_quotes, stock_minute_bars, stock_day_bars (correlations, from sessions before each
        one only) and treasury_yields.
    forecasts
        asof (ns UTC), underlying, probability; out of sample, one per asof and underlying.
    start, end
        First and last date, both included; every session between needs quotes.
    limits, account
        Of the account to simulate; `account.cash` is the start, its fee and its options level are used.
    bar, horizon
        What was forecast: `exit_time` gives each trade's planned exit. Forecasts on day bars are acted on at
        the next session's first decision, others at their own time, which has to be a decision time.
    report_dir
        Folder for the HTML report.
    latency_ns
        From decision to order, nanoseconds.
    rate_default
        Continuous rate where the lake has no treasury curve.
    as_of
        Versions by table, as `Lake.versions()` gives them; None is the latest.
    progress
        Called with sessions done and sessions in all.

    Raises
    ------
    DatasetError
        When the range has no session, or no forecast of it can be acted on.
    EmptyLakeError
        When quotes or prices are missing; the message names the remedy.
    """
    days = sessions(start, end)
    signals, left_out = signals_from_forecasts(forecasts, days, bar, horizon)
    names = sorted({signal.underlying for signal in signals} & limits.universe)
    market = LakeMarket(lake, names, days, rate_default, as_of)
    assumptions = Assumptions(latency_ns, Costs(limits.fee_per_contract))
    result = replay(market, days, signals, account, limits, assumptions, progress)
    closes = result.curve.filter(pl.col("kind") == "close")
    books = portfolio_from_fills(result.fills, result.marks, closes["ts_ns"].to_list(), result.initial_cash)
    marks = result.curve.filter(pl.col("kind") != "start")
    metrics = measure(
        curve_statistics([float(result.initial_cash), *closes["equity"]]),
        [float(trade.pnl) for trade in result.trades],
        fees=float(sum(fill.fees for fill in result.fills)),
        exposure=marks.select((pl.col("open_value") / pl.col("equity")).mean()).item(),
        final_equity=closes["equity"][-1],
    )
    words = options_assumptions(
        assumptions,
        limits,
        bar=bar,
        horizon=horizon,
        signals=len(signals),
        left_out=left_out,
        unquoted=result.unquoted,
        default_rate_sessions=market.default_rate_sessions,
    )
    return BacktestReport(
        metrics=metrics,
        result=result,
        signals=len(signals),
        ledger_gap=float(np.abs(closes["equity"].to_numpy() - books.equity["equity"].to_numpy()).max()),
        assumptions=words,
        page=write_report(report_dir, "Options backtest", result, metrics, words),
    )


def backtest_underlyings(
    lake: Lake,
    forecasts: pl.DataFrame,
    start: date,
    end: date,
    *,
    report_dir: Path,
    edge: float = 0.0,
    fees_bps: float = 1.0,
    initial_cash: float = 100_000.0,
    short: bool = False,
    as_of: Mapping[str, int] | None = None,
) -> UnderlyingsReport:
    """Backtest forecasts on the underlyings' own day bars; see `backtests.underlyings.underlying_signals`.

    Parameters
    ----------
    lake
        Reads stock_day_bars, split-adjusted to `end`.
    forecasts
        asof (ns UTC), underlying, probability; out of sample, one per asof and underlying. The last of each
        session counts.
    start, end
        First and last date of the prices, both included. Underlyings may lack sessions of it.
    report_dir
        Folder for the HTML report.
    edge, fees_bps, initial_cash, short
        As in `underlying_signals`.
    as_of
        Versions by table, as `Lake.versions()` gives them; None is the latest.

    Raises
    ------
    DatasetError
        When an underlying has two forecasts for one moment, or there are fewer than two sessions of prices.
    EmptyLakeError
        When the range has no day bars.
    """
    _refuse_repeated(forecasts)
    names = sorted(set(forecasts["underlying"]))
    bars = adjusted_bars(lake, "stock_day_bars", start, end, names, as_of=as_of).collect()
    prices = bars.select("date", pl.col("ticker").alias("underlying"), "open", "close")
    result = underlying_signals(
        prices, forecasts, edge=edge, fees_bps=fees_bps, initial_cash=initial_cash, short=short
    )
    words = underlyings_assumptions(
        result,
        edge=edge,
        fees_bps=fees_bps,
        short=short,
        left_out=forecasts.height - result.forecasts,
        silent=len(sessions(start, end)) - prices["date"].n_unique(),
    )
    page = write_underlyings_report(report_dir, "Underlyings backtest", result, words)
    return UnderlyingsReport(result.metrics, result, page, words)


def signals_from_forecasts(
    forecasts: pl.DataFrame, days: tuple[Session, ...], bar: str, horizon: int
) -> tuple[tuple[Signal, ...], int]:
    """Return forecasts as signals for the decisions that can act on them, and how many were left out.

    A forecast on day bars is acted on at the next session's first decision, one on minute bars at its own
    asof. Others are left out: at a bar's end without a decision, outside `days`, or with a horizon that ends
    before the decision.

    Raises
    ------
    DatasetError
        When nothing is left, or an underlying has two forecasts for one moment.
    """
    _refuse_repeated(forecasts)
    times = {moment for day in days for moment in decision_times(day)}
    acted = {asof: _decision_for(asof, bar) for asof in forecasts["asof"].unique()}
    exits = {asof: exit_time(asof, bar, horizon) for asof in acted}
    rows = forecasts.sort("asof", "underlying").select("asof", "underlying", "probability").iter_rows()
    signals = [
        Signal(acted[asof], underlying, exits[asof], probability)
        for asof, underlying, probability in rows
        if acted[asof] in times and exits[asof] > acted[asof]
    ]
    if not signals:
        span = f"from {days[0].date} to {days[-1].date}" if days else "in a range without sessions"
        raise DatasetError(
            f"none of {forecasts.height} forecasts belongs to a decision {span}: forecast that range first"
        )
    return tuple(signals), forecasts.height - len(signals)


def _decision_for(asof: int, bar: str) -> int:
    return decision_times(next_session(et_date(asof)))[0] if bar == "1d" else asof


def _refuse_repeated(forecasts: pl.DataFrame) -> None:
    repeated = forecasts.filter(forecasts.select("asof", "underlying").is_duplicated())
    if repeated.height:
        raise DatasetError(
            f"{repeated.height} forecasts share asof and underlying, the first of "
            f"{repeated['underlying'][0]}: keep the forecasts of one model"
        )
