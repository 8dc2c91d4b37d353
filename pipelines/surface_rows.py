"""One row for each underlying and decision time: levels, wings, rank, and what was realised."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.recall import sessions_before
from pipelines.slices import GROUP, surface_of
from strikelake.errors import EmptyLakeError
from strikelake.lake.views import adjusted_bars
from strikelake.schemas import table

if TYPE_CHECKING:
    from datetime import date

    from strikelake.lake.store import Lake

REALIZED_SESSIONS = 21
"""Close-to-close returns in `realized_vol`."""

TENORS = (7, 30, 60, 90)
_YEAR = 252


def surface_rows(smiles: pl.DataFrame, priced: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each underlying and decision time with the numbers of its surface.

    Parameters
    ----------
    smiles
        Rows of `smiles` of one session and bar.
    priced
        Rows of option_analytics with `asof`, solved or not: an underlying without any slice has a row too.

    Returns
    -------
    pl.DataFrame
        date to rmse of `surfaces`, without rank and realised volatility, and with `reason`.
    """
    every = priced.group_by(GROUP).agg(
        pl.col("date").first(), pl.col("available_at").max(), solved=(pl.col("status") == "solved").any()
    )
    fitted = smiles.filter(pl.col("status") == "fitted").sort(*GROUP, "years")
    numbers = _numbers(fitted) if fitted.height else None
    rows = every if numbers is None else every.join(numbers, on=list(GROUP), how="left")
    absent = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in table("surfaces").columns.items()
        if name not in rows.columns
    ]
    tenors = [f"atm_iv_{days}d" for days in TENORS]
    return rows.with_columns(absent).with_columns(
        pl.col("expirations", "contracts").fill_null(0),
        reason=pl.when(~pl.col("solved"))
        .then(pl.lit("no_solved_contracts"))
        .when(pl.col("expirations").is_null())
        .then(pl.lit("no_fitted_expiration"))
        .when(pl.any_horizontal(pl.col(tenors).is_null()))
        .then(pl.lit("tenors_out_of_reach")),
    )


def _numbers(fitted: pl.DataFrame) -> pl.DataFrame:
    surface = surface_of(fitted)
    reversal, butterfly = surface.wings(30)
    levels = {f"atm_iv_{days}d": surface.vol(0.0, days) for days in TENORS}
    sums = fitted.group_by(GROUP, maintain_order=True).agg(
        expirations=pl.len().cast(pl.Int64),
        contracts=pl.col("contracts").sum(),
        rmse=((pl.col("rmse") ** 2 * pl.col("contracts")).sum() / pl.col("contracts").sum()).sqrt(),
        butterfly_free=(pl.col("min_g") >= 0.0).all(),
        calendar_free=(pl.col("calendar_gap") == 0.0).all(),
    )
    return sums.with_columns(
        *(pl.Series(name, values).fill_nan(None) for name, values in levels.items()),
        pl.Series("risk_reversal_25d", reversal).fill_nan(None),
        pl.Series("butterfly_25d", butterfly).fill_nan(None),
    ).with_columns(term_slope=pl.col("atm_iv_90d") - pl.col("atm_iv_30d"))


def with_rank(rows: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """Add where `atm_iv_30d` lies in its range over the last 252 sessions, this row's own value included.

    Parameters
    ----------
    rows
        underlying and atm_iv_30d, rows of one session.
    closes
        underlying, date and atm_iv_30d at the closes of earlier sessions.

    Returns
    -------
    pl.DataFrame
        The rows in their order with iv_rank, in [0, 1], and iv_rank_sessions. The rank is null where
        `atm_iv_30d` is, and where there is no range yet.
    """
    range_ = (
        closes.drop_nulls("atm_iv_30d")
        .group_by("underlying")
        .agg(low=pl.col("atm_iv_30d").min(), high=pl.col("atm_iv_30d").max(), known=pl.len().cast(pl.Int64))
    )
    level = pl.col("atm_iv_30d")
    low, high = pl.min_horizontal("low", level), pl.max_horizontal("high", level)
    return (
        rows.join(range_, on="underlying", how="left", maintain_order="left")
        .with_columns(
            iv_rank=pl.when(level.is_not_null() & (high > low)).then((level - low) / (high - low)),
            iv_rank_sessions=pl.col("known").fill_null(0) + level.is_not_null().cast(pl.Int64),
        )
        .drop("low", "high", "known")
    )


class Realized:
    """Realised volatilities of the underlyings, from closes adjusted for splits."""

    def __init__(self, lake: Lake, first: date, last: date) -> None:
        start = sessions_before(first, REALIZED_SESSIONS + 5)
        try:
            bars = (
                adjusted_bars(lake, "stock_day_bars", start, last).select("ticker", "date", "close").collect()
            )
        except EmptyLakeError:
            bars = pl.DataFrame(schema={"ticker": pl.String, "date": pl.Date, "close": pl.Float64})
        change = pl.col("close").log().diff().over("ticker")
        vol = (change**2).rolling_mean(REALIZED_SESSIONS).sqrt() * np.sqrt(_YEAR)
        vol = vol.round(10)  # the last digits depend on where the range begins
        self._vols = bars.sort("ticker", "date").select(
            "date", underlying="ticker", realized_vol=vol.over("ticker")
        )

    def join(self, rows: pl.DataFrame, day: date, close_ns: int) -> pl.DataFrame:
        """Add the volatility up to the day's close to rows at the close, up to the day before to others."""
        before = self._vols.filter(pl.col("date") < day).filter(
            pl.col("date") == pl.col("date").max(), pl.col("date") >= day - timedelta(days=7)
        )
        parts = []
        for known, part in (
            (self._vols.filter(pl.col("date") == day), rows.filter(pl.col("asof") >= close_ns)),
            (before, rows.filter(pl.col("asof") < close_ns)),
        ):
            parts.append(part.join(known.drop("date"), on="underlying", how="left", maintain_order="left"))
        return (
            pl.concat(parts)
            .with_columns(
                pl.col("realized_vol").fill_nan(None),
            )
            .with_columns(realized_minus_implied=pl.col("realized_vol") - pl.col("atm_iv_30d"))
        )
