"""Moving windows whose value depends on the window's rows alone, to the last bit.

Running sums carry rounding from every row that ever left the window, and numpy picks its summation order by
shape. Here each window is added up in an order of its own, so that history of any length gives the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features import kernels
from features.columns import readable

if TYPE_CHECKING:
    from features.feature import FloatArray

_ROUNDING = 1e-12  # a spread below this share of the level is rounding, not movement


def lag(values: FloatArray, bars: int) -> FloatArray:
    """Return `values` from `bars` rows earlier, NaN where there is none."""
    earlier = np.full(len(values), np.nan)
    earlier[bars:] = values[: max(len(values) - bars, 0)]
    return earlier


def growth(values: FloatArray, bars: int) -> FloatArray:
    """Return `values` over those from `bars` rows earlier, minus 1; NaN where there are none.

    Examples
    --------
    >>> growth(np.array([2.0, 3.0, 6.0]), 1).tolist()
    [nan, 0.5, 1.0]
    """
    return np.asarray(kernels.growth(readable(values), bars))


def weighted_sum(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weighted sum of each window; NaN before the first whole one.

    Parameters
    ----------
    values
        Shape (n,).
    weights
        Shape (w,), oldest row first.

    Examples
    --------
    >>> weighted_sum(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0])).tolist()
    [nan, 2.0, 3.0]
    """
    return np.asarray(kernels.weighted_sums(readable(values), readable(weights)))


def mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of each window; NaN before the first whole one."""
    return np.asarray(kernels.sums(readable(values), window, float(window)))


def total(values: FloatArray, window: int) -> FloatArray:
    """Return the sum of each window; NaN before the first whole one."""
    return np.asarray(kernels.sums(readable(values), window, 1.0))


def above_mean(values: FloatArray, window: int) -> FloatArray:
    """Return each value over the mean of its window, minus 1; NaN before the first whole one."""
    return np.asarray(kernels.above_mean(readable(values), window))


def extremes(lows: FloatArray, highs: FloatArray, window: int) -> tuple[FloatArray, FloatArray]:
    """Return the lowest of `lows` and the highest of `highs` in each window; NaN before the first whole one.

    A window that holds a NaN gives NaN.
    """
    return kernels.least(readable(lows), window, 1.0), kernels.least(readable(highs), window, -1.0)


def place_between(values: FloatArray, lows: FloatArray, highs: FloatArray, window: int) -> FloatArray:
    """Return where each value is between the `extremes` of its window: 0 at the lowest, 1 at the highest."""
    return np.asarray(kernels.place_between(readable(values), readable(lows), readable(highs), window))


def covariance(first: FloatArray, second: FloatArray, window: int) -> FloatArray:
    """Return the population covariance inside each window, about the window's own means."""
    return _products(first, second, mean(first, window), mean(second, window), window)


def deviation(values: FloatArray, window: int) -> FloatArray:
    """Return the population standard deviation of each window; NaN where the window does not move."""
    return _moments(values, window)[1]


def z_score(values: FloatArray, window: int) -> FloatArray:
    """Return how many standard deviations each value is above its window's mean."""
    return np.asarray(kernels.z_scores(readable(values), window, _ROUNDING))


def correlation(first: FloatArray, second: FloatArray, window: int) -> FloatArray:
    """Return the correlation inside each window; NaN where either side does not move."""
    (centre_1, spread_1), (centre_2, spread_2) = _moments(first, window), _moments(second, window)
    shared = _products(first, second, centre_1, centre_2, window)
    return np.asarray(shared / (spread_1 * spread_2))


def _moments(values: FloatArray, window: int) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of each window; no deviation where it does not move."""
    centre, spread = kernels.moments(readable(values), window, _ROUNDING)
    return centre, spread


def _products(
    first: FloatArray, second: FloatArray, centre_1: FloatArray, centre_2: FloatArray, window: int
) -> FloatArray:
    """Return the mean product of the distances from the centres, for each window."""
    return np.asarray(kernels.products(readable(first), readable(second), centre_1, centre_2, window))
