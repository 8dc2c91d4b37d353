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

from pipelines.conventions import AXES, GREEKS, OURS, Convention, Valuer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipelines.snapshot_chain import SnapshotChain
    from strikelake.calendar import Session
    from strikelake.pricing.arrays import FloatArray

    Rows = NDArray[np.int64]

TOLERANCE_BP = 5.0
"""Default tolerance of a volatility, in hundredths of a vol point: two good solvers differ by less."""

GREEK_TOLERANCE = {"delta": 1e-3, "gamma": 5e-4, "vega": 1e-3, "theta": 1e-3}
"""Default tolerances: of delta; of gamma as the change of delta for one percent of the underlying; of vega in
dollars a vol point and theta in dollars a day, both at least `RELATIVE` of the number."""

RELATIVE = 0.005
UNITS = {
    "vega": {"a vol point": 0.01, "1.00 of volatility": 1.0},
    "theta": {"a calendar day": 1.0 / 365.0, "a trading day": 1.0 / 252.0, "a year": 1.0},
}
"""What the vendor may mean by a number, as a factor of our plain derivative."""

AGREES, INSIDE, UNEXPLAINED = "agrees", "inside the quote", "unexplained"
FOLLOWS = "follows from the volatility"
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
_BP = 1e4
_SERIES, _A_SERIES = 8, 20  # how much of a chain the search for a convention looks at
_A_DEPARTURE = 0.002  # what a departure must improve the mean error by, in tolerances
_LITTLE = 0.1  # weight of Greeks where volatilities decide
_SURE_RATE = 2e-4  # dispersion below which one rate is meant
_CHANCE_ROWS = 400
_STRICT = 0.1  # a way found for one row alone must come so much nearer, for there are many of them


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
        convention leaves of it), `by_*` (what each departure adds to diff_bp, in the order of `steps`), at_told_vol_*
        (our Greeks at the vendor's volatility) and cause_* of each Greek.
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
    sample = _sample(chain, np.isfinite(ours) & np.isfinite(told))
    units = _units(valuer, sample)
    scales = {name: UNITS[name][unit] for name, unit in units.items()}
    convention, flat = _vol_convention(valuer, sample, scales, tolerance_bp)
    valuer = Valuer(chain, flat)
    greek_convention = _greek_convention(valuer, sample, scales)
    vols = {OURS: ours}
    path = _path(convention)
    for how in path:
        vols[how] = valuer.vols(how, every)
    alternatives = _alternatives(valuer, convention)
    cause = _causes(valuer, convention, vols, alternatives, told, tolerance_bp)
    chance = _by_chance(valuer, vols[convention], ours, alternatives, told, tolerance_bp)
    rows = _frame(chain, ours, _BP * (told - vols[convention]), cause, valuer.statuses(every))
    rows = rows.with_columns(*_contributions(path, vols))
    rows = rows.with_columns(*_greek_columns(valuer, greek_convention, ours, told, scales))
    steps = tuple(_step(before, after) for before, after in zip([OURS, *path], path, strict=False))
    return CrossCheck(
        chain.session,
        tolerance_bp,
        rows,
        chain.left_out,
        convention,
        greek_convention,
        flat if "flat" in {convention.rate, greek_convention.rate} else None,
        steps,
        units,
        chance,
    )


def _sample(chain: SnapshotChain, usable: NDArray[np.bool_]) -> Rows:
    """Return rows that stand for the chain: some strikes of some series, spread evenly over both."""
    rows = chain.rows.with_row_index("row").filter(pl.Series(usable))
    counts = rows.group_by("series").len().sort("series")
    chosen = counts["series"].gather(_spread(counts.height, _SERIES))
    parts = rows.filter(pl.col("series").is_in(chosen.implode())).sort("series", "strike", "option_type")
    picked = [part["row"].gather(_spread(part.height, _A_SERIES)) for part in parts.partition_by("series")]
    return pl.concat(picked).cast(pl.Int64).to_numpy() if picked else np.empty(0, np.int64)


def _spread(count: int, most: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, most)).round().astype(np.int64))


def _units(valuer: Valuer, sample: Rows) -> dict[str, str]:
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


