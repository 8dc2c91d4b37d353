"""Total deviation from a normalised time value inside a bracket, for rows that the compiled search leaves.

Those are prices so near a bound, or volatilities so high, that few rows of a market ever come here.

With the forward F, strike K and x = -|ln(F / K)|, the out-of-the-money option of either side is worth, as a
share of its upper bound, N(h + t) - exp(-x) N(h - t), where h = x / s, t = s / 2 and s is vol times the root
of time. Both that share and its complement are written with the scaled complementary error function, so that
their logarithms keep full precision in either tail.

Source: P. Jaeckel, "Let's be rational", Wilmott 2015, for the normalisation and the tail forms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.pricing.arrays import FloatArray

_ROWS_AT_ONCE = 16_384  # keeps a block's working arrays in the processor's cache
_STEPS = 64
_LAST_STEP = 1e-6  # Halley's error is cubed: after a relative step this small nothing is left to gain
_HALF_ROOT = np.sqrt(0.5)
_SLOPE = np.sqrt(2.0 / np.pi)


def total_deviation(
    moneyness: FloatArray, share: FloatArray, rest: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return vol times the root of time for each row, and whether the search ended.

    Parameters
    ----------
    moneyness
        |ln(F / K)|, shape (n,), finite.
    share
        Time value over its upper bound, in (0, 1).
    rest
        1 - `share`, passed on its own because near 1 the difference has no digits left.

    Returns
    -------
    tuple of ndarray
        Deviations (n,), positive, and flags (n,).
    """
    deviation = np.empty_like(moneyness)
    ended = np.zeros(moneyness.shape, dtype=np.bool_)
    for first in range(0, len(moneyness), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        deviation[rows], ended[rows] = _search(moneyness[rows], share[rows], rest[rows])
    return deviation, ended


def _search(
    moneyness: FloatArray, share: FloatArray, rest: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Run Halley steps on the logarithm inside a bracket; halve the bracket where a step leaves it."""
    upper = share > rest  # solve for the complement: the share itself is flat there
    goal = np.log(np.where(upper, rest, share))
    found = _first_guess(moneyness, share)
    ended = np.zeros(moneyness.shape, dtype=np.bool_)
    live = np.arange(len(moneyness))
    low, high = np.zeros(len(live)), np.full(len(live), np.inf)
    for _ in range(_STEPS):
        at = found[live]
        gap, step = _halley(at, moneyness[live], goal[live], upper[live])
        too_high = gap > 0.0
        low, high = np.where(too_high, low, at), np.where(too_high, at, high)
        target = at + step
        outside = ~((target > low) & (target < high))
        target = np.where(outside, np.where(np.isinf(high), 2.0 * at, 0.5 * (low + high)), target)
        settled = np.abs(step) <= _LAST_STEP * at
        found[live] = np.where(settled, at + step, target)
        ended[live] = settled
        live, low, high = live[~settled], low[~settled], high[~settled]
        if not live.size:
            break
    return found, ended


def _first_guess(moneyness: FloatArray, share: FloatArray) -> FloatArray:
    """Return a start: exact at the inflection and in the far tail below it, the tangent above it."""
    from scipy.special import erfcx

    bend = np.sqrt(2.0 * moneyness)
    at_bend = 0.5 * (1.0 - erfcx(np.sqrt(moneyness)))
    tail = moneyness / np.sqrt(0.5 * moneyness + 2.0 * np.maximum(np.log(at_bend) - np.log(share), 0.0))
    tangent = bend + (share - at_bend) * np.sqrt(2.0 * np.pi)
    return np.asarray(np.where(share < at_bend, tail, tangent), dtype=np.float64)


def _halley(
    deviation: FloatArray, moneyness: FloatArray, goal: FloatArray, upper: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Return the signed gap (positive: deviation too high) and the Halley step towards the root."""
    from scipy.special import erfcx

    h, t = -moneyness / deviation, 0.5 * deviation
    side = np.where(upper, 1.0, -1.0)
    scaled = erfcx(side * _HALF_ROOT * (h + t)) + side * erfcx(_HALF_ROOT * (t - h))
    gap = np.log(0.5 * scaled) - 0.5 * (h + t) ** 2 - goal
    slope = -side * _SLOPE / scaled
    newton = -gap / slope
    bend = h * h / deviation - 0.25 * deviation - slope
    # Halley's correction is trusted only near the root, where it is close to 1.
    return -side * gap, newton / np.clip(1.0 + 0.5 * newton * bend, 0.5, 2.0)
