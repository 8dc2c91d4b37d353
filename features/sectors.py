"""Sectors: underlyings beside their peers, grouped by what each was known to do at the time.

A sector is one of the twelve industries of Fama and French, which gather codes of the Standard Industrial
Classification. The codes come from the lake, dated; the grouping is a published one of the 1990s, and no
later market has changed it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features.facts import FactSeries
from features.feature import WARM_UP, feature
from features.universe import LONG, SHARE, added_up, own_return

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from features.facts import Facts
    from features.feature import FloatArray, IntArray
    from features.panel import Panel

SECTORS = (
    "consumer nondurables", "consumer durables", "manufacturing", "energy", "chemicals", "business equipment",
    "telecommunications", "utilities", "shops", "health care", "finance", "other",
)  # fmt: skip
"""Names of the sectors 1 to 12."""

OTHER = 12
_CODES = (
    ((100, 999), (2000, 2399), (2700, 2749), (2770, 2799), (3100, 3199), (3940, 3989)),
    ((2500, 2519), (2590, 2599), (3630, 3659), (3710, 3711), (3714, 3714), (3716, 3716), (3750, 3751),
     (3792, 3792), (3900, 3939), (3990, 3999)),
    ((2520, 2589), (2600, 2699), (2750, 2769), (3000, 3099), (3200, 3569), (3580, 3629), (3700, 3709),
     (3712, 3713), (3715, 3715), (3717, 3749), (3752, 3791), (3793, 3799), (3830, 3839), (3860, 3899)),
    ((1200, 1399), (2900, 2999)),
    ((2800, 2829), (2840, 2899)),
    ((3570, 3579), (3660, 3692), (3694, 3699), (3810, 3829), (7370, 7379)),
    ((4800, 4899),),
    ((4900, 4949),),
    ((5000, 5999), (7200, 7299), (7600, 7699)),
    ((2830, 2839), (3693, 3693), (3840, 3859), (8000, 8099)),
    ((6000, 6999),),
)  # fmt: skip
"""First and last SIC code of the ranges of each sector but the last, which has all other codes."""

_NO_PEER = f"{WARM_UP}, and where no sector is known or no peer of it has a bar at asof"
_known = "the end of the bar; sectors as they were known by asof"


@feature("market", units=SHARE, lookback=LONG + 1, nulls=_NO_PEER, available_at=_known, windowed=True)
def sector_strength_13(own_return_13: FloatArray, sector_return_13: FloatArray) -> FloatArray:
    """Return the 13-bar return minus the mean of the other underlyings of its sector."""
    return own_return_13 - sector_return_13


@feature("market", units=SHARE, lookback=LONG + 1, nulls=_NO_PEER, available_at=_known, windowed=True)
def sector_performance_13(sector_return_13: FloatArray, market_return_13: FloatArray) -> FloatArray:
    """Return the mean 13-bar return of the sector's other underlyings minus that of all underlyings."""
    return sector_return_13 - market_return_13


def sectors_of(sic_codes: pl.Series) -> pl.Series:
    """Return the sector of each SIC code, 1 to 12 as in `SECTORS`; null for null.

    Source: "Detail for 12 Industry Portfolios" (Siccodes12), Kenneth R. French's data library.

    Examples
    --------
    >>> sectors_of(pl.Series([3571, 6021, None, 7389])).to_list()
    [6.0, 11.0, None, 12.0]
    """
    codes = sic_codes.cast(pl.Float64)
    place = np.clip(codes.fill_null(0.0).to_numpy(), 0, 9_999).astype(np.int64)
    found = pl.Series(sic_codes.name, _by_code(_CODES)[place].astype(np.float64))
    return found.set(codes.is_null(), None)


@cache
def _by_code(ranges: tuple[tuple[tuple[int, int], ...], ...]) -> IntArray:
    """Return the sector of each code from 0 to 9999."""
    sectors = np.full(10_000, OTHER)
    for number, members in enumerate(ranges, 1):
        for first, last in members:
            sectors[first : last + 1] = number
    return sectors


def known_sectors(rows: pl.DataFrame) -> pl.DataFrame:
    """Return when which sector was known of each underlying, from rows of `classifications`.

    Returns
    -------
    pl.DataFrame
        underlying, available_at, sector (null where the row has no code); a row where the sector changes.

    Notes
    -----
    Point in time: of the rows known at a moment the one about the latest date counts, whenever it was told;
    whether a row is left out depends on nothing that was told later.
    """
    told = rows.with_columns(sector=sectors_of(rows["sic_code"])).sort("ticker", "available_at", "date")
    whose = pl.col("ticker")
    latest = told.filter(pl.col("date") >= pl.col("date").cum_max().over(whose))
    once = latest.unique(["ticker", "available_at"], keep="last", maintain_order=True)
    before = pl.col("sector").shift(1).over(whose)
    return once.filter(pl.col("sector").ne_missing(before)).select(
        "available_at", "sector", underlying="ticker"
    )


def _sector_return(panel: Panel, facts: Facts) -> FloatArray:
    """Return the mean of the peers at the moment, this underlying left out."""
    table = FactSeries("classifications", facts["classifications"], panel)
    kinds, codes = np.unique(table.column("sector"), return_inverse=True)
    own = np.where(np.isfinite(table.joined(table.column("sector"))), own_return(panel, LONG), np.nan)
    groups = panel.moments[1] * len(kinds) + (codes[table.newest] if len(codes) else 0)
    count, total = (added[groups] for added in added_up(groups, own))
    known = np.isfinite(own)
    peers = count - known
    return np.where(known & (peers > 0), (total - np.where(known, own, 0.0)) / np.maximum(peers, 1), np.nan)


INPUTS: Mapping[str, tuple[Callable[[Panel, Facts], FloatArray], Mapping[str, int]]] = {
    "sector_return_13": (_sector_return, {"classifications": 1}),
}
"""Inputs that this module computes, and the rows of facts that each needs."""
