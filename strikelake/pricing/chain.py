"""Whole chains: every row of many underlyings and expirations through the model that its style asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing import european
from strikelake.pricing.analytics import Analytics, check_limits
from strikelake.pricing.arrays import FloatArray, contiguous
from strikelake.pricing.discrete import Dividends
from strikelake.pricing.greeks import Greeks
from strikelake.pricing.options import Chain, Options
from strikelake.pricing.statuses import MISSING_INPUT, SOLVED
from strikelake.pricing.tasks import make_tasks, run_american, run_paying
from strikelake.pricing.terms import Terms

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Rows = NDArray[np.int64]

_ONE_BOUNDARY, _EUROPEAN, _GRID = range(3)
_ANY_TICK, _ANY_VOL = 0.01, np.inf  # limits where volatilities are given

__all__ = ["Chain", "Dividends", "Terms", "analyse", "greeks", "price"]


def price(chain: Chain, vol: ArrayLike, threads: int = 1) -> FloatArray:
    """Return prices in dollars per share at given volatilities.

    Parameters and errors are those of `strikelake.pricing.european.price`. An expired option and one without
    volatility are worth what exercising them, now or at expiration, pays; NaN where an input is missing or
    outside its range.
    """
    chain, (vols,) = chain.beside(vol=vol)
    value = _valued(chain, vols, threads).error
    sign, spot, strike, years = chain.columns()
    index = chain.group.reshape(-1)
    still = np.flatnonzero(((years == 0.0) | (vols == 0.0)) & chain.terms.american[index])
    rate, carry = chain.terms.rate[index[still]], chain.terms.dividend_yield[index[still]]
    ended = Options(sign[still], spot[still], strike[still], years[still], rate, carry)
    value[still] = np.maximum(european.price(ended, vols[still]), sign[still] * (spot[still] - strike[still]))
    return value.reshape(chain.shape)


def greeks(chain: Chain, vol: ArrayLike, threads: int = 1) -> Greeks:
    """Return delta, gamma, vega, theta and rho at given volatilities.

    Parameters and errors are those of `strikelake.pricing.european.greeks`. Where exercising now is best they
    are those of the exercise value.
    """
    chain, (vols,) = chain.beside(vol=vol)
    found = _valued(chain, vols, threads).reshape(chain.shape)
    return Greeks(found.delta, found.gamma, found.vega, found.theta, found.rho)


def analyse(
    prices: ArrayLike, chain: Chain, tick: float = 0.01, cap: float = 10.0, threads: int = 1
) -> Analytics:
    """Return implied volatilities with their Greeks, each row by its group's terms.

    Parameters and errors are those of `strikelake.pricing.european.analyse`.

    Returns
    -------
    Analytics
        Every row with a status (`strikelake.pricing.american.analyse`). Where a group's rate or yield is NaN
        its rows are missing_input.

    Examples
    --------
    >>> terms = Terms(np.array([0.05, 0.05]), np.zeros(2), np.array([True, False]))
    >>> analyse([6.09, 6.09], Chain(-1, 100.0, 100.0, 1.0, [0, 1], terms)).vol.round(3).tolist()
    [0.2, 0.214]
    """
    check_limits(tick, cap)
    chain, (paid,) = chain.beside(price=prices)
    found = Analytics.empty(paid.size)
    job = _Job(chain, paid, found, given=False, tick=tick, cap=cap, threads=threads)
    one_boundary, of_european, on_grid = job.by_model()
    job.run_grid(on_grid)
    job.analyse_european(of_european)
    job.run_one_boundary(one_boundary)
    return found.reshape(chain.shape)


def _valued(chain: Chain, vol: FloatArray, threads: int) -> Analytics:
    """Return Greeks, (n,), with the value of each row in place of `error`."""
    found = Analytics.empty(vol.size)
    found.vol[:] = vol
    job = _Job(chain, vol, found, given=True, tick=_ANY_TICK, cap=_ANY_VOL, threads=threads)
    one_boundary, of_european, on_grid = job.by_model()
    job.run_grid(on_grid)
    job.run_one_boundary(one_boundary)
    job.value_european(of_european)
    return found


class _Job:
    """One call's rows: `found` is filled by those of each model in turn.

    `given` says that volatilities are known, which then stand in the place of prices.
    """

    def __init__(
        self,
        chain: Chain,
        first: FloatArray,
        found: Analytics,
        *,
        given: bool,
        tick: float,
        cap: float,
        threads: int,
    ) -> None:
        self._columns = [first.copy() if 0 in first.strides else contiguous(first), *chain.columns()]
        self._terms, self._index = chain.terms, chain.group.reshape(-1)
        self._found, self._given = found, given
        self._tick, self._cap, self._threads = tick, cap, threads

    def by_model(self) -> tuple[Rows, Rows, Rows]:
        """Return the rows with one exercise boundary, European rows, and rows for the grid.

        Those of the grid have dividends ahead, or two boundaries; `exercise_boundary` proves which have how
        many.
        """
        terms, index, sign, years = self._terms, self._index, self._columns[1], self._columns[4]
        early = np.asarray(terms.american, np.bool_)
        early = early & np.isfinite(terms.rate) & np.isfinite(terms.dividend_yield)
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
        one, of_european, grid = (np.flatnonzero(kind == each) for each in (_ONE_BOUNDARY, _EUROPEAN, _GRID))
        return one, of_european, grid

    def run_one_boundary(self, rows: Rows) -> None:
        """Solve or value rows whose early exercise has one boundary."""
        if not rows.size:
            return
        tasks = make_tasks(rows, self._index, self._columns[1] < 0.0, self._columns[4])
        rates = self._rates(self._index[tasks.firsts()])
        run_american(
            tasks,
            self._columns,
            rates,
            self._found,
            given=self._given,
            tick=self._tick,
            cap=self._cap,
            threads=self._threads,
        )

    def run_grid(self, rows: Rows) -> None:
        """Solve or value rows with dividends ahead or two boundaries."""
        if not rows.size:
            return
        groups, years = len(self._terms.rate), self._columns[4]
        times, shares = np.full((groups, 1), np.inf), np.zeros((groups, 1))
        if self._terms.dividends is not None:
            times, shares = self._terms.dividends.table(groups)
        ahead = np.zeros(self._index.size, np.int64)
        ahead[rows] = np.sum(times[self._index[rows]] < years[rows, None], axis=1)
        key = self._index * (times.shape[1] + 1) + ahead
        tasks = make_tasks(rows, key, self._columns[1] < 0.0, years)
        of_task = self._index[tasks.firsts()]
        run_paying(
            tasks,
            self._columns,
            self._rates(of_task),
            (times[of_task], shares[of_task]),
            self._found,
            given=self._given,
            limits=(self._tick, self._cap),
            threads=self._threads,
        )

    def analyse_european(self, rows: Rows) -> None:
        """Solve rows that are never exercised early."""
        if not rows.size:
            return
        whole = rows.size == self._index.size
        part = self._found if whole else Analytics.empty(rows.size)
        columns = [*(column if whole else column[rows] for column in self._columns), *self._carried(rows)]
        european.analyse_columns(columns, part, self._tick, self._cap, self._threads)
        self._keep_dividends(part.theta, columns[2], part.delta, rows, columns[-1])
        if not whole:
            for column, values in zip(self._found.columns(), part.columns(), strict=True):
                column[rows] = values

    def value_european(self, rows: Rows) -> None:
        """Value rows that are never exercised early."""
        vol, sign, spot, strike, years = (column[rows] for column in self._columns)
        options = Options(sign, spot, strike, years, *self._carried(rows))
        value = european.price(options, vol, self._threads)
        slopes = european.greeks(options, vol, self._threads)
        self._keep_dividends(slopes.theta, options.spot, slopes.delta, rows, options.dividend_yield)
        for column, values in zip(self._found.columns()[2:], (value, *slopes.columns()), strict=True):
            column[rows] = values
        self._found.code[rows] = np.where(np.isnan(value), MISSING_INPUT, SOLVED)

    def _rates(self, groups: NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
        rate, carry = self._terms.rate, self._terms.dividend_yield
        return np.asarray(rate, np.float64)[groups], np.asarray(carry, np.float64)[groups]

    def _carried(self, rows: Rows) -> tuple[FloatArray, FloatArray]:
        """Return the rate of each row, and the yield that gives it its forward."""
        index = self._index[rows]
        return self._terms.rate[index], self._terms.carry(index, self._columns[4][rows])

    def _keep_dividends(
        self, theta: FloatArray, spot: FloatArray, delta: FloatArray, rows: Rows, carry: FloatArray
    ) -> None:
        """Take off theta the yield that stands for dividends: they do not leave day by day."""
        with np.errstate(invalid="ignore"):
            theta -= (carry - self._terms.dividend_yield[self._index[rows]]) * spot * delta
