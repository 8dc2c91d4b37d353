"""Raw SVI fitted to one expiration after another, compiled.

With y = (k - m) / sigma the slice is a constant and two hyperbolas, w(k) = a + u p(y) + v p(-y) with p(y) =
(sqrt(1 + y^2) + y) / 2, so that for given (m, sigma) the best (a, u, v) solve a least-squares problem in a
box: u, v >= 0 for a convex slice, u, v <= 2 sigma for wings that Lee's formula allows. What is left is a
search in two dimensions. A slice that would allow butterfly arbitrage is blended with a flat one just far
enough not to, and the search minimises the error of the blended slice: every result is free of it on the
grid.

Sources: J. Gatheral, A. Jacquier, "Arbitrage-free SVI volatility surfaces", 2014; Zeliade Systems,
"Quasi-explicit calibration of Gatheral's SVI model", 2009; R. Lee, "The moment formula for implied
volatility at extreme strikes", 2004.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.compiled import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.pricing.arrays import FloatArray

_M_STARTS, _SIGMA_STARTS = 7, 6
_STEPS = 60
_ROUNDS = 3  # the first takes every contract as it is
_HALVINGS = 14
_GRID, _FINE_GRID = 81, 401  # while searching, and at the end
_SIGMA_LOW, _SIGMA_HIGH = 0.05, 10.0  # in units of the slice's total deviation
_OUTLIER = 2.5  # robust deviations beyond which a contract counts less
_NORMAL_MAD = 0.6745  # median absolute deviation of a normal variable
_ENOUGH = 1e-7


@njit(entry=False, error_model="numpy")
def raw(a: float, b: float, rho: float, m: float, sigma: float, k: float) -> tuple[float, float, float]:
    """Return total variance and its first two derivatives at log-moneyness k."""
    x = k - m
    root = np.sqrt(x * x + sigma * sigma)
    return a + b * (rho * x + root), b * (rho + x / root), b * sigma * sigma / (root * root * root)


@njit(nogil=True, cache=True, error_model="numpy")
def durrleman(a: float, b: float, rho: float, m: float, sigma: float, k: float) -> float:
    """Return Durrleman's g(k), the sign of the implied density; -inf where w is not positive."""
    w, slope, bend = raw(a, b, rho, m, sigma, k)
    if not w > 0.0:
        return -np.inf
    tilt = 1.0 - 0.5 * k * slope / w
    return tilt * tilt - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * bend


@njit(entry=False, error_model="numpy")
def least_g(a: float, b: float, rho: float, m: float, sigma: float, span: float, points: int) -> float:
    """Return the least g on an even grid over [-span, span] and on points around m, where the slice bends.

    -inf where the slice's own minimum is negative, on the grid or off it.
    """
    least = np.inf if a + b * sigma * np.sqrt(1.0 - rho * rho) >= 0.0 else -np.inf
    for i in range(points):
        least = min(least, durrleman(a, b, rho, m, sigma, span * (2.0 * i / (points - 1) - 1.0)))
    for i in range(-8, 9):
        least = min(least, durrleman(a, b, rho, m, sigma, m + 0.5 * i * sigma))
    return least


@njit(entry=False, error_model="numpy")
def _inner(k: FloatArray, w: FloatArray, weight: FloatArray, m: float, sigma: float, out: FloatArray) -> None:
    """Write the best (a, u, v) for given (m, sigma): every face of the box is tried."""
    s0 = s1 = s2 = s11 = s12 = s22 = t0 = t1 = t2 = 0.0
    for i in range(len(k)):
        y = (k[i] - m) / sigma
        root = np.sqrt(1.0 + y * y)
        p, q = 0.5 * (root + y), 0.5 * (root - y)
        h = weight[i]
        s0 += h
        s1 += h * p
        s2 += h * q
        s11 += h * p * p
        s12 += h * p * q
        s22 += h * q * q
        t0 += h * w[i]
        t1 += h * p * w[i]
        t2 += h * q * w[i]
    # Without the constant: covariances.
    c11, c12, c22 = s11 - s1 * s1 / s0, s12 - s1 * s2 / s0, s22 - s2 * s2 / s0
    d1, d2 = t1 - s1 * t0 / s0, t2 - s2 * t0 / s0
    top, best = 2.0 * sigma, np.inf
    for face in range(9):
        fixed_u, fixed_v = face // 3, face % 3  # 0 free, 1 at the lower bound, 2 at the upper
        u, v = (0.0 if fixed_u < 2 else top), (0.0 if fixed_v < 2 else top)
        if fixed_u == 0 and fixed_v == 0:
            det = c11 * c22 - c12 * c12
            if not det > 1e-14 * c11 * c22:
                continue
            u, v = (d1 * c22 - d2 * c12) / det, (d2 * c11 - d1 * c12) / det
        elif fixed_u == 0:
            u = (d1 - c12 * v) / c11 if c11 > 0.0 else 0.0
        elif fixed_v == 0:
            v = (d2 - c12 * u) / c22 if c22 > 0.0 else 0.0
        if not (0.0 <= u <= top and 0.0 <= v <= top):
            continue
        value = c11 * u * u + 2.0 * c12 * u * v + c22 * v * v - 2.0 * (d1 * u + d2 * v)
        if value < best:
            best = value
            out[0], out[1], out[2] = (t0 - s1 * u - s2 * v) / s0, u, v


