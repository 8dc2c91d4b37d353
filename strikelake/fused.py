"""a b + c, rounded once, in compiled code, where its author asks for it.

The alternative, numba's `fastmath={"contract"}`, leaves it to LLVM which products and sums to fuse, and LLVM
decides anew wherever it compiles a function into another, by what it knows of both: processes that find other
parts of a kernel in the cache then round last digits differently. Without such a flag every operation has one
result, whatever LLVM makes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir  # type: ignore[import-untyped] # ships no types
from numba import types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

DOUBLE = ir.DoubleType()


def emit_fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Emit a b + c, rounded once, into the function that `builder` writes."""
    kind = ir.FunctionType(DOUBLE, [DOUBLE] * 3)
    return builder.call(builder.module.declare_intrinsic("llvm.fma", [DOUBLE], kind), [a, b, c])


def _typed_fma(
    _typing: Any, _a: types.Type, _b: types.Type, _c: types.Type
) -> tuple[Any, Callable[..., Any]]:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return emit_fma(builder, *arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


fma: Any = intrinsic(_typed_fma)
"""Compiled code's a b + c of three numbers."""
