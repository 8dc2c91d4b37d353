"""Moving windows whose value depends on the window's rows alone, to the last bit.

Running sums carry rounding from every row that ever left the window, and numpy picks its summation order by
shape. Here each window is added up in one fixed order, so that history of any length gives the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from features.feature import FloatArray

_ROUNDING = 1e-12  # a spread below this share of the level is rounding, not movement


def lag(values: FloatArray, bars: int) -> FloatArray:
    """Return `values` from `bars` rows earlier, NaN where there is none."""
    earlier = np.full(len(values), np.nan)
    earlier[bars:] = values[: max(len(values) - bars, 0)]
    return earlier


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
    whole = len(values) - len(weights) + 1
    sums = np.full(len(values), np.nan)
    if whole > 0:
        total = np.zeros(whole)
        for offset, weight in enumerate(weights):
            total += weight * values[offset : offset + whole]
        sums[len(weights) - 1 :] = total
    return sums


def mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of each window; NaN before the first whole one."""
    return weighted_sum(values, np.ones(window)) / window


def covariance(first: FloatArray, second: FloatArray, window: int) -> FloatArray:
    """Return the population covariance inside each window, about the window's own means."""
    whole = len(first) - window + 1
    result = np.full(len(first), np.nan)
    if whole > 0:
        centre_1, centre_2 = mean(first, window)[window - 1 :], mean(second, window)[window - 1 :]
        total = np.zeros(whole)
        for offset in range(window):
            rows = slice(offset, offset + whole)
            total += (first[rows] - centre_1) * (second[rows] - centre_2)
        result[window - 1 :] = total / window
    return result


def deviation(values: FloatArray, window: int) -> FloatArray:
    """Return the population standard deviation of each window; NaN where the window does not move."""
    spread = np.sqrt(covariance(values, values, window))
    return np.where(spread > _ROUNDING * np.abs(mean(values, window)), spread, np.nan)


def z_score(values: FloatArray, window: int) -> FloatArray:
    """Return how many standard deviations each value is above its window's mean."""
    return (values - mean(values, window)) / deviation(values, window)


def correlation(first: FloatArray, second: FloatArray, window: int) -> FloatArray:
    """Return the correlation inside each window; NaN where either side does not move."""
    return covariance(first, second, window) / (deviation(first, window) * deviation(second, window))
