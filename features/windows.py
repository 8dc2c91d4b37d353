"""Moving windows whose value depends on the window's rows alone, to the last bit.

Running sums carry rounding from every row that ever left the window, and numpy picks its summation order by
shape. Here each window is added up in an order of its own, so that history of any length gives the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features import kernels

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
    grown = np.full(len(values), np.nan)
    recent = grown[bars:]
    np.divide(values[bars:], values[: len(recent)], out=recent)
    recent -= 1.0
    return grown


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
    return _spread_out(kernels.weighted_sums(_floats(values), _floats(weights)), len(values))


def mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of each window; NaN before the first whole one."""
    return _spread_out(_means(values, window), len(values))


def total(values: FloatArray, window: int) -> FloatArray:
    """Return the sum of each window; NaN before the first whole one."""
    return _spread_out(kernels.joined(_floats(values), window, kernels.ADD, 1.0), len(values))


def extremes(lows: FloatArray, highs: FloatArray, window: int) -> tuple[FloatArray, FloatArray]:
    """Return the lowest of `lows` and the highest of `highs` in each window; NaN before the first whole one.

    A window that holds a NaN gives NaN.
    """
    lowest = kernels.joined(_floats(lows), window, kernels.LEAST, 1.0)
    highest = kernels.joined(_floats(highs), window, kernels.MOST, 1.0)
    return _spread_out(lowest, len(lows)), _spread_out(highest, len(highs))


def covariance(first: FloatArray, second: FloatArray, window: int) -> FloatArray:
    """Return the population covariance inside each window, about the window's own means."""
    centres = _means(first, window), _means(second, window)
    return _spread_out(_products(first, second, *centres, window), len(first))


def deviation(values: FloatArray, window: int) -> FloatArray:
    """Return the population standard deviation of each window; NaN where the window does not move."""
    return _spread_out(_moments(values, window)[1], len(values))


def z_score(values: FloatArray, window: int) -> FloatArray:
    """Return how many standard deviations each value is above its window's mean."""
    centre, spread = _moments(values, window)
    return _spread_out((values[window - 1 :] - centre) / spread, len(values))


def correlation(first: FloatArray, second: FloatArray, window: int) -> FloatArray:
    """Return the correlation inside each window; NaN where either side does not move."""
    (centre_1, spread_1), (centre_2, spread_2) = _moments(first, window), _moments(second, window)
    shared = _products(first, second, centre_1, centre_2, window)
    return _spread_out(shared / (spread_1 * spread_2), len(first))


def _spread_out(whole: FloatArray, length: int) -> FloatArray:
    """Return one value a row from one value a whole window: NaN before the first."""
    result = np.empty(length)
    result[: length - len(whole)] = np.nan
    result[length - len(whole) :] = whole
    return result


def _means(values: FloatArray, window: int) -> FloatArray:
    return np.asarray(kernels.joined(_floats(values), window, kernels.ADD, float(window)))


def _moments(values: FloatArray, window: int) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of each whole window; no deviation where it does not move."""
    centre, spread = kernels.moments(_floats(values), window, _ROUNDING)
    return centre, spread


def _products(
    first: FloatArray, second: FloatArray, centre_1: FloatArray, centre_2: FloatArray, window: int
) -> FloatArray:
    """Return the mean product of the distances from the centres, for each whole window."""
    added = kernels.products(_floats(first), _floats(second), centre_1, centre_2, window)
    return np.asarray(added / window)


def _floats(values: FloatArray) -> FloatArray:
    """Return contiguous floats: the kernels are compiled for these alone."""
    return np.ascontiguousarray(values, dtype=np.float64)
