"""Whole chains: every row of many underlyings and expirations through the model that its style asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.analytics import Analytics, check_limits, look_again
from strikelake.pricing.arrays import FloatArray, broadcast, flat, in_blocks
from strikelake.pricing.discrete import Dividends, kept
from strikelake.pricing.statuses import MISSING_INPUT, NOT_CONVERGED, SOLVED
from strikelake.pricing.tasks import make_tasks, run_american, run_paying

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Rows = NDArray[np.int64]


__all__ = ["Dividends", "Terms", "analyse_chain", "forwards", "price_chain", "value_chain"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What all rows of a group share; a group is an underlying, an expiration and a session.

    Attributes
    ----------
    rate
        Continuous, per year; (g,).
    dividend_yield
        Continuous yield or cost of borrowing, per year; (g,).
    american
        Whether it may be exercised before expiration; (g,).
    dividends
        Cash dividends before the expirations, beside the yield; or None.
    """

    rate: FloatArray
    dividend_yield: FloatArray
    american: NDArray[np.bool_]
    dividends: Dividends | None = None

    def __post_init__(self) -> None:
        """Check that the columns fit together."""
        sizes = {name: np.shape(getattr(self, name)) for name in ("rate", "dividend_yield", "american")}
        if len({*sizes.values()}) != 1 or len(sizes["rate"]) != 1:
            found = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise ValueError(f"terms differ in length ({found}): give one value per group")

    def kept(self, index: NDArray[np.integer], years: FloatArray) -> FloatArray:
        """Return the share of the spot that the dividends ahead leave each row; (n,)."""
        if self.dividends is None:
            return np.ones(years.size)
        return kept(*self.dividends.table(len(self.rate)), index, years)

    def carry(self, index: NDArray[np.integer], years: FloatArray) -> FloatArray:
        """Return the yield that gives each row its forward; (n,)."""
        with np.errstate(all="ignore"):
            extra = -np.log(self.kept(index, years)) / years
        return np.asarray(self.dividend_yield[index] + np.where(years > 0.0, extra, 0.0))


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
    rows, european, unsolved, paying = _by_model(columns[1], columns[4], index, terms)
    _paying(paying, columns, index, terms, found, (tick, cap, threads), given=False)
    _analyse_european(european, columns, index, terms, found, (tick, cap, threads))
    _american(rows, columns, index, terms, found, (tick, cap, threads), given=False)
    _blank(unsolved, found)
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
    rows, european, unsolved, paying = _by_model(columns[1], columns[4], index, terms)
    _paying(paying, columns, index, terms, found, (0.01, np.inf, threads), given=True)
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
    _blank(unsolved, found)
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
) -> tuple[Rows, Rows, Rows, Rows]:
    """Return the rows with a boundary, European rows, those with two boundaries, and those with dividends."""
    put = sign < 0.0
    # A call is a put with rate and yield exchanged.
    kinds = []
    for rate, carry in ((terms.rate, terms.dividend_yield), (terms.dividend_yield, terms.rate)):
        early = np.asarray(terms.american, np.bool_) & np.isfinite(rate) & np.isfinite(carry)
        kinds.append(np.where(early & (rate > 0.0), 1, np.where(early & (carry < rate), 2, 0)))
    kind = np.where(put, kinds[0][index], kinds[1][index])
    if terms.dividends is not None:
        early = np.isfinite(terms.rate) & np.isfinite(terms.dividend_yield) & terms.american
        kind[(terms.kept(index, years) < 1.0) & early[index]] = 3
    kind[np.isnan(sign)] = 0
    one, european, two, paying = (np.flatnonzero(kind == which) for which in (1, 0, 2, 3))
    return one, european, two, paying


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


def _paying(
    rows: Rows,
    columns: list[FloatArray],
    index: NDArray[np.integer],
    terms: Terms,
    found: Analytics,
    limits: tuple[float, float, int],
    *,
    given: bool,
) -> None:
    if not rows.size or terms.dividends is None:
        return
    tick, cap, threads = limits
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


def _blank(rows: Rows, found: Analytics) -> None:
    """Say of the rows that no model here values them."""
    found.code[rows] = NOT_CONVERGED
    for column in found.columns()[1:]:
        column[rows] = np.nan
