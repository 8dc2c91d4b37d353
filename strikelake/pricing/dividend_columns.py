"""What compiled code reads and writes of rows with discrete dividends ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from strikelake.pricing.analytics import Analytics
    from strikelake.pricing.arrays import FloatArray


class Quotes(NamedTuple):
    """Columns of rows, (n,): prices in dollars per share and years to expiration."""

    price: FloatArray
    spot: FloatArray
    strike: FloatArray
    years: FloatArray


class GridTerms(NamedTuple):
    """What the rows of each task share.

    Attributes
    ----------
    puts, rates, carries
        Side, rate and yield; (t,).
    dates, shares
        Dividends, years to expiration, ascending, and shares of the price; (t, most), infinite times where
        there are fewer.
    spans
        Shortest and longest time of the task, and the time of its last dividend ahead, 0 without; (t, 3).
    """

    puts: NDArray[np.bool_]
    rates: FloatArray
    carries: FloatArray
    dates: FloatArray
    shares: FloatArray
    spans: FloatArray


class Columns(NamedTuple):
    """What is written, (n,): the fields of `Analytics`."""

    code: NDArray[np.int8]
    vol: FloatArray
    error: FloatArray
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray
    rho: FloatArray

    @classmethod
    def of(cls, found: Analytics) -> Columns:
        """Return the columns of what is to be filled."""
        return cls(
            found.code, found.vol, found.error, found.delta, found.gamma, found.vega, found.theta, found.rho
        )
