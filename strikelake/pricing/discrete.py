"""Dividends in cash as shares of the price: what leaves the spot on each ex-date before an expiration.

A dividend that is a fixed share of the price just before it keeps V / K a function of S / K alone, so that
one solve serves every strike. Shares are scaled from the cash that is known, such that the forward stays that
of the cash.

Source: E. Haug, J. Haug and A. Lewis, "Back to basics: a new approach to the discrete dividend problem",
Wilmott 2003, for the choices and what they cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from strikelake.pricing.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Dividends:
    """What is paid before the expirations of a chain; columns of one length (d,), in any order.

    Attributes
    ----------
    group
        The group whose underlying pays, an index into `strikelake.pricing.chain.Terms`.
    years_to_expiration
        From the ex-date's open to the settlement, positive; a dividend is ahead of rows with more time.
    fraction
        Share of the price just before that is paid, in [0, 1).
    """

    group: NDArray[np.integer]
    years_to_expiration: FloatArray
    fraction: FloatArray

    def __post_init__(self) -> None:
        """Check that the columns fit together and hold what they should."""
        sizes = {np.shape(column) for column in (self.group, self.years_to_expiration, self.fraction)}
        if len(sizes) != 1 or len(next(iter(sizes))) != 1:
            raise ValueError(f"dividends' columns have the shapes {sorted(sizes)}: give three of one length")
        fraction = np.asarray(self.fraction)
        if fraction.size and not (fraction.min() >= 0.0 and fraction.max() < 1.0):
            raise ValueError(
                f"dividend fractions go from {fraction.min()} to {fraction.max()}: give shares in [0, 1)"
            )
        if not np.all(np.isfinite(self.years_to_expiration)):
            raise ValueError("a dividend's years_to_expiration is not a number: leave the dividend out")

    def table(self, groups: int) -> tuple[FloatArray, FloatArray]:
        """Return time to expiration and fraction by group, the latest date first.

        Both (groups, most dividends of a group); where there are fewer, infinite times and fractions of 0.
        """
        group, years = np.asarray(self.group, np.int64), np.asarray(self.years_to_expiration, np.float64)
        if group.size and not (group.min() >= 0 and group.max() < groups):
            raise ValueError(
                f"dividends name groups {group.min()} to {group.max()}, but there are {groups} terms"
            )
        order = np.lexsort((years, group))
        group, years, fraction = group[order], years[order], np.asarray(self.fraction, np.float64)[order]
        rank = np.arange(group.size) - np.searchsorted(group, group)
        shape = (groups, int(rank.max()) + 1 if rank.size else 0)
        times, shares = np.full(shape, np.inf), np.zeros(shape)
        times[group, rank], shares[group, rank] = years, fraction
        return times, shares


def kept(times: FloatArray, shares: FloatArray, index: NDArray[np.integer], years: FloatArray) -> FloatArray:
    """Return the share of the spot that the dividends ahead of each row leave, 1 without dividends."""
    left = np.ones(years.shape)
    for k in range(times.shape[1]):
        left *= np.where(times[index, k] < years, 1.0 - shares[index, k], 1.0)
    return left


def fractions(
    cash: ArrayLike, years_to_ex: ArrayLike, spot: float, rate: float, dividend_yield: float = 0.0
) -> FloatArray:
    """Return the shares of the price that stand for one underlying's dividends in cash.

    Parameters
    ----------
    cash
        Dollars per share; (d,).
    years_to_ex
        From now to each ex-date; (d,), in any order.
    spot
        Dollars per share now.
    rate, dividend_yield
        Continuous, per year.

    Returns
    -------
    ndarray of float64
        (d,), each a share of the forward just before its date, so that the forward behind every date is the
        spot's, less what the dividends have grown to.

    Raises
    ------
    ValueError
        When the columns differ in length, or the dividends are worth as much as the spot.

    Examples
    --------
    >>> fractions([1.0, 1.0], [0.1, 0.35], 100.0, 0.0).round(6).tolist()
    [0.01, 0.010101]
    """
    paid, when = np.asarray(cash, np.float64), np.asarray(years_to_ex, np.float64)
    if paid.shape != when.shape or paid.ndim != 1:
        raise ValueError(f"cash {paid.shape} and years_to_ex {when.shape} differ: give one date per dividend")
    order = np.argsort(when, kind="stable")
    present = (paid * np.exp(-(rate - dividend_yield) * when))[order]
    before = spot - np.r_[0.0, np.cumsum(present)[:-1]]
    if paid.size and not (before - present > 0.0).all():
        raise ValueError(
            f"dividends worth {present.sum():g} leave nothing of a spot of {spot:g}: "
            "check their unit and splits"
        )
    shares = np.empty(paid.shape)
    shares[order] = present / before
    return shares
