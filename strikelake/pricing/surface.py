"""Numbers that sum up a volatility surface, from the SVI slices of its expirations.

Between two expirations total variance is linear in time at equal log-moneyness, which allows no calendar
arbitrage where the slices themselves have none; outside them volatility is flat, up to `REACH` times as near
or as far.

Source: J. Gatheral, "The Volatility Surface", 2006, for interpolation in total variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.svi import total_variance, variance_slope

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from strikelake.pricing.arrays import FloatArray

REACH = 2.0
"""How many times farther than the last expiration, or nearer than the first, a tenor may lie."""

_DAYS = 365.0
_WING = 0.25
_BISECTIONS = 60
_POINTS = 41


@dataclass(frozen=True, slots=True)
class Surface:
    """Slices of one or more surfaces, one after another.

    Attributes
    ----------
    starts
        First slice of each surface, and their number; shape (g + 1,), each surface has at least one.
    years
        To expiration, ascending within a surface; shape (s,).
    params
        Raw SVI, shape (s, 5).
    """

    starts: NDArray[np.int64]
    years: FloatArray
    params: FloatArray

    def total_variance(self, k: ArrayLike, years: float) -> FloatArray:
        """Return each surface's total variance at one maturity.

        Parameters
        ----------
        k
            Log-moneyness on the forward of that maturity: a number, or one for each surface, shape (g,).
        years
            The maturity, positive.

        Returns
        -------
        ndarray of float64
            Shape (g,); NaN where the maturity is out of reach.
        """
        places = np.arange(len(self.years))
        last = len(self.years)
        firsts = self.starts[:-1]
        near = np.maximum.reduceat(np.where(self.years <= years, places, -1), firsts)
        far = np.minimum.reduceat(np.where(self.years >= years, places, last), firsts)
        has_near, has_far = near >= 0, far < last
        near, far = np.where(has_near, near, far), np.where(has_far, far, near)
        near_years, far_years = self.years[near], self.years[far]
        w_near = total_variance(self.params[near], k) * np.where(has_near & has_far, 1.0, years / near_years)
        w_far = total_variance(self.params[far], k)
        gap = far_years - near_years
        share = np.where(gap > 0.0, (years - near_years) / np.where(gap > 0.0, gap, 1.0), 0.0)
        reached = (near_years <= years * REACH) & (far_years * REACH >= years)
        return np.where(reached, (1.0 - share) * w_near + share * w_far, np.nan)

    def vol(self, k: ArrayLike, days: float) -> FloatArray:
        """Return each surface's volatility at a maturity in days; otherwise as `total_variance`."""
        years = days / _DAYS
        return np.asarray(np.sqrt(self.total_variance(k, years) / years))

    def strike_of_delta(self, delta: float, days: float) -> FloatArray:
        """Return the log-moneyness at which a call has a forward delta of `delta`.

        Parameters
        ----------
        delta
            N(d1), between 0 and 1: 0.25 for the 25-delta call, 0.75 for the 25-delta put.
        days
            The maturity.

        Returns
        -------
        ndarray of float64
            Shape (g,); NaN where the maturity is out of reach.
        """
        years = days / _DAYS
        wanted = NormalDist().inv_cdf(delta)
        width = 12.0 * np.sqrt(self.total_variance(0.0, years)) + 0.5
        low, high = -width, width
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            deviation = np.sqrt(self.total_variance(middle, years))
            beyond = -middle / deviation + 0.5 * deviation < wanted  # d1 falls as the strike rises
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        return np.asarray(np.where(np.isnan(width), np.nan, 0.5 * (low + high)))

    def wings(self, days: float) -> tuple[FloatArray, FloatArray]:
        """Return the 25-delta risk reversal and butterfly at a maturity, each of shape (g,).

        The risk reversal is the volatility of the call's strike less that of the put's; the butterfly their
        mean less the volatility at the money forward.
        """
        call, put = (self.vol(self.strike_of_delta(delta, days), days) for delta in (_WING, 1.0 - _WING))
        return call - put, 0.5 * (call + put) - self.vol(0.0, days)

    def calendar_gaps(self, k_low: FloatArray, k_high: FloatArray) -> FloatArray:
        """Return how far each slice lies below the one before it, in total variance; 0 where it does not.

        Parameters
        ----------
        k_low, k_high
            Range of log-moneyness that each slice was fitted on, shape (s,). Two slices are compared where
            both have data: beyond, one of them is extrapolated and a gap says nothing of the market.

        Returns
        -------
        ndarray of float64
            Shape (s,); 0 for the first slice of a surface. Positive is calendar arbitrage.
        """
        gaps = np.zeros(len(self.years))
        if len(self.years) < 2:  # noqa: PLR2004 - two slices make a calendar
            return gaps
        low, high = np.maximum(k_low[1:], k_low[:-1]), np.minimum(k_high[1:], k_high[:-1])
        k = low + (high - low) * np.linspace(0.0, 1.0, _POINTS)[:, None]
        below = total_variance(self.params[:-1], k) - total_variance(self.params[1:], k)
        gaps[1:] = np.where(high >= low, np.maximum(below.max(axis=0), 0.0), 0.0)
        gaps[self.starts[:-1]] = 0.0
        return gaps

    def skews(self) -> FloatArray:
        """Return dvol / dk at the money forward of each slice, shape (s,)."""
        slope = variance_slope(self.params, 0.0)
        return np.asarray(slope / (2.0 * np.sqrt(total_variance(self.params, 0.0) * self.years)))
