"""The search for American volatilities: rows in cells of one table each, and another cell where that fails.

A cell is a task (`tasks`) and a range of volatilities. Its exercise boundary is solved and tabulated once
(`premium_tables`); three rounds of Newton's method settle nearly every row (`premium_kernels`), some need
more.

What is found for a row depends on the row and its task's terms alone. Cells lie on a grid that is the same
for all rows, a row is searched in one from a start of its own, and it stays in the cell that its answer lies
in. Other rows of its task only say in which cell to begin (`_neighbourly`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.american_cells import Cells, Shelf, TaskTerms, make_cells, run_starts, seats
from strikelake.pricing.american_kernels import LOWEST, start_rows, write_rows
from strikelake.pricing.premium_kernels import (
    COLUMNS,
    HIGH,
    LOW,
    SPOT,
    STEP,
    VOL,
    YEARS,
    search,
    slopes,
)
from strikelake.pricing.statuses import (
    ABOVE_CAP,
    EXPIRED,
    LOOK_AGAIN,
    MISSING_INPUT,
    NOT_CONVERGED,
    SOLVED,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from strikelake.pricing.analytics import Analytics
    from strikelake.pricing.arrays import FloatArray

    Rows = NDArray[np.int64]

_ROUNDS = (3, 3, 6, 40)  # the later ones of the rows that have not settled
_ATTEMPTS = 14
_TIE = 0.01  # below a cell's top, the next cell decides: tables of two cells differ by less
_NEIGHBOURS = 1.25  # how far starts in the money may lie outside those out of the money
_EXACT = 1e-5  # a last step below it leaves 1e-10 of the volatility


def analyse_tasks(
    starts: Rows,
    order: Rows,
    terms: TaskTerms,
    columns: Sequence[FloatArray],
    found: Analytics,
    *,
    given: bool,
    tick: float,
    cap: float,
) -> None:
    """Fill the rows of `found` that some tasks name.

    Parameters
    ----------
    starts
        Where each task's rows begin in `order`; (t + 1,).
    order
        Rows of `columns` and `found`, task by task.
    columns
        price, sign, spot, strike and years, contiguous.
    given
        Whether `found.vol` holds volatilities: values then go to `found.error`, and prices say nothing.
    """
    rows = order[starts[0] : starts[-1]]
    block, state = np.empty((COLUMNS, rows.size)), np.empty(rows.size, np.int8)
    price, _, spot, strike, years = columns
    sides = (terms.puts, terms.rates, terms.carries)
    start_rows(starts, order, *sides, price, spot, strike, years, tick, cap, block, state)
    if given:
        _give(found.vol[rows], block, state)
    _write_reasons(rows[state != LOOK_AGAIN], state[state != LOOK_AGAIN], found, given=given)
    task = np.repeat(np.arange(len(terms.puts)), np.diff(starts))
    waiting = np.flatnonzero(state == LOOK_AGAIN)
    seat, fell = np.zeros(rows.size, np.int64), np.zeros(rows.size, np.bool_)
    if waiting.size:
        vol = block[VOL, waiting]
        seat[waiting] = seats(vol if given else _neighbourly(task[waiting], block[SPOT, waiting], vol))
    shelf = Shelf.empty()
    for _ in range(_ATTEMPTS):
        if not waiting.size:
            return
        cells = make_cells(task[waiting], seat[waiting], block[YEARS, waiting])
        tables, shelf = shelf.tabulate(cells, terms)
        waiting = waiting[cells.order]
        part, reason = _attempt(waiting, cells, tables, terms, block, given=given, cap=cap)
        if not given:
            _move_on(waiting, cells, part[VOL], reason, seat, fell)
        write_rows(given, tick, cap, rows[waiting], reason, part, *found.columns())
        waiting = np.sort(waiting[reason == LOOK_AGAIN])
    _write_reasons(rows[waiting], np.full(waiting.size, NOT_CONVERGED, np.int8), found, given=given)


def _give(vol: FloatArray, block: FloatArray, state: NDArray[np.int8]) -> None:
    """Take the volatilities from the caller in place of prices."""
    live = (state != MISSING_INPUT) & (state != EXPIRED)
    good = live & (vol > 0.0) & np.isfinite(vol)
    state[live] = np.where(good[live], LOOK_AGAIN, MISSING_INPUT)
    block[VOL, good] = np.maximum(vol[good], LOWEST)


def _neighbourly(task: Rows, spot: FloatArray, vol: FloatArray) -> FloatArray:
    """Hold starts in the money, which are rough, to those out of the money of their task, which are not."""
    outside, firsts = spot >= 1.0, run_starts(task)
    low = np.minimum.reduceat(np.where(outside, vol, np.inf), firsts[:-1]) / _NEIGHBOURS
    high = np.maximum.reduceat(np.where(outside, vol, 0.0), firsts[:-1]) * _NEIGHBOURS
    low, high = np.where(high > 0.0, low, 0.0), np.where(high > 0.0, high, np.inf)
    sizes = np.diff(firsts)
    return np.clip(vol, np.repeat(low, sizes), np.repeat(high, sizes))


def _write_reasons(rows: Rows, reason: NDArray[np.int8], found: Analytics, *, given: bool) -> None:
    """Write rows that have no number, and why."""
    found.code[rows] = reason
    for column in found.columns()[2 if given else 1 :]:
        column[rows] = np.nan


def _attempt(
    rows: Rows,
    cells: Cells,
    tables: FloatArray,
    terms: TaskTerms,
    block: FloatArray,
    *,
    given: bool,
    cap: float,
) -> tuple[FloatArray, NDArray[np.int8]]:
    """Search rows, cell by cell; return their block, and statuses."""
    part = np.empty((COLUMNS, rows.size))
    for column in range(VOL + 1):
        np.take(block[column], rows, out=part[column], mode="clip")  # which copies no buffer, as "raise" does
    reason = np.full(rows.size, SOLVED, np.int8)
    if not given:
        _search(cells, tables, part, reason, cap)
    sides = (terms.puts[cells.task], terms.rates[cells.task], terms.carries[cells.task])
    slopes(given, *sides, tables, cells.starts, part)
    return part, reason


def _search(cells: Cells, tables: FloatArray, part: FloatArray, reason: NDArray[np.int8], cap: float) -> None:
    """Move the volatilities until they settle; mark LOOK_AGAIN where the bracket shuts before."""
    brackets = np.exp(cells.reach[:, :2])
    bottom, top = cells.edges()
    # From the row's own start: its neighbours' may lead to the same answer, but by other roundings.
    np.clip(part[VOL], cells.of_rows(bottom), cells.of_rows(top), out=part[VOL])
    part[LOW], part[HIGH] = cells.of_rows(brackets[:, 0]), cells.of_rows(brackets[:, 1])
    left, few = np.arange(reason.size), part
    for rounds in _ROUNDS:
        search(rounds, tables, np.searchsorted(left, cells.starts), brackets, few)
        if few is not part:
            part[:, left] = few
        open_ = np.logical_not(np.abs(few[STEP]) <= _EXACT * few[VOL])
        left, few = left[open_], np.ascontiguousarray(few[:, open_])
        if not left.size:
            return
    # What is worth less than the price even above the cap is too cheap, whatever the answer.
    reason[left] = np.where(few[LOW] > cap, ABOVE_CAP, LOOK_AGAIN)


def _move_on(
    rows: Rows, cells: Cells, vol: FloatArray, reason: NDArray[np.int8], seat: Rows, fell: NDArray[np.bool_]
) -> None:
    """Send rows whose volatility lies in another cell to the next one, and mark them LOOK_AGAIN.

    Near the edge of two cells their tables might each claim a row, or neither. There the upper one decides:
    it is asked by rows from below, and what it sends down stays down.
    """
    bottom, top = cells.edges()
    open_ = reason != ABOVE_CAP
    up = open_ & (vol >= cells.of_rows(top * np.exp(-_TIE))) & ~fell[rows]
    down = open_ & (vol < cells.of_rows(bottom)) & (seat[rows] > 0)
    reason[reason == LOOK_AGAIN] = NOT_CONVERGED
    reason[up | down] = LOOK_AGAIN
    seat[rows] += up.astype(np.int64) - down
    fell[rows] |= down
