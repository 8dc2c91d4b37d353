"""Whole chains: every row of many underlyings and expirations through the model that its style asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.analytics import Analytics, check_limits, look_again
from strikelake.pricing.arrays import FloatArray, broadcast, flat, in_blocks
from strikelake.pricing.discrete import Dividends
from strikelake.pricing.statuses import MISSING_INPUT, SOLVED
from strikelake.pricing.tasks import make_tasks, run_american, run_paying
from strikelake.pricing.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Rows = NDArray[np.int64]


_ONE_BOUNDARY, _EUROPEAN, _GRID = range(3)

__all__ = ["Dividends", "Terms", "analyse_chain", "forwards", "price_chain", "value_chain"]


def forwards(spot: ArrayLike, years: ArrayLike, group: ArrayLike, terms: Terms) -> FloatArray:
    """Return the forward to the settlement of each row.

    Examples
    --------
    >>> terms = Terms(np.array([0.05]), np.zeros(1), np.array([True]))
    >>> forwards(100.0, [0.0, 1.0], 0, terms).round(3).tolist()
    [100.0, 105.127]
    """
    columns, index = _columns(group, terms, spot=spot, years=years)
    spot_, years_ = columns
    growth = np.exp((terms.rate - terms.dividend_yield)[index] * years_)
    return np.asarray(spot_ * growth * terms.kept(index, years_))


def analyse_chain(
    price: ArrayLike,
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    group: ArrayLike,
    terms: Terms,
    tick: float = 0.01,
    cap: float = 10.0,
    threads: int = 1,
) -> Analytics:
    """Return implied volatilities with their Greeks, each row by its group's terms.

    Parameters
    ----------
    price, sign, spot, strike, years, tick, cap, threads
        As in `strikelake.pricing.analytics.analyse`; columns of one length (n,).
    group
        Index into `terms`; (n,) whole numbers. Rows in any order, sorted by group is fastest.
    terms
        Rate, yield and style of each group.

    Returns
    -------
    Analytics
        (n,), every row with a status (`strikelake.pricing.american.analyse`). Where a group's rate or yield
        is NaN its rows are missing_input.

    Raises
    ------
    ValueError
        When lengths differ, `sign` is neither +1 nor -1, a group is not in `terms`, or `tick`, `cap` or
        `threads` is not positive.

    Examples
    --------
    >>> terms = Terms(np.array([0.05, 0.05]), np.zeros(2), np.array([True, False]))
    >>> analyse_chain([6.09, 6.09], -1, 100.0, 100.0, 1.0, [0, 1], terms).vol.round(3).tolist()
    [0.2, 0.214]
    """
    check_limits(tick, cap)
    columns, index = _columns(group, terms, price=price, sign=sign, spot=spot, strike=strike, years=years)
    found = Analytics.empty(index.size)
    rows, european, grid = _by_model(columns[1], columns[4], index, terms)
    _on_grid(grid, columns, index, terms, found, (tick, cap, threads), given=False)
    _analyse_european(european, columns, index, terms, found, (tick, cap, threads))
    _american(rows, columns, index, terms, found, (tick, cap, threads), given=False)
    return found


def value_chain(
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    vol: ArrayLike,
    group: ArrayLike,
    terms: Terms,
    threads: int = 1,
) -> Analytics:
    """Return the Greeks of each row at a given volatility, and its value in place of `error`.

    Parameters are those of `analyse_chain`; `code` is 0 where there are numbers.
    """
    from strikelake.pricing.european_kernels import greeks_rows, price_rows

    columns, index = _columns(group, terms, vol=vol, sign=sign, spot=spot, strike=strike, years=years)
    found = Analytics.empty(index.size)
    found.vol[:] = columns[0]
    rows, european, grid = _by_model(columns[1], columns[4], index, terms)
    _on_grid(grid, columns, index, terms, found, (0.01, np.inf, threads), given=True)
    _american(rows, columns, index, terms, found, (0.01, np.inf, threads), given=True)
    vol_, *market = (np.ascontiguousarray(column[european]) for column in columns)
    rate, carry = terms.rate[index[european]], terms.carry(index[european], market[3])
    inputs = [*market, rate, vol_, carry]
    numbers = [np.empty(european.size) for _ in range(6)]
    in_blocks(price_rows, inputs, numbers[:1], threads=threads)
    in_blocks(greeks_rows, inputs, numbers[1:], threads=threads)
    with np.errstate(invalid="ignore"):
        numbers[4] -= (carry - terms.dividend_yield[index[european]]) * market[1] * numbers[1]
    for column, values in zip(found.columns()[2:], numbers, strict=True):
        column[european] = values
    found.code[european] = np.where(np.isnan(numbers[0]), MISSING_INPUT, SOLVED)
    return found


def price_chain(
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    vol: ArrayLike,
    group: ArrayLike,
    terms: Terms,
    threads: int = 1,
) -> FloatArray:
    """Return the price of each row at a given volatility.

    Parameters are those of `analyse_chain`. An expired option and one without volatility are worth what
    exercising them, now or at expiration, pays; NaN where an input is missing or outside its range.
    """
    from strikelake.pricing.european_kernels import price_rows

    columns, index = _columns(group, terms, vol=vol, sign=sign, spot=spot, strike=strike, years=years)
    vol_, sign_, spot_, strike_, years_ = columns
    value = value_chain(sign_, spot_, strike_, years_, vol_, index, terms, threads).error
    still = np.flatnonzero(((years_ == 0.0) | (vol_ == 0.0)) & terms.american[index])
    rate, carry = terms.rate[index[still]], terms.dividend_yield[index[still]]
    inputs = [*(np.ascontiguousarray(column[still]) for column in columns[1:]), rate, vol_[still], carry]
    kept = np.empty(still.size)
    in_blocks(price_rows, inputs, [kept])
    value[still] = np.maximum(kept, sign_[still] * (spot_[still] - strike_[still]))
    return value


def _columns(
    group: ArrayLike, terms: Terms, **inputs: ArrayLike
) -> tuple[list[FloatArray], NDArray[np.integer]]:
    """Return the columns, contiguous, and the checked index of each row's group."""
    index = np.asarray(group)
    columns = flat(broadcast(**inputs, group=index))[:-1]
    size = columns[0].size
    index = np.broadcast_to(index, (size,))
    if not np.issubdtype(index.dtype, np.integer):
        if size:
            raise ValueError(f"group is {index.dtype}: pass whole numbers that index the terms")
        index = index.astype(np.int64)
    if size and not (index.min() >= 0 and index.max() < len(terms.rate)):
        raise ValueError(f"group holds {index.min()} to {index.max()}, but there are {len(terms.rate)} terms")
    return [c.copy() if 0 in c.strides else np.ascontiguousarray(c) for c in columns], index


