"""Compiled moving windows.

Each window is added up in an order of its own, so that a value has the same bits whatever came before it. All
kernels live in this file: numba's cache notices a change of the file it compiles, not of another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.compiled import njit

if TYPE_CHECKING:
    from features.feature import FloatArray

ADD, LEAST, MOST = range(3)

_BLOCK = 1_024  # rows whose sums are kept in the first-level cache while a window is added up

# Rows are taken as slices and counted from 0: an index that could be negative keeps the compiler from using
# vector instructions, which is a factor of 15.


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def joined(values: FloatArray, width: int, how: int, divisor: float) -> FloatArray:
    """Return the sum (`ADD`), `LEAST` or `MOST` of each whole window over a divisor: shape (n - width + 1,).

    Windows of 1, 2, 4, ... rows are joined from two halves each, and those that the binary digits of `width`
    name make up the window: 6 additions for 20 rows instead of 19. A window that holds a NaN gives NaN.
    """
    whole = max(len(values) - width + 1, 0)
    result = np.empty(whole)
    one, other = np.empty(_BLOCK + width), np.empty(_BLOCK + width)
    for begin in range(0, whole, _BLOCK):
        found = result[begin : begin + _BLOCK]
        count = len(found)
        length = count + width - 1
        level, room, spare = values[begin : begin + length], one, other
        held, span = 0, 1
        while span <= width:
            if width & span and held == 0:
                found[:] = level[:count]
                held = span
            elif width & span:
                _join(found, level[held : held + count], found, how)
                held += span
            length -= span
            if 2 * span <= width:
                _join(level[:length], level[span : span + length], room[:length], how)
                level, room, spare = room[:length], spare, room
            span *= 2
        for place in range(count):
            found[place] /= divisor
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def _join(early: FloatArray, late: FloatArray, found: FloatArray, how: int) -> None:
    if how == ADD:
        for place in range(len(found)):
            found[place] = early[place] + late[place]
    elif how == LEAST:
        for place in range(len(found)):
            one, other = early[place], late[place]
            least = min(other, one)
            found[place] = least if one == one else one  # noqa: PLR0124 - NaN is not itself
    else:
        for place in range(len(found)):
            one, other = early[place], late[place]
            most = max(other, one)
            found[place] = most if one == one else one  # noqa: PLR0124 - as above


@njit(cache=True, nogil=True, error_model="numpy")
def moments(values: FloatArray, width: int, rounding: float) -> tuple[FloatArray, FloatArray]:
    """Return mean and population standard deviation of each whole window: shapes (n - width + 1,).

    Sums and squared distances are merged as in `joined`, by the rule of T. F. Chan, G. H. Golub and
    R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979. A
    deviation of at most `rounding` of the mean is NaN.
    """
    whole = max(len(values) - width + 1, 0)
    mean, spread = np.empty(whole), np.empty(whole)
    level, around = np.empty(_BLOCK + width), np.empty(_BLOCK + width)
    room, wider = np.empty(_BLOCK + width), np.empty(_BLOCK + width)
    for begin in range(0, whole, _BLOCK):
        total, square = mean[begin : begin + _BLOCK], spread[begin : begin + _BLOCK]
        count = len(total)
        length = count + width - 1
        level[:length], around[:length] = values[begin : begin + length], 0.0
        held, span = 0, 1
        while span <= width:
            if width & span:
                _merge(total, square, held, level[held : held + count], around[held : held + count], span)
                held += span
            length -= span
            if 2 * span <= width:
                _double(level, around, room[:length], wider[:length], span)
                level, around, room, wider = room, wider, level, around
            span *= 2
        for place in range(count):
            total[place] /= width
            deviation = np.sqrt(square[place] / width)
            square[place] = deviation if deviation > rounding * abs(total[place]) else np.nan
    return mean, spread


@njit(cache=True, nogil=True, error_model="numpy")
def _merge(
    total: FloatArray, square: FloatArray, held: int, part: FloatArray, around: FloatArray, span: int
) -> None:
    """Add windows of `span` rows to those of `held` rows, in place."""
    if held == 0:
        total[:], square[:] = part, around
        return
    weight, own, other = held * span / (held + span), 1.0 / held, 1.0 / span
    for place in range(len(total)):
        distance = part[place] * other - total[place] * own
        square[place] += around[place] + distance * distance * weight
        total[place] += part[place]


@njit(cache=True, nogil=True, error_model="numpy")
def _double(level: FloatArray, around: FloatArray, total: FloatArray, square: FloatArray, span: int) -> None:
    """Make windows twice as wide: sums, and squared distances from the mean."""
    count = len(total)
    early, late = level[:count], level[span : span + count]
    early_around, late_around = around[:count], around[span : span + count]
    for place in range(count):
        distance = late[place] - early[place]
        square[place] = early_around[place] + late_around[place] + distance * distance * (0.5 / span)
        total[place] = early[place] + late[place]


@njit(cache=True, nogil=True, error_model="numpy")
def put(found: FloatArray, target: FloatArray) -> None:
    """Copy the last values of one array over another, NaN for what is infinite."""
    tail = found[len(found) - len(target) :]
    for place in range(len(target)):
        value = tail[place]
        target[place] = value if np.isfinite(value) else np.nan
