"""Inputs of the pricing functions: one shape for all, and blocks of rows that fit the processor's cache."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FloatArray: TypeAlias = NDArray[np.float64]

BLOCK = 16_384
"""Rows a kernel is given at once: the columns of more would not stay in a core's second-level cache."""


def broadcast(**inputs: ArrayLike) -> tuple[FloatArray, ...]:
    """Return the inputs as float64 arrays of one shape, in the order given.

    Parameters
    ----------
    **inputs
        Scalars, sequences or arrays by the name the caller's user knows. Nulls of a polars series become NaN.

    Raises
    ------
    ValueError
        When an input holds no numbers, the shapes do not fit together, or `sign` holds anything but +1, -1
        and NaN.

    Examples
    --------
    >>> spot, strike = broadcast(spot=100.0, strike=[90.0, 110.0])
    >>> spot.tolist()
    [100.0, 100.0]
    """
    arrays = {name: as_floats(name, value) for name, value in inputs.items()}
    given = tuple(arrays.values())
    try:
        same = np.broadcast_arrays(*given)
    except ValueError as error:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items() if array.ndim)
        raise ValueError(
            f"inputs differ in length ({shapes}): pass scalars or arrays of one length"
        ) from error
    if "sign" in arrays:
        _check_signs(arrays["sign"].ravel())
    # A view of a broadcast scalar warns when it is written to; the array itself does not.
    return tuple(own if own.shape == view.shape else view for own, view in zip(given, same, strict=True))


def as_floats(name: str, value: ArrayLike) -> FloatArray:
    """Return one input as a float64 array; the same where it is one.

    Raises
    ------
    ValueError
        When it holds something that is no number; the message names it.
    """
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds something that is no number ({error}): pass numbers") from error


def _check_signs(sign: FloatArray) -> None:
    """Raise where a sign is neither +1, -1 nor NaN; block by block, for each pass over memory costs time."""
    for first in range(0, sign.size, BLOCK):
        part = sign[first : first + BLOCK]
        if not (np.abs(part) == 1.0).all() and not np.all(np.isnan(part) | (np.abs(part) == 1.0)):
            raise ValueError("sign holds a value other than +1 and -1: use +1 for a call and -1 for a put")


def flat(columns: Sequence[FloatArray]) -> list[FloatArray]:
    """Return the columns with one dimension; one that has it already is not copied."""
    return [column if column.ndim == 1 else column.ravel() for column in columns]


def in_blocks(
    work: Callable[..., None],
    inputs: Sequence[FloatArray],
    outputs: Sequence[NDArray[np.generic]],
    *,
    threads: int = 1,
) -> None:
    """Call `work(*inputs, *outputs)` for each block of rows, every input contiguous and writable.

    A scalar that was broadcast is written out for one block at a time, as is a column that may not be written
    to; others are not copied.

    Parameters
    ----------
    work
        Fills the outputs; releases the interpreter where more than one thread is wanted.
    inputs, outputs
        Columns of one length (n,); the outputs are contiguous.
    threads
        How many blocks are worked on at once, at least 1. The results do not depend on it.

    Raises
    ------
    ValueError
        When `threads` is below 1.
    """
    if threads < 1:
        raise ValueError(f"threads is {threads}: ask for at least one")

    def block(first: int) -> None:
        rows = slice(first, first + BLOCK)
        work(
            *(contiguous(column[rows]) for column in inputs),
            *(column[rows] for column in outputs),
        )

    starts = range(0, outputs[0].size, BLOCK)
    if threads == 1 or len(starts) <= 1:
        for first in starts:
            block(first)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(block, starts))


def contiguous(column: FloatArray) -> FloatArray:
    """Return a column without gaps that may be written to.

    Numba compiles a function once more for columns that may not, such as those of a polars frame: seconds, at
    the first price after a warm start. Copied into the cache they cost next to nothing.

    A scalar that was broadcast to one row or none has no gaps, and yet numpy warns whoever asks whether it
    may be written to: it is copied as for more rows.
    """
    whole = np.array(column) if column.base is not None and column.size <= 1 else np.ascontiguousarray(column)
    return whole if whole.flags.writeable else whole.copy()
