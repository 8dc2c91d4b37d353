"""What a backtest's numbers rest on, in words, for its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from backtests.matrices import LONGEST_GAP
from backtests.metrics import CALMAR_SESSIONS
from strikelake.calendar import NS_PER_SECOND
from strikelake.strategy.signals import WITHDRAWAL_NS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from backtests.results import Assumptions
    from backtests.underlyings import UnderlyingResult
    from strikelake.risk.limits import Limits

_STATISTICS = (
    "close to close, 252 sessions a year, risk-free rate 0, by vectorbt; Sharpe with its standard error "
    f"(within twice of it no ratio differs from 0), Calmar from {CALMAR_SESSIONS} sessions on"
)


def options_assumptions(
    assumptions: Assumptions,
    limits: Limits,
    *,
    bar: str,
    horizon: int,
    signals: int,
    left_out: int,
    unquoted: Sequence[tuple[date, str]],
    default_rate_sessions: int,
) -> dict[str, str]:
    """Return the assumptions of an options backtest, by topic.

    Parameters
    ----------
    assumptions, limits
        Of the replay.
    bar, horizon
        What was forecast.
    signals, left_out
        Forecasts that became signals, and those that fit no decision.
    unquoted
        As in `BacktestResult`.
    default_rate_sessions
        Sessions without a treasury curve.
    """
    return {
        "Decisions": f"{signals} signals on {bar} bars, {horizon} ahead; {left_out} forecasts fit none",
        "Fills": (
            f"at our side of the first quotes more than {assumptions.latency_ns / NS_PER_SECOND:g} s after "
            "the decision that meet the limit, in full whatever the quoted size; else withdrawn "
            f"{WITHDRAWAL_NS / NS_PER_SECOND:g} s before the next decision, or at the close"
        ),
        "Limits": f"{limits.limit_slippage:.1%} beyond our side of the quote that the decision saw",
        "Fees": f"${assumptions.costs.fee_per_contract} per contract and side, none at expiry",
        "Marks": (
            "bid for what is held long, ask for what is short; a long without a bid is worth nothing. "
            + _unquoted(unquoted)
        ),
        "Risk": (
            f"{limits.risk_per_trade:.1%} of equity per trade, stop at {limits.stop_loss:.0%} of premium, "
            f"{limits.position_limit:.0%} per position, {limits.max_portfolio_risk:.0%} in all, "
            f"{limits.max_daily_loss:.0%} a day"
        ),
        "Splits": (
            "adjust what is held before the open of the ex-date, as OCC does: whole new shares for one "
            "divide the strike and multiply the contracts, others change what a contract delivers"
        ),
        "Expiry": "cash at intrinsic value on the underlying's last price; no early exercise or assignment",
        "Model": (
            "American implied volatility and delta at the mid (indices: European), each expiration's rate, "
            "dividends expected at the open, no carry beside them; "
            f"{default_rate_sessions} sessions without a treasury curve used the default rate"
        ),
        "Statistics": _STATISTICS,
    }


def _unquoted(found: Sequence[tuple[date, str]]) -> str:
    if not found:
        return "Every position was quoted in every session"
    day, contract = found[0]
    return (
        f"{len(found):,} times a position had no quote all session and kept an older mark, first {contract} "
        f"on {day}: look whether its quotes are missing from the lake"
    )


def underlyings_assumptions(
    result: UnderlyingResult, *, edge: float, fees_bps: float, short: bool, left_out: int, silent: int
) -> dict[str, str]:
    """Return the assumptions of a backtest on the underlyings, by topic.

    Parameters
    ----------
    result
        Of the backtest.
    edge, fees_bps, short
        As in `underlyings.underlying_signals`.
    left_out
        Forecasts that decided no session.
    silent
        Sessions of the range without a bar of any name.
    """
    ended = result.trades.filter(pl.col("exit") == "ended").height
    falls = f"short below {0.5 - edge:.1%}, " if short else ""
    return {
        "Decisions": (
            f"long above {0.5 + edge:.1%}, {falls}else flat, by each session's last forecast; a session "
            f"without one is flat. {result.forecasts:,} forecasts decided a session, {left_out:,} did not"
        ),
        "Fills": (
            "at the next session's opening price, whatever its size. Where there is none, nothing is bought "
            f"or sold: {result.lapsed:,} entries lapsed, and their share stayed in cash"
        ),
        "Weights": (
            "equal shares of equity among the names held, brought back to equal at the open whenever a name "
            "comes or goes; one name alone gets everything. Fractional shares"
        ),
        "Missing prices": (
            f"a position without a bar is kept, at its last close, for {LONGEST_GAP} sessions: nobody knows "
            "before whether it was suspended, renamed or delisted. After more it is closed at that close: "
            f"{ended:,} positions, worth ${result.ended_value:,.0f} in all, which a holder might not have "
            f"got. {silent:,} sessions of the range have no bar of any name"
        ),
        "Tickers": (
            f"a ticker that comes back after more than {LONGEST_GAP} sessions is another series, marked with "
            f"its first date: {result.series} series of {result.tickers} tickers. A series follows its "
            "ticker, not the company: renames end it, changes of share class do not"
        ),
        "Prices": "adjusted for splits, not for dividends: those are missing here and in the comparison",
        "Fees": f"{fees_bps:g} bps of traded value; no slippage, no cost of borrowing",
        "Comparison": (
            "buy and hold buys every name at the open after its first forecast and keeps it, by the same "
            f"rules and fees; {result.buy_and_hold.trades} of its positions ended with their prices"
        ),
        "Statistics": _STATISTICS,
    }
