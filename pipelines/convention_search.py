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
    from collections.abc import Callable, Mapping

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

_SERIES, _A_SERIES = 8, 12  # how much of a chain the search for a convention looks at
_A_DEPARTURE = 0.002  # what a departure must improve the mean error by, in tolerances
_EXACT = 0.02  # a mean error, in tolerances, that only the convention itself leaves
_LITTLE = 0.1  # weight of Greeks where volatilities decide
_NEWTON_STEPS, _NUDGE, _WIDEST = 3, 1e-3, 0.2  # of the search for a carry, per year
_FEWEST, _MOST = 5, 0.7  # rows, and their share, that make a forward believed
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
        if best[0] < _EXACT and len(how.departures()) > len(best[1].departures()):
            break  # nothing with more departures can pay
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


def greek_convention(
    valuer: Valuer, convention: Convention, sample: Rows, scales: Mapping[str, float]
) -> Convention:
    """Return the convention that comes nearest to the vendor's Greeks at the vendor's volatilities.

    It is that of the volatilities unless another one pays.
    """
    asked = [how for how in valuer.possible() if how.price == convention.price]
    best = (_greek_loss(valuer, convention, sample, scales), convention)
    for how in sorted(asked, key=convention.distance):
        if best[0] < _EXACT and convention.distance(how) > convention.distance(best[1]):
            break
        loss = _greek_loss(valuer, how, sample, scales) + _A_DEPARTURE * convention.distance(how)
        best = min(best, (loss, how), key=lambda each: each[0])
    return best[1]


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


def fitted_carry(
    valuer: Valuer, convention: Convention, told: FloatArray, tolerance_bp: float
) -> tuple[FloatArray, FloatArray]:
    """Return the carry of each series that the vendor's volatilities imply, and what it adds to the forward.

    One number explains a whole expiration: Newton's method on the median row, as `pipelines.carry` does it
    for calls and puts. A series is believed where the vendor's number then lies within the tolerance, or
    inside the quote, for most of its rows, five at least.

    Returns
    -------
    carry : ndarray of float64
        Beside the dividends expected; NaN where there is none to believe; (series,).
    dollars : ndarray of float64
        The vendor's forward less ours at a price of today: negative is a larger dividend; (series,).
    """
    chain, how = valuer.chain, replace(convention, carry="fitted")
    rows, series = np.arange(chain.size), chain.rows["series"].to_numpy()
    carry = np.zeros(chain.carry[how.spot].size)

    def vols(yields: FloatArray, price: str = how.price) -> FloatArray:
        return replace(valuer, fitted=yields).vols(replace(how, price=price), rows)

    with np.errstate(all="ignore"):
        for _ in range(_NEWTON_STEPS):
            now = vols(carry)
            step = (told - now) * _NUDGE / (vols(carry + _NUDGE) - now)
            carry = carry + _by_series(np.nanmedian, np.clip(step, -_WIDEST, _WIDEST), series, carry.size)
        near = np.abs(vols(carry) - told) * BASIS_POINTS <= tolerance_bp
        near |= (vols(carry, "bid") <= told) & (told <= vols(carry, "ask"))
    hits, whole = (np.bincount(series[chosen], minlength=carry.size) for chosen in (near, np.isfinite(told)))
    believed = (hits >= _FEWEST) & (hits >= _MOST * whole)
    spot = _by_series(np.nanmedian, chain.column(f"spot_{how.spot}"), series, carry.size)
    years = _by_series(np.nanmedian, chain.column(f"years_{how.clock}"), series, carry.size)
    dollars = -(carry - chain.carry[how.spot]) * years * spot
    return np.where(believed, carry, np.nan), np.where(believed, dollars, np.nan)


def _by_series(
    function: Callable[[FloatArray], float], values: FloatArray, series: Rows, count: int
) -> FloatArray:
    """Return a function of each series' values; 0 where none of them is a number."""
    found = np.zeros(count)
    for each in range(count):
        own = values[series == each]
        if np.isfinite(own).any():
            found[each] = function(own)
    return found
