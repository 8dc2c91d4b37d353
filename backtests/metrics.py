"""Performance numbers, defined once.

Returns are from session close to session close, the starting equity being the first close. A year has 252
sessions and the risk-free rate is 0. A number that is not defined is None, never 0 or infinity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SESSIONS_PER_YEAR = 252

CALMAR_SESSIONS = 60
"""Fewer sessions than these, compounded to a year, say nothing of a year."""


@dataclass(frozen=True, slots=True)
class CurveStatistics:
    """Numbers of an equity curve.

    Attributes
    ----------
    total_return
        Last equity over first, less 1.
    sharpe
        Mean over sample standard deviation (ddof 1) of session returns, times sqrt(252). None with fewer than
        two returns, or when they do not vary.
    sharpe_error
        Its standard error were returns independent, sqrt((252 + sharpe² / 2) / sessions) (Lo 2002, "The
        Statistics of Sharpe Ratios"): within twice of it a ratio cannot be told from 0.
    max_drawdown
        Largest fall from an earlier close, the starting equity included, as a positive fraction of it.
    calmar
        Return compounded to 252 sessions, over `max_drawdown`. None without a drawdown, and with fewer
        sessions than `CALMAR_SESSIONS`.
    """

    total_return: float
    sharpe: float | None
    sharpe_error: float | None
    max_drawdown: float
    calmar: float | None


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a backtest is judged by.

    Attributes
    ----------
    total_return, sharpe, sharpe_error, max_drawdown, calmar
        As in `CurveStatistics`.
    win_rate
        Share of closed trades with a gain after fees. None without trades.
    profit_factor
        Gains over losses of closed trades, after fees, in dollars. None without a losing trade.
    trades
        Closed trades.
    fees
        Dollars paid, those of trades still open included.
    exposure
        Mean share of equity in open positions over all marks; the side we would trade at values them.
    final_equity
        Dollars at the last close.
    """

    total_return: float
    sharpe: float | None
    sharpe_error: float | None
    max_drawdown: float
    calmar: float | None
    win_rate: float | None
    profit_factor: float | None
    trades: int
    fees: float
    exposure: float
    final_equity: float


def curve_statistics(equity: Sequence[float]) -> CurveStatistics:
    """Return the numbers of an equity curve.

    Parameters
    ----------
    equity
        Starting equity, positive, and then every session's close, dollars. An account that reaches 0 stays
        there: what is lost cannot be traded with.

    Raises
    ------
    DatasetError
        When there is no close, or the start is not positive.

    Examples
    --------
    >>> round(curve_statistics([100.0, 110.0, 99.0]).max_drawdown, 6)
    0.1
    """
    values = np.asarray(equity, dtype=np.float64)
    returns = session_returns(values)
    values = values[0] * np.concatenate([[1.0], np.cumprod(1 + returns)])
    drawdown = float((1 - values / np.maximum.accumulate(values)).max())
    annual = (values[-1] / values[0]) ** (SESSIONS_PER_YEAR / len(returns)) - 1
    scale = np.sqrt(SESSIONS_PER_YEAR)
    sharpe = float(returns.mean() / returns.std(ddof=1) * scale) if varies(returns) else None
    return CurveStatistics(
        total_return=float(values[-1] / values[0] - 1),
        sharpe=sharpe,
        sharpe_error=sharpe_error(sharpe, len(returns)),
        max_drawdown=drawdown,
        calmar=float(annual / drawdown) if drawdown > 0 and len(returns) >= CALMAR_SESSIONS else None,
    )


def sharpe_error(sharpe: float | None, sessions: int) -> float | None:
    """Return the standard error of a yearly Sharpe ratio, None where there is none; see `CurveStatistics`.

    Examples
    --------
    >>> sharpe_error(2.0, 127), sharpe_error(None, 26)
    (1.4142135623730951, None)
    """
    return None if sharpe is None else float(np.sqrt((SESSIONS_PER_YEAR + sharpe**2 / 2) / sessions))


def session_returns(equity: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the change from each close to the next as a fraction; see `curve_statistics`.

    Examples
    --------
    >>> session_returns([100.0, 110.0, -5.0, 20.0]).round(2).tolist()
    [0.1, -1.0, 0.0]
    """
    values = np.asarray(equity, dtype=np.float64)
    if len(values) < 2 or not values[0] > 0:  # noqa: PLR2004 - a start and one close
        raise DatasetError(
            f"an equity curve of {len(values)} points has no statistics: it needs a start above 0 and a close"
        )
    alive = np.where(np.minimum.accumulate(values) > 0, values, 0.0)
    before = np.where(alive[:-1] > 0, alive[:-1], 1.0)
    return np.asarray(np.where(alive[:-1] > 0, alive[1:] / before - 1, 0.0), dtype=np.float64)


def calendar_returns(closes: pl.DataFrame, initial: float, every: str) -> pl.DataFrame:
    """Return returns by calendar period, from each period's last close to the next.

    Parameters
    ----------
    closes
        date, equity (dollars), one row per session. The last period may be unfinished.
    initial
        Equity that the first period counts from, dollars.
    every
        Length of a period as polars spells it: `1mo`, `1y`.

    Returns
    -------
    pl.DataFrame
        period (Date, its first day), period_return (fraction).
    """
    ends = (
        closes.sort("date")
        .group_by(pl.col("date").dt.truncate(every).alias("period"), maintain_order=True)
        .agg(pl.col("equity").last())
    )
    before = pl.col("equity").shift(1).fill_null(initial)
    return ends.select("period", (pl.col("equity") / before - 1).alias("period_return"))


def varies(returns: NDArray[np.float64]) -> bool:
    """Return whether returns differ by more than rounding, so that their deviation may divide."""
    return len(returns) > 1 and float(returns.std(ddof=1)) > 1e-12  # noqa: PLR2004 - far below a cent


def win_rate(pnl: Sequence[float]) -> float | None:
    """Return the share of trades that gained; None without trades.

    Examples
    --------
    >>> win_rate([5.0, -1.0, 0.0, 2.0])
    0.5
    """
    return sum(gain > 0 for gain in pnl) / len(pnl) if len(pnl) else None


def profit_factor(pnl: Sequence[float]) -> float | None:
    """Return gains over losses; None without a loss.

    Examples
    --------
    >>> profit_factor([6.0, -1.0, -2.0])
    2.0
    """
    lost = -sum(gain for gain in pnl if gain < 0)
    return sum(gain for gain in pnl if gain > 0) / lost if lost > 0 else None


def measure(
    curve: CurveStatistics, pnl: Sequence[float], *, fees: float, exposure: float, final_equity: float
) -> Metrics:
    """Put a backtest's numbers together; `pnl` is dollars after fees of each closed trade."""
    return Metrics(
        total_return=curve.total_return,
        sharpe=curve.sharpe,
        sharpe_error=curve.sharpe_error,
        max_drawdown=curve.max_drawdown,
        calmar=curve.calmar,
        win_rate=win_rate(pnl),
        profit_factor=profit_factor(pnl),
        trades=len(pnl),
        fees=fees,
        exposure=exposure,
        final_equity=final_equity,
    )
