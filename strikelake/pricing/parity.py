"""The price of an underlying from its own options, by put-call parity.

A European call and put of one strike K differ by the discounted forward less the discounted strike, so that
F = K + exp(r T) (C - P), whatever the volatility. American options only satisfy bounds: without dividends
S - K <= C - P <= S - K exp(-r T), so that the spot found here is at most K (1 - exp(-r T)) too low, and
dividends widen that. Use it for index options, which are European, and elsewhere as a last resort.

Sources: H. Stoll, "The relationship between put and call option prices", Journal of Finance 1969; Cboe,
"Volatility Index Methodology", for the forward from the strikes where |C - P| is smallest; R. Merton, "Theory
of rational option pricing", 1973, for the bounds.
"""

from __future__ import annotations

import polars as pl

NEAREST = 5
"""Strikes of one expiration and moment, those nearest the money, whose forwards are combined."""

FARTHEST = 0.1
"""|C - P| as a share of the strike beyond which a pair is left out: in-the-money options trade rarely, and
each print carries the underlying of its own moment."""

_MOMENT = ("underlying", "expiration", "available_at")
_SYMBOL_TAIL = 8  # the strike, after the one letter that tells a call from a put


def implied_spots(bars: pl.DataFrame) -> pl.DataFrame:
    """Return what calls and puts that traded together say of their underlying.

    Point in time: a row is made of bars with its own `available_at` only.

    Parameters
    ----------
    bars
        Option bars of any underlyings, in any order: occ_symbol, underlying, expiration, option_type ("C" or
        "P"), strike and close (dollars), ts_ns, available_at, years to expiration at `available_at`, rate
        (continuous, per year). One row per contract and `available_at`.

    Returns
    -------
    pl.DataFrame
        underlying, expiration, available_at, ts_ns (the latest of the bars used), forward, spot and strikes
        (Int64, how many were combined), sorted by the first three. `forward` is the median over the `NEAREST`
        strikes with the smallest |C - P|; `spot` is the forward discounted at the rate, so dividends until
        expiration are already taken off it. A moment without a pair has no row: there are no nulls.

    Examples
    --------
    >>> bars = pl.DataFrame({
    ...     "occ_symbol": ["SPXW210108C03800000", "SPXW210108P03800000"],
    ...     "underlying": "SPX", "expiration": 18635, "option_type": ["C", "P"], "strike": 3800.0,
    ...     "close": [15.39, 10.0], "ts_ns": 0, "available_at": 60, "years": 1.0 / 365.0, "rate": 0.0,
    ... })
    >>> implied_spots(bars).select("forward", "spot", "strikes").row(0)
    (3805.39, 3805.39, 1)
    """
    gap = pl.col("call") - pl.col("put")
    growth = (pl.col("rate") * pl.col("years")).exp()
    return (
        _pairs(bars)
        .with_columns(gap=gap.abs(), forward=pl.col("strike") + growth * gap, growth=growth)
        .filter(pl.col("gap") <= FARTHEST * pl.col("strike"), pl.col("forward").is_finite())
        .sort(*_MOMENT, "gap", "strike")
        .group_by(_MOMENT, maintain_order=True)
        .head(NEAREST)
        .group_by(_MOMENT, maintain_order=True)
        .agg(
            pl.col("ts_ns").max(),
            pl.col("forward").median(),
            spot=(pl.col("forward") / pl.col("growth")).median(),
            strikes=pl.len().cast(pl.Int64),
        )
    )


def _pairs(bars: pl.DataFrame) -> pl.DataFrame:
    """Return call and put of each contract series and moment where both traded."""
    # The symbol without its side is the series: SPX and SPXW may share underlying, expiration and strike.
    symbol = pl.col("occ_symbol")
    rows = bars.with_columns(
        series=symbol.str.head(symbol.str.len_chars() - _SYMBOL_TAIL - 1) + symbol.str.tail(_SYMBOL_TAIL)
    )
    calls = rows.filter(pl.col("option_type") == "C").rename({"close": "call"})
    puts = rows.filter(pl.col("option_type") == "P").select(
        "series", "available_at", put="close", put_ts_ns="ts_ns"
    )
    return calls.join(puts, on=["series", "available_at"], how="inner").with_columns(
        ts_ns=pl.max_horizontal("ts_ns", "put_ts_ns")
    )
