"""Continuous interest rates from the treasury's par yield curve, and time to expiration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.calendar import NS_PER_MINUTE
from strikelake.pricing.arrays import FloatArray, broadcast

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_MINUTES_PER_YEAR = 365 * 24 * 60


def interpolate(tenor_days: ArrayLike, yields: ArrayLike, days: ArrayLike) -> FloatArray:
    """Return the continuously compounded rate for each maturity.

    Yields are linear in maturity between the tenors and flat outside them. The treasury quotes yields that
    compound twice a year, so y becomes 2 ln(1 + y / 2).

    Parameters
    ----------
    tenor_days
        Maturities of the curve in days, any order; shape (m,).
    yields
        Decimal yields per year, 0.05 is 5 %; shape (m,). A tenor without a yield (NaN) is left out.
    days
        Maturities asked for, in days; any shape.

    Returns
    -------
    ndarray of float64
        In the shape of `days`; NaN where `days` is NaN.

    Raises
    ------
    ValueError
        When the two columns differ in length, or no tenor has a yield.

    Examples
    --------
    >>> interpolate([30, 90], [0.05, 0.06], [7, 60]).round(5).tolist()
    [0.04939, 0.05426]
    """
    tenors, levels = broadcast(tenor_days=tenor_days, yields=yields)
    known = np.isfinite(tenors) & np.isfinite(levels)
    if not known.any():
        raise ValueError("the yield curve has no tenor with a yield: ingest treasury_yields for this date")
    order = np.argsort(tenors[known])
    wanted = np.asarray(days, dtype=np.float64)
    level = np.interp(wanted, tenors[known][order], levels[known][order])
    return np.where(np.isnan(wanted), np.nan, 2.0 * np.log1p(0.5 * level))


def years_between(start_ns: ArrayLike, end_ns: ArrayLike) -> FloatArray:
    """Return the time between two moments (ns UTC) in years of 365 days, counted in whole minutes.

    Negative when `end_ns` comes first; a started minute does not count.

    Examples
    --------
    >>> float(years_between(0, 365 * 24 * 3600 * 10**9 + 59 * 10**9))
    1.0
    """
    span = np.asarray(end_ns, dtype=np.int64) - np.asarray(start_ns, dtype=np.int64)
    return np.asarray((span // NS_PER_MINUTE) / _MINUTES_PER_YEAR, dtype=np.float64)
