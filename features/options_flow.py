"""Options features: what the last known session of an underlying's options says.

`summarise` makes one row per underlying and session from priced option bars; `option_columns` joins to each
bar the newest row that was available by then.
"""

from __future__ import annotations

from functools import partial

import polars as pl

from features import volatility
from features.feature import AT_OPTION_ROW, Feature, FloatArray, Inputs
from strikelake.calendar import NS_PER_SECOND

SUMMARY = {
    "underlying": pl.String,
    "date": pl.Date,
    "available_at": pl.Int64,
    "atm_iv": pl.Float64,
    "put_volume": pl.Float64,
    "call_volume": pl.Float64,
}
"""Columns of the option summaries that `features.catalog.build` takes as `options`."""

_TARGET_DAYS = 30.0
_EXPIRATIONS = (7, 90)  # days: nearer ones are all gamma, further ones say little about the next weeks
_NEAR_MONEY = 0.1  # log of strike over the underlying's price
_STALE_NS = 7 * 24 * 3600 * NS_PER_SECOND


def features() -> tuple[Feature, ...]:
    """Return the options family."""
    nulls = "null without an option row of the last 7 days, or where that row is null"
    per_year = "vol per square root of a year"

    def option(name: str, units: str, sessions: int = 1) -> Feature:
        compute = partial(_as_is, column=name)
        return Feature(name, "options", (name,), 1, units, compute, AT_OPTION_ROW, nulls, sessions)

    return (
        option("atm_iv", per_year),
        option("atm_iv_change", per_year, sessions=2),
        option("put_call_log_ratio", "log of put over call contracts"),
        Feature(
            "vol_premium",
            "options",
            ("close", "seconds", "atm_iv"),
            volatility.REALISED_YEAR_LOOKBACK,
            per_year,
            vol_premium,
            AT_OPTION_ROW,
            f"{nulls}; null in the first lookback - 1 bars of a segment",
            1,
        ),
    )


def vol_premium(inputs: Inputs) -> FloatArray:
    """Return implied minus realised volatility: ATM 30 days against the last 65 bars."""
    return inputs["atm_iv"] - volatility.realized_per_year(inputs)


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
    key = ["underlying", "date"]
    volumes = day_bars.group_by(key).agg(
        pl.col("available_at").max(),
        put_volume=pl.col("volume").filter(pl.col("option_type") == "P").sum(),
        call_volume=pl.col("volume").filter(pl.col("option_type") == "C").sum(),
    )
    levels = _thirty_day_level(_at_the_money(analytics))
    joined = volumes.join(levels, on=key, how="full", coalesce=True)
    return (
        joined.select(
            *key,
            pl.max_horizontal("available_at", "available_at_right").alias("available_at"),
            "atm_iv",
            "put_volume",
            "call_volume",
        )
        .select(*SUMMARY)
        .sort("underlying", "available_at")
    )


def _at_the_money(analytics: pl.DataFrame) -> pl.DataFrame:
    """Return per expiration the mean volatility of call and put at the strike nearest the money."""
    expiration = ["underlying", "date", "expiration"]
    distance = (pl.col("strike") / pl.col("underlying_price")).log().abs()
    return (
        analytics.filter(pl.col("status") == "solved")
        .with_columns(distance=distance, days=pl.col("years") * 365.0)
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
    key = ["underlying", "date"]
    near, far = pl.col("days") <= _TARGET_DAYS, pl.col("days") >= _TARGET_DAYS
    days_near, vol_near = (pl.col(c).filter(near).last() for c in ("days", "vol"))
    days_far, vol_far = (pl.col(c).filter(far).first() for c in ("days", "vol"))
    weight = (_TARGET_DAYS - pl.col("days_near")) / (pl.col("days_far") - pl.col("days_near"))
    variance_near = pl.col("vol_near") ** 2 * pl.col("days_near")
    variance_far = pl.col("vol_far") ** 2 * pl.col("days_far")
    between = ((variance_near * (1.0 - weight) + variance_far * weight) / _TARGET_DAYS).sqrt()
    return (
        expirations.sort(*key, "days")
        .group_by(key, maintain_order=True)
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
        .select(*key, "available_at", "atm_iv")
    )


def option_columns(bars: pl.DataFrame, options: pl.DataFrame | None) -> pl.DataFrame:
    """Add the inputs of the options family to bars sorted (underlying, asof); null without options."""
    names = ("atm_iv", "atm_iv_change", "put_call_log_ratio")
    if options is None:
        return bars.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names)
    recent = pl.col("available_at") - pl.col("available_at").shift(1).over("underlying") <= _STALE_NS
    change = pl.col("atm_iv") - pl.col("atm_iv").shift(1).over("underlying")
    both_sides = (pl.col("put_volume") > 0) & (pl.col("call_volume") > 0)
    known = (
        options.sort("underlying", "available_at")
        .with_columns(
            atm_iv_change=pl.when(recent).then(change),
            put_call_log_ratio=pl.when(both_sides).then((pl.col("put_volume") / pl.col("call_volume")).log()),
        )
        .select("underlying", "available_at", *names)
    )
    # Both sides are sorted (underlying, time), the order that this join needs and cannot check by group.
    return bars.join_asof(
        known,
        left_on="asof",
        right_on="available_at",
        by="underlying",
        strategy="backward",
        tolerance=_STALE_NS,
        check_sortedness=False,
    ).drop("available_at", strict=False)


def _as_is(inputs: Inputs, column: str) -> FloatArray:
    return inputs[column]
