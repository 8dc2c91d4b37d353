"""Compiled indicators whose every value depends on the one before: exponential averages and Wilder's.

One pass computes an indicator to the end: passes over memory, and waiting for the value before, cost more
than the arithmetic. They start at the first row, and agree with TA-Lib's to nine digits once nothing is left
of the start: after 16 spans, Wilder's after 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.compiled import njit
from strikelake.fused import fma

if TYPE_CHECKING:
    from features.feature import FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def ema_distance(values: FloatArray, span: int) -> FloatArray:
    """Return values over their exponential average, minus 1."""
    found, weight = np.empty(len(values)), 2.0 / (span + 1.0)
    mean = values[0] if len(values) else np.nan
    for row in range(len(values)):
        mean = fma(1.0 - weight, mean, weight * values[row])
        found[row] = values[row] / mean - 1.0
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def ema_ratio(values: FloatArray, fast: int, slow: int) -> FloatArray:
    """Return the fast exponential average over the slow one, minus 1."""
    found, quick_weight, slow_weight = np.empty(len(values)), 2.0 / (fast + 1.0), 2.0 / (slow + 1.0)
    near = far = values[0] if len(values) else np.nan
    for row in range(len(values)):
        near = fma(1.0 - quick_weight, near, quick_weight * values[row])
        far = fma(1.0 - slow_weight, far, slow_weight * values[row])
        found[row] = near / far - 1.0
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def macd(values: FloatArray, fast: int, slow: int) -> FloatArray:
    """Return the fast exponential average minus the slow one, over the values."""
    found, quick_weight, slow_weight = np.empty(len(values)), 2.0 / (fast + 1.0), 2.0 / (slow + 1.0)
    near = far = values[0] if len(values) else np.nan
    for row in range(len(values)):
        near = fma(1.0 - quick_weight, near, quick_weight * values[row])
        far = fma(1.0 - slow_weight, far, slow_weight * values[row])
        found[row] = (near - far) / values[row]
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def macd_histogram(values: FloatArray, fast: int, slow: int, signal: int) -> FloatArray:
    """Return the MACD minus its own exponential average, over the values."""
    found, quick_weight, slow_weight = np.empty(len(values)), 2.0 / (fast + 1.0), 2.0 / (slow + 1.0)
    near = far = values[0] if len(values) else np.nan
    line, line_weight = 0.0, 2.0 / (signal + 1.0)
    for row in range(len(values)):
        near = fma(1.0 - quick_weight, near, quick_weight * values[row])
        far = fma(1.0 - slow_weight, far, slow_weight * values[row])
        line = fma(1.0 - line_weight, line, line_weight * (near - far))
        found[row] = (near - far - line) / values[row]
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def relative_strength(values: FloatArray, window: int, still: int) -> FloatArray:
    """Return Wilder's average rise over his average rise and fall together, times 100.

    NaN where nothing has moved for `still` rows.
    """
    found, weight = np.empty(len(values)), 1.0 / window
    up = down = 0.0
    before = values[0] if len(values) else np.nan
    moved = -still
    for row in range(len(values)):
        change = values[row] - before
        before = values[row]
        moved = row if change != 0.0 else moved
        up = fma(1.0 - weight, up, weight * max(change, 0.0))
        down = fma(1.0 - weight, down, weight * max(-change, 0.0))
        found[row] = 100.0 * up / (up + down) if row - moved < still else np.nan
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def true_range(high: FloatArray, low: FloatArray, close: FloatArray, window: int) -> FloatArray:
    """Return Wilder's average true range, over the close."""
    found, weight = np.empty(len(close)), 1.0 / window
    mean = high[0] - low[0] if len(close) else np.nan
    before = close[0] if len(close) else np.nan
    for row in range(len(close)):
        wide = max(high[row], before) - min(low[row], before)
        before = close[row]
        mean = fma(1.0 - weight, mean, weight * wide)
        found[row] = mean / before
    return found
