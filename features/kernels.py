"""Compiled moving windows.

Each window is added up in one fixed order, so that a value has the same bits whatever came before it. All
kernels live in this file: numba's cache notices a change of the file it compiles, not of another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from features.feature import FloatArray

_BLOCK = 512  # rows whose sums are kept in the first-level cache while a window is added up


@njit(cache=True, nogil=True)
def weighted_sums(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weighted sum of each whole window, oldest row first: shape (n - w + 1,)."""
    width = len(weights)
    whole = max(len(values) - width + 1, 0)
    total = np.zeros(whole)
    for begin in range(0, whole, _BLOCK):
        end = min(begin + _BLOCK, whole)
        for offset in range(width):
            weight = weights[offset]
            for row in range(begin, end):
                total[row] += weight * values[row + offset]
    return total


@njit(cache=True, nogil=True)
def sums(values: FloatArray, width: int) -> FloatArray:
    """Return the sum of each whole window: shape (n - width + 1,)."""
    whole = max(len(values) - width + 1, 0)
    total = np.zeros(whole)
    for begin in range(0, whole, _BLOCK):
        end = min(begin + _BLOCK, whole)
        for offset in range(width):
            for row in range(begin, end):
                total[row] += values[row + offset]
    return total


@njit(cache=True, nogil=True)
def products(
    first: FloatArray, second: FloatArray, centre_1: FloatArray, centre_2: FloatArray, width: int
) -> FloatArray:
    """Return the sum of each window's products of distances from its centres: shape of the centres."""
    whole = len(centre_1)
    total = np.zeros(whole)
    for begin in range(0, whole, _BLOCK):
        end = min(begin + _BLOCK, whole)
        for offset in range(width):
            for row in range(begin, end):
                total[row] += (first[row + offset] - centre_1[row]) * (second[row + offset] - centre_2[row])
    return total


@njit(cache=True, nogil=True)
def squares(values: FloatArray, centre: FloatArray, width: int) -> FloatArray:
    """Return the sum of each window's squared distances from its centre: shape of the centres."""
    whole = len(centre)
    total = np.zeros(whole)
    for begin in range(0, whole, _BLOCK):
        end = min(begin + _BLOCK, whole)
        for offset in range(width):
            for row in range(begin, end):
                distance = values[row + offset] - centre[row]
                total[row] += distance * distance
    return total


@njit(cache=True, nogil=True)
def extremes(values: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and the highest value of each whole window; NaN where it holds one."""
    whole = max(len(values) - width + 1, 0)
    low, high = values[:whole].copy(), values[:whole].copy()
    for begin in range(0, whole, _BLOCK):
        end = min(begin + _BLOCK, whole)
        for offset in range(1, width):
            for row in range(begin, end):
                value = values[row + offset]
                low[row] = min(low[row], value) if value == value else value  # noqa: PLR0124 - NaN
                high[row] = max(high[row], value) if value == value else value  # noqa: PLR0124 - NaN
    return low, high
