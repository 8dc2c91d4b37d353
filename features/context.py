"""What a bar needs to know beyond its own series, joined point in time."""

from __future__ import annotations

import polars as pl

from features.market import market_columns
from features.options_flow import option_columns
from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, session_frame


def attach(bars: pl.DataFrame, options: pl.DataFrame | None) -> pl.DataFrame:
    """Add the columns that features may name as inputs.

    Parameters
    ----------
    bars
        A frame of bars (`features.bars.COLUMNS`), not empty.
    options
        Option summaries (`features.options_flow.SUMMARY`), or None.

    Returns
    -------
    pl.DataFrame
        The bars sorted (underlying, asof), with seconds (of asof since the epoch), minute_of_session,
        own_return_13, market_return_13, spy_return_1, spy_return_13, atm_iv, atm_iv_change and
        put_call_log_ratio. A row reads only bars with the same or an earlier asof, and option rows with
        available_at <= asof.
    """
    ordered = bars.sort("underlying", "asof")
    opens = session_frame(bars["date"].min(), bars["date"].max())  # type: ignore[arg-type]
    clock = ordered.join(
        opens.select("date", "open_ns"), on="date", how="left", maintain_order="left"
    ).with_columns(
        seconds=pl.col("asof") / NS_PER_SECOND,
        minute_of_session=(pl.col("asof") - pl.col("open_ns")) / NS_PER_MINUTE,
    )
    return option_columns(market_columns(clock.drop("open_ns")), options)
