"""Columns of numbers as features have them: what is unknown is NaN, and a bit says so as Arrow has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from strikelake.compiled import njit

if TYPE_CHECKING:
    import polars as pl

    from features.feature import BitArray, FloatArray, IntArray

_AT_ONCE = 512  # values, whole bytes of bits, whose bits are written at once where all are known


@dataclass(frozen=True, slots=True)
class Column:
    """A feature's values, one for each bar.

    Attributes
    ----------
    values
        Shape (n,): NaN where unknown, never infinite.
    known
        Shape (n / 8,), rounded up: a bit for each value, the least significant first, as Arrow has them.
    """

    values: FloatArray
    known: BitArray

    @classmethod
    def of(cls, values: FloatArray) -> Column:
        """Return values as a column."""
        return cls(values, np.packbits(~np.isnan(values), bitorder="little"))

    def arrow(self) -> pa.Array:
        """Return them as Arrow has them: null for NaN, in the same memory."""
        buffers = [pa.py_buffer(self.known), pa.py_buffer(self.values)]
        return pa.Array.from_buffers(pa.float64(), len(self.values), buffers)


def readable(values: FloatArray) -> FloatArray:
    """Return contiguous floats that cannot be written to: kernels are compiled for such inputs alone."""
    found = np.ascontiguousarray(values, dtype=np.float64).view()
    found.flags.writeable = False
    return found


def floats(values: pl.Series) -> FloatArray:
    """Return a column as floats, NaN for null."""
    return readable(values.to_numpy())


@njit(cache=True, nogil=True, error_model="numpy")
def unknown(values: FloatArray) -> int:
    """Return how many values are NaN or infinite."""
    count = 0
    for place in range(len(values)):
        count += 0 if abs(values[place]) < np.inf else 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def keep(found: FloatArray, target: FloatArray, starts: IntArray, rows: int, known: BitArray) -> None:
    """Copy the last values of one array over another, and write a bit for each: whether it is known.

    Unknown, NaN in the target, is what is not finite, and the first rows of each series.

    Parameters
    ----------
    found
        At least as many values as in `target`.
    target
        Shape (n,).
    starts
        Where series begin, sorted; the first may have begun before, at a negative place.
    rows
        How many at the start of each series are unknown.
    known
        Shape (n / 8,), rounded up; the least significant bit first.
    """
    tail = found[len(found) - len(target) :]
    for begin in range(0, len(target), _AT_ONCE):
        row, part = tail[begin : begin + _AT_ONCE], target[begin : begin + _AT_ONCE]
        bits = known[begin // 8 : (begin + len(part) + 7) // 8]
        count = 0
        for place in range(len(part)):
            value = row[place]
            finite = abs(value) < np.inf
            part[place] = value if finite else np.nan
            count += 1 if finite else 0
        if count == _AT_ONCE:
            bits[:] = 255
            continue
        bits[:] = 0
        for place in range(len(part)):
            if part[place] == part[place]:
                bits[place // 8] |= np.uint8(1 << (place % 8))
    for series in range(len(starts)):
        after = starts[series + 1] if series + 1 < len(starts) else len(target)
        for place in range(max(starts[series], 0), max(min(starts[series] + rows, after), 0)):
            target[place] = np.nan
            known[place // 8] &= np.uint8(255 ^ (1 << (place % 8)))
