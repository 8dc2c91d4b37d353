"""Compiled moving windows.

Each window is added up in one fixed order, so that a value has the same bits whatever came before it. All
kernels live in this file: numba's cache notices a change of the file it compiles, not of another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.compiled import njit

if TYPE_CHECKING:
    from features.feature import FloatArray

_BLOCK = 512  # rows whose sums are kept in the first-level cache while a window is added up

# Rows are taken as slices and counted from 0: an index that could be negative keeps the compiler from using
# vector instructions, which is a factor of 15.


@njit(cache=True, nogil=True)
def weighted_sums(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weighted sum of each whole window, oldest row first: shape (n - w + 1,)."""
    whole = max(len(values) - len(weights) + 1, 0)
    total = np.zeros(whole)
    for begin in range(0, whole, _BLOCK):
        end = min(begin + _BLOCK, whole)
        part = total[begin:end]
        for offset in range(len(weights)):
            weight, row = weights[offset], values[begin + offset : end + offset]
            for place in range(len(part)):
                part[place] += weight * row[place]
    return total


@njit(cache=True, nogil=True)
def sums(values: FloatArray, width: int) -> FloatArray:
    """Return the sum of each whole window: shape (n - width + 1,)."""
    whole = max(len(values) - width + 1, 0)
    total = np.zeros(whole)
    for begin in range(0, whole, _BLOCK):
        end = min(begin + _BLOCK, whole)
        part = total[begin:end]
        for offset in range(width):
            row = values[begin + offset : end + offset]
            for place in range(len(part)):
                part[place] += row[place]
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
        part, middle_1, middle_2 = total[begin:end], centre_1[begin:end], centre_2[begin:end]
        for offset in range(width):
            row_1, row_2 = first[begin + offset : end + offset], second[begin + offset : end + offset]
            for place in range(len(part)):
                part[place] += (row_1[place] - middle_1[place]) * (row_2[place] - middle_2[place])
    return total


@njit(cache=True, nogil=True)
def squares(values: FloatArray, centre: FloatArray, width: int) -> FloatArray:
    """Return the sum of each window's squared distances from its centre: shape of the centres."""
    whole = len(centre)
    total = np.zeros(whole)
    for begin in range(0, whole, _BLOCK):
        end = min(begin + _BLOCK, whole)
        part, middle = total[begin:end], centre[begin:end]
        for offset in range(width):
            row = values[begin + offset : end + offset]
            for place in range(len(part)):
                distance = row[place] - middle[place]
                part[place] += distance * distance
    return total


@njit(cache=True, nogil=True)
def z_scores(values: FloatArray, width: int, rounding: float) -> FloatArray:
    """Return each value's distance from its window's mean in the window's deviations: shape (n,).

    NaN before the first whole window, and where the deviation is at most `rounding` of the mean.
    """
    whole = max(len(values) - width + 1, 0)
    score = np.full(len(values), np.nan)
    centre, spread = np.empty(_BLOCK), np.empty(_BLOCK)
    for begin in range(0, whole, _BLOCK):
        end = min(begin + _BLOCK, whole)
        middle, part = centre[: end - begin], spread[: end - begin]
        middle[:], part[:] = 0.0, 0.0
        for offset in range(width):
            row = values[begin + offset : end + offset]
            for place in range(len(middle)):
                middle[place] += row[place]
        for place in range(len(middle)):
            middle[place] /= width
        for offset in range(width):
            row = values[begin + offset : end + offset]
            for place in range(len(part)):
                distance = row[place] - middle[place]
                part[place] += distance * distance
        last, found = values[begin + width - 1 : end + width - 1], score[begin + width - 1 : end + width - 1]
        for place in range(len(part)):
            deviation = np.sqrt(part[place] / width)
            moved = deviation > rounding * abs(middle[place])
            found[place] = (last[place] - middle[place]) / deviation if moved else np.nan
    return score


@njit(cache=True, nogil=True)
def extremes(lows: FloatArray, highs: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and the highest value of each whole window; NaN where it holds one."""
    whole = max(len(lows) - width + 1, 0)
    low, high = np.empty(whole), np.empty(whole)
    for place in range(whole):
        part, other = lows[place : place + width], highs[place : place + width]
        low[place], high[place] = part.min(), other.max()
        if np.isnan(part.sum() + other.sum()):
            low[place], high[place] = np.nan, np.nan
    return low, high


@njit(cache=True, nogil=True)
def put(found: FloatArray, target: FloatArray) -> None:
    """Copy the last values of one array over another, NaN for what is infinite."""
    tail = found[len(found) - len(target) :]
    for place in range(len(target)):
        value = tail[place]
        target[place] = value if np.isfinite(value) else np.nan
