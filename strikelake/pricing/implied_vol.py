"""Implied volatility of European option prices, with a reason for every row that has none.

The model is European; most listed equity options are American (see `strikelake.pricing.black_scholes`). Where
early exercise is worth something the volatility here is too high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.arrays import FloatArray, broadcast, normal_pdf, usable
from strikelake.pricing.normalised import total_deviation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

STATUSES = (
    "solved",
    "below_intrinsic",
    "above_bound",
    "non_positive_price",
    "missing_input",
    "expired",
    "above_cap",
    "below_tick_vega",
    "not_converged",
)
"""What can become of a row; `ImpliedVol.code` indexes this tuple."""

_CODE = {name: np.int8(index) for index, name in enumerate(STATUSES)}


@dataclass(frozen=True, slots=True)
class ImpliedVol:
    """Volatilities, their resolution and the status of each row, arrays of the inputs' shape.

    Attributes
    ----------
    vol
        Per square root of a year; NaN unless the status is solved.
    error
        Half a tick over vega: how far rounding of the price alone may have moved `vol`; NaN unless solved.
    code
        int8 index into `STATUSES`.
    """

    vol: FloatArray
    error: FloatArray
    code: NDArray[np.int8]

    @property
    def status(self) -> NDArray[np.object_]:
        """The status of each row as a string, an object array."""
        return np.asarray(np.array(STATUSES, dtype=np.object_)[self.code], dtype=np.object_)


def implied_vol(
    price: ArrayLike,
    sign: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike = 0.0,
    tick: float = 0.01,
    cap: float = 10.0,
) -> ImpliedVol:
    """Return the volatility at which the model gives `price`.

    Parameters
    ----------
    price
        Dollars per share.
    sign, spot, strike, years, rate, dividend_yield
        As in `strikelake.pricing.black_scholes.price`.
    tick
        Price increment in dollars, positive; sets `error` and the status below_tick_vega.
    cap
        Highest volatility reported as a number: 10 is 1,000 %.

    Returns
    -------
    ImpliedVol
        Every row has one status:

        - solved: `vol` is exact to about 1e-15 of the price over vega
        - missing_input: an input is NaN or infinite, or spot or strike is not positive
        - expired: no time is left
        - non_positive_price: nothing was paid
        - below_intrinsic: at or below the discounted intrinsic value; no volatility is that low
        - above_bound: at or above a call's stock or a put's discounted strike; no volatility is that high
        - above_cap: the volatility exceeds `cap`
        - below_tick_vega: even a change of volatility by 1.00 moves the price by less than a tick
        - not_converged: the search did not end

    Raises
    ------
    ValueError
        When lengths differ, `sign` is neither +1 nor -1, or `tick` or `cap` is not positive.

    Examples
    --------
    >>> found = implied_vol([10.450583572185565, 60.0, 200.0], 1, 100.0, [100.0, 30.0, 100.0], 1.0, 0.05)
    >>> found.vol.round(6).tolist(), found.status.tolist()
    ([0.2, nan, nan], ['solved', 'below_intrinsic', 'above_bound'])
    """
    if not (tick > 0.0 and cap > 0.0):
        raise ValueError(f"tick is {tick} and cap is {cap}: both must be positive")
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
    with np.errstate(all="ignore"):
        vol, error, code = _solve(*(column.ravel() for column in inputs), tick=tick, cap=cap)
    return ImpliedVol(vol.reshape(shape), error.reshape(shape), code.reshape(shape))


def _solve(
    price: FloatArray,
    sign: FloatArray,
    spot: FloatArray,
    strike: FloatArray,
    years: FloatArray,
    rate: FloatArray,
    dividend_yield: FloatArray,
    *,
    tick: float,
    cap: float,
) -> tuple[FloatArray, FloatArray, NDArray[np.int8]]:
    """Classify the rows that cannot be solved, solve the others, classify those again."""
    held, owed = spot * np.exp(-dividend_yield * years), strike * np.exp(-rate * years)
    time_value = price - np.maximum(sign * (held - owed), 0.0)
    to_bound = np.where(sign > 0.0, held, owed) - price
    known = np.isfinite(years) & usable(
        spot, strike, np.abs(years), price, sign, rate, dividend_yield, held, owed
    )
    code = np.select(
        [~known, years <= 0.0, price <= 0.0, time_value <= 0.0, to_bound <= 0.0],
        [
            _CODE[name]
            for name in ("missing_input", "expired", "non_positive_price", "below_intrinsic", "above_bound")
        ],
        default=_CODE["solved"],
    )
    rows = np.flatnonzero(code == _CODE["solved"])
    held, owed, years = held[rows], owed[rows], years[rows]
    bound = np.minimum(held, owed)
    deviation, ended = total_deviation(
        np.abs(np.log(held / owed)), time_value[rows] / bound, to_bound[rows] / bound
    )
    vega = held * normal_pdf(np.log(held / owed) / deviation + 0.5 * deviation) * np.sqrt(years)
    found = deviation / np.sqrt(years)
    code[rows] = np.select(
        [~ended, found > cap, ~(vega >= tick)],
        [_CODE[name] for name in ("not_converged", "above_cap", "below_tick_vega")],
        default=_CODE["solved"],
    )
    vol, error = np.full(len(price), np.nan), np.full(len(price), np.nan)
    solved = code[rows] == _CODE["solved"]
    vol[rows[solved]], error[rows[solved]] = found[solved], 0.5 * tick / vega[solved]
    return vol, error, code
