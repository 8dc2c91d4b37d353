"""The interest rates that were known at a moment."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from strikelake.errors import EmptyLakeError
from strikelake.pricing.rates import interpolate
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from strikelake.lake.store import Lake
    from strikelake.lake.tables import Versions

_OLDEST_CURVE = timedelta(days=30)


def read_yields(lake: Lake, *, as_of: Versions = None) -> pl.DataFrame:
    """Return treasury_yields, without rows where the lake has none."""
    try:
        return lake.scan("treasury_yields", as_of=as_of).collect()
    except EmptyLakeError:
        return pl.DataFrame(schema=table("treasury_yields").columns)


def newest_curve(yields: pl.DataFrame, moment: int) -> pl.DataFrame | None:
    """Return the treasury curve of the newest date available at `moment` (ns UTC), or None.

    A curve more than 30 days older than `moment` is None too: it says nothing about that day's rates.
    """
    known = yields.filter(pl.col("available_at") <= moment)
    newest = known.filter(pl.col("date") == pl.col("date").max())
    oldest = moment - _OLDEST_CURVE // timedelta(microseconds=1) * 1_000
    return (
        newest
        if newest["available_at"].max() is not None and (newest["available_at"] >= oldest).all()
        else None
    )


def rate_for(curve: pl.DataFrame | None, default: float) -> Callable[[float], float]:
    """Return the continuous rate per year by maturity in days: of a curve, or the default."""
    if curve is None:
        return lambda _: default
    tenors, levels = curve["tenor_days"].to_numpy(), curve["yield_rate"].to_numpy()
    return lambda days: float(interpolate(tenors, levels, days))
