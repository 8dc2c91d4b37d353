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
        """Return the share of the spot that the dividends ahead leave each row; (n,)."""
        if self.dividends is None:
            return np.ones(years.size)
        return kept(*self.dividends.table(len(self.rate)), index, years)

    def carry(self, index: NDArray[np.integer], years: FloatArray) -> FloatArray:
        """Return the yield that gives each row its forward; (n,)."""
        with np.errstate(all="ignore"):
            extra = -np.log(self.kept(index, years)) / years
        return np.asarray(self.dividend_yield[index] + np.where(years > 0.0, extra, 0.0))