@njit(entry=False, error_model="numpy")
def _blended(
    a: float, b: float, rho: float, m: float, sigma: float, level: float, span: float, points: int
) -> tuple[float, float]:
    """Return a and b of the slice blended with the flat one at `level`, just enough to have no arbitrage."""
    if least_g(a, b, rho, m, sigma, span, points) >= 0.0:
        return a, b
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        share = 0.5 * (low + high)
        if least_g(a + share * (level - a), (1.0 - share) * b, rho, m, sigma, span, points) < 0.0:
            low = share
        else:
            high = share
    return a + high * (level - a), (1.0 - high) * b


@njit(entry=False, error_model="numpy")
def _candidate(
    k: FloatArray, w: FloatArray, weight: FloatArray, m: float, sigma: float, span: float, out: FloatArray
) -> float:
    """Write (a, b, rho, m, sigma) of the best slice without arbitrage for (m, sigma); return its error."""
    _inner(k, w, weight, m, sigma, out)
    a, u, v = out[0], out[1], out[2]
    b = 0.5 * (u + v) / sigma
    rho = (u - v) / (u + v) if u + v > 0.0 else 0.0
    if span > 0.0:
        a, b = _blended(a, b, rho, m, sigma, np.sum(weight * w) / np.sum(weight), span, _GRID)
    out[0], out[1], out[2], out[3], out[4] = a, b, rho, m, sigma
    error = 0.0
    for i in range(len(k)):
        gap = raw(a, b, rho, m, sigma, k[i])[0] - w[i]
        error += weight[i] * gap * gap
    return error


@njit(entry=False, error_model="numpy")
def _moved(
    k: FloatArray,
    w: FloatArray,
    weight: FloatArray,
    box: FloatArray,
    span: float,
    worst: FloatArray,
    center: FloatArray,
    stretch: float,
) -> tuple[float, float, float]:
    """Return the point `stretch` times as far beyond the center as the worst is before it, and its error."""
    m = min(max(center[0] + stretch * (center[0] - worst[0]), box[0]), box[1])
    log_sigma = min(max(center[1] + stretch * (center[1] - worst[1]), box[2]), box[3])
    return m, log_sigma, _candidate(k, w, weight, m, np.exp(log_sigma), span, np.empty(5))


@njit(entry=False, error_model="numpy")
def _search(
    k: FloatArray, w: FloatArray, weight: FloatArray, box: FloatArray, span: float, out: FloatArray
) -> float:
    """Search (m, ln sigma) by Nelder and Mead from the slice in `out`; write the best, return its error."""
    size = 0.1 * (box[1] - box[0])
    x, f = np.empty((3, 2)), np.empty(3)
    for i in range(3):
        x[i, 0], x[i, 1] = out[3], np.log(out[4])
    x[1, 0] += size
    x[2, 1] += 0.4
    for i in range(3):
        f[i] = _candidate(k, w, weight, x[i, 0], np.exp(x[i, 1]), span, np.empty(5))
    for _ in range(_STEPS):
        for i, j in ((0, 1), (1, 2), (0, 1)):
            if f[j] < f[i]:
                f[i], f[j] = f[j], f[i]
                for axis in range(2):
                    x[i, axis], x[j, axis] = x[j, axis], x[i, axis]
        if f[2] - f[0] <= _ENOUGH * f[0]:
            break
        center = np.array([0.5 * (x[0, 0] + x[1, 0]), 0.5 * (x[0, 1] + x[1, 1])])
        m, log_sigma, value = _moved(k, w, weight, box, span, x[2], center, 1.0)
        if value < f[0]:
            farther = _moved(k, w, weight, box, span, x[2], center, 2.0)
            if farther[2] < value:
                m, log_sigma, value = farther
        elif value >= f[1]:
            m, log_sigma, value = _moved(k, w, weight, box, span, x[2], center, 0.5 if value < f[2] else -0.5)
        if value < f[2]:
            x[2, 0], x[2, 1], f[2] = m, log_sigma, value
            continue
        for i in range(1, 3):
            x[i, 0], x[i, 1] = 0.5 * (x[0, 0] + x[i, 0]), 0.5 * (x[0, 1] + x[i, 1])
            f[i] = _candidate(k, w, weight, x[i, 0], np.exp(x[i, 1]), span, np.empty(5))
    best = 0 if f[0] <= min(f[1], f[2]) else (1 if f[1] <= f[2] else 2)
    return _candidate(k, w, weight, x[best, 0], np.exp(x[best, 1]), span, out)


