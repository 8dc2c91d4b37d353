"""One row for each underlying and session out of its option chain: what the options features are made of."""

from __future__ import annotations

import polars as pl

_KEY = ["underlying", "date"]
SUMMARY = {
    "underlying": pl.String,
    "date": pl.Date,
    "available_at": pl.Int64,
    "atm_iv": pl.Float64,
    "put_volume": pl.Float64,
    "call_volume": pl.Float64,
    "option_notional": pl.Float64,
    "put_delta": pl.Float64,
    "call_delta": pl.Float64,
}
"""Columns of the fact table "options". Volumes are contracts, the notional is contracts times strike in
dollars, which a split does not change, and the deltas are the absolute deltas of the contracts traded."""

OPEN_INTEREST = {
    "underlying": pl.String,
    "date": pl.Date,
    "available_at": pl.Int64,
    "put_open": pl.Float64,
    "call_open": pl.Float64,
    "open_notional": pl.Float64,
    "gamma_exposure": pl.Float64,
    "delta_exposure": pl.Float64,
    "vega_exposure": pl.Float64,
}
"""Columns of the fact table "open_interest". Exposures are per open contract with known Greeks, gamma per
percent of the price, vega per point of volatility as a share of the price."""

_TARGET_DAYS = 30.0
_EXPIRATIONS = (7, 90)  # days: nearer ones are all gamma, further ones say little about the next weeks
_NEAR_MONEY = 0.1  # log of strike over the underlying's price


def summarise(analytics: pl.DataFrame, day_bars: pl.DataFrame) -> pl.DataFrame:
    """Return one row per underlying and session.

    Parameters
    ----------
    analytics
        Rows of option_analytics with bar "1d".
    day_bars
        Rows of option_day_bars, for the volumes.

    Returns
    -------
    pl.DataFrame
        The columns of `SUMMARY`, sorted (underlying, available_at). `atm_iv` is the ATM volatility at 30
        days, null where no expiration between 7 and 90 days has a solved contract within 10 % of the money.
        `available_at` is the latest of the rows used.
    """
    put, call = pl.col("option_type") == "P", pl.col("option_type") == "C"
    # Rows in one order, so that the sums have the same bits in every run.
    bars = day_bars.sort(*_KEY, "occ_symbol")
    volumes = bars.group_by(_KEY, maintain_order=True).agg(
        pl.col("available_at").max(),
        put_volume=pl.col("volume").filter(put).sum(),
        call_volume=pl.col("volume").filter(call).sum(),
        option_notional=(pl.col("volume") * pl.col("strike")).sum(),
    )
    solved = analytics.filter(pl.col("status") == "solved")
    traded = solved.select("occ_symbol", "date", "delta").join(
        bars.select(*_KEY, "occ_symbol", "option_type", "volume"), on=["occ_symbol", "date"]
    )
    moved = pl.col("delta").abs() * pl.col("volume")
    deltas = (
        traded.sort(*_KEY, "occ_symbol")
        .group_by(_KEY)
        .agg(put_delta=moved.filter(put).sum(), call_delta=moved.filter(call).sum())
    )
    joined = volumes.join(_thirty_day_level(_at_the_money(solved)), on=_KEY, how="full", coalesce=True)
    return (
        joined.join(deltas, on=_KEY, how="left")
        .with_columns(pl.max_horizontal("available_at", "available_at_right").alias("available_at"))
        .select(pl.col(name).cast(dtype) for name, dtype in SUMMARY.items())
        .sort("underlying", "available_at")
    )


def summarise_open_interest(open_interest: pl.DataFrame, analytics: pl.DataFrame) -> pl.DataFrame:
    """Return one row per underlying and session out of what was open at its end.

    Parameters
    ----------
    open_interest
        Rows of open_interest; they are known before the next session.
    analytics
        Rows of option_analytics with bar "1d" of the same dates.

    Returns
    -------
    pl.DataFrame
        The columns of `OPEN_INTEREST`, sorted (underlying, available_at). Exposures are null where no open
        contract was solved.
    """
    put, call = pl.col("option_type") == "P", pl.col("option_type") == "C"
    greeks = analytics.filter(pl.col("status") == "solved").select(
        "occ_symbol",
        "date",
        "delta",
        "gamma",
        "vega",
        price="underlying_price",
        greeks_at="available_at",
    )
    rows = open_interest.join(greeks, on=["occ_symbol", "date"], how="left").sort(*_KEY, "occ_symbol")
    sign = pl.when(call).then(1.0).otherwise(-1.0)
    held = pl.col("open_interest")
    known = held.filter(pl.col("delta").is_not_null()).sum()
    return (
        rows.group_by(_KEY, maintain_order=True)
        .agg(
            pl.max_horizontal("available_at", "greeks_at").max().alias("available_at"),
            put_open=held.filter(put).sum(),
            call_open=held.filter(call).sum(),
            open_notional=(held * pl.col("strike")).sum(),
            gamma_exposure=(sign * held * pl.col("gamma") * pl.col("price") / 100.0).sum() / known,
            delta_exposure=(held * pl.col("delta")).sum() / known,
            vega_exposure=(held * pl.col("vega") / pl.col("price") / 100.0).sum() / known,
        )
        .select(pl.col(name).cast(dtype) for name, dtype in OPEN_INTEREST.items())
        .with_columns(pl.col(pl.Float64).fill_nan(None))
        .sort("underlying", "available_at")
    )


def _at_the_money(solved: pl.DataFrame) -> pl.DataFrame:
    """Return per expiration the mean volatility of call and put at the strike nearest the money."""
    expiration = ["underlying", "date", "expiration"]
    distance = (pl.col("strike") / pl.col("underlying_price")).log().abs()
    return (
        solved.with_columns(distance=distance, days=pl.col("years") * 365.0)
        .filter(pl.col("distance") <= _NEAR_MONEY, pl.col("days").is_between(*_EXPIRATIONS))
        .sort(*expiration, "distance", "occ_symbol")
        .filter(pl.col("distance") == pl.col("distance").min().over(expiration))
        .group_by(expiration, maintain_order=True)
        .agg(
            pl.col("available_at").max(),
            pl.col("days").first(),
            vol=(pl.col("implied_vol").first() + pl.col("implied_vol").last()) / 2.0,
        )
    )


def _thirty_day_level(expirations: pl.DataFrame) -> pl.DataFrame:
    """Return per session the volatility at 30 days: linear in total variance, flat outside."""
    near, far = pl.col("days") <= _TARGET_DAYS, pl.col("days") >= _TARGET_DAYS
    days_near, vol_near = (pl.col(c).filter(near).last() for c in ("days", "vol"))
    days_far, vol_far = (pl.col(c).filter(far).first() for c in ("days", "vol"))
    weight = (_TARGET_DAYS - pl.col("days_near")) / (pl.col("days_far") - pl.col("days_near"))
    variance_near = pl.col("vol_near") ** 2 * pl.col("days_near")
    variance_far = pl.col("vol_far") ** 2 * pl.col("days_far")
    between = ((variance_near * (1.0 - weight) + variance_far * weight) / _TARGET_DAYS).sqrt()
    return (
        expirations.sort(*_KEY, "days")
        .group_by(_KEY, maintain_order=True)
        .agg(
            pl.col("available_at").max(),
            days_near=days_near,
            vol_near=vol_near,
            days_far=days_far,
            vol_far=vol_far,
        )
        .with_columns(
            atm_iv=pl.when(pl.col("days_near") < pl.col("days_far"))
            .then(between)
            .otherwise(pl.coalesce("vol_near", "vol_far"))
        )
        .select(*_KEY, "available_at", "atm_iv")
    )
