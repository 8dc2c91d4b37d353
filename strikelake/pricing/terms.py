"""What the rows of a chain share: the rate, the yield, the style and the dividends of their group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.discrete import Dividends, kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.pricing.arrays import FloatArray


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
        """Return the share of the spot that the dividends ahead leave each row."""
        if self.dividends is None:
            return np.ones(years.shape)
        return kept(*self.dividends.table(len(self.rate)), index, years)

    def carry(self, index: NDArray[np.integer], years: FloatArray) -> FloatArray:
        """Return the yield that gives each row its forward."""
        with np.errstate(all="ignore"):
            extra = -np.log(self.kept(index, years)) / years
        return np.asarray(self.dividend_yield[index] + np.where(years > 0.0, extra, 0.0))

    def forwards(self, index: NDArray[np.integer], spot: FloatArray, years: FloatArray) -> FloatArray:
        """Return the forward of each row's underlying to its settlement, dollars per share.

        Examples
        --------
        >>> terms = Terms(np.array([0.05]), np.zeros(1), np.array([True]))
        >>> terms.forwards(np.zeros(2, int), np.full(2, 100.0), np.array([0.0, 1.0])).round(3).tolist()
        [100.0, 105.127]
        """
        growth = np.exp((self.rate - self.dividend_yield)[index] * years)
        return np.asarray(spot * growth * self.kept(index, years))
