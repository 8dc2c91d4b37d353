"""Everything that vectorbt does here: accounting of fills, statistics of curves, backtests of underlyings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from backtests.metrics import SESSIONS_PER_YEAR, CurveStatistics, Metrics, measure, session_returns, varies
from backtests.underlyings import price_matrices, target_positions
from strikelake.contracts import MULTIPLIER
from strikelake.errors import DatasetError
from strikelake.orders import Side

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from decimal import Decimal

    from numpy.typing import NDArray

    from strikelake.orders import Fill

_WORTHLESS = 1e-9
"""vectorbt refuses a price of 0; this much on 100 shares is far below a cent."""


@dataclass(frozen=True, slots=True)
class VectorbtPortfolio:
    """Fills replayed through vectorbt.

    Attributes
    ----------
    portfolio
        The `vectorbt.Portfolio`, one column per contract in one group with shared cash; its plots and records
        are for notebooks.
    equity
        ts_ns, equity (Float64 dollars) at every moment asked for.
    """

    portfolio: Any
    equity: pl.DataFrame


@dataclass(frozen=True, slots=True)
class UnderlyingResult:
    """A backtest of signals on the underlyings themselves.

    Attributes
    ----------
    curve
        date, equity (Float64 dollars), exposure (Float64, share of equity in positions, shorts positive).
    trades
        underlying, direction, opened, closed (Date; still open: the last date), entry_price, exit_price, pnl
        (dollars after fees), closed_out (Boolean).
    metrics
        Of closed trades and of the curve.
    """

    curve: pl.DataFrame
    trades: pl.DataFrame
    metrics: Metrics


def portfolio_from_fills(
    fills: Sequence[Fill], marks: pl.DataFrame, moments: Sequence[int], initial_cash: Decimal
) -> VectorbtPortfolio:
    """Account for fills with `vectorbt.Portfolio.from_orders`, independently of the engine's ledger.

    Each leg is an order of its own on its own contract. A short leg's proceeds are cash; there is no margin
    model.

    Parameters
    ----------
    fills
        In time order.
    marks
        ts_ns, occ_symbol, mark (dollars per share): what each position is valued at.
    moments
        When equity is wanted, ns UTC.
    initial_cash
        Dollars.

    Raises
    ------
    DatasetError
        When vectorbt's books refuse a fill: cash would not have allowed it.
    """
    import pandas as pd
    import vectorbt as vbt
    from vectorbt.portfolio.enums import RejectedOrderError

    orders = _order_arrays(fills, marks, moments)
    index = pd.DatetimeIndex(pd.to_datetime([ts + k for ts, k in orders.grid], unit="ns", utc=True))
    closes = pd.DataFrame(orders.close, index=index, columns=orders.symbols).ffill().bfill().fillna(1.0)
    try:
        portfolio = vbt.Portfolio.from_orders(
            closes,
            size=orders.size,
            size_type="amount",
            direction="both",
            price=orders.price,
            fixed_fees=orders.fees,
            size_granularity=MULTIPLIER,
            val_price=closes,
            init_cash=float(initial_cash),
            cash_sharing=True,
            group_by=True,
            call_seq="auto",
            allow_partial=False,
            raise_reject=True,
            freq="1D",
        )
    except RejectedOrderError as error:
        raise DatasetError(
            f"vectorbt's books refuse a fill ({error}): compare the fills with the cash"
        ) from error
    equity = pl.DataFrame({"ts_ns": [ts for ts, _ in orders.grid], "equity": portfolio.value().to_numpy()})
    rows = {key: row for row, key in enumerate(orders.grid)}
    return VectorbtPortfolio(portfolio, equity[[rows[moment, orders.last] for moment in moments]])


def curve_statistics(equity: Sequence[float]) -> CurveStatistics:
    """Return the numbers of an equity curve as vectorbt computes them; see `metrics.curve_statistics`."""
    import pandas as pd
    import vectorbt as vbt  # noqa: F401 - registers the accessor

    returns = session_returns(equity)
    # vectorbt measures drawdowns from the first close on; a session without a return adds the start.
    index = pd.date_range("2000-01-03", periods=len(returns) + 1, freq="B")
    padded = pd.Series([0.0, *returns], index=index)
    # vectorbt's year has 365 days unless told otherwise.
    settings = {"freq": "1D", "year_freq": f"{SESSIONS_PER_YEAR} days"}
    accessor = padded[1:].vbt.returns(**settings)
    drawdown = -float(padded.vbt.returns(**settings).max_drawdown())
    return CurveStatistics(
        total_return=float(accessor.total()),
        sharpe=_finite(accessor.sharpe_ratio()) if varies(returns) else None,
        max_drawdown=drawdown,
        calmar=_finite(accessor.annualized() / drawdown) if drawdown > 0 else None,
    )


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
    when the forecast was made. Each underlying gets an equal share of equity when it is entered; a position
    is left alone until its direction changes.

    Parameters
    ----------
    prices
        date, underlying, open, close (dollars, split-adjusted); one row per session and underlying.
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
        When the prices have gaps, fewer than two sessions, or none of the forecasts' underlyings.
    """
    import pandas as pd
    import vectorbt as vbt

    matrices = price_matrices(prices, set(forecasts["underlying"]))
    names = matrices.names
    target = target_positions(forecasts, matrices.dates, names, edge=edge, short=short)
    before = np.vstack([np.zeros((1, len(names))), target[:-1]])
    portfolio = vbt.Portfolio.from_orders(
        pd.DataFrame(matrices.closes, index=pd.DatetimeIndex(pd.to_datetime(matrices.dates)), columns=names),
        size=np.where(target == before, np.nan, target / len(names)),
        size_type="targetpercent",
        direction="both",
        price=matrices.opens,
        # The default values the account at the order's own price; the open is what a trader sees.
        val_price=matrices.opens,
        fees=fees_bps / 10_000,
        init_cash=initial_cash,
        cash_sharing=True,
        group_by=True,
        call_seq="auto",
        freq="1D",
    )
    value = portfolio.value().to_numpy()
    exposure = np.abs(portfolio.assets().to_numpy() * matrices.closes).sum(axis=1) / value
    trades = _trades(portfolio, matrices.dates, names)
    metrics = measure(
        curve_statistics([initial_cash, *value]),
        trades.filter("closed_out")["pnl"].to_list(),
        fees=float(portfolio.orders.records["fees"].sum()),
        exposure=float(exposure.mean()),
        final_equity=float(value[-1]),
    )
    curve = pl.DataFrame({"date": matrices.dates, "equity": value, "exposure": exposure})
    return UnderlyingResult(curve, trades, metrics)


