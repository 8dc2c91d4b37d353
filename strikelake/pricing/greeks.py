"""Sensitivities of option prices, in calculus units: plain derivatives, no scaling by 100 or 365."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from strikelake.pricing.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Greeks:
    """Derivatives of the price per share, arrays of the options' shape; NaN where unknown.

    Attributes
    ----------
    delta
        Dollars per dollar of the underlying.
    gamma
        Delta per dollar of the underlying.
    vega
        Dollars per 1.00 of volatility; divide by 100 for a vol point.
    theta
        Dollars per year of passing time, usually negative; divide by 365 for a calendar day.
    rho
        Dollars per 1.00 of rate; divide by 10,000 for a basis point.
    """

    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray
    rho: FloatArray

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Greeks:
        """Return uninitialised columns of one shape."""
        return cls(*(np.empty(shape) for _ in range(5)))

    def columns(self) -> tuple[FloatArray, ...]:
        """Return delta, gamma, vega, theta and rho: the kernels' order."""
        return (self.delta, self.gamma, self.vega, self.theta, self.rho)
