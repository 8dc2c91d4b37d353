"""Nodes and weights of the exercise boundary's equation and of the premium's integral and tables.

Source: L. Andersen, M. Lake, D. Offengenden, "High-performance American option pricing", Journal of
Computational Finance 2016, for Chebyshev nodes in the root of time and for the substitution in the integrals.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from strikelake.pricing.arrays import FloatArray

VOLS = 8
"""Volatilities that are solved together: Chebyshev nodes in the logarithm."""

POWERS_U, POWERS_VOL = 10, VOLS
FEW_U, FEW_VOL = 6, 5
FAR = 7.0
"""Standard deviations above the boundary from which on the premium is as good as nothing."""

_TIMES, _INNER, _OUTER = 6, 10, 16


class Nodes(NamedTuple):
    """Nodes and weights, the same for every cell.

    Attributes
    ----------
    times
        Boundary nodes as shares of the longest time, descending, without 0; (n,).
    points, weights, lags
        Gauss-Legendre on [-1, 1] for the boundary's integrals, and (tau - u) / tau there; (l,).
    inner
        From H at the nodes (and 0) to H at u, for each node and volatility; (l, n + 1, n VOLS).
    outer_lags, outer_weights
        Share of the time that has passed and weight of it in the premium's integral; (p,).
    outer
        From H at the nodes to H at those points; (p, n + 1).
    chebyshev
        From H at the nodes to its Chebyshev coefficients in 2 sqrt(tau / T) - 1; (n + 1, n + 1).
    vols, deviations, few_deviations
        Chebyshev nodes of the places of volatilities (VOLS,), and of u (POWERS_U,) and (FEW_U,).
    to_vol, to_few_vol, to_u, to_few_u
        From values at those nodes to coefficients of powers; those of few volatilities are a projection.
    """

    times: FloatArray
    points: FloatArray
    weights: FloatArray
    lags: FloatArray
    inner: FloatArray
    outer_lags: FloatArray
    outer_weights: FloatArray
    outer: FloatArray
    chebyshev: FloatArray
    vols: FloatArray
    deviations: FloatArray
    few_deviations: FloatArray
    to_vol: FloatArray
    to_few_vol: FloatArray
    to_u: FloatArray
    to_few_u: FloatArray


@cache
def nodes() -> Nodes:
    """Return the nodes and weights."""
    from numpy.polynomial import chebyshev, legendre

    z = np.cos(np.pi * np.arange(_TIMES + 1) / _TIMES)  # the last, -1, is expiration
    to_chebyshev = np.linalg.inv(chebyshev.chebvander(z, _TIMES))
    times = (0.5 * (1.0 + z[:-1])) ** 2
    points, weights = legendre.leggauss(_INNER)
    lags = 0.25 * (1.0 + points) ** 2
    left = np.sqrt(times[:, None] * (1.0 - lags))
    inner = chebyshev.chebvander(2.0 * left - 1.0, _TIMES) @ to_chebyshev
    outer_points, outer_weights = legendre.leggauss(_OUTER)
    outer_lags = 0.25 * (1.0 + outer_points) ** 2
    vols, some, few = (np.cos(np.pi * (np.arange(n) + 0.5) / n) for n in (VOLS, POWERS_U, FEW_U))
    return Nodes(
        times=times,
        points=points,
        weights=weights,
        lags=lags,
        inner=np.repeat(np.moveaxis(inner, 0, -1), VOLS, axis=-1),
        outer_lags=outer_lags,
        outer_weights=0.5 * outer_weights * (1.0 + outer_points),
        outer=chebyshev.chebvander(2.0 * np.sqrt(1.0 - outer_lags) - 1.0, _TIMES) @ to_chebyshev,
        chebyshev=np.asarray(to_chebyshev, dtype=np.float64),
        vols=vols,
        deviations=0.5 * FAR * (some + 1.0),
        few_deviations=0.5 * FAR * (few + 1.0),
        to_vol=_to_powers(vols, POWERS_VOL),
        to_few_vol=_to_powers(vols, FEW_VOL),
        to_u=_to_powers(some, POWERS_U),
        to_few_u=_to_powers(few, FEW_U),
    )


def _to_powers(places: FloatArray, kept: int) -> FloatArray:
    """Return the matrix (kept, n) from values at Chebyshev nodes to powers of the first terms."""
    from numpy.polynomial import chebyshev

    series = np.linalg.inv(chebyshev.chebvander(places, len(places) - 1))[:kept]
    powers = np.zeros((kept, kept))
    for k in range(kept):
        coefficients = chebyshev.cheb2poly(np.eye(kept)[k])
        powers[k, : len(coefficients)] = coefficients
    return np.ascontiguousarray(powers.T @ series)
