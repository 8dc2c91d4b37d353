"""The rows of `forwards`: what each expiration's forward was taken to be, and from what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.slices import decision_times
from pipelines.terms import SERIES
from pipelines.underlying import implied_of
from strikelake.lake.joins import newest_known
from strikelake.pricing.rates import years_between
from strikelake.schemas import table

if TYPE_CHECKING:
    from pipelines.carry import Carry
    from pipelines.terms import Series
    from strikelake.calendar import Session


def forward_rows(
    rows: pl.DataFrame, series: Series, carry: Carry, known: pl.DataFrame, session: Session, bar: str
) -> pl.DataFrame:
    """Return the forwards of a session.

    Parameters
    ----------
    rows
        Option rows with what `pipelines.underlying` adds.
    series, carry
        Their terms.
    known
        Prices of underlyings (`pipelines.underlying.OBSERVED`).

    Returns
    -------
    pl.DataFrame
        Rows of the table: for each series with an observed underlying one at every decision time with pairs,
        and one at the close where there was none all session; for an implied underlying one at every decision
        time with pairs. `carry` is the pairs' own estimate, whatever its status, or what is in force.
    """
    moments = decision_times(session, bar)
    parts = [_observed(rows, series, carry, known, moments), _implied(rows, series, moments)]
    columns = table("forwards").columns
    made = pl.concat(
        [
            part.with_columns(date=pl.lit(session.date), bar=pl.lit(bar)).select(columns.keys())
            for part in parts
        ]
    )
    return made.filter(pl.col("years") > 0.0, pl.col("available_at") <= pl.col("asof")).sort("asof", *SERIES)


def _observed(
    rows: pl.DataFrame, series: Series, carry: Carry, known: pl.DataFrame, moments: list[int]
) -> pl.DataFrame:
    last = len(moments) - 1
    priced = rows.filter(pl.col("underlying_source").is_in(["stock", "index", "quote"]))["series"].unique()
    without = pl.DataFrame({"series": priced}).join(carry.estimates, on="series", how="anti")
    unpaired = without.with_columns(
        decision=pl.lit(last, dtype=pl.Int64), pairs=pl.lit(0, dtype=pl.Int64), status=pl.lit("no_pairs")
    )
    found = pl.concat([carry.estimates, unpaired], how="diagonal_relaxed").join(
        series.frame, on="series", maintain_order="left"
    )
    place = found["series"].to_numpy(), found["decision"].to_numpy() + 1
    in_force, implied = carry.in_force[place], carry.implied[place]
    used = found["carry"].fill_null(np.nan).to_numpy()
    used = np.where(np.isfinite(used), used, in_force)
    asof = np.asarray(moments, dtype=np.int64)[found["decision"].to_numpy()]
    found = found.with_columns(asof=pl.Series(asof, dtype=pl.Int64))
    prices = known.with_columns(asof="available_at").sort("underlying", "asof")
    newest = newest_known(found, prices, by=["underlying"], on="asof")
    spot, seen = prices["price"].gather(newest), prices["available_at"].gather(newest)
    years = years_between(asof, found["settles_ns"].to_numpy())
    terms = series.terms(found["series"].to_numpy(), used)
    entries = np.arange(len(found))
    forward = terms.forwards(entries, spot.fill_null(np.nan).to_numpy(), years)
    estimated = found["carry"].is_not_null().to_numpy()
    method = np.select(
        [estimated | implied, (found["dividends"] > 0).to_numpy()], ["implied", "dividends"], "none"
    )
    return found.with_columns(
        spot=spot,
        years=pl.Series(years, dtype=pl.Float64),
        forward=pl.Series(forward, dtype=pl.Float64).fill_nan(None),
        carry=pl.Series(used, dtype=pl.Float64),
        method=pl.Series(method, dtype=pl.String),
        available_at=pl.Series(asof, dtype=pl.Int64),
    ).filter(seen.is_not_null())


def _implied(rows: pl.DataFrame, series: Series, moments: list[int]) -> pl.DataFrame:
    unlisted = rows.filter(
        pl.col("underlying_source").is_in(["parity", "none"]), ~pl.col("root").str.contains(r"\d$")
    )
    found = implied_of(unlisted)
    decision = np.searchsorted(moments, found["available_at"].to_numpy(), side="left")
    inside = decision < len(moments)
    asof = np.asarray(moments, dtype=np.int64)[np.minimum(decision, len(moments) - 1)]
    middle = (
        found.with_columns(asof=pl.Series(asof, dtype=pl.Int64))
        .filter(pl.Series(inside, dtype=pl.Boolean))
        .group_by(*SERIES, "asof")
        .agg(
            pl.col("forward").median(),
            pl.col("available_at").max(),
            pairs=pl.col("strikes").sum().cast(pl.Int64),
        )
        .join(series.frame, on=list(SERIES))
    )
    years = years_between(middle["asof"].to_numpy(), middle["settles_ns"].to_numpy())
    nothing = pl.lit(None, dtype=pl.Float64)
    return middle.with_columns(
        years=pl.Series(years, dtype=pl.Float64),
        spot=nothing,
        carry=nothing,
        dispersion=nothing,
        gap_before=nothing,
        gap_after=nothing,
        method=pl.lit("parity"),
        status=pl.lit("solved"),
    )
