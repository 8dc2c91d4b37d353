"""Inputs of the pricing functions: one shape for all, and which rows carry a usable market."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.float64]


def broadcast(**inputs: ArrayLike) -> tuple[FloatArray, ...]:
    """Return the inputs as float64 arrays of one shape, in the order given.

    Parameters
    ----------
    **inputs
        Scalars, sequences or arrays by the name the caller's user knows. Nulls of a polars series become NaN.

    Raises
    ------
    ValueError
        When the shapes do not fit together, or `sign` holds anything but +1, -1 and NaN.

    Examples
    --------
    >>> spot, strike = broadcast(spot=100.0, strike=[90.0, 110.0])
    >>> spot.tolist()
    [100.0, 100.0]
    """
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in inputs.items()}
    try:
        same = np.broadcast_arrays(*arrays.values())
    except ValueError as error:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items() if array.ndim)
        raise ValueError(
            f"inputs differ in length ({shapes}): pass scalars or arrays of one length"
        ) from error
    sign = arrays.get("sign")
    if sign is not None and not np.all(np.isnan(sign) | (np.abs(sign) == 1.0)):
        raise ValueError("sign holds a value other than +1 and -1: use +1 for a call and -1 for a put")
    return tuple(same)


def usable(spot: FloatArray, strike: FloatArray, years: FloatArray, *others: FloatArray) -> NDArray[np.bool_]:
    """Return where every input is finite, spot and strike are positive and `years` is not negative."""
    finite = np.isfinite(spot) & np.isfinite(strike) & np.isfinite(years)
    for other in others:
        finite &= np.isfinite(other)
    return np.asarray(finite & (spot > 0.0) & (strike > 0.0) & (years >= 0.0))


def normal_cdf(x: FloatArray) -> FloatArray:
    """Return the standard normal distribution function, elementwise."""
    from scipy.special import ndtr

    return np.asarray(ndtr(x), dtype=np.float64)


def normal_pdf(x: FloatArray) -> FloatArray:
    """Return the standard normal density, elementwise."""
    return np.asarray(np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi))
