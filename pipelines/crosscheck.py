"""Compare the vendor's volatilities and Greeks with ours, and find what makes them differ.

No difference is explained by a guess. A contract is valued again in every way that `pipelines.conventions`
knows; the way that reproduces the vendor's number within the tolerance names the cause, and what none
reproduces is `unexplained`. With so many ways some agree by chance: the same search on differences dealt out
to the wrong contracts tells how many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.causes import (
    AGREES,
    FOLLOWS,
    UNEXPLAINED,
    alternatives,
    by_chance,
    causes,
    departure,
    departures_to,
)
from pipelines.convention_search import (
    UNITS,
    fitted_carry,
    greek_convention,
    greek_tolerance,
    sample_of,
    units_of,
    vol_convention,
)
from pipelines.conventions import AXES, BASIS_POINTS, GREEKS, OURS, Convention, Valuer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipelines.snapshot_chain import SnapshotChain
    from strikelake.calendar import Session
    from strikelake.pricing.arrays import FloatArray

    Rows = NDArray[np.int64]

TOLERANCE_BP = 5.0
"""Default tolerance of a volatility, in hundredths of a vol point: two good solvers differ by less."""

_SHOWN = (
    "occ_symbol",
    "underlying",
    "expiration",
    "option_type",
    "strike",
    "quote_ts_ns",
    "bid_price",
    "ask_price",
    "spot_snapshot",
    "told_implied_vol",
)
_FEWEST = 5  # contracts from which a forward is worth telling


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """What came of comparing one session's snapshots.

    Attributes
    ----------
    session
        The session.
    tolerance_bp
        Of volatilities.
    rows
        One row for each contract compared: terms, moneyness (ln of strike / spot), days, told_* and ours_*
        (Greeks in the vendor's units), diff_bp (vendor less ours), cause, left_bp (what the vendor's
        convention leaves of it), `by_*` (what each departure adds to diff_bp, in the order of `steps`),
        at_told_vol_* (our Greeks at the vendor's volatility) and cause_* of each Greek.
    left_out
        Contracts that were not compared, by reason.
    convention, greek_convention
        How the vendor values most of the contracts, and how it takes Greeks at its volatilities.
    flat_rate
        The one rate of the convention, where it has one.
    steps
        The departures that lead from ours to the vendor's convention, in words.
    units
        What vega and theta are per, by Greek.
    by_chance
        Share of contracts that the same search "explains" when differences are dealt out at random; None
        where nothing is left to explain.
    forwards
        underlying, root, expiration, contracts and dollars: where the vendor's volatilities imply another
        forward than ours, by how much at today's price (negative is a larger dividend).
    """

    session: Session
    tolerance_bp: float
    rows: pl.DataFrame
    left_out: Mapping[str, int]
    convention: Convention
    greek_convention: Convention
    flat_rate: float | None
    steps: tuple[str, ...]
    units: Mapping[str, str]
    by_chance: float | None
    forwards: pl.DataFrame

    def causes(self, column: str = "cause") -> dict[str, int]:
        """Return contracts by cause, the most frequent first."""
        counts = (
            self.rows.drop_nulls(column)
            .group_by(column)
            .len()
            .sort(["len", column], descending=[True, False])
        )
        return dict(counts.iter_rows())


def cross_check(chain: SnapshotChain, *, tolerance_bp: float = TOLERANCE_BP) -> CrossCheck:
    """Compare what the vendor told of a chain with what we make of the same quotes.

    Parameters
    ----------
    chain
        As `pipelines.snapshot_chain.read_snapshot` gives it.
    tolerance_bp
        How near a volatility must come to count as reproduced, in hundredths of a vol point.

    Returns
    -------
    CrossCheck
    """
    told = chain.column("told_implied_vol")
    every = np.arange(chain.size)
    valuer = Valuer(chain)
    ours = valuer.vols(OURS, every)
    sample = sample_of(chain, np.isfinite(ours) & np.isfinite(told))
    units = units_of(valuer, sample)
    scales = {name: UNITS[name][unit] for name, unit in units.items()}
    convention, flat = vol_convention(valuer, sample, scales, tolerance_bp)
    valuer = Valuer(chain, flat)
    for_greeks = greek_convention(valuer, convention, sample, scales)
    fitted, dollars = fitted_carry(valuer, convention, told, tolerance_bp)
    valuer = replace(valuer, fitted=fitted)
    vols = {OURS: ours}
    path = departures_to(convention)
    for how in path:
        vols[how] = valuer.vols(how, every)
    near = alternatives(valuer, convention)
    cause = causes(valuer, convention, vols, near, told, tolerance_bp)
    chance = by_chance(valuer, vols[convention], ours, near, told, tolerance_bp)
    rows = _frame(chain, ours, BASIS_POINTS * (told - vols[convention]), cause, valuer.statuses(every))
    rows = rows.with_columns(*_contributions(path, vols))
    rows = rows.with_columns(*_greek_columns(valuer, for_greeks, ours, told, scales))
    steps = tuple(departure(before, after) for before, after in zip([OURS, *path], path, strict=False))
    return CrossCheck(
        chain.session,
        tolerance_bp,
        rows,
        chain.left_out,
        convention,
        for_greeks,
        flat if "flat" in {convention.rate, for_greeks.rate} else None,
        steps,
        units,
        chance,
        _forwards(chain, dollars, rows),
    )


def _frame(
    chain: SnapshotChain, ours: FloatArray, left_bp: FloatArray, cause: list[str], status: NDArray[np.object_]
) -> pl.DataFrame:
    told = chain.column("told_implied_vol")
    reached = pl.Series(np.isfinite(ours)) | (pl.Series(cause, dtype=pl.String) != UNEXPLAINED)
    unsolved = "ours is " + pl.Series(status.tolist(), dtype=pl.String).str.replace_all("_", " ")
    return chain.rows.select(
        *_SHOWN,
        moneyness=(pl.col("strike") / pl.col("spot_snapshot")).log(),
        days=pl.Series(chain.column("years_settlement") * 365.0),
        ours_implied_vol=pl.Series(ours).fill_nan(None),
        diff_bp=pl.Series(BASIS_POINTS * (told - ours)).fill_nan(None),
        left_bp=pl.Series(left_bp).fill_nan(None),
        cause=pl.when(reached).then(pl.Series(cause, dtype=pl.String)).otherwise(unsolved),
    )


def _contributions(path: list[Convention], vols: Mapping[Convention, FloatArray]) -> list[pl.Series]:
    """Return what each departure on the way to the vendor's convention adds, in hundredths of a vol point."""
    found = []
    for before, after in zip([OURS, *path], path, strict=False):
        added = BASIS_POINTS * (vols[after] - vols[before])
        found.append(pl.Series(f"by_{departure(before, after)}", added).fill_nan(None))
    return found


def _greek_columns(
    valuer: Valuer,
    convention: Convention,
    ours: FloatArray,
    told_vol: FloatArray,
    scales: Mapping[str, float],
) -> list[pl.Series]:
    """Return ours and the vendor's Greeks in the vendor's units, and the cause of each difference."""
    chain, every = valuer.chain, np.arange(valuer.chain.size)
    makes = {
        convention.label: valuer.greeks(convention, every, told_vol),
        FOLLOWS: valuer.greeks(OURS, every, told_vol),
        AGREES: valuer.greeks(OURS, every, ours),
    }
    columns = []
    for name in GREEKS:
        told, scale = chain.column(f"told_{name}"), scales.get(name, 1.0)
        tolerance = greek_tolerance(name, told, chain.column("spot_snapshot"))
        cause = np.full(told.size, UNEXPLAINED, dtype=object)
        for label, plain in makes.items():
            cause[np.abs(plain[name] * scale - told) <= tolerance] = label
        cause[np.isnan(told)] = None
        columns += [
            pl.Series(f"told_{name}", told).fill_nan(None),
            pl.Series(f"ours_{name}", makes[AGREES][name] * scale).fill_nan(None),
            pl.Series(f"at_told_vol_{name}", makes[FOLLOWS][name] * scale).fill_nan(None),
            pl.Series(f"cause_{name}", cause.tolist(), dtype=pl.String),
        ]
    return columns


def _forwards(chain: SnapshotChain, dollars: FloatArray, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the series whose differences another forward explains, and that forward's distance from ours."""
    label = AXES["carry"]["fitted"]
    explained = rows.with_columns(series=chain.rows["series"]).filter(pl.col("cause").str.contains(label))
    found = chain.series.frame.select(
        "series", "underlying", "root", "expiration", dollars=pl.Series(dollars)
    )
    counts = explained.group_by("series").agg(contracts=pl.len())
    joined = found.join(counts, on="series").filter(pl.col("contracts") >= _FEWEST).sort("series")
    return joined.select("underlying", "root", "expiration", "contracts", "dollars")
