"""Implied volatility and Greeks of European options in one pass, with a status for every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.arrays import FloatArray, broadcast, flat, in_blocks
from strikelake.pricing.statuses import (
    ABOVE_CAP,
    BELOW_TICK_VEGA,
    LOOK_AGAIN,
    NOT_CONVERGED,
    SOLVED,
    STATUSES,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_NUMBERS = 7
_APART = 72  # numbers between columns, lest those of 2**n rows share one place of the processor's cache


@dataclass(frozen=True, slots=True)
class Analytics:
    """What prices imply, arrays of the inputs' shape; NaN everywhere unless the status is solved.

    Attributes
    ----------
    vol
        Per square root of a year.
    error
        Half a tick over vega: how far rounding of the price alone may have moved `vol`.
    code
        int8 index into `strikelake.pricing.statuses.STATUSES`.
    delta, gamma, vega, theta, rho
        As in `strikelake.pricing.greeks.Greeks`.
    """

    vol: FloatArray
    error: FloatArray
    code: NDArray[np.int8]
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray
    rho: FloatArray

    @property
    def status(self) -> NDArray[np.object_]:
        """The status of each row as a string, an object array."""
        return status_names(self.code)

    @classmethod
    def empty(cls, size: int) -> Analytics:
        """Return uninitialised columns of one length, views of one array: large pages of memory cost less."""
        vol, error, *rest = np.empty((_NUMBERS, size + _APART))[:, :size]
        return cls(vol, error, np.empty(size, np.int8), *rest)

    def columns(self) -> tuple[NDArray[np.generic], ...]:
        """Return code, vol, error, delta, gamma, vega, theta and rho: the kernels' order."""
        return (self.code, self.vol, self.error, self.delta, self.gamma, self.vega, self.theta, self.rho)

    def reshape(self, shape: tuple[int, ...]) -> Analytics:
        """Return the same numbers in another shape."""
        code, vol, error, *rest = (column.reshape(shape) for column in self.columns())
        return Analytics(vol, error, code, *rest)  # type: ignore[arg-type] # a reshaped column keeps its type


def status_names(code: NDArray[np.int8]) -> NDArray[np.object_]:
    """Return the status that each code stands for, an object array of its shape."""
    return np.asarray(np.array(STATUSES, dtype=np.object_)[code], dtype=np.object_)


def check_limits(tick: float, cap: float) -> None:
    """Raise ValueError unless both are positive."""
    if not (tick > 0.0 and cap > 0.0):
        raise ValueError(f"tick is {tick} and cap is {cap}: both must be positive")


def analyse(
    price: ArrayLike,
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike = 0.0,
    tick: float = 0.01,
    cap: float = 10.0,
    threads: int = 1,
) -> Analytics:
    """Return implied volatilities with their Greeks.

    Parameters
    ----------
    price
        Dollars per share.
    sign, spot, strike, years, rate, dividend_yield
        As in `strikelake.pricing.black_scholes.price`. With the forward as `spot` and the rate as
        `dividend_yield` the model is Black's of 1976.
    tick, cap
        As in `strikelake.pricing.implied_vol.implied_vol`, which also explains the statuses.
    threads
        Cores to use; the results do not depend on it.

    Returns
    -------
    Analytics
        Where vega exceeds a cent, volatilities are exact to 1e-11, and usually to 1e-15.

    Raises
    ------
    ValueError
        When lengths differ, `sign` is neither +1 nor -1, or `tick`, `cap` or `threads` is not positive.

    Examples
    --------
    >>> found = analyse([10.450583572185565, 0.0], 1, 100.0, 100.0, 1.0, 0.05)
    >>> found.status.tolist(), found.vol.round(6).tolist(), found.delta.round(4).tolist()
    (['solved', 'non_positive_price'], [0.2, nan], [0.6368, nan])
    """
    from strikelake.pricing.european_analysis import analyse_rows

    check_limits(tick, cap)
    inputs = broadcast(
        price=price,
        sign=sign,
        spot=spot,
        strike=strike,
        years=years,
        rate=rate,
        dividend_yield=dividend_yield,
    )
    shape = inputs[0].shape
    columns = flat(inputs)
    found = Analytics.empty(columns[0].size)

    def work(*block: NDArray[np.generic]) -> None:
        analyse_rows(*block[: len(columns)], tick, cap, *block[len(columns) :])

    in_blocks(work, columns, found.columns(), threads=threads)
    look_again(found, columns, tick, cap)
    return found.reshape(shape)


def look_again(found: Analytics, inputs: list[FloatArray], tick: float, cap: float) -> None:
    """Search the rows that the kernel left, in place, inside a bracket."""
    from strikelake.pricing.bracketed import total_deviation
    from strikelake.pricing.european_kernels import greeks_rows

    rows = np.flatnonzero(found.code == LOOK_AGAIN)
    if not rows.size:
        return
    price, sign, spot, strike, years, rate, carry = (column[rows] for column in inputs)
    with np.errstate(all="ignore"):
        held, owed = spot * np.exp(-carry * years), strike * np.exp(-rate * years)
        bound = np.minimum(held, owed)
        # As in `european_analysis`: what is left of a price deep in the money keeps its digits.
        bare = sign * (spot - strike)
        more = sign * (spot * np.expm1(-carry * years) - strike * np.expm1(-rate * years))
        left = np.where(bare + more > 0.0, (price - bare) - more, price) / bound
        room = (np.where(sign > 0.0, held, owed) - price) / bound
        deviation, ended = total_deviation(np.abs(np.log(held / owed)), left, room)
        vol = deviation / np.sqrt(years)
        slopes = [np.empty(rows.size) for _ in range(_NUMBERS - 2)]
        greeks_rows(sign, spot, strike, years, rate, vol, carry, *slopes)
        vega = slopes[2]
        code = np.select(
            [~ended, vol > cap, ~(vega >= tick)], [NOT_CONVERGED, ABOVE_CAP, BELOW_TICK_VEGA], default=SOLVED
        )
        solved = code == SOLVED
        numbers = (vol, 0.5 * tick / vega, *slopes)
    found.code[rows] = code
    for column, values in zip(found.columns()[1:], numbers, strict=True):
        column[rows] = np.where(solved, values, np.nan)