def _vol_convention(
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
            loss = _loss(_BP * (given.vols(tried, sample) - told), tolerance_bp)
            if loss < best[0] + 1.0 / max(sample.size, 1) + _LITTLE:
                loss += _LITTLE * _greek_loss(given, tried, sample, scales)
                loss += _A_DEPARTURE * len(tried.departures()) + (flat is not None) / sample.size
                best = min(best, (loss, tried, flat), key=lambda each: each[0])
    return best[1], best[2]


def _greek_convention(valuer: Valuer, sample: Rows, scales: Mapping[str, float]) -> Convention:
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


def _path(convention: Convention) -> list[Convention]:
    """Return the conventions from ours to another, each one departure further."""
    made, path = OURS, []
    for axis in AXES:
        if getattr(convention, axis) != getattr(made, axis):
            made = replace(made, **{axis: getattr(convention, axis)})
            path.append(made)
    return path


def _step(before: Convention, after: Convention) -> str:
    [axis] = [axis for axis in AXES if getattr(before, axis) != getattr(after, axis)]
    return AXES[axis][getattr(after, axis)]


def _alternatives(valuer: Valuer, convention: Convention) -> list[Convention]:
    """Return the conventions one input away from the vendor's or from ours."""
    possible = set(valuer.possible(most=len(AXES)))
    near = [
        replace(base, **{axis: name})
        for base in (OURS, convention)
        for axis, names in AXES.items()
        for name in names
    ]
    return [how for how in dict.fromkeys(near) if how in possible - {OURS, convention}]


def _causes(
    valuer: Valuer,
    convention: Convention,
    vols: Mapping[Convention, FloatArray],
    alternatives: list[Convention],
    told: FloatArray,
    tolerance_bp: float,
) -> list[str]:
    """Return the cause of each row's difference; what says more overwrites what says less."""
    cause = np.full(told.size, UNEXPLAINED, dtype=object)
    known = {how: np.abs(vols[how] - told) * _BP <= tolerance_bp for how in (OURS, convention)}
    left = np.flatnonzero(~(known[OURS] | known[convention]))
    for base in (OURS, convention):
        low, high = (valuer.vols(replace(base, price=side), left) for side in ("bid", "ask"))
        cause[left[(told[left] >= low) & (told[left] <= high)]] = INSIDE
    near = {
        how: left[np.abs(valuer.vols(how, left) - told[left]) * _BP <= _STRICT * tolerance_bp]
        for how in alternatives
    }
    for how in sorted(near, key=lambda each: (-len(each.departures()), near[each].size)):
        cause[near[how]] = how.label
    cause[known[convention]] = convention.label
    cause[known[OURS]] = AGREES
    return cause.tolist()


def _by_chance(
    valuer: Valuer,
    convention: FloatArray,
    ours: FloatArray,
    alternatives: list[Convention],
    told: FloatArray,
    tolerance_bp: float,
) -> float | None:
    """Return the share of rows that some convention reproduces when the differences are other rows'."""
    known = np.flatnonzero(np.isfinite(ours) & np.isfinite(told) & (np.abs(ours - told) * _BP > tolerance_bp))
    if known.size < 2:  # noqa: PLR2004 - one row has nobody to change with
        return None
    chosen = known[_spread(known.size, _CHANCE_ROWS)]
    gap = (told - ours)[chosen]
    dealt = np.random.default_rng(0).permutation(gap)
    moved = np.abs(dealt - gap) * _BP > tolerance_bp
    wrong = ours[chosen] + dealt
    hit = np.abs(convention[chosen] - wrong) * _BP <= tolerance_bp
    for how in alternatives:
        hit |= np.abs(valuer.vols(how, chosen) - wrong) * _BP <= _STRICT * tolerance_bp
    return float(hit[moved].mean()) if moved.any() else None


def _frame(
    chain: SnapshotChain, ours: FloatArray, left_bp: FloatArray, cause: list[str], status: NDArray[np.object_]
) -> pl.DataFrame:
    told = chain.column("told_implied_vol")
    reached = pl.Series(np.isfinite(ours)) | (pl.Series(cause, dtype=pl.String) != UNEXPLAINED)
    unsolved = "ours is " + pl.Series(status.tolist(), dtype=pl.String)
    return chain.rows.select(
        *_SHOWN,
        moneyness=(pl.col("strike") / pl.col("spot_snapshot")).log(),
        days=pl.Series(chain.column("years_settlement") * 365.0),
        ours_implied_vol=pl.Series(ours).fill_nan(None),
        diff_bp=pl.Series(_BP * (told - ours)).fill_nan(None),
        left_bp=pl.Series(left_bp).fill_nan(None),
        cause=pl.when(reached).then(pl.Series(cause, dtype=pl.String)).otherwise(unsolved),
    )


def _contributions(path: list[Convention], vols: Mapping[Convention, FloatArray]) -> list[pl.Series]:
    """Return what each departure on the way to the vendor's convention adds, in hundredths of a vol point."""
    return [
        pl.Series(f"by_{_step(before, after)}", _BP * (vols[after] - vols[before])).fill_nan(None)
        for before, after in zip([OURS, *path], path, strict=False)
    ]


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
