"""The search for American volatilities: rows in cells of one table each, and another cell where that fails.

A cell holds the rows of one task (`tasks`) whose starting volatilities are alike. Its exercise boundary is
solved and tabulated once (`premium_tables`); three rounds of Newton's method settle nearly every row
(`premium_kernels`), some need more, and those whose volatility lies outside their cell go on in the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.american_kernels import LOWEST, start_rows, write_rows
from strikelake.pricing.boundary_nodes import nodes
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
from strikelake.pricing.premium_tables import SIZE, fill_tables
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
_BELOW, _ABOVE = 0.35, 0.35  # how far outside the starts a volatility is looked for, in its logarithm
_WIDEST = 1.2  # most that the logarithms of the starts of one cell differ
_BESIDE = 0.02  # as _BELOW and _ABOVE, where the volatilities are given
_SHIFT = 0.3  # how far the start of a row moves whose volatility is in another cell; less than a margin
_NEIGHBOURS = 1.25  # how far starts in the money may lie outside those out of the money
_EXACT = 1e-5  # a last step below it leaves 1e-10 of the volatility


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
    reach
        ln(vol) at the bottom and the top, and the shortest and longest time; (c, 4).
    """

    order: Rows
    starts: Rows
    task: Rows
    reach: FloatArray


def make_cells(task: Rows, vol: FloatArray, years: FloatArray, below: float, above: float) -> Cells:
    """Return rows, sorted by task, in cells of like volatilities."""
    ln_vol = np.log(vol)
    starts = _starts(task)
    least, most = np.minimum.reduceat(ln_vol, starts[:-1]), np.maximum.reduceat(ln_vol, starts[:-1])
    count = 1 + ((most - least) / _WIDEST).astype(np.int64)
    order = np.arange(task.size)
    if np.any(count > 1):
        sizes = np.diff(starts)
        width = np.repeat(np.maximum(most - least, 1e-9) / count, sizes)
        place = ((ln_vol - np.repeat(least, sizes)) / width).astype(np.int64)
        key = task * (count.max() + 1) + np.minimum(place, np.repeat(count, sizes) - 1)
        order = np.argsort(key, kind="stable")
        starts = _starts(key[order])
        ln_vol, years, task = ln_vol[order], years[order], task[order]
        least, most = np.minimum.reduceat(ln_vol, starts[:-1]), np.maximum.reduceat(ln_vol, starts[:-1])
    shortest, longest = np.minimum.reduceat(years, starts[:-1]), np.maximum.reduceat(years, starts[:-1])
    reach = np.column_stack([least - below, most + above, shortest, longest])
    return Cells(order, starts, task[starts[:-1]], reach)


def _starts(key: Rows) -> Rows:
    """Return where each run of equal keys begins, and the end."""
    edges = np.flatnonzero(key[1:] != key[:-1]) + 1
    return np.concatenate([[0], edges, [key.size]]).astype(np.int64)


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
    if waiting.size and not given:
        _borrow_starts(task[waiting], waiting, block)
    for attempt in range(_ATTEMPTS):
        if not waiting.size:
            return
        cells, part, reason = _attempt(waiting, task, terms, block, given=given, cap=cap)
        write_rows(given, tick, cap, rows[waiting[cells.order]], reason, part, *found.columns())
        middle = np.repeat(np.exp(0.5 * (cells.reach[:, 0] + cells.reach[:, 1])), np.diff(cells.starts))
        last = attempt == _ATTEMPTS - 1
        waiting = _move_on(waiting[cells.order], reason, part, middle, block, last=last)
    _write_reasons(rows[waiting], np.full(waiting.size, NOT_CONVERGED, np.int8), found, given=given)


def _give(vol: FloatArray, block: FloatArray, state: NDArray[np.int8]) -> None:
    """Take the volatilities from the caller in place of prices."""
    live = (state != MISSING_INPUT) & (state != EXPIRED)
    good = live & (vol > 0.0) & np.isfinite(vol)
    state[live] = np.where(good[live], LOOK_AGAIN, MISSING_INPUT)
    block[VOL, good] = np.maximum(vol[good], LOWEST)


def _borrow_starts(task: Rows, waiting: Rows, block: FloatArray) -> None:
    """Hold starts in the money, which are rough, to those out of the money of their task, which are not."""
    vol, outside = block[VOL, waiting], block[SPOT, waiting] >= 1.0
    firsts = _starts(task)
    low = np.minimum.reduceat(np.where(outside, vol, np.inf), firsts[:-1]) / _NEIGHBOURS
    high = np.maximum.reduceat(np.where(outside, vol, 0.0), firsts[:-1]) * _NEIGHBOURS
    low, high = np.where(high > 0.0, low, 0.0), np.where(high > 0.0, high, np.inf)
    sizes = np.diff(firsts)
    block[VOL, waiting] = np.clip(vol, np.repeat(low, sizes), np.repeat(high, sizes))


def _write_reasons(rows: Rows, reason: NDArray[np.int8], found: Analytics, *, given: bool) -> None:
    """Write rows that have no number, and why."""
    found.code[rows] = reason
    for column in found.columns()[2 if given else 1 :]:
        column[rows] = np.nan


def _attempt(
    waiting: Rows, task: Rows, terms: TaskTerms, block: FloatArray, *, given: bool, cap: float
) -> tuple[Cells, FloatArray, NDArray[np.int8]]:
    """Search the waiting rows around their volatilities; return cells, their rows' block, and statuses."""
    margins = (_BESIDE, _BESIDE) if given else (_BELOW, _ABOVE)
    cells = make_cells(task[waiting], block[VOL, waiting], block[YEARS, waiting], *margins)
    puts, rates, carries = terms.puts[cells.task], terms.rates[cells.task], terms.carries[cells.task]
    tables = np.empty((cells.task.size, SIZE))
    as_puts = (np.where(puts, rates, carries), np.where(puts, carries, rates))
    fill_tables(*as_puts, np.logical_not(puts), cells.reach, nodes(), tables)
    part = np.empty((COLUMNS, waiting.size))
    rows = waiting[cells.order]
    for column in range(VOL + 1):
        np.take(block[column], rows, out=part[column], mode="clip")  # which copies no buffer, as "raise" does
    reason = np.full(waiting.size, SOLVED, np.int8)
    if not given:
        _search(cells, tables, part, reason, cap)
    slopes(given, puts, rates, carries, tables, cells.starts, part)
    return cells, part, reason


def _search(cells: Cells, tables: FloatArray, part: FloatArray, reason: NDArray[np.int8], cap: float) -> None:
    """Move the volatilities until they settle; mark LOOK_AGAIN where one lies outside its cell."""
    brackets = np.exp(cells.reach[:, :2])
    sizes = np.diff(cells.starts)
    part[LOW], part[HIGH] = np.repeat(brackets[:, 0], sizes), np.repeat(brackets[:, 1], sizes)
    left, few = np.arange(sizes.sum()), part
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
    rows: Rows,
    reason: NDArray[np.int8],
    part: FloatArray,
    middle: FloatArray,
    block: FloatArray,
    *,
    last: bool,
) -> Rows:
    """Move the starts of rows whose volatility is in another cell, and return them in order."""
    again = np.flatnonzero(reason == LOOK_AGAIN)
    if last or not again.size:
        return rows[again]
    up = part[LOW, again] > middle[again]  # the bracket has shut at one end of the cell
    moved = part[VOL, again] * np.exp(np.where(up, _SHIFT, -_SHIFT))
    block[VOL, rows[again]] = np.maximum(moved, LOWEST)
    return np.sort(rows[again])
