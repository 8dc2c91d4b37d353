"""Backtests of forecasts on the underlyings themselves, once a session, beside keeping the same names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from backtests.matrices import price_matrices
from backtests.metrics import Metrics, measure
from backtests.positions import kept, plan, wanted
from backtests.vectorized import PositionsPortfolio, curve_statistics, portfolio_from_positions

_BPS = 10_000


@dataclass(frozen=True, slots=True)
class UnderlyingResult:
    """A backtest of forecasts on the underlyings themselves.

    Attributes
    ----------
    initial_cash
        Dollars at the start.
    curve
        date, equity (Float64 dollars at the close), exposure (Float64, share of equity in positions, shorts
        positive), buy_and_hold (Float64 dollars of the comparison).
    trades
        As in `vectorized.PositionsPortfolio`, in the order they closed.
    metrics
        Of closed trades and of the curve.
    buy_and_hold
        The same numbers of the comparison.
    series, tickers
        Series of prices, and the tickers that they are of: see `matrices.price_matrices`.
    forecasts
        Forecasts that decided a session.
    lapsed
        Entries that found no open to trade at.
    ended_value
        Dollars that positions whose prices ended were closed at.
    """

    initial_cash: float
    curve: pl.DataFrame
    trades: pl.DataFrame
    metrics: Metrics
    buy_and_hold: Metrics
    series: int
    tickers: int
    forecasts: int
    lapsed: int
    ended_value: float


def underlying_signals(
    prices: pl.DataFrame,
    forecasts: pl.DataFrame,
    *,
    edge: float = 0.0,
    fees_bps: float = 1.0,
    initial_cash: float = 100_000.0,
    short: bool = False,
) -> UnderlyingResult:
    """Backtest forecasts on the underlyings themselves, once a session.

    The last forecast of a session is executed at the next session's open, never at a price that was known
    when the forecast was made. The names held get equal shares of equity; who has no open is neither bought
    nor sold, and who falls silent is closed at the last close, once that can be known: see `positions.plan`.
    The comparison buys every name at the open after its first forecast and keeps it, by the same rules and
    at the same fees.

    Parameters
    ----------
    prices
        date, underlying, open, close (dollars, split-adjusted); at most one row per session and underlying,
        and none where it did not trade. A ticker that comes back after a long gap is another series: see
        `matrices.price_matrices`.
    forecasts
        asof (ns UTC), underlying, probability. Sessions without one are flat.
    edge
        Long above 0.5 + edge; with `short`, short below 0.5 - edge; else flat.
    fees_bps
        Of traded value, in hundredths of a per cent.
    initial_cash
        Dollars.
    short
        Whether falls are traded.

    Raises
    ------
    DatasetError
        When there are fewer than two sessions of prices, or none of the forecasts' underlyings.
    """
    matrices = price_matrices(prices, set(forecasts["underlying"]))
    asked = wanted(forecasts, matrices, edge=edge, short=short)

    # Turning the whole account around costs two fees.
    targets = asked.target, kept(asked.covered, matrices.priced)
    positions, keeping = (plan(target, matrices, reserve=2 * fees_bps / _BPS) for target in targets)
    mine, other = (
        portfolio_from_positions(matrices, held, fees=fees_bps / _BPS, initial_cash=initial_cash)
        for held in (positions, keeping)
    )
    curve = {"date": matrices.dates, "equity": mine.equity, "exposure": mine.exposure}
    return UnderlyingResult(
        initial_cash=initial_cash,
        curve=pl.DataFrame({**curve, "buy_and_hold": other.equity}),
        trades=mine.trades,
        metrics=_measured(mine, initial_cash),
        buy_and_hold=_measured(other, initial_cash),
        series=len(matrices.names),
        tickers=len(set(matrices.tickers)),
        forecasts=int(np.count_nonzero(asked.covered)),
        lapsed=int(np.count_nonzero(positions.lapsed)),
        ended_value=mine.ended_value,
    )


def _measured(portfolio: PositionsPortfolio, initial_cash: float) -> Metrics:
    return measure(
        curve_statistics([initial_cash, *portfolio.equity]),
        portfolio.trades.filter(pl.col("exit") != "open")["pnl"].to_list(),
        fees=portfolio.fees,
        exposure=float(portfolio.exposure.mean()),
        final_equity=float(portfolio.equity[-1]),
    )
