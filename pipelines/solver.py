"""Solve option rows on the terms of their series: the one place that calls the pricing kernels for the lake.

Every option is solved as a European one: what early exercise is worth is in its volatility. Dividends are
taken off the price at which they are expected (the escrowed model): the price without the dividends ahead of
a row is what moves. For European options that is exact, as only the forward matters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from strikelake.pricing.analytics import analyse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.pricing.analytics import Analytics
    from strikelake.pricing.arrays import FloatArray

METHOD = "European solver 1"
"""Changes when the same inputs would give other volatilities."""


@dataclass(frozen=True, slots=True)
class RowTerms:
    """Terms by group; a group is a series with one carry.

    Attributes
    ----------
    rate, carry
        Continuous, per year; shape (g,).
    american
        Shape (g,).
    dividend_years, dividend_fraction
        Years from each ex-date to settlement and the fraction of the price paid, shape (g, d); a group with
        fewer dividends is filled up with inf and 0.
    """

    rate: FloatArray
    carry: FloatArray
    american: NDArray[np.bool_]
    dividend_years: FloatArray
    dividend_fraction: FloatArray

    def kept(self, years: FloatArray, group: NDArray[np.int64]) -> FloatArray:
        """Return the share of each row's price that is left after the dividends between it and settlement."""
        share = np.ones(len(years))
        pays = np.asarray(self.dividend_fraction.max(axis=1, initial=0.0) > 0.0)
        owing = np.flatnonzero(pays[group])
        for place in range(self.dividend_years.shape[1]):
            ahead = self.dividend_years[group[owing], place] < years[owing]
            share[owing] *= np.where(ahead, 1.0 - self.dividend_fraction[group[owing], place], 1.0)
        return share

    def forward(self, spot: FloatArray, years: FloatArray, group: NDArray[np.int64]) -> FloatArray:
        """Return each row's forward to settlement."""
        growth = np.exp((self.rate[group] - self.carry[group]) * years)
        return np.asarray(spot * self.kept(years, group) * growth)


def analyse_rows(
    price: FloatArray,
    sign: FloatArray,
    spot: FloatArray,
    strike: FloatArray,
    years: FloatArray,
    group: NDArray[np.int64],
    terms: RowTerms,
    threads: int = 1,
) -> Analytics:
    """Return implied volatility, Greeks and status of each row; all columns have shape (n,).

    delta and gamma are to the price of the underlying as it trades, dividends included.
    """
    share = terms.kept(years, group)
    rate, carry = terms.rate[group], terms.carry[group]
    found = analyse(price, sign, spot * share, strike, years, rate, carry, threads=threads)
    return replace(found, delta=found.delta * share, gamma=found.gamma * share * share)
