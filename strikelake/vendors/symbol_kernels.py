"""OCC symbols read from the right, compiled: root, YYMMDD, C or P, and the strike times 1,000."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strikelake.compiled import njit
from strikelake.vendors.loads import byte_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Wholes = NDArray[np.int64]

_A, _Z, _ZERO, _NINE, _POINT, _COLON, _CALL, _PUT, _O = 65, 90, 48, 57, 46, 58, 67, 80, 79
_TAIL = 15
_FEBRUARY = 2


@njit(entry=False, error_model="numpy")
def is_occ(base: int, at: int, end: int) -> bool:
    """Return whether text is an OCC symbol with a date that exists and a strike above zero."""
    at, day = _root(base, at), end - _TAIL
    if (
        day <= at
        or not _A <= byte_at(base, at) <= _Z
        or (byte_at(base, day + 6) != _CALL and byte_at(base, day + 6) != _PUT)
    ):
        return False
    for place in range(at, day):
        letter = byte_at(base, place)
        if not (_A <= letter <= _Z or _ZERO <= letter <= _NINE or letter == _POINT):
            return False
    for place in range(day, end):
        if place != day + 6 and not _ZERO <= byte_at(base, place) <= _NINE:
            return False
    year, month, date = date_of(base, day)
    days = 30 + (month + month // 8) % 2
    if month == _FEBRUARY:
        # No year of this century divides by 100 but its first, which is a leap year.
        days = 29 if year % 4 == 0 else 28
    return 1 <= month <= 12 and 1 <= date <= days and digits_of(base, end - 8, 8) > 0  # noqa: PLR2004 - months


@njit(entry=False, error_model="numpy")
def is_wanted(base: int, at: int, end: int, roots: Bytes, last_expiration: int) -> bool:
    """Return whether a symbol expires by a YYMMDD and has one of the roots; no roots are all of them.

    The digits of an adjusted root do not count: AAPL1 is one of AAPL.
    """
    at, day = _root(base, at), end - _TAIL
    if digits_of(base, day, 6) > last_expiration:
        return False
    while _ZERO <= byte_at(base, day - 1) <= _NINE:
        day -= 1
    for row in range(len(roots)):
        same, longest = 0, roots.shape[1]
        while same < min(day - at, longest) and roots[row, same] == byte_at(base, at + same):
            same += 1
        if same == day - at and (same == longest or roots[row, same] == 0):
            return True
    return len(roots) == 0


@njit(nogil=True, cache=True, error_model="numpy")
def contract_terms(text: Bytes, at: Wholes, size: Wholes) -> tuple[Wholes, NDArray[np.int32], Wholes, Wholes]:
    """Read OCC symbols.

    Returns
    -------
    tuple of np.ndarray
        Year, month and day (one row per symbol), 1 for a put, the strike times 1,000, and where the root is.
    """
    base = text.ctypes.data
    dates, puts = np.empty((len(at), 3), np.int64), np.empty(len(at), np.int32)
    strikes, roots = np.empty(len(at), np.int64), np.empty(len(at), np.int64)
    for row in range(len(at)):
        day = at[row] + size[row] - _TAIL
        dates[row, 0], dates[row, 1], dates[row, 2] = date_of(base, day)
        puts[row] = byte_at(base, day + 6) == _PUT
        strikes[row] = digits_of(base, day + 7, 8)
        roots[row] = _root(base, at[row])
    return dates, puts, strikes, roots


@njit(nogil=True, cache=True, error_model="numpy")
def copy_strings(text: Bytes, at: Wholes, size: Wholes, offsets: NDArray[np.int32], out: Bytes) -> None:
    """Put strings of a text one after the other, with the offsets that Arrow wants."""
    base, end = text.ctypes.data, 0
    offsets[0] = 0
    for row in range(len(at)):
        for place in range(at[row], at[row] + size[row]):
            out[end] = byte_at(base, place)
            end += 1
        offsets[row + 1] = end


@njit(entry=False, error_model="numpy")
def digits_of(base: int, at: int, count: int) -> int:
    """Return a number of a fixed count of digits."""
    value = 0
    for place in range(at, at + count):
        value = value * 10 + byte_at(base, place) - _ZERO
    return value


@njit(entry=False, error_model="numpy")
def date_of(base: int, at: int) -> tuple[int, int, int]:
    """Return year, month and day of YYMMDD in this century."""
    return 2000 + digits_of(base, at, 2), digits_of(base, at + 2, 2), digits_of(base, at + 4, 2)


@njit(entry=False, error_model="numpy")
def _root(base: int, at: int) -> int:
    """Return where the root is: behind the vendor's O:."""
    return at + 2 if byte_at(base, at) == _O and byte_at(base, at + 1) == _COLON else at
