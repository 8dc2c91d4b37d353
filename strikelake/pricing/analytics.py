"""What prices imply: volatilities and Greeks, each row with a status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.statuses import STATUSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.pricing.arrays import FloatArray

_NUMBERS = 7
_APART = 72  # numbers between columns, lest those of 2**n rows share one place of the processor's cache


@dataclass(frozen=True, slots=True)
class Analytics:
    """What prices imply, arrays of the options' shape; NaN everywhere unless the status is solved.

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

    Notes
    -----
    Every row has one of these statuses:

    - solved: `vol` is exact to about 1e-15 of the price over vega where the model is European, to 0.1 vol bp
      where it is American
    - at_american_intrinsic: at the exercise value, which all volatilities below some level give; American
      options only
    - missing_input: an input is NaN or infinite, or spot or strike is not positive
    - expired: no time is left
    - non_positive_price: nothing was paid
    - below_intrinsic: at or below the discounted intrinsic value (American: below the exercise value); no
      volatility is that low
    - above_bound: at or above a call's stock or a put's discounted strike (American: the strike); no
      volatility is that high
    - above_cap: the volatility exceeds the highest that is reported
    - below_tick_vega: even a change of volatility by 1.00 moves the price by less than a tick
    - not_converged: the search did not end
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
