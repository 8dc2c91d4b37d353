"""Cells of the search for American volatilities, on a grid that no row moves, and their tables.

A cell is a task (`tasks`) and a range of volatilities. Its table covers the range, a margin on either side of
it, and every time that the task may have, whichever rows there are: what is read of it for one row is the
same beside any others.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.american_kernels import LOWEST
from strikelake.pricing.boundary_nodes import nodes
from strikelake.pricing.premium_tables import SIZE, fill_tables
from strikelake.pricing.tasks import time_edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.pricing.arrays import FloatArray

    Rows = NDArray[np.int64]

_WIDTH = 1.65  # of a cell, in the logarithm
_LN_FIRST = log(0.16) - 3 * _WIDTH  # the lowest cell's; from 0.16 to 0.83 lie most smiles of shares
_MARGIN = 0.06  # how far outside its cell a volatility is looked for
_MOST_SEATS = 1_024  # floats go up to the cell of number 434


@dataclass(frozen=True, slots=True)
class TaskTerms:
    """What the rows of a task share, the market's: side, rate and yield; (t,)."""

    puts: NDArray[np.bool_]
    rates: FloatArray
    carries: FloatArray


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows by cell.

    Attributes
    ----------
    order
        Rows, cell by cell; (n,).
    starts
        Where each cell begins in `order`; (c + 1,).
    task
        Each cell's task; (c,).
    seat
        Its number among the ranges of volatilities, counted from the lowest; (c,).
    reach
        ln(vol) at the bottom and the top of the table, which is a margin wider than the cell, and the
        shortest and the longest time of the task; (c, 4).
    """

    order: Rows
    starts: Rows
    task: Rows
    seat: Rows
    reach: FloatArray

    def of_rows(self, values: FloatArray) -> FloatArray:
        """Return a value of each cell for each of its rows, in their order."""
        return np.repeat(values, np.diff(self.starts))

    def edges(self) -> tuple[FloatArray, FloatArray]:
        """Return the volatilities that each cell is between."""
        return np.exp(self.reach[:, 0] + _MARGIN), np.exp(self.reach[:, 1] - _MARGIN)


def seats(vol: FloatArray) -> Rows:
    """Return the number of the cell that each volatility lies in."""
    return np.maximum(np.floor((np.log(vol) - _LN_FIRST) / _WIDTH), 0.0).astype(np.int64)


def make_cells(task: Rows, seat: Rows, years: FloatArray) -> Cells:
    """Return rows, sorted by task, in cells."""
    key, order = task * (seat.max() + 1) + seat, np.arange(task.size)
    if np.any(key[1:] < key[:-1]):
        order = np.argsort(key.astype(np.min_scalar_type(key.max())), kind="stable")  # few bits sort fast
        key = key[order]
    starts = run_starts(key)
    firsts = order[starts[:-1]]
    bottom, top = _LN_FIRST + _WIDTH * seat[firsts], _LN_FIRST + _WIDTH * (seat[firsts] + 1)
    bottom = np.maximum(bottom, log(LOWEST))
    reach = np.column_stack([bottom - _MARGIN, top + _MARGIN, *time_edges(years[firsts])])
    return Cells(order, starts, task[firsts], seat[firsts], reach)


def run_starts(key: Rows) -> Rows:
    """Return where each run of equal keys begins, and the end."""
    edges = np.flatnonzero(key[1:] != key[:-1]) + 1
    return np.concatenate([[0], edges, [key.size]]).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Tables made so far, sorted by cell; rows that come from another cell often find theirs.

    Attributes
    ----------
    keys
        Ascending, of each cell; (c,).
    tables
        (c, `premium_tables.SIZE`).
    """

    keys: Rows
    tables: FloatArray

    @classmethod
    def empty(cls) -> Shelf:
        """Return a shelf without tables."""
        return cls(np.empty(0, np.int64), np.empty((0, SIZE)))

    def tabulate(self, cells: Cells, terms: TaskTerms) -> tuple[FloatArray, Shelf]:
        """Return the cells' tables, and the shelf with those that were missing."""
        wanted = cells.task * _MOST_SEATS + cells.seat
        new = np.isin(wanted, self.keys, assume_unique=True, invert=True)
        if not np.any(new):
            return self.tables[np.searchsorted(self.keys, wanted)], self
        made = _make_tables(cells.task[new], cells.reach[new], terms)
        if not self.keys.size:
            return made, Shelf(wanted, made)
        keys = np.concatenate([self.keys, wanted[new]])
        order = np.argsort(keys)
        shelf = Shelf(keys[order], np.concatenate([self.tables, made])[order])
        return shelf.tables[np.searchsorted(shelf.keys, wanted)], shelf


def _make_tables(task: Rows, reach: FloatArray, terms: TaskTerms) -> FloatArray:
    """Return the tables of some cells, given each one's task."""
    puts, rates, carries = terms.puts[task], terms.rates[task], terms.carries[task]
    tables = np.empty((task.size, SIZE))
    as_puts = (np.where(puts, rates, carries), np.where(puts, carries, rates))
    fill_tables(*as_puts, np.logical_not(puts), np.ascontiguousarray(reach), nodes(), tables)
    return tables