@dataclass(frozen=True, slots=True)
class _OrderArrays:
    """Orders and marks on a grid of (moment, repetition) rows and contract columns; NaN is none."""

    grid: list[tuple[int, int]]
    symbols: list[str]
    last: int
    size: NDArray[np.float64]
    price: NDArray[np.float64]
    fees: NDArray[np.float64]
    close: NDArray[np.float64]


def _order_arrays(fills: Sequence[Fill], marks: pl.DataFrame, moments: Sequence[int]) -> _OrderArrays:
    seen: Counter[tuple[str, int]] = Counter()
    rows: list[tuple[int, int]] = []
    for fill in fills:
        rows.append((fill.ts_ns, seen[fill.occ_symbol, fill.ts_ns]))
        seen[fill.occ_symbol, fill.ts_ns] += 1
    # Marks come after the fills of their own moment; a contract traded twice in one moment needs two rows.
    last = 1 + max((k for _, k in rows), default=0)
    grid = sorted({*rows, *((moment, last) for moment in moments)})
    symbols = sorted({fill.occ_symbol for fill in fills}) or ["none"]
    row_of = {key: row for row, key in enumerate(grid)}
    column_of = {symbol: column for column, symbol in enumerate(symbols)}
    size, price, fees, close = (
        np.full((len(grid), len(symbols)), value) for value in (np.nan, 1.0, 0.0, np.nan)
    )
    for fill, key in zip(fills, rows, strict=True):
        at = row_of[key], column_of[fill.occ_symbol]
        size[at] = fill.quantity * MULTIPLIER * (1 if fill.side is Side.BUY else -1)
        price[at] = close[at] = max(float(fill.price), _WORTHLESS)
        fees[at] = float(fill.fees)
    for ts_ns, symbol, value in marks.select("ts_ns", "occ_symbol", "mark").iter_rows():
        row = row_of.get((ts_ns, last))
        if row is not None and symbol in column_of:
            close[row, column_of[symbol]] = value
    return _OrderArrays(grid, symbols, last, size, price, fees, close)


def _trades(portfolio: Any, dates: list[date], names: list[str]) -> pl.DataFrame:
    records = portfolio.trades.records
    return pl.DataFrame(
        {
            "underlying": [names[i] for i in records["col"]],
            "direction": [-1 if d else 1 for d in records["direction"]],
            "opened": [dates[i] for i in records["entry_idx"]],
            "closed": [dates[i] for i in records["exit_idx"]],
            "entry_price": records["entry_price"].to_list(),
            "exit_price": records["exit_price"].to_list(),
            "pnl": records["pnl"].to_list(),
            "closed_out": [bool(s) for s in records["status"]],
        },
        schema={
            "underlying": pl.String,
            "direction": pl.Int64,
            "opened": pl.Date,
            "closed": pl.Date,
            **dict.fromkeys(("entry_price", "exit_price", "pnl"), pl.Float64),
            "closed_out": pl.Boolean,
        },
    )


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if isfinite(number) else None
