"""Find what the underlying of every option bar was worth: its own bar, or what its options imply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import polars as pl

from strikelake.calendar import NS_PER_MINUTE
from strikelake.pricing.parity import implied_spots

if TYPE_CHECKING:
    from collections.abc import Sequence

Bar = Literal["1d", "1m"]

OLDEST_PAIR = 5 * NS_PER_MINUTE
"""How much earlier than an option bar the call and the put that price its underlying may have traded."""

_OCC_TAIL = 15  # characters of a symbol after its root
_COLUMNS = ("underlying_price", "underlying_ts_ns", "underlying_known")


def with_underlying(options: pl.DataFrame, stocks: pl.DataFrame, bar: Bar) -> pl.DataFrame:
    """Add the underlying's price, when it was known, and where it is from.

    An underlying that has no stock bar in the session, such as an index, is priced by put-call parity: from
    the newest minute at or before the option's, at most `OLDEST_PAIR` older, in which a call and a put of
    the same expiration and strike traded; from the session's closes for "1d", which are last trades of
    different times.

    Parameters
    ----------
    options
        Rows of one session's option bars with years and rate.
    stocks
        Rows of the same session's stock bars; both as traded, because strikes are.
    bar
        "1d" joins the day's bar, "1m" the last minute that started at or before the option's.

    Returns
    -------
    pl.DataFrame
        Sorted (underlying, ts_ns), with underlying_price (dollars), underlying_ts_ns (start of the stock bar,
        or of the latest bar of the pairs), available_at (the later of both), valued_at (the option bar's own
        available_at) and source: "stock", "parity", "adjusted" or "none". Price and time are null for the
        last two; what adjusted contracts (AAPL1) deliver is not in their symbol.
    """
    rows = options.sort("underlying", "ts_ns", "occ_symbol").with_columns(adjusted=_is_adjusted())
    unlisted = ~pl.col("underlying").is_in(stocks["ticker"].unique().to_list()) & ~pl.col("adjusted")
    implied = _newest(rows, _implied(rows.filter(unlisted)), by=("underlying", "expiration"))
    both = _newest(rows, _traded(stocks, bar), by=("underlying",)).with_columns(
        implied[name].alias(f"implied_{name}") for name in _COLUMNS
    )
    stock, parity = (pl.col(name).is_not_null() for name in ("underlying_price", "implied_underlying_price"))
    source = (
        pl.when("adjusted").then(pl.lit("adjusted")).when(stock).then(pl.lit("stock"))
    ).when(parity).then(pl.lit("parity")).otherwise(pl.lit("none"))
