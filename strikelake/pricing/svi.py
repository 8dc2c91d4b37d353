"""Volatility smiles: one raw SVI slice per expiration, without butterfly arbitrage.

Total variance w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)), with k = ln(K / F) and w = vol^2 T.

Source: J. Gatheral, A. Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 2014.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from strikelake.pricing.arrays import FloatArray

FEWEST = 5
"""Contracts that a slice needs: as many as it has parameters."""


@dataclass(frozen=True, slots=True)
class Slices:
    """Fitted smiles.

    Attributes
    ----------
    params
        a, b, rho, m, sigma, shape (s, 5); NaN where a group has fewer than `FEWEST` contracts.
    min_g
        Least value of Durrleman's function on a fine grid, shape (s,): no butterfly arbitrage where it is not
        negative.
    """

    params: FloatArray
    min_g: FloatArray


def total_variance(params: ArrayLike, k: ArrayLike) -> FloatArray:
    """Return total variance vol^2 T.

    Parameters
    ----------
    params
        a, b, rho, m, sigma in the last axis, shape (..., 5).
    k
        Log-moneyness ln(K / F); broadcasts against the leading axes of `params`.

    Examples
    --------
    >>> total_variance([0.01, 0.1, -0.5, 0.0, 0.1], 0.0).round(6).item()
    0.02
    """
    a, b, rho, m, sigma = np.moveaxis(np.asarray(params, dtype=np.float64), -1, 0)
    x = np.asarray(k, dtype=np.float64) - m
    return np.asarray(a + b * (rho * x + np.sqrt(x * x + sigma * sigma)))


def variance_slope(params: ArrayLike, k: ArrayLike) -> FloatArray:
    """Return dw/dk; arguments as for `total_variance`."""
    _, b, rho, m, sigma = np.moveaxis(np.asarray(params, dtype=np.float64), -1, 0)
    x = np.asarray(k, dtype=np.float64) - m
    return np.asarray(b * (rho + x / np.sqrt(x * x + sigma * sigma)))


def durrleman(params: ArrayLike, k: ArrayLike) -> FloatArray:
    """Return Durrleman's g(k) of one slice: a negative value is a butterfly that pays and costs nothing.

    Parameters
    ----------
    params
        Shape (5,).
    k
        Shape (n,).
    """
    a, b, rho, m, sigma = np.asarray(params, dtype=np.float64)
    k = np.asarray(k, dtype=np.float64)
    root = np.sqrt((k - m) ** 2 + sigma**2)
    w, slope, bend = a + b * (rho * (k - m) + root), b * (rho + (k - m) / root), b * sigma**2 / root**3
    g = (1.0 - 0.5 * k * slope / w) ** 2 - 0.25 * slope**2 * (1.0 / w + 0.25) + 0.5 * bend
    return np.asarray(np.where(w > 0.0, g, -np.inf))


def fit(
    k: FloatArray, w: FloatArray, weight: FloatArray, starts: NDArray[np.int64], threads: int = 1
) -> Slices:
    """Fit a slice to each group of contracts.

    Parameters
    ----------
    k, w
        Log-moneyness and total variance, finite, w positive, groups one after another; shape (n,).
    weight
        One over the square of the error of w, positive; shape (n,).
    starts
        First contract of each group, and n; shape (s + 1,).
    threads
        How many share the work; the result does not depend on it.

    Returns
    -------
    Slices

    Notes
    -----
    Contracts far from the slice, by the slice's own scatter, count less in a second fit (Huber).
    """
    from strikelake.pricing.svi_kernels import fit_slices

    sizes = np.diff(starts)
    params = np.full((len(sizes), 5), np.nan)
    min_g = np.full(len(sizes), np.nan)
    rows = np.flatnonzero(sizes >= FEWEST)

    def run(some: NDArray[np.int64]) -> None:
        places = np.concatenate([np.arange(starts[row], starts[row + 1]) for row in some])
        firsts = np.concatenate(([0], np.cumsum(sizes[some])))
        fitted, least = np.empty((len(some), 5)), np.empty(len(some))
        fit_slices(k[places], w[places], weight[places], firsts, fitted, least)
        params[some], min_g[some] = fitted, least

    shares = [share for share in np.array_split(rows, threads) if len(share)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, shares))
    return Slices(params, min_g)
