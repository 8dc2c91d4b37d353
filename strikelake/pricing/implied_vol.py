"""Implied volatility of European option prices, with a reason for every row that has none.

The model is European; most listed equity options are American (`strikelake.pricing.american`). Where early
exercise is worth something the volatility here is too high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from strikelake.pricing.analytics import analyse, status_names
from strikelake.pricing.statuses import STATUSES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from strikelake.pricing.arrays import FloatArray

__all__ = ["STATUSES", "ImpliedVol", "implied_vol"]


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
        return status_names(self.code)


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
        - at_american_intrinsic: never here, see `strikelake.pricing.american`
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
    found = analyse(price, sign, spot, strike, years, rate, dividend_yield, tick, cap)
    return ImpliedVol(found.vol, found.error, found.code)
