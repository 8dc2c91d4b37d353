"""Correlation of daily returns between underlyings, and the rule against holding one bet twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.risk.limits import Denial, DenialCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from strikelake.risk.limits import Limits

SESSIONS = 60
MIN_SESSIONS = 20


def daily_returns(day_bars: pl.DataFrame) -> pl.DataFrame:
    """Return close-to-close returns.

    Parameters
    ----------
    day_bars
        Columns date, ticker, close; split-adjusted, at most one row per session and ticker.

    Returns
    -------
    pl.DataFrame
        date, underlying, daily_return (Float64, fraction); a ticker's first row is left out.
    """
    change = pl.col("close") / pl.col("close").shift(1).over("underlying") - 1
    return (
        day_bars.select("date", pl.col("ticker").alias("underlying"), "close")
        .sort("underlying", "date")
        .select("date", "underlying", change.alias("daily_return"))
        .drop_nulls("daily_return")
    )


def correlations(
    returns: pl.DataFrame, sessions: int = SESSIONS, min_sessions: int = MIN_SESSIONS
) -> dict[frozenset[str], float]:
    """Return the correlation of every pair of underlyings over the last sessions.

    Point in time: the caller passes only sessions that have closed before the decision's session.

    Parameters
    ----------
    returns
        As `daily_returns` gives them.
    sessions
        Window length, counted in dates present.
    min_sessions
        A pair with fewer dates in common, or without variance, is left out.
    """
    if returns.is_empty():
        return {}
    wide = returns.pivot(on="underlying", index="date", values="daily_return").sort("date").tail(sessions)
    names = sorted(set(wide.columns) - {"date"})
    values = wide.select(pl.col(names).cast(pl.Float64).fill_null(np.nan)).to_numpy()
    found: dict[frozenset[str], float] = {}
    for i, first in enumerate(names):
        for j, second in enumerate(names[:i]):
            both = values[np.isfinite(values[:, i]) & np.isfinite(values[:, j])]
            spread = both[:, [i, j]].std(axis=0) if len(both) else np.zeros(2)
            if len(both) >= min_sessions and (spread > 0).all():
                found[frozenset((first, second))] = float(np.corrcoef(both[:, i], both[:, j])[0, 1])
    return found


def check_correlation(
    underlying: str,
    direction: int,
    held: Iterable[tuple[str, int]],
    pairs: Mapping[frozenset[str], float],
    limits: Limits,
) -> Denial | None:
    """Refuse an entry that repeats a bet.

    Parameters
    ----------
    direction
        +1 or -1, of the entry.
    held
        Underlying and direction of every open trade and pending entry.
    pairs
        As `correlations` returns them. A pair that is missing counts as fully correlated: what is not known
        is not assumed to be diversified. Opposite directions on underlyings that move against each other
        are one bet too.
    """
    for other, other_direction in sorted(held):
        if other == underlying:
            continue
        known = pairs.get(frozenset((underlying, other)))
        shared = (1.0 if known is None else known) * direction * other_direction
        if shared > limits.max_correlation:
            how = "unknown" if known is None else f"{known:.2f}"
            detail = f"its correlation with {other}, held {other_direction:+d}, is {how}"
            return Denial(underlying, DenialCode.CORRELATION, detail)
    return None
