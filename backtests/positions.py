"""Forecasts as positions: who is wanted, who can be traded, and what share of the equity each gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backtests.matrices import LONGEST_GAP, at_open, sessions_missing
from strikelake.calendar import et_date

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from backtests.matrices import PriceMatrices


@dataclass(frozen=True, slots=True)
class Wanted:
    """What forecasts ask for.

    Attributes
    ----------
    target
        Position wanted from each session's open on: 1, 0 or -1; shape (sessions, series).
    covered
        Where a forecast for the row's session was made at all, shape (sessions, series).
    """

    target: NDArray[np.float64]
    covered: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Positions:
    """What is held, and the orders that lead there; arrays of shape (sessions, series).

    Attributes
    ----------
    held
        1, 0 or -1 after each session's open.
    share
        Signed share of equity ordered; NaN where nothing is ordered.
    ended
        Where a position was closed at its last close because its prices had ended.
    lapsed
        Where an entry was wanted and there was no open to trade at.
    """

    held: NDArray[np.float64]
    share: NDArray[np.float64]
    ended: NDArray[np.bool_]
    lapsed: NDArray[np.bool_]


def wanted(forecasts: pl.DataFrame, matrices: PriceMatrices, *, edge: float, short: bool) -> Wanted:
    """Return the positions that forecasts ask for.

    Point in time: a session's row is decided by the last forecast made on the session before; the first row
    is flat. A session without a forecast leads to a flat one, and so does a forecast that is no number, or
    that was made on a session without a bar of its underlying.

    Parameters
    ----------
    forecasts
        asof (ns UTC), underlying, probability.
    edge
        Distance from 0.5 that has to be exceeded.
    short
        Whether falls are traded.
    """
    made = {asof: et_date(asof) for asof in forecasts["asof"].unique()}
    rows = forecasts.sort("asof").select("asof", "underlying", "probability").iter_rows()
    latest = {(made[asof], ticker): probability for asof, ticker, probability in rows}
    target = np.zeros(matrices.opens.shape)
    covered = np.zeros(matrices.opens.shape, dtype=np.bool_)
    for i, j in zip(*np.nonzero(matrices.priced[:-1]), strict=True):
        key = matrices.dates[i], matrices.tickers[j]
        if key in latest:
            covered[i + 1, j] = True
            target[i + 1, j] = _lean(latest[key], edge, short=short)
    return Wanted(target, covered)


def kept(covered: NDArray[np.bool_], priced: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the targets of buying each series after its first forecast and keeping it.

    Until its prices have ended: see `plan`.
    """
    gone = np.vstack([np.zeros_like(priced[:1]), sessions_missing(priced)[:-1] > LONGEST_GAP])
    return np.where(np.maximum.accumulate(covered, axis=0) & ~gone, 1.0, 0.0)


def plan(target: NDArray[np.float64], matrices: PriceMatrices, *, reserve: float = 0.0) -> Positions:
    """Return what a trader holds who wants `target` and can only trade at opens that happen.

    Whenever a name comes or goes or turns around, the names held are brought to equal shares of equity, at
    the open; otherwise they are left alone. Where there is no open, an entry lapses and its share stays in
    cash; what is held is kept, the others share what is not stuck in it, and all are brought to equal shares
    when it opens again. Once more than `LONGEST_GAP` sessions have gone by without a bar, a position is taken
    to have ended, and is closed at its last close.

    Point in time: a row needs the target of its session and prices up to its open. The last close of what
    was delisted may be more than its holder got; who reads the result has to be told how much that is.

    Parameters
    ----------
    target
        1, 0 or -1, shape (sessions, series).
    matrices
        Prices of the same shape.
    reserve
        Share of equity left in cash for fees, so that the orders never need more cash than there is. An
        account that has lost everything orders nothing more.
    """
    shape = target.shape
    held, share = np.zeros(shape), np.full(shape, np.nan)
    ended, lapsed = (np.zeros(shape, dtype=np.bool_) for _ in range(2))
    weights, party = np.zeros(shape[1]), np.zeros(shape[1], dtype=np.bool_)
    before, overdue = weights, party
    missing, growth = sessions_missing(matrices.priced), _growth(matrices)
    for t, opens in enumerate(matrices.priced):
        equity = 1.0 + weights @ (growth[t] - 1)
        if equity <= 0:
            break
        weights = weights * growth[t] / equity
        ended[t] = (before != 0) & ~opens & (missing[t] > LONGEST_GAP + 1)
        now = np.where(opens, target[t], np.where(ended[t], 0.0, before))
        lapsed[t] = ~opens & (before == 0) & (target[t] != 0)
        earlier, party = party, (now != 0) | lapsed[t]
        if (now != before).any() or (party != earlier).any() or (overdue & opens).any():
            stuck = (now != 0) & ~opens
            free = max(0.0, 1 - np.abs(weights[stuck]).sum()) * (1 - reserve)
            ordered = ended[t] | (opens & ((now != 0) | (before != 0)))
            share[t, ordered] = now[ordered] * free / max(1, (party & ~stuck).sum())
            weights, overdue = np.where(ordered, share[t], weights), stuck
        held[t] = before = now
    return Positions(held, share, ended, lapsed)


def _growth(matrices: PriceMatrices) -> NDArray[np.float64]:
    """Return what each price at a session's open is of that at the one before; 1 where nothing is known."""
    price = at_open(matrices)
    return np.nan_to_num(np.vstack([np.ones_like(price[:1]), price[1:] / price[:-1]]), nan=1.0)


def _lean(probability: float | None, edge: float, *, short: bool) -> float:
    lean = 0.0 if probability is None else probability - 0.5
    if lean > edge:
        return 1.0
    return -1.0 if short and lean < -edge else 0.0
