"""Exact whole numbers for prices, times and counts, one compiled loop each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from strikelake.compiled import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TICKS_A_DOLLAR = 10_000.0
# Sums of two still are 32-bit numbers, and floats are exact far beyond.
MOST_32, MOST_64 = 2.0**30, 2.0**52
_MINUTE = 60_000_000_000


@njit(cache=True, nogil=True)
def pack_bars(
    times: NDArray[np.int64],
    known: NDArray[np.int64],
    prices: tuple[Floats, Floats, Floats, Floats],
    most: float,
    minutes: NDArray[np.int32],
    opens: NDArray[Any],
    steps: NDArray[np.int32],
    odd: NDArray[np.bool_],
) -> None:
    """Write each bar's minute, its open in ticks, and how far its close, high and low are from it.

    Parameters
    ----------
    times, known
        When bars start and when they are known, ns.
    prices
        Opens, closes, highs and lows, in dollars.
    most
        Ticks that a price may have.
    minutes, opens
        Get the minute since the epoch and the open; shape (rows,), as all above.
    steps
        Gets close minus open, high minus the greater of both, the lesser of both minus low; shape (3, rows).
    odd
        Gets whether a bar does not start with a minute, is not known at its end, or has a price that is no
        whole number of ticks or too large; its other numbers are 0 then.
    """
    first, last, top, bottom = prices
    for row in range(len(times)):
        o, c = np.rint(first[row] * TICKS_A_DOLLAR), np.rint(last[row] * TICKS_A_DOLLAR)
        h, w = np.rint(top[row] * TICKS_A_DOLLAR), np.rint(bottom[row] * TICKS_A_DOLLAR)
        minute = times[row] // _MINUTE
        wide = max(abs(o), abs(c), abs(h), abs(w))
        step = max(abs(c - o), abs(h - o), abs(w - o))
        good = (
            o / TICKS_A_DOLLAR == first[row]
            and c / TICKS_A_DOLLAR == last[row]
            and h / TICKS_A_DOLLAR == top[row]
            and w / TICKS_A_DOLLAR == bottom[row]
            and wide < most
            and step < MOST_32
            and minute * _MINUTE == times[row]
            and known[row] == times[row] + _MINUTE
        )
        if not good:
            odd[row] = True
            minutes[row] = opens[row] = steps[0, row] = steps[1, row] = steps[2, row] = 0
            continue
        minutes[row] = minute
        opens[row] = int(o)
        steps[0, row] = int(c - o)
        steps[1, row] = int(h - max(o, c))
        steps[2, row] = int(min(o, c) - w)


@njit(cache=True, nogil=True)
def pack_numbers(
    values: Floats, scale: float, most: float, whole: NDArray[Any], odd: NDArray[np.bool_]
) -> None:
    """Write values times `scale` as whole numbers, 0 for NaN; mark rows where that is not exact as odd."""
    for row in range(len(values)):
        value = values[row]
        number = np.rint(value * scale)
        if np.isnan(value):
            whole[row] = 0
        elif number / scale == value and abs(number) < most:
            whole[row] = int(number)
        else:
            odd[row] = True
            whole[row] = 0
