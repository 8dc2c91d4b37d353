"""What the models are to forecast."""

from __future__ import annotations

import polars as pl


def direction(bars: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """Return whether the price is higher `horizon` bars later.

    The return runs from the close of the bar that ends at `asof`. A trade on the forecast can only be
    entered after `asof`, at the first price quoted then; what lies between is slippage, and the backtest
    pays it.

    Parameters
    ----------
    bars
        A frame of bars (`features.bars.COLUMNS`).
    horizon
        Bars ahead, at least 1, of the same segment. They are bars with trades: where windows are empty, or
        at the end of a session, the horizon is longer on the clock.

    Returns
    -------
    pl.DataFrame
        asof, underlying, forward_return (share of the price), label (Int8: 1 up, 0 flat or down) and
        known_at (the later bar's asof), sorted (asof, underlying). Rows without a future are left out:
        there are no nulls.

    Raises
    ------
    ValueError
        When `horizon` is below 1.
    """
    if horizon < 1:
        raise ValueError(f"horizon is {horizon} bars: a label needs at least 1 bar of future")
    series = ["underlying", "segment"]
    later, later_asof = (pl.col(c).shift(-horizon).over(series) for c in ("close", "asof"))
    return (
        bars.sort("underlying", "asof")
        .select("asof", "underlying", forward_return=later / pl.col("close") - 1.0, known_at=later_asof)
        .drop_nulls()
        .with_columns(label=(pl.col("forward_return") > 0.0).cast(pl.Int8))
        .select("asof", "underlying", "forward_return", "label", "known_at")
        .sort("asof", "underlying")
    )
