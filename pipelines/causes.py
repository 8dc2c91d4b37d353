"""What makes each of the vendor's volatilities differ from ours: the way of valuing that reproduces it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipelines.convention_search import spread
from pipelines.conventions import AXES, BASIS_POINTS, OURS, Convention, Valuer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strikelake.pricing.arrays import FloatArray

AGREES, INSIDE, UNEXPLAINED = "agrees", "inside the quote", "unexplained"
FOLLOWS = "follows from the volatility"
_CHANCE_ROWS = 400
_STRICT = 0.1  # a way found for one row alone must come so much nearer, for there are many of them


def departures_to(convention: Convention) -> list[Convention]:
    """Return the conventions from ours to another, each one departure further."""
    made, path = OURS, []
    for axis in AXES:
        if getattr(convention, axis) != getattr(made, axis):
            made = replace(made, **{axis: getattr(convention, axis)})
            path.append(made)
    return path


def departure(before: Convention, after: Convention) -> str:
    """Return, in words, the one input in which two conventions differ."""
    [axis] = [axis for axis in AXES if getattr(before, axis) != getattr(after, axis)]
    return AXES[axis][getattr(after, axis)]


def alternatives(valuer: Valuer, convention: Convention) -> list[Convention]:
    """Return the conventions one input away from the vendor's or from ours."""
    possible = set(valuer.possible(most=len(AXES)))
    near = [
        replace(base, **{axis: name})
        for base in (OURS, convention)
        for axis, names in AXES.items()
        for name in names
    ]
    return [how for how in dict.fromkeys(near) if how in possible - {OURS, convention}]


def causes(
    valuer: Valuer,
    convention: Convention,
    vols: Mapping[Convention, FloatArray],
    alternatives: list[Convention],
    told: FloatArray,
    tolerance_bp: float,
) -> list[str]:
    """Return the cause of each row's difference; what says more overwrites what says less."""
    cause = np.full(told.size, UNEXPLAINED, dtype=object)
    known = {how: np.abs(vols[how] - told) * BASIS_POINTS <= tolerance_bp for how in (OURS, convention)}
    left = np.flatnonzero(~(known[OURS] | known[convention]))
    forward = replace(convention, carry="fitted")
    for base, name in ((forward, f"{forward.label}, {INSIDE}"), (convention, INSIDE), (OURS, INSIDE)):
        low, high = (valuer.vols(replace(base, price=side), left) for side in ("bid", "ask"))
        cause[left[(told[left] >= low) & (told[left] <= high)]] = name
    near = {
        how: left[np.abs(valuer.vols(how, left) - told[left]) * BASIS_POINTS <= _STRICT * tolerance_bp]
        for how in alternatives
    }
    for how in sorted(near, key=lambda each: (-len(each.departures()), near[each].size)):
        cause[near[how]] = how.label
    cause[left[np.abs(valuer.vols(forward, left) - told[left]) * BASIS_POINTS <= tolerance_bp]] = (
        forward.label
    )
    cause[known[convention]] = convention.label
    cause[known[OURS]] = AGREES
    return cause.tolist()


def by_chance(
    valuer: Valuer,
    convention: FloatArray,
    ours: FloatArray,
    alternatives: list[Convention],
    told: FloatArray,
    tolerance_bp: float,
) -> float | None:
    """Return the share of rows that some convention reproduces when the differences are other rows'."""
    known = np.flatnonzero(
        np.isfinite(ours) & np.isfinite(told) & (np.abs(ours - told) * BASIS_POINTS > tolerance_bp)
    )
    if known.size < 2:  # noqa: PLR2004 - one row has nobody to change with
        return None
    chosen = known[spread(known.size, _CHANCE_ROWS)]
    gap = (told - ours)[chosen]
    dealt = np.random.default_rng(0).permutation(gap)
    moved = np.abs(dealt - gap) * BASIS_POINTS > tolerance_bp
    wrong = ours[chosen] + dealt
    hit = np.abs(convention[chosen] - wrong) * BASIS_POINTS <= tolerance_bp
    for how in alternatives:
        hit |= np.abs(valuer.vols(how, chosen) - wrong) * BASIS_POINTS <= _STRICT * tolerance_bp
    return float(hit[moved].mean()) if moved.any() else None
