"""Where the unbroken series of a sorted table begin."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

    from features.feature import FloatArray, IntArray


class Series:
    """Where the unbroken series of a sorted table begin.

    Parameters
    ----------
    bounds
        Shape (k + 1,): series i has the rows bounds[i] to bounds[i + 1] - 1.
    """

    def __init__(self, bounds: IntArray) -> None:
        self.bounds = bounds

    @property
    def starts(self) -> IntArray:
        """First row of each series."""
        return self.bounds[:-1]

    @cached_property
    def slices(self) -> list[slice]:
        """Rows of each series."""
        return [slice(first, after) for first, after in pairwise(self.bounds.tolist())]

    @cached_property
    def number(self) -> IntArray:
        """Which series each row belongs to, from 0."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.bounds))

    @cached_property
    def position(self) -> IntArray:
        """Each row's place in its series, from 0."""
        lengths = np.diff(self.bounds)
        return np.asarray(np.arange(self.bounds[-1]) - np.repeat(self.starts, lengths))

    def within(self, rows: slice) -> tuple[list[slice], IntArray]:
        """Return the series that have some of the rows, and where they start, counted from the first row."""
        first = int(np.searchsorted(self.bounds, rows.start, side="right")) - 1
        after = int(np.searchsorted(self.starts, rows.stop))
        return self.slices[first:after], self.bounds[first:after] - rows.start

    def blank(self, values: FloatArray, rows: int) -> None:
        """Make the first rows of each series unknown, in place."""
        if rows <= 0:
            return
        if len(values) < _SHORT * len(self.bounds):
            values[self.position < rows] = np.nan
        else:
            for part in self.slices:
                values[part.start : min(part.start + rows, part.stop)] = np.nan


_SHORT = 256
"""Mean length of series up to which one pass over all rows is quicker than a loop over the series."""


def runs(*keys: pl.Series | IntArray) -> Series:
    """Return the runs of rows whose keys are all equal to those of the row before."""
    rows = len(keys[0])
    if not rows:
        return Series(np.array([0]))
    first, *others = (_changes(key) for key in keys)
    found = np.union1d(first, np.concatenate(others)) if others else first
    return Series(np.concatenate(([0], found, [rows])))


def _changes(key: pl.Series | IntArray) -> IntArray:
    """Return the rows whose key is another than that of the row before."""
    changed = key[1:] != key[:-1]
    return np.flatnonzero(changed if isinstance(changed, np.ndarray) else changed.to_numpy()) + 1


def _is_sorted(names: list[str]) -> bool:
    """Return whether none comes before the one in front of it."""
    return all(one <= other for one, other in pairwise(names))


def at(names: pl.Series, rows: IntArray) -> list[str]:
    """Return the names in some rows: few, for which an expression takes longer than looking at each."""
    return [names[row] for row in rows.tolist()]


def sorted_by(rows: pl.DataFrame, name: str, time: str) -> tuple[pl.DataFrame, Series]:
    """Return rows in the order of a name and a time, and the series of names; equal ones stay in theirs."""
    names = runs(rows[name])
    moments = rows[time].to_numpy()
    later = moments[1:] >= moments[:-1]
    later[names.starts[1:] - 1] = True  # another name begins anew
    if later.all() and _is_sorted(at(rows[name], names.starts)):
        return rows, names
    ordered = rows.sort(name, time, maintain_order=True)
    return ordered, runs(ordered[name])
