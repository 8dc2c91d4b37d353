"""Everything that vectorbt does here: accounting of fills and of positions, statistics of curves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from backtests.matrices import at_open, carried
from backtests.metrics import (
    CALMAR_SESSIONS,
    SESSIONS_PER_YEAR,
    CurveStatistics,
    session_returns,
    sharpe_error,
    varies,
)
from strikelake.contracts import MULTIPLIER
from strikelake.errors import DatasetError
from strikelake.orders import Side

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from numpy.typing import NDArray

    from backtests.matrices import PriceMatrices
    from backtests.positions import Positions
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
class PositionsPortfolio:
    """Positions accounted for by vectorbt.

    Attributes
    ----------
    equity
        Dollars at each session's close.
    exposure
        Share of equity in positions at each close, shorts positive.
    trades
        One row per position from its first entry until it was flat: underlying (series), direction, opened,
        closed (Date; still open: the last date), entry_price, exit_price (dollars, means over the shares
        bought and sold), pnl (dollars after fees), trade_return (pnl over what was paid), exit (`forecast`,
        `ended` with the prices, `open`).
    fees
        Dollars.
    ended_value
        Dollars that positions whose prices ended were closed at.
    """

    equity: NDArray[np.float64]
    exposure: NDArray[np.float64]
    trades: pl.DataFrame
    fees: float
    ended_value: float


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
    sharpe = _finite(accessor.sharpe_ratio()) if varies(returns) else None
    long_enough = len(returns) >= CALMAR_SESSIONS
    return CurveStatistics(
        total_return=float(accessor.total()),
        sharpe=sharpe,
        sharpe_error=sharpe_error(sharpe, len(returns)),
        max_drawdown=drawdown,
        calmar=_finite(accessor.annualized() / drawdown) if drawdown > 0 and long_enough else None,
    )


def portfolio_from_positions(
    matrices: PriceMatrices, positions: Positions, *, fees: float, initial_cash: float
) -> PositionsPortfolio:
    """Account for positions with `vectorbt.Portfolio.from_orders`: one cash account, fractional shares.

    Orders are executed at the open, sells before buys; what has ended is closed at its last close. Positions
    without a bar are valued at their last close.

    Parameters
    ----------
    matrices, positions
        Of the same sessions and series.
    fees
        Share of traded value.
    initial_cash
        Dollars.
    """
    import pandas as pd
    import vectorbt as vbt

    # Nothing is held before a series' first bar, but vectorbt wants a price there too.
    seen, closes = (np.nan_to_num(p, nan=1.0) for p in (at_open(matrices), carried(matrices.closes)))
    portfolio = vbt.Portfolio.from_orders(
        pd.DataFrame(closes, index=pd.DatetimeIndex(pd.to_datetime(matrices.dates)), columns=matrices.names),
        size=positions.share,
        size_type="targetpercent",
        direction="both",
        price=seen,
        # The default values the account at the order's own price; the open is what a trader sees.
        val_price=seen,
        fees=fees,
        init_cash=initial_cash,
        cash_sharing=True,
        group_by=True,
        call_seq="auto",
        freq="1D",
    )
    value = portfolio.value().to_numpy()
    exposed = np.abs(portfolio.assets().to_numpy() * closes).sum(axis=1)
    orders = portfolio.orders.records
    late = positions.ended[orders["idx"], orders["col"]]
    return PositionsPortfolio(
        equity=value,
        exposure=np.divide(exposed, value, out=np.zeros_like(value), where=value > 0),
        trades=_trades(portfolio.positions.records, matrices, positions.ended),
        fees=float(orders["fees"].sum()),
        ended_value=float((orders["size"] * orders["price"])[late].sum()),
    )


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


def _trades(records: Any, matrices: PriceMatrices, ended: NDArray[np.bool_]) -> pl.DataFrame:
    """Return positions from first entry until flat; see `PositionsPortfolio`."""
    is_open = records["status"].to_numpy() == 0
    late = ended[records["exit_idx"], records["col"]]
    return pl.DataFrame(
        {
            "underlying": [matrices.names[i] for i in records["col"]],
            "direction": [-1 if d else 1 for d in records["direction"]],
            "opened": [matrices.dates[i] for i in records["entry_idx"]],
            "closed": [matrices.dates[i] for i in records["exit_idx"]],
            **{n: records[n].to_list() for n in ("entry_price", "exit_price", "pnl")},
            "trade_return": records["return"].to_list(),
            "exit": np.where(is_open, "open", np.where(late, "ended", "forecast")).tolist(),
        },
        schema={
            "underlying": pl.String,
            "direction": pl.Int64,
            "opened": pl.Date,
            "closed": pl.Date,
            **dict.fromkeys(("entry_price", "exit_price", "pnl", "trade_return"), pl.Float64),
            "exit": pl.String,
        },
    ).sort("closed", "opened", "underlying")


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if isfinite(number) else None
