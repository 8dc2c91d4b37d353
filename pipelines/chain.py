"""The option chain as it stood at a moment, for the backtest and for the live trader alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.rates import newest_curve
from strikelake.contracts import expiry_ns
from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.pricing.rates import interpolate, years_between

if TYPE_CHECKING:
    from collections.abc import Mapping

_RATE_DAYS = 30.0
_KEPT = ("occ_symbol", "underlying", "expiration", "option_type", "strike", "bid_price", "ask_price")


def chain_at(
    quotes: pl.DataFrame, underlying_prices: Mapping[str, float], asof: int, rate: float
) -> pl.DataFrame:
    """Return the last quote of every contract with implied volatility and delta.

    Point in time: quotes after `asof` are not looked at; the caller answers for the prices and the rate.

    Parameters
    ----------
    quotes
        Columns occ_symbol, underlying, expiration (Date), option_type ("C" or "P"), strike, ts_ns, bid_price
        and ask_price (dollars per share, null where a side is missing), in any order; rows of the lake's
        option_quotes, or of a REST chain with its quote_ts_ns named ts_ns.
    underlying_prices
        Dollars by underlying, as last known at `asof`.
    asof
        ns UTC.
    rate
        Continuously compounded, per year.

    Returns
    -------
    pl.DataFrame
        One row per contract, sorted by occ_symbol: occ_symbol, underlying, expiration, option_type, strike,
        bid_price, ask_price, quote_ts_ns, underlying_price, years, implied_vol, delta. underlying_price is
        null where none is given; implied_vol and delta (European, at the mid) are null where a side or the
        underlying is missing or no volatility gives the mid.
    """
    last = (
        quotes.filter(pl.col("ts_ns") <= asof)
        .sort("occ_symbol", "ts_ns", maintain_order=True)
        .unique("occ_symbol", keep="last", maintain_order=True)
        .select(*_KEPT, pl.col("ts_ns").alias("quote_ts_ns"))
    )
    days = last["expiration"].unique().to_list()
    expiries = pl.DataFrame(
        {"expiration": days, "expiry_ns": [expiry_ns(day) for day in days]},
        schema={"expiration": pl.Date, "expiry_ns": pl.Int64},
    )
    spots = pl.DataFrame(
        {"underlying": list(underlying_prices), "underlying_price": list(underlying_prices.values())},
        schema={"underlying": pl.String, "underlying_price": pl.Float64},
    )
    chain = last.join(expiries, on="expiration", how="left", maintain_order="left").join(
        spots, on="underlying", how="left", maintain_order="left"
    )
    return chain.with_columns(*_solve(chain, asof, rate)).drop("expiry_ns")


def rate_at(yields: pl.DataFrame, moment: int) -> float | None:
    """Return the one rate that a session's chains are solved with: 30 days on the newest treasury curve.

    Parameters
    ----------
    yields
        Rows of treasury_yields.
    moment
        ns UTC; curves available later are not looked at. The session's open for all of its decisions.

    Returns
    -------
    float or None
        Continuously compounded, per year; None without a curve of the 30 days before `moment`.
    """
    curve = newest_curve(yields, moment)
    if curve is None:
        return None
    return float(interpolate(curve["tenor_days"].to_numpy(), curve["yield_rate"].to_numpy(), _RATE_DAYS))


def _solve(chain: pl.DataFrame, asof: int, rate: float) -> list[pl.Series]:
    mid = chain.select((pl.col("bid_price") + pl.col("ask_price")) / 2).to_series()
    price, spot, strike = (
        column.cast(pl.Float64).fill_null(np.nan).to_numpy()
        for column in (mid, chain["underlying_price"], chain["strike"])
    )
    sign = np.where((chain["option_type"] == "C").to_numpy(), 1.0, -1.0)
    years = years_between(asof, chain["expiry_ns"].to_numpy())
    found = european.analyse(price, Options(sign, spot, strike, years, rate))
    return [
        pl.Series("years", years),
        pl.Series("implied_vol", found.vol).fill_nan(None),
        pl.Series("delta", found.delta).fill_nan(None),
    ]
