"""Compiled moving windows.

Each window is added up in an order of its own, so that a value has the same bits whatever came before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.compiled import njit

if TYPE_CHECKING:
    from features.feature import BitArray, FloatArray, IntArray

_BLOCK = 1_100
"""Rows whose sums are kept in the first-level cache while windows are joined.

No multiple of 512: loads from one buffer would wait for stores to another at the same place of a page.
"""

_AT_ONCE = 512  # values, whole bytes of bits, whose bits are written at once where all are known

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
def sums(values: FloatArray, width: int, divisor: float) -> FloatArray:
    """Return the sum of each window over a divisor; NaN before the first whole one.

    Windows of 1, 2, 4, ... rows are joined from two halves each, and those that the binary digits of `width`
    name make up the window: 5 additions for 20 rows instead of 19.
    """
    found, total = _before_the_first(len(values), width)
    one, other = np.empty(_BLOCK + width), np.empty(_BLOCK + width)
    for begin in range(0, len(total), _BLOCK):
        part = total[begin : begin + _BLOCK]
        length = len(part) + width - 1
        level, room, spare = values[begin : begin + length], one, other
        held, span = 0, 1
        while span <= width:
            if width & span and held == 0:
                part[:] = level[: len(part)]
                held = span
            elif width & span:
                _add(part, level[held : held + len(part)], part)
                held += span
            length -= span
            if 2 * span <= width:
                _add(level[:length], level[span : span + length], room)
                level, room, spare = room, spare, room
            span *= 2
        if divisor != 1.0:
            for place in range(len(part)):
                part[place] /= divisor
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _add(early: FloatArray, late: FloatArray, found: FloatArray) -> None:
    for place in range(len(early)):
        found[place] = early[place] + late[place]


@njit(cache=True, nogil=True, error_model="numpy")
def least(values: FloatArray, width: int, sign: float) -> FloatArray:
    """Return the least of each window's values times `sign`, times `sign`; NaN before the first whole one.

    The most, where `sign` is -1. A window that holds a NaN, or what is least of all numbers, gives NaN: the
    one is taken for the other, as a comparison with NaN would cost more than the rest. Windows of 1, 2, 4,
    ... rows are joined from two halves each, the last two overlapping.
    """
    found, lowest = _before_the_first(len(values), width)
    level, room = np.empty(_BLOCK + width), np.empty(_BLOCK + width)
    for begin in range(0, len(lowest), _BLOCK):
        part = lowest[begin : begin + _BLOCK]
        length = len(part) + width - 1
        row = values[begin : begin + length]
        for place in range(length):
            value = sign * row[place]
            level[place] = value if value == value else -np.inf  # noqa: PLR0124 - NaN is not itself
        span = 1
        while 2 * span <= width:
            length -= span
            _lesser(level[:length], level[span : span + length], room)
            level, room = room, level
            span *= 2
        _lesser(level[: len(part)], level[width - span : width - span + len(part)], part)
        for place in range(len(part)):
            part[place] = sign * part[place] if part[place] > -np.inf else np.nan
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _lesser(early: FloatArray, late: FloatArray, found: FloatArray) -> None:
    for place in range(len(early)):
        one, other = early[place], late[place]
        found[place] = min(other, one)


@njit(cache=True, nogil=True, error_model="numpy")
def moments(values: FloatArray, width: int, rounding: float) -> tuple[FloatArray, FloatArray]:
    """Return mean and population standard deviation of each window; NaN before the first whole one.

    Sums and squared distances are merged as in `sums`, by the rule of T. F. Chan, G. H. Golub and
    R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979. A
    deviation of at most `rounding` of the mean is NaN.
    """
    means, mean = _before_the_first(len(values), width)
    spreads, spread = _before_the_first(len(values), width)
    level, around = np.empty(_BLOCK + width), np.empty(_BLOCK + width)
    room, wider = np.empty(_BLOCK + width), np.empty(_BLOCK + width)
    for begin in range(0, len(mean), _BLOCK):
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
        for place in range(count):
            deviation = np.sqrt(square[place] / width)
            square[place] = deviation if deviation > rounding * abs(total[place]) else np.nan
    return means, spreads


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
    for place in range(len(total)):
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
    for place in range(count):
        total[place] = early[place] + late[place]


@njit(cache=True, nogil=True, error_model="numpy")
def _before_the_first(length: int, width: int) -> tuple[FloatArray, FloatArray]:
    """Return room for a value a row, NaN before the first whole window, and its part for whole windows."""
    found = np.empty(length)
    found[: width - 1] = np.nan
    return found, found[width - 1 :]


@njit(cache=True, nogil=True, error_model="numpy")
def put(found: FloatArray, target: FloatArray) -> None:
    """Copy the last values of one array over another, NaN for what is infinite."""
    tail = found[len(found) - len(target) :]
    for place in range(len(target)):
        value = tail[place]
        target[place] = value if np.isfinite(value) else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def finish(values: FloatArray, starts: IntArray, rows: int, known: BitArray) -> None:
    """Make the first rows of each series unknown, and write a bit for each value: whether it is known.

    Parameters
    ----------
    values
        Shape (n,); changed in place.
    starts
        Where series begin, sorted; the first may have begun before, at a negative place.
    rows
        How many to make unknown.
    known
        Shape (n / 8,), rounded up; the least significant bit first.
    """
    for series in range(len(starts)):
        after = starts[series + 1] if series + 1 < len(starts) else len(values)
        values[max(starts[series], 0) : max(min(starts[series] + rows, after), 0)] = np.nan
    for begin in range(0, len(values), _AT_ONCE):
        part = values[begin : begin + _AT_ONCE]
        bits = known[begin // 8 : (begin + len(part) + 7) // 8]
        count = 0
        for place in range(len(part)):
            count += 1 if part[place] == part[place] else 0
        if count == _AT_ONCE:
            bits[:] = 255
            continue
        bits[:] = 0
        for place in range(len(part)):
            if part[place] == part[place]:
                bits[place // 8] |= np.uint8(1 << (place % 8))
