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
    return _spread_out(_means(values, window), len(values))


def covariance(first: FloatArray, second: FloatArray, window: int) -> FloatArray:
    """Return the population covariance inside each window, about the window's own means."""
    centres = _means(first, window), _means(second, window)
    return _spread_out(_products(first, second, *centres, window), len(first))


def deviation(values: FloatArray, window: int) -> FloatArray:
    """Return the population standard deviation of each window; NaN where the window does not move."""
    return _spread_out(_deviations(values, _means(values, window), window), len(values))


def z_score(values: FloatArray, window: int) -> FloatArray:
    """Return how many standard deviations each value is above its window's mean."""
    centre = _means(values, window)
    return _spread_out((values[window - 1 :] - centre) / _deviations(values, centre, window), len(values))


def correlation(first: FloatArray, second: FloatArray, window: int) -> FloatArray:
    """Return the correlation inside each window; NaN where either side does not move."""
    centre_1, centre_2 = _means(first, window), _means(second, window)
    shared = _products(first, second, centre_1, centre_2, window)
    alone = _deviations(first, centre_1, window) * _deviations(second, centre_2, window)
    return _spread_out(shared / alone, len(first))


def _spread_out(whole: FloatArray, length: int) -> FloatArray:
    """Return one value a row from one value a whole window: NaN before the first."""
    result = np.full(length, np.nan)
    result[length - len(whole) :] = whole
    return result


def _means(values: FloatArray, window: int) -> FloatArray:
    whole = max(len(values) - window + 1, 0)
    total = np.zeros(whole)
    for offset in range(window):
        total += values[offset : offset + whole]
    return total / window


def _products(
    first: FloatArray, second: FloatArray, centre_1: FloatArray, centre_2: FloatArray, window: int
) -> FloatArray:
    """Return the mean product of the distances from the centres, for each whole window."""
    whole = len(centre_1)
    total = np.zeros(whole)
    for offset in range(window):
        rows = slice(offset, offset + whole)
        distance = first[rows] - centre_1
        distance *= second[rows] - centre_2
        total += distance
    return total / window


def _deviations(values: FloatArray, centre: FloatArray, window: int) -> FloatArray:
    whole = len(centre)
    total = np.zeros(whole)
    for offset in range(window):
        distance = values[offset : offset + whole] - centre
        distance *= distance
        total += distance
    spread = np.sqrt(total / window)
    return np.where(spread > _ROUNDING * np.abs(centre), spread, np.nan)
