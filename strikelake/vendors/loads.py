"""Reading bytes in compiled code as the machine does, from an address.

Numba counts the references to an array at every call that takes it, with an atomic instruction: here that
would cost more than the parsing.

Numba's cache looks at the file of the function that is called, not at what is compiled into it. The Makefile
and the commands name the cache after these sources; elsewhere, remove it after a change here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped] # ships no types
from numba import types
from numba.extending import intrinsic

from strikelake.compiled import njit

if TYPE_CHECKING:
    from collections.abc import Callable

_ONE_BYTE, _EIGHT_BYTES = 8, 64


def _load(bits: int, result: types.Type) -> Callable[..., Any]:
    """Return how to read a little-endian number of some bits at `base + at`, wherever that is."""

    def typed(_context: Any, _base: types.Type, _at: types.Type) -> tuple[Any, Callable[..., Any]]:
        def generate(_inner: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            place = builder.inttoptr(builder.add(*arguments), ir.IntType(bits).as_pointer())
            value = builder.load(place)
            value.align = 1
            return builder.zext(value, ir.IntType(_EIGHT_BYTES)) if bits < _EIGHT_BYTES else value

        return result(types.int64, types.int64), generate

    return typed


def _typed_zeros(_context: Any, _word: types.Type) -> tuple[Any, Callable[..., Any]]:
    def generate(_inner: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


trailing_zeros: Any = intrinsic(_typed_zeros)
byte_at: Any = intrinsic(_load(_ONE_BYTE, types.int64))
word_at: Any = intrinsic(_load(_EIGHT_BYTES, types.uint64))


_ONES, _SIGNS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_ZEROS, _POINTS = np.uint64(0x3030303030303030), np.uint64(0x2E2E2E2E2E2E2E2E)
_TENS = 10 ** np.arange(9)


@njit(entry=False, error_model="numpy", forceinline=True)
def low_bytes(count: int) -> Any:
    """Return a mask of the first bytes of a word, fewer than eight."""
    return (np.uint64(1) << np.uint64(8 * count)) - np.uint64(1)


@njit(entry=False, error_model="numpy", forceinline=True)
def field_size(word: Any) -> Any:
    """Return how many of eight bytes come before the first that is below a point: commas, quotes, line ends.

    Eight when there is none. Some marks that are part of a text are below a point too: a minus, a blank.
    """
    ends = (word - _POINTS) & ~word & _SIGNS
    return trailing_zeros(ends) >> 3 if ends else 8


@njit(entry=False, error_model="numpy", forceinline=True)
def short_number(word: Any, size: int) -> tuple[Any, int, int]:
    """Read the first bytes of a word, fewer than eight, as digits with at most one point.

    Returns
    -------
    tuple of int
        The number without its point, the count of digits (0: it is no such number), and how many of them are
        behind the point.
    """
    rest = word ^ _POINTS
    points = (rest - _ONES) & ~rest & _SIGNS
    place = trailing_zeros(points) >> 3 if points else 8
    digits, places = size, 0
    if place < size:
        digits, places = size - 1, size - 1 - place
        behind = (word >> np.uint64(8)) & ~low_bytes(place)
        word = (word & low_bytes(place)) | behind
    if digits == 0:
        return 0, 0, 0
    # Zeros in front make it eight digits.
    word = (word << np.uint64(8 * (8 - digits))) | (_ZEROS & low_bytes(8 - digits))
    return (eight_digits(word), digits, places) if are_digits(word) else (0, 0, 0)


@njit(entry=False, error_model="numpy", forceinline=True)
def ten_to(power: int) -> Any:
    """Return a power of ten, up to the eighth."""
    return _TENS[power]


@njit(entry=False, error_model="numpy", forceinline=True)
def are_digits(word: Any) -> Any:
    """Return whether eight bytes are all digits."""
    high, carry = np.uint64(0xF0F0F0F0F0F0F0F0), np.uint64(0x0606060606060606)
    digits = np.uint64(0x3030303030303030)
    return (word & high) == digits and ((word + carry) & high) == digits


@njit(entry=False, error_model="numpy", forceinline=True)
def eight_digits(word: Any) -> Any:
    """Return the number that eight bytes of digits spell: pairs, fours and eights of them at once."""
    word = ((word & np.uint64(0x0F0F0F0F0F0F0F0F)) * np.uint64(2_561)) >> np.uint64(8)
    word = ((word & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6_553_601)) >> np.uint64(16)
    return np.int64(((word & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42_949_672_960_001)) >> np.uint64(32))
