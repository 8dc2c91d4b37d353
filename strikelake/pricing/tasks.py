"""American rows sorted into tasks: one boundary serves all rows of a task (`american_search`)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from strikelake.pricing.analytics import Analytics
    from strikelake.pricing.arrays import FloatArray

    Rows = NDArray[np.int64]

_RATIO = log(1.05)  # times of one task differ by no more than a twentieth
_BUCKETS = 4_096
_SHORTEST, _LONGEST = 1e-9, 1e9
_TASK_COST = 300  # rows that cost as much as a boundary
_PIECE = 32_768  # work of a piece, in rows, so that what is found on the way stays in the processor's cache
_PIECES = 8  # parts per thread, so that none waits long for the last


@dataclass(frozen=True, slots=True)
class Tasks:
    """Rows in the order of their tasks.

    Attributes
    ----------
    order
        (n,) row numbers.
    starts
        (tasks + 1,) where each task begins in `order`.
    """

    order: Rows
    starts: Rows

    def firsts(self) -> Rows:
        """Return the first row of each task."""
        return self.order[self.starts[:-1]]

    def pieces(self, threads: int) -> list[tuple[int, int]]:
        """Return ranges of tasks of about the same work."""
        work = np.cumsum(np.diff(self.starts) + _TASK_COST)
        if not work.size:
            return []
        count = max(threads * _PIECES if threads > 1 else 1, int(work[-1]) // _PIECE)
        ends = np.searchsorted(work, work[-1] * np.arange(1, count + 1) / count)
        edges = np.unique(np.r_[0, np.minimum(ends + 1, work.size)])
        return [(int(first), int(last)) for first, last in pairwise(edges)]


def make_tasks(rows: Rows, group: NDArray[np.integer], put: NDArray[np.bool_], years: FloatArray) -> Tasks:
    """Return the chosen rows by group, side and time; all columns have the length of the whole chain."""
    bucket = _buckets(years[rows]) + _BUCKETS // 2
    key = (group[rows].astype(np.int64) * 2 + put[rows]) * _BUCKETS + bucket
    if np.any(key[1:] < key[:-1]):
        sorting = np.argsort(key, kind="stable")
        rows, key = rows[sorting], key[sorting]
    starts = (
        np.r_[0, np.flatnonzero(key[1:] != key[:-1]) + 1, len(key)] if len(key) else np.zeros(1, np.int64)
    )
    return Tasks(np.ascontiguousarray(rows, dtype=np.int64), starts.astype(np.int64))


def _buckets(years: FloatArray) -> Rows:
    """Return the power of 1.05 that each time lies above, so that no time depends on the others'."""
    held = np.clip(np.nan_to_num(years), _SHORTEST, _LONGEST)
    return np.floor(np.log(held) / _RATIO).astype(np.int64)


def time_edges(years: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the shortest and the longest time that a task with rows of these times may have."""
    below = _buckets(years)
    return np.exp(below * _RATIO), np.exp((below + 1) * _RATIO)


def in_threads(work: Callable[[int, int], None], pieces: Sequence[tuple[int, int]], threads: int) -> None:
    """Call `work(first, last)` for every piece."""
    if threads == 1 or len(pieces) <= 1:
        for first, last in pieces:
            work(first, last)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda piece: work(*piece), pieces))


def run_american(
    tasks: Tasks,
    columns: Sequence[FloatArray],
    rates: tuple[FloatArray, FloatArray],
    found: Analytics,
    *,
    given: bool,
    tick: float,
    cap: float,
    threads: int,
) -> None:
    """Fill the rows of `found` that the tasks name.

    Parameters
    ----------
    columns
        price, sign, spot, strike and years, contiguous, (n,).
    rates
        Rate and yield of each task.
    given
        Whether `found.vol` holds volatilities; values then go to `found.error`.
    """
    from strikelake.pricing.american_cells import TaskTerms
    from strikelake.pricing.american_search import analyse_tasks

    puts = columns[1][tasks.firsts()] < 0.0

    def work(first: int, last: int) -> None:
        terms = TaskTerms(puts[first:last], rates[0][first:last], rates[1][first:last])
        starts = tasks.starts[first : last + 1]
        analyse_tasks(starts, tasks.order, terms, columns, found, given=given, tick=tick, cap=cap)

    in_threads(work, tasks.pieces(threads), threads)


def run_paying(
    tasks: Tasks,
    columns: Sequence[FloatArray],
    rates: tuple[FloatArray, FloatArray],
    dividends: tuple[FloatArray, FloatArray],
    found: Analytics,
    *,
    given: bool,
    limits: tuple[float, float],
    threads: int,
) -> None:
    """Fill the rows that have dividends ahead; the parameters are those of `run_american`.

    `dividends` are each task's times to expiration, ascending, and shares; (tasks, most).
    """
    from strikelake.pricing.dividend_columns import Columns, GridTerms, Quotes
    from strikelake.pricing.dividend_kernels import dividend_tasks

    price, sign, spot, strike, years = columns
    quotes, written = Quotes(price, spot, strike, years), Columns.of(found)
    firsts = tasks.firsts()
    terms = GridTerms(sign[firsts] < 0.0, *rates, *dividends, _spans(years[firsts], dividends[0]))

    def work(first: int, last: int) -> None:
        dividend_tasks(given, first, last, tasks.starts, tasks.order, terms, quotes, limits, written)

    in_threads(work, tasks.pieces(threads), threads)


def _spans(years: FloatArray, times: FloatArray) -> FloatArray:
    """Return each task's shortest and longest time and the last dividend's, 0 without; (tasks, 3).

    `years` is of one row of each task; all have the same dividends ahead.
    """
    paid = np.max(np.where(times < years[:, None], times, 0.0), axis=1, initial=0.0)
    shortest, longest = time_edges(years)
    return np.column_stack([np.maximum(shortest, paid), longest, paid])
