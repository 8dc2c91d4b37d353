"""Find how a vendor values options, from what it says of a sample of them.

Every convention that `pipelines.conventions` can express and the data allow is tried; the nearest wins, a
departure from ours only where it pays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.conventions import BASIS_POINTS, GREEKS, OURS, Convention, Valuer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipelines.snapshot_chain import SnapshotChain
    from strikelake.pricing.arrays import FloatArray

    Rows = NDArray[np.int64]

GREEK_TOLERANCE = {"delta": 1e-3, "gamma": 5e-4, "vega": 1e-3, "theta": 1e-3}
"""Default tolerances: of delta; of gamma as the change of delta for one percent of the underlying; of vega in
dollars a vol point and theta in dollars a day, both at least `RELATIVE` of the number."""

RELATIVE = 0.005
UNITS = {
    "vega": {"a vol point": 0.01, "1.00 of volatility": 1.0},
    "theta": {"a calendar day": 1.0 / 365.0, "a trading day": 1.0 / 252.0, "a year": 1.0},
}
"""What the vendor may mean by a number, as a factor of our plain derivative."""

_SERIES, _A_SERIES = 8, 20  # how much of a chain the search for a convention looks at
_A_DEPARTURE = 0.002  # what a departure must improve the mean error by, in tolerances
_LITTLE = 0.1  # weight of Greeks where volatilities decide
_SURE_RATE = 2e-4  # dispersion below which one rate is meant


def sample_of(chain: SnapshotChain, usable: NDArray[np.bool_]) -> Rows:
    """Return rows that stand for the chain: some strikes of some series, spread evenly over both."""
    rows = chain.rows.with_row_index("row").filter(pl.Series(usable))
    counts = rows.group_by("series").len().sort("series")
    chosen = counts["series"].gather(spread(counts.height, _SERIES))
    parts = rows.filter(pl.col("series").is_in(chosen.implode())).sort("series", "strike", "option_type")
    picked = [part["row"].gather(spread(part.height, _A_SERIES)) for part in parts.partition_by("series")]
    return pl.concat(picked).cast(pl.Int64).to_numpy() if picked else np.empty(0, np.int64)


def spread(count: int, most: int) -> NDArray[np.int64]:
    """Return up to so many places of `count`, evenly spaced, both ends included."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, most)).round().astype(np.int64))


def units_of(valuer: Valuer, sample: Rows) -> dict[str, str]:
    """Return what the vendor's vega and theta are per: the factor nearest to the median ratio."""
    told = valuer.chain.column("told_implied_vol")[sample]
    plain = valuer.greeks(OURS, sample, told)
    units = {}
    for name, factors in UNITS.items():
        with np.errstate(all="ignore"):
            ratio = valuer.chain.column(f"told_{name}")[sample] / plain[name]
        ratio = ratio[np.isfinite(ratio) & (ratio > 0.0)]
        middle = np.log(np.median(ratio)) if ratio.size else np.log(next(iter(factors.values())))
        units[name] = min(factors, key=lambda unit: abs(np.log(factors[unit]) - middle))
    return units


def vol_convention(
    valuer: Valuer, sample: Rows, scales: Mapping[str, float], tolerance_bp: float
) -> tuple[Convention, float | None]:
    """Return the convention that comes nearest to the vendor's volatilities, and its flat rate.

    A flat rate is found from the sample itself, and so explains one row for nothing.
    """
    told = valuer.chain.column("told_implied_vol")[sample]
    best: tuple[float, Convention, float | None] = (np.inf, OURS, None)
    for how in valuer.possible():
        tries: list[tuple[Convention, float | None]] = [(how, None)]
        if how.rate == "zero" and how.model != "own":
            found = valuer.rates(how, sample, told)
            middle = float(np.nanmedian(found)) if np.isfinite(found).any() else np.nan
            if np.nanmedian(np.abs(found - middle)) <= _SURE_RATE:
                tries.append((replace(how, rate="flat"), round(middle, 4)))
        for tried, flat in tries:
            given = Valuer(valuer.chain, flat)
            loss = _loss(BASIS_POINTS * (given.vols(tried, sample) - told), tolerance_bp)
            if loss < best[0] + 1.0 / max(sample.size, 1) + _LITTLE:
                loss += _LITTLE * _greek_loss(given, tried, sample, scales)
                loss += _A_DEPARTURE * len(tried.departures()) + (flat is not None) / sample.size
                best = min(best, (loss, tried, flat), key=lambda each: each[0])
    return best[1], best[2]


def greek_convention(valuer: Valuer, sample: Rows, scales: Mapping[str, float]) -> Convention:
    """Return the convention that comes nearest to the vendor's Greeks at the vendor's volatilities."""
    asked = [how for how in valuer.possible() if how.price == OURS.price]
    losses = [
        _greek_loss(valuer, how, sample, scales) + _A_DEPARTURE * len(how.departures()) for how in asked
    ]
    return asked[int(np.argmin(losses))]


def _loss(gap: FloatArray, tolerance: float | FloatArray) -> float:
    """Return the mean error in tolerances, where one tolerance is as bad as many."""
    error = np.abs(gap) / tolerance
    return float(np.mean(np.minimum(np.where(np.isnan(error), 1.0, error), 1.0))) if gap.size else 0.0


def _greek_loss(valuer: Valuer, how: Convention, sample: Rows, scales: Mapping[str, float]) -> float:
    chain = valuer.chain
    plain = valuer.greeks(how, sample, chain.column("told_implied_vol")[sample])
    losses = []
    for name in GREEKS:
        told = chain.column(f"told_{name}")[sample]
        gap = plain[name] * scales.get(name, 1.0) - told
        known = np.isfinite(told)
        losses.append(
            _loss(gap[known], greek_tolerance(name, told, chain.column("spot_snapshot")[sample])[known])
        )
    return float(np.mean(losses))


def greek_tolerance(name: str, told: FloatArray, spot: FloatArray) -> FloatArray:
    """Return how near a Greek must come to count as reproduced, in the vendor's units."""
    if name == "delta":
        return np.full(told.size, GREEK_TOLERANCE[name])
    if name == "gamma":
        return GREEK_TOLERANCE[name] * 100.0 / spot
    return np.maximum(GREEK_TOLERANCE[name], RELATIVE * np.abs(told))
