"""The compiled search behind `strikelake.lake.joins`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strikelake.compiled import njit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Wholes = NDArray[np.int64]


@njit(nogil=True, cache=True)
def newest(
    times: Wholes, held: Wholes, spans: Wholes, begin: int, end: int, oldest: int, found: Wholes
) -> None:
    """Write the number of the newest held row at or before each time, or -1.

    Each search starts where the one before it ended and doubles its steps (J. L. Bentley and A. C. Yao, An
    almost optimal algorithm for unbounded searching, 1976), so that times in order cost next to nothing, and
    times in disorder no more than twice a binary search.

    Parameters
    ----------
    times, held
        Of all rows and of all held ones, those held sorted within each span; int64.
    spans
        Shape (n, 4): first row and the one after the last, first held row and the one after the last.
    begin, end
        Which spans to do.
    oldest
        How far back a held row may lie; negative is as far as it goes.
    found
        Written, shape of `times`; rows outside the spans are left as they are.
    """
    for number in range(begin, end):
        first, stop, low_end, high_end = spans[number]
        place = low_end  # held rows before it are not later than the last time
        for row in range(first, stop):
            moment = times[row]
            low, high, step = place, place, 1
            if place > low_end and held[place - 1] > moment:
                low = low_end
            else:
                while high < high_end and held[high] <= moment:
                    low = high + 1
                    high = min(high + step, high_end)
                    step *= 2
            while low < high:
                middle = (low + high) // 2
                if held[middle] <= moment:
                    low = middle + 1
                else:
                    high = middle
            place = low
            known = place > low_end and (oldest < 0 or moment - held[place - 1] <= oldest)
            found[row] = place - 1 if known else -1
