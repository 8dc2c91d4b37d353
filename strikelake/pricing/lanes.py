"""Eight numbers side by side as one value of compiled code: what the processor multiplies at once.

LLVM vectorises loops over rows. It does not keep eight recurrences in one register from step to step: written
as a loop over eight inside a loop over steps, each step would wait for memory to give back what the one
before has stored. A value of this type stays in a register. Where a processor's registers are narrower,
LLVM takes two or four of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir  # type: ignore[import-untyped] # ships no types
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from strikelake.fused import DOUBLE

if TYPE_CHECKING:
    from collections.abc import Callable

LANES = 8
"""How many numbers."""

_VECTOR = ir.VectorType(DOUBLE, LANES)
_WORD = ir.IntType(32)
_ALIGNED = 8  # bytes, as numpy's arrays are


_Type: Any = types.Type  # numba's classes have no types
_Model: Any = models.PrimitiveModel


class _Lanes(_Type):  # type: ignore[misc]
    """The type of such a value."""


_LANES: Any = _Lanes("Lanes")


@register_model(_Lanes)
class _LanesModel(_Model):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _place(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> Any:
    """Emit the address of one row of a contiguous array whose last dimension is LANES."""
    data = context.make_array(kind)(context, builder, array).data
    start = builder.gep(data, [builder.mul(row, ir.Constant(row.type, LANES))])
    return builder.bitcast(start, _VECTOR.as_pointer())


def _typed_load(_typing: Any, array: types.Type, _row: types.Type) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments)
        return builder.load(place, align=_ALIGNED)

    return _LANES(array, types.intp), generate


def _typed_store(
    _typing: Any, array: types.Type, _row: types.Type, _value: types.Type
) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], place, align=_ALIGNED)
        return context.get_dummy_value()

    return types.void(array, types.intp, _LANES), generate


def _typed_splat(_typing: Any, _number: types.Type) -> tuple[Any, Callable[..., Any]]:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        one = builder.insert_element(nothing, arguments[0], ir.Constant(_WORD, 0))
        everywhere = ir.Constant(ir.VectorType(_WORD, LANES), [0] * LANES)
        return builder.shuffle_vector(one, nothing, everywhere)

    return _LANES(types.float64), generate


def _typed_times(_typing: Any, _a: types.Type, _b: types.Type) -> tuple[Any, Callable[..., Any]]:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fmul(*arguments)

    return _LANES(_LANES, _LANES), generate


def _typed_fused(
    _typing: Any, _a: types.Type, _b: types.Type, _c: types.Type
) -> tuple[Any, Callable[..., Any]]:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        name = f"llvm.fma.v{LANES}f64"
        find: Any = cgutils.get_or_insert_function
        return builder.call(find(builder.module, kind, name), arguments)

    return _LANES(_LANES, _LANES, _LANES), generate


def _typed_where_above(
    _typing: Any, _a: types.Type, _b: types.Type, _x: types.Type, _y: types.Type
) -> tuple[Any, Callable[..., Any]]:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        a, b, x, y = arguments
        return builder.select(builder.fcmp_ordered(">", a, b), x, y)

    return _LANES(_LANES, _LANES, _LANES, _LANES), generate


load: Any = intrinsic(_typed_load)
"""load(array, i): row i of a contiguous array (..., LANES), counted through all other dimensions."""

store: Any = intrinsic(_typed_store)
"""store(array, i, lanes): put it there."""

splat: Any = intrinsic(_typed_splat)
"""splat(number): the same number in every lane."""

times: Any = intrinsic(_typed_times)
"""times(a, b): a b."""

fused: Any = intrinsic(_typed_fused)
"""fused(a, b, c): a b + c, rounded once."""

where_above: Any = intrinsic(_typed_where_above)
"""where_above(a, b, x, y): x in the lanes where a > b, y in the others."""
