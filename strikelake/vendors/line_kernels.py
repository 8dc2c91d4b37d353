"""Lines of a flat file into typed arrays, compiled.

A line is *plain* when every value in it is written the usual way and keeps the bounds of its table. Plain
lines are parsed here, exactly; all others are only found here, and parsed and judged one by one elsewhere.
Nothing is compiled at import: numba does it at the first call and keeps the result.
Functions take arrays one by one, for numba counts references to those in a tuple again at every access.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from strikelake.compiled import njit
from strikelake.vendors.loads import (
    are_digits,
    byte_at,
    eight_digits,
    field_size,
    low_bytes,
    short_number,
    ten_to,
    word_at,
)
from strikelake.vendors.symbol_kernels import is_occ, is_wanted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Wholes = NDArray[np.int64]
    Decimals = NDArray[np.float64]
    Bytes = NDArray[np.uint8]

SKIP, TICKER, WHOLE, DECIMAL, TEXT = range(5)
NO_NUMBER = np.iinfo(np.int64).min
"""What stands for a missing whole number; a missing decimal is NaN."""
LOW, HIGH, NULL, ZERO_NULL = range(4)
AT, SIZE, WANTED = range(3)
END, LINE = 1, 2

_COMMA, _LINE_FEED, _RETURN, _QUOTE, _POINT, _ZERO, _NINE = 44, 10, 13, 34, 46, 48, 57
_MOST_EXACT = 2**53
_MOST_DIGITS = 18
_WORD = 8
_ODD, _UNWANTED = -1, -2
_POWERS = 10.0 ** np.arange(_MOST_DIGITS + 1)


@njit(nogil=True, cache=True, error_model="numpy")
def parse_lines(  # noqa: C901, PLR0912, PLR0915 - one loop: what is handed between functions costs its time
    text: Bytes,
    at: int,
    stop: int,
    kinds: Wholes,
    slots: Wholes,
    whole_rules: Wholes,
    decimal_rules: Decimals,
    span: Wholes,
    ohlc: Wholes,
    sides: Wholes,
    letters: Bytes,
    option: bool,  # noqa: FBT001 - compiled
    roots: Bytes,
    last_expiration: int,
    wholes: Wholes,
    decimals: Decimals,
    texts: Wholes,
    runs: Wholes,
    run: NDArray[np.int32],
    line: NDArray[np.int32],
    odd: Wholes,
) -> tuple[int, int, int, int, int, int]:
    """Parse whole lines from a byte on: call it with `*plan, *arrays`.

    The text goes on for eight bytes behind `stop`, whatever they are.

    Returns
    -------
    tuple of int
        Where parsing ended, which is before `stop` when there is no room for more odd lines;
        then plain rows, runs, odd lines, all lines, and lines whose ticker is not wanted.
    """
    rows, known, odds, lines, unwanted = 0, 0, 0, 0, 0
    columns, base = len(kinds), text.ctypes.data
    ticker_at, ticker_size = 0, 0
    while at < stop and odds < odd.shape[1]:
        begin = at
        for column in range(columns):
            kind, slot = kinds[column], slots[column]
            quoted = byte_at(base, at) == _QUOTE
            at += quoted
            if kind == DECIMAL:
                at, number = _decimal(base, at)
                decimals[slot, rows] = number
                if not decimal_rules[slot, LOW] <= number <= decimal_rules[slot, HIGH]:
                    at = _ODD
            elif kind == WHOLE:
                at, whole = _whole(base, at)
                if at >= 0 and (whole == NO_NUMBER or (whole == 0 and whole_rules[slot, ZERO_NULL])):
                    whole = NO_NUMBER
                    at = at if whole_rules[slot, NULL] else _ODD
                elif not whole_rules[slot, LOW] <= whole <= whole_rules[slot, HIGH]:
                    at = _ODD
                wholes[slot, rows] = whole
            elif kind == TICKER:
                start = at
                at = _same(base, at, ticker_at, ticker_size)
                if at == _ODD:
                    at = _ticker(base, start, letters, option)
                    if at != _ODD:
                        runs[AT, known], runs[SIZE, known] = start, at - start
                        runs[WANTED, known] = not option or is_wanted(base, start, at, roots, last_expiration)
                        ticker_at, ticker_size = start, at - start
                        known += 1
                run[rows] = known - 1
                if at != _ODD and not runs[WANTED, known - 1]:
                    at = _UNWANTED
            else:
                start = at
                at = _text(base, at, quoted)
                if kind == TEXT:
                    texts[AT, slot, rows], texts[SIZE, slot, rows] = start, at - start
            if at >= 0:
                at = _field_end(base, at, quoted, column == columns - 1)
            if at < 0:
                break
        if at >= 0 and len(ohlc):
            low, high = decimals[ohlc[2], rows], decimals[ohlc[1], rows]
            first, last = decimals[ohlc[0], rows], decimals[ohlc[3], rows]
            if not (low <= first <= high and low <= last <= high):
                at = _ODD
        if at >= 0 and span[1] <= wholes[span[0], rows] < span[2]:
            for side in range(0, len(sides), 2):
                if decimals[sides[side], rows] == 0.0:
                    decimals[sides[side], rows] = decimals[sides[side + 1], rows] = np.nan
            line[rows] = lines
            rows += 1
        else:
            wanted, at = at != _UNWANTED, begin
            while byte_at(base, at) != _LINE_FEED:
                at += 1
            if wanted:
                odd[AT, odds], odd[END, odds], odd[LINE, odds] = begin, at, lines
                odds += 1
            unwanted += not wanted
            at += 1
        lines += 1
    return at, rows, known, odds, lines, unwanted


@njit(entry=False, error_model="numpy", forceinline=True)
def _field_end(base: int, at: int, quoted: bool, last: bool) -> int:  # noqa: FBT001 - compiled
    """Return where the next field begins, or _ODD when this one does not end here."""
    if quoted:
        if byte_at(base, at) != _QUOTE:
            return _ODD
        at += 1
    if last and byte_at(base, at) == _RETURN:
        at += 1
    return at + 1 if byte_at(base, at) == (_LINE_FEED if last else _COMMA) else _ODD


@njit(entry=False, error_model="numpy", forceinline=True)
def _whole(base: int, at: int) -> tuple[int, Any]:
    """Read digits; 19 of them may overflow, which shows as a negative number."""
    begin, value = at, np.int64(0)
    word = word_at(base, at)
    while are_digits(word):
        value = value * 100_000_000 + eight_digits(word)
        at += 8
        word = word_at(base, at)
    size = field_size(word)
    if size == 0 and at - begin <= _MOST_DIGITS:
        return at, (value if at > begin else NO_NUMBER)
    more, digits, places = short_number(word, size)
    if digits == 0 or size == _WORD or places or digits != size or at + size - begin > _MOST_DIGITS + 1:
        return _ODD, value
    value = value * ten_to(digits) + more
    return (at + size if value >= 0 else _ODD), value


@njit(entry=False, error_model="numpy", forceinline=True)
def _decimal(base: int, at: int) -> tuple[int, Any]:
    """Read digits with at most one point; NaN where that is not the whole truth.

    Up to 2^53 both the digits and the power of ten are exact, so that their one division rounds as `float`
    does (W. D. Clinger, How to read floating point numbers accurately, 1990).
    """
    word = word_at(base, at)
    size = field_size(word)
    if size < _WORD:
        value, digits, places = short_number(word, size)
        return at + size, (value / _POWERS[places] if digits else np.nan)
    begin, value = at, 0
    while _ZERO <= byte_at(base, at) <= _NINE:
        value = value * 10 + byte_at(base, at) - _ZERO
        at += 1
    digits, places = at - begin, 0
    if byte_at(base, at) == _POINT:
        at += 1
        point = at
        while _ZERO <= byte_at(base, at) <= _NINE:
            value = value * 10 + byte_at(base, at) - _ZERO
            at += 1
        places = at - point
        digits += places
    if digits == 0 or digits > _MOST_DIGITS:
        return at, np.nan
    while value > _MOST_EXACT and places > 0 and value % 10 == 0:
        value //= 10
        places -= 1
    if value > _MOST_EXACT:
        return at, np.nan
    return at, (value / _POWERS[places] if places else np.float64(value))


@njit(entry=False, error_model="numpy", forceinline=True)
def _same(base: int, at: int, before: int, size: int) -> int:
    """Return where the ticker of the last run ends here, or _ODD when it is another one."""
    if size == 0:
        return _ODD
    place = 0
    while place + 8 <= size:
        if word_at(base, at + place) != word_at(base, before + place):
            return _ODD
        place += 8
    if (word_at(base, at + place) ^ word_at(base, before + place)) & low_bytes(size - place):
        return _ODD
    return at + size if byte_at(base, at + size) in (_COMMA, _QUOTE, _LINE_FEED, _RETURN) else _ODD


@njit(entry=False, error_model="numpy", forceinline=True)
def _ticker(base: int, at: int, letters: Bytes, option: bool) -> int:  # noqa: FBT001 - compiled
    """Return where a well-formed ticker ends, or _ODD."""
    end = at
    while letters[byte_at(base, end)] & 2:
        end += 1
    well_formed = end > at and letters[byte_at(base, at)] & 1 and (not option or is_occ(base, at, end))
    return end if well_formed else _ODD


@njit(entry=False, error_model="numpy", forceinline=True)
def _text(base: int, at: int, quoted: bool) -> int:  # noqa: FBT001 - compiled
    """Return where a field of any text ends; a quote that does not end it makes the line odd later."""
    while True:
        size = field_size(word_at(base, at))
        at += size
        mark = byte_at(base, at)
        if size < _WORD and (mark in (_LINE_FEED, _RETURN, _QUOTE) or (mark == _COMMA and not quoted)):
            return at
        at += size < _WORD
