"""Polynomials whose coefficients are known when the program runs, as straight-line code for loops over rows.

Coefficients are read from an array into a tuple once, before the loop: LLVM then knows that nothing the loop
writes can change them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir  # type: ignore[import-untyped] # ships no types
from numba import types
from numba.extending import intrinsic

from strikelake.fused import DOUBLE, emit_fma

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _horner(builder: Any, x: Any, terms: Sequence[Any]) -> Any:
    """Emit the value and slope of a power series, constant first."""
    value, slope = terms[-1], ir.Constant(DOUBLE, 0.0)
    for term in reversed(terms[:-1]):
        slope = emit_fma(builder, slope, x, value)
        value = emit_fma(builder, value, x, term)
    return value, slope


def coefficients(first: int, count: int) -> Any:
    """Return a compiled function of a contiguous array: the tuple of `count` entries from `first` on."""

    def typed(_typing: Any, array: types.Type) -> tuple[Any, Callable[..., Any]]:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            places = (ir.Constant(ir.IntType(64), first + k) for k in range(count))
            terms = [builder.load(builder.gep(data, [place])) for place in places]
            return context.make_tuple(builder, signature.return_type, terms)

        return types.UniTuple(types.float64, count)(array), generate  # type: ignore[no-untyped-call]

    return intrinsic(typed)


def power_surface(rows: int, columns: int) -> Any:
    """Return a compiled function of (tuple, x, y): sum of c[a columns + b] x^a y^b.

    It returns the value, its slope and bend in x, and its slope in y.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        packed, x, y = arguments
        terms = [builder.extract_value(packed, k) for k in range(rows * columns)]
        across = [
            _horner(builder, y, terms[a * columns : (a + 1) * columns]) for a in range(rows)
        ]  # value and slope in y of what multiplies each power of x
        zero = ir.Constant(DOUBLE, 0.0)
        (value, by_y), slope, half_bend = across[-1], zero, zero
        for term, term_by_y in reversed(across[:-1]):
            half_bend = emit_fma(builder, half_bend, x, slope)
            slope = emit_fma(builder, slope, x, value)
            value = emit_fma(builder, value, x, term)
            by_y = emit_fma(builder, by_y, x, term_by_y)
        bend = builder.fadd(half_bend, half_bend)
        return context.make_tuple(builder, signature.return_type, (value, slope, bend, by_y))

    def typed(_typing: Any, packed: types.Type, _x: types.Type, _y: types.Type) -> Any:
        found = types.UniTuple(types.float64, 4)  # type: ignore[no-untyped-call] # numba's own
        return found(packed, types.float64, types.float64), generate

    return intrinsic(typed)