def _by_model(
    sign: FloatArray, years: FloatArray, index: NDArray[np.integer], terms: Terms
) -> tuple[Rows, Rows, Rows]:
    """Return the rows with one exercise boundary, European rows, and rows for the grid.

    Those of the grid have dividends ahead, or two boundaries; `exercise_boundary` proves which have how many.
    """
    early = np.asarray(terms.american, np.bool_) & np.isfinite(terms.rate) & np.isfinite(terms.dividend_yield)
    kinds = []
    # A call is a put with rate and yield exchanged.
    for rate, carry in ((terms.rate, terms.dividend_yield), (terms.dividend_yield, terms.rate)):
        one = (rate > 0.0) | ((rate == 0.0) & (carry < 0.0))
        two = (rate < 0.0) & (carry < rate)
        kinds.append(np.where(early & one, _ONE_BOUNDARY, np.where(early & two, _GRID, _EUROPEAN)))
    kind = np.where(sign < 0.0, kinds[0][index], kinds[1][index])
    if terms.dividends is not None:
        kind[(terms.kept(index, years) < 1.0) & early[index]] = _GRID
    kind[np.isnan(sign)] = _EUROPEAN
    one, european, grid = (np.flatnonzero(kind == which) for which in (_ONE_BOUNDARY, _EUROPEAN, _GRID))
    return one, european, grid


def _american(
    rows: Rows,
    columns: list[FloatArray],
    index: NDArray[np.integer],
    terms: Terms,
    found: Analytics,
    limits: tuple[float, float, int],
    *,
    given: bool,
) -> None:
    if not rows.size:
        return
    tick, cap, threads = limits
    tasks = make_tasks(rows, index, columns[1] < 0.0, columns[4])
    of_task = index[tasks.firsts()]
    rates = (
        np.asarray(terms.rate, np.float64)[of_task],
        np.asarray(terms.dividend_yield, np.float64)[of_task],
    )
    run_american(tasks, columns, rates, found, given=given, tick=tick, cap=cap, threads=threads)


def _on_grid(
    rows: Rows,
    columns: list[FloatArray],
    index: NDArray[np.integer],
    terms: Terms,
    found: Analytics,
    limits: tuple[float, float, int],
    *,
    given: bool,
) -> None:
    if not rows.size:
        return
    tick, cap, threads = limits
    times, shares = np.full((len(terms.rate), 1), np.inf), np.zeros((len(terms.rate), 1))
    if terms.dividends is not None:
        times, shares = terms.dividends.table(len(terms.rate))
    ahead = np.zeros(index.size, np.int64)
    ahead[rows] = np.sum(times[index[rows]] < columns[4][rows, None], axis=1)
    tasks = make_tasks(rows, index * (times.shape[1] + 1) + ahead, columns[1] < 0.0, columns[4])
    of_task = index[tasks.firsts()]
    run_paying(
        tasks,
        columns,
        (np.asarray(terms.rate, np.float64)[of_task], np.asarray(terms.dividend_yield, np.float64)[of_task]),
        (times[of_task], shares[of_task]),
        found,
        given=given,
        limits=(tick, cap),
        threads=threads,
    )


def _analyse_european(
    rows: Rows,
    columns: Sequence[FloatArray],
    index: NDArray[np.integer],
    terms: Terms,
    found: Analytics,
    limits: tuple[float, float, int],
) -> None:
    from strikelake.pricing.european_analysis import analyse_rows

    if not rows.size:
        return
    tick, cap, threads = limits
    whole = rows.size == index.size
    inputs = [*(column if whole else column[rows] for column in columns)]
    inputs += [terms.rate[index[rows]], terms.carry(index[rows], inputs[4])]
    part = found if whole else Analytics.empty(rows.size)

    def work(*block: NDArray[np.generic]) -> None:
        analyse_rows(*block[: len(inputs)], tick, cap, *block[len(inputs) :])

    in_blocks(work, inputs, part.columns(), threads=threads)
    look_again(part, inputs, tick, cap)
    with np.errstate(invalid="ignore"):
        _theta(part, inputs[2], inputs[6] - terms.dividend_yield[index[rows]])
    if not whole:
        for column, values in zip(found.columns(), part.columns(), strict=True):
            column[rows] = values


def _theta(found: Analytics, spot: FloatArray, extra: FloatArray) -> None:
    """Take off the yield that stands for dividends: they do not leave day by day."""
    found.theta[:] -= extra * spot * found.delta