@njit(entry=False, error_model="numpy")
def _start(k: FloatArray, w: FloatArray, weight: FloatArray, box: FloatArray, out: FloatArray) -> None:
    """Write the best slice of a coarse grid of (m, sigma), arbitrage not looked at."""
    least, trial = np.inf, np.empty(5)
    for i in range(_M_STARTS):
        for j in range(_SIGMA_STARTS):
            m = box[0] + (box[1] - box[0]) * (i + 0.5) / _M_STARTS
            log_sigma = box[2] + (box[3] - box[2]) * (j + 0.5) / _SIGMA_STARTS
            error = _candidate(k, w, weight, m, np.exp(log_sigma), 0.0, trial)
            if error < least:
                least = error
                for p in range(5):  # a slice would compile numba's messages about shapes too
                    out[p] = trial[p]


@njit(entry=False, error_model="numpy")
def _middle(values: FloatArray) -> float:
    """Return the median, the upper one of two."""
    ordered = values.copy()
    for i in range(1, len(ordered)):
        value, j = ordered[i], i - 1
        while j >= 0 and ordered[j] > value:
            ordered[j + 1] = ordered[j]
            j -= 1
        ordered[j + 1] = value
    return float(ordered[len(ordered) // 2])


@njit(entry=False, error_model="numpy")
def _without_outliers(k: FloatArray, w: FloatArray, weight: FloatArray, fitted: FloatArray) -> FloatArray:
    """Return the weights with those of contracts far from the slice lowered, after Huber."""
    gaps = np.empty(len(k))
    for i in range(len(k)):
        slice_w = raw(fitted[0], fitted[1], fitted[2], fitted[3], fitted[4], k[i])[0]
        gaps[i] = abs(slice_w - w[i]) * np.sqrt(weight[i])
    limit = _OUTLIER * _middle(gaps) / _NORMAL_MAD
    lowered = weight.copy()
    for i in range(len(k)):
        if gaps[i] > limit:
            lowered[i] *= limit / gaps[i]
    return lowered


@njit(nogil=True, cache=True, error_model="numpy")
def fit_slices(
    k: FloatArray,
    w: FloatArray,
    weight: FloatArray,
    starts: NDArray[np.int64],
    params: FloatArray,
    min_g: FloatArray,
) -> None:
    """Write the slice of each group of contracts.

    Parameters
    ----------
    k, w, weight
        Log-moneyness, total variance and weight of the contracts, groups one after another; shape (n,).
    starts
        First contract of each group, and n; shape (s + 1,). A group has at least one contract.
    params, min_g
        Written: (a, b, rho, m, sigma), shape (s, 5), and the least g on a fine grid, never negative.
    """
    for row in range(len(starts) - 1):
        part = slice(starts[row], starts[row + 1])
        near, variance, trust = k[part], w[part], weight[part]
        scale = np.sqrt(_middle(variance))
        span = max(1.5 * np.abs(near).max(), 6.0 * scale)
        box = np.array(
            [near.min() - scale, near.max() + scale, np.log(_SIGMA_LOW * scale), np.log(_SIGMA_HIGH * scale)]
        )
        out = params[row]
        _start(near, variance, trust, box, out)
        robust = trust
        for _ in range(_ROUNDS):
            _search(near, variance, robust, box, span, out)
            robust = _without_outliers(near, variance, trust, out)
        level = np.sum(trust * variance) / np.sum(trust)
        a, b, rho, m, sigma = out
        out[0], out[1] = _blended(a, b, rho, m, sigma, level, span, _FINE_GRID)
        min_g[row] = least_g(out[0], out[1], rho, m, sigma, span, _FINE_GRID)
