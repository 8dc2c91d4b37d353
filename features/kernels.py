"""Compiled moving windows.

Each window is added up in an order of its own, so that a value has the same bits whatever came before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.compiled import njit

if TYPE_CHECKING:
    from features.feature import FloatArray

_BLOCK = 1_100
"""Rows whose sums are kept in the first-level cache while windows are joined.

No multiple of 512: loads from one buffer would wait for stores to another at the same place of a page.
"""

_POWERS = 31  # of two: windows of up to 2^31 rows

# Rows are taken as slices and counted from 0: an index that could be negative keeps the compiler from using
# vector instructions, which is a factor of 15. So does a loop over more than four arrays that might overlap.


@njit(cache=True, nogil=True, error_model="numpy")
def weighted_sums(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weighted sum of each window, oldest row first; NaN before the first whole one."""
    found, total = _before_the_first(len(values), len(weights))
    total[:] = 0.0
    for begin in range(0, len(total), _BLOCK):
        part = total[begin : begin + _BLOCK]
        for offset in range(len(weights)):
            weight, row = weights[offset], values[begin + offset : begin + offset + len(part)]
            for place in range(len(part)):
                part[place] += weight * row[place]
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def products(
    first: FloatArray, second: FloatArray, centre_1: FloatArray, centre_2: FloatArray, width: int
) -> FloatArray:
    """Return the mean product of each window's distances from its centres; NaN before the first whole one."""
    found, total = _before_the_first(len(first), width)
    total[:] = 0.0
    for begin in range(0, len(total), _BLOCK):
        part = total[begin : begin + _BLOCK]
        own = slice(begin + width - 1, begin + width - 1 + len(part))
        middle_1, middle_2 = centre_1[own], centre_2[own]
        for offset in range(width):
            row = slice(begin + offset, begin + offset + len(part))
            row_1, row_2 = first[row], second[row]
            for place in range(len(part)):
                part[place] += (row_1[place] - middle_1[place]) * (row_2[place] - middle_2[place])
        for place in range(len(part)):
            part[place] /= width
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def growth(values: FloatArray, rows: int) -> FloatArray:
    """Return each value over the one some rows earlier, minus 1; NaN where there is none."""
    found, grown = _before_the_first(len(values), rows + 1)
    before, recent = values[: len(grown)], values[rows:]
    for place in range(len(grown)):
        grown[place] = recent[place] / before[place] - 1.0
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def sums(values: FloatArray, width: int, divisor: float) -> FloatArray:
    """Return the sum of each window over a divisor; NaN before the first whole one."""
    found, total = _before_the_first(len(values), width)
    room = np.empty((2, _BLOCK + width))
    for begin in range(0, len(total), _BLOCK):
        part = total[begin : begin + _BLOCK]
        _sum(values[begin : begin + len(part) + width - 1], width, part, room)
        if divisor != 1.0:
            for place in range(len(part)):
                part[place] /= divisor
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def above_mean(values: FloatArray, width: int) -> FloatArray:
    """Return each value over the mean of its window, minus 1; NaN before the first whole one."""
    found, total = _before_the_first(len(values), width)
    room = np.empty((2, _BLOCK + width))
    for begin in range(0, len(total), _BLOCK):
        part = total[begin : begin + _BLOCK]
        row = values[begin : begin + len(part) + width - 1]
        _sum(row, width, part, room)
        own = row[width - 1 :]
        for place in range(len(part)):
            part[place] = width * own[place] / part[place] - 1.0
    return found


@njit(entry=False, error_model="numpy")
def _sum(row: FloatArray, width: int, part: FloatArray, room: FloatArray) -> None:
    """Add up each window of a row.

    Windows of 1, 2, 4, ... rows are joined from two halves each, and those that the binary digits of `width`
    name make up the window: 5 additions for 20 rows instead of 19.
    """
    level, one, other = row, room[0], room[1]
    length, held, span = len(row), 0, 1
    while span <= width:
        if width & span and held == 0:
            part[:] = level[: len(part)]
            held = span
        elif width & span:
            _add(part, level[held : held + len(part)], part)
            held += span
        length -= span
        if 2 * span <= width:
            _add(level[:length], level[span : span + length], one)
            level, one, other = one, other, one
        span *= 2


@njit(entry=False, error_model="numpy")
def _add(early: FloatArray, late: FloatArray, found: FloatArray) -> None:
    for place in range(len(early)):
        found[place] = early[place] + late[place]


@njit(cache=True, nogil=True, error_model="numpy")
def least(values: FloatArray, width: int, sign: float) -> FloatArray:
    """Return the least of each window's values times `sign`, times `sign`; NaN before the first whole one.

    The most, where `sign` is -1. A window that holds a NaN gives NaN.
    """
    found, lowest = _before_the_first(len(values), width)
    room = np.empty((2, _BLOCK + width))
    for begin in range(0, len(lowest), _BLOCK):
        part = lowest[begin : begin + _BLOCK]
        _least(values[begin : begin + len(part) + width - 1], width, sign, part, room)
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def place_between(values: FloatArray, lows: FloatArray, highs: FloatArray, width: int) -> FloatArray:
    """Return where each value is between its window's least of `lows` and most of `highs`: from 0 to 1.

    NaN before the first whole window.
    """
    found, places = _before_the_first(len(values), width)
    room, highest = np.empty((2, _BLOCK + width)), np.empty(_BLOCK)
    for begin in range(0, len(places), _BLOCK):
        part = places[begin : begin + _BLOCK]
        seen = slice(begin, begin + len(part) + width - 1)
        _least(lows[seen], width, 1.0, part, room)
        _least(highs[seen], width, -1.0, highest[: len(part)], room)
        own = values[seen][width - 1 :]
        for place in range(len(part)):
            low = part[place]
            part[place] = (own[place] - low) / (highest[place] - low)
    return found


@njit(entry=False, error_model="numpy")
def _least(row: FloatArray, width: int, sign: float, part: FloatArray, room: FloatArray) -> None:
    """Find the least of each window of a row, as `least` does.

    NaN is taken for what is least of all numbers, and back: a comparison with it would cost more than the
    rest. Windows of 1, 2, 4, ... rows are joined from two halves each, the last two overlapping.
    """
    level, spare = room[0], room[1]
    length, span = len(row), 1
    for place in range(length):
        value = sign * row[place]
        level[place] = value if value == value else -np.inf  # noqa: PLR0124 - NaN is not itself
    while 2 * span <= width:
        length -= span
        _lesser(level[:length], level[span : span + length], spare)
        level, spare = spare, level
        span *= 2
    _lesser(level[: len(part)], level[width - span : width - span + len(part)], part)
    for place in range(len(part)):
        part[place] = sign * part[place] if part[place] > -np.inf else np.nan


@njit(entry=False, error_model="numpy")
def _lesser(early: FloatArray, late: FloatArray, found: FloatArray) -> None:
    for place in range(len(early)):
        one, other = early[place], late[place]
        found[place] = min(other, one)


@njit(cache=True, nogil=True, error_model="numpy")
def moments(values: FloatArray, width: int, rounding: float) -> tuple[FloatArray, FloatArray]:
    """Return mean and population standard deviation of each window; NaN before the first whole one.

    A deviation of at most `rounding` of the mean is NaN.
    """
    means, mean = _before_the_first(len(values), width)
    spreads, spread = _before_the_first(len(values), width)
    room = np.empty((4, _BLOCK + width))
    for begin in range(0, len(mean), _BLOCK):
        total, square = mean[begin : begin + _BLOCK], spread[begin : begin + _BLOCK]
        _moments(values[begin : begin + len(total) + width - 1], width, rounding, total, square, room)
    return means, spreads


@njit(cache=True, nogil=True, error_model="numpy")
def z_scores(values: FloatArray, width: int, rounding: float) -> FloatArray:
    """Return how many deviations of its window each value is above its mean, both as `moments` has them.

    NaN before the first whole window.
    """
    found, scores = _before_the_first(len(values), width)
    room, spread = np.empty((4, _BLOCK + width)), np.empty(_BLOCK)
    for begin in range(0, len(scores), _BLOCK):
        part = scores[begin : begin + _BLOCK]
        row, deviation = values[begin : begin + len(part) + width - 1], spread[: len(part)]
        _moments(row, width, rounding, part, deviation, room)
        own = row[width - 1 :]
        for place in range(len(part)):
            part[place] = (own[place] - part[place]) / deviation[place]
    return found


@njit(entry=False, error_model="numpy")
def _moments(
    row: FloatArray, width: int, rounding: float, total: FloatArray, square: FloatArray, room: FloatArray
) -> None:
    """Find mean and deviation of each window of a row.

    Sums and squared distances are merged as in `_sum`, by the rule of T. F. Chan, G. H. Golub and
    R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
    """
    level, around, spare, wider = room[0], room[1], room[2], room[3]
    count, length = len(total), len(row)
    level[:length], around[:length] = row, 0.0
    held = 0
    for power in range(_POWERS):
        span = 1 << power
        if span > width:
            break
        if width & span and held == 0:
            total[:], square[:] = level[:count], around[:count]
            held = span
        elif width & span:
            part, its_around = level[held : held + count], around[held : held + count]
            _merge(total, square, part, its_around, 1.0 / held, 1.0 / span)
            held += span
        length -= span
        if 2 * span <= width:
            _double(level, around, spare[:length], wider[:length], span)
            level, around, spare, wider = spare, wider, level, around
    share = 1.0 / width
    for place in range(count):
        total[place] *= share
    for place in range(count):
        deviation = np.sqrt(square[place] * share)
        square[place] = deviation if deviation > rounding * abs(total[place]) else np.nan


@njit(entry=False, error_model="numpy")
def _merge(
    total: FloatArray, square: FloatArray, part: FloatArray, around: FloatArray, own: float, other: float
) -> None:
    """Add windows of 1 / `other` rows to those of 1 / `own` rows, in place."""
    weight = 1.0 / (own + other)
    for place in range(len(total)):
        distance = part[place] * other - total[place] * own
        square[place] += around[place] + distance * distance * weight
    for place in range(len(total)):
        total[place] += part[place]


@njit(entry=False, error_model="numpy")
def _double(level: FloatArray, around: FloatArray, total: FloatArray, square: FloatArray, span: int) -> None:
    """Make windows twice as wide: sums, and squared distances from the mean."""
    count = len(total)
    early, late = level[:count], level[span : span + count]
    early_around, late_around = around[:count], around[span : span + count]
    for place in range(count):
        distance = late[place] - early[place]
        square[place] = early_around[place] + late_around[place] + distance * distance * (0.5 / span)
    for place in range(count):
        total[place] = early[place] + late[place]


@njit(entry=False, error_model="numpy")
def _before_the_first(length: int, width: int) -> tuple[FloatArray, FloatArray]:
    """Return room for a value a row, NaN before the first whole window, and its part for whole windows."""
    found = np.empty(length)
    found[: width - 1] = np.nan
    return found, found[width - 1 :]
