"""exp, log, the Mills ratio and the normal distribution as straight-line code that LLVM turns into SIMD.

A loop that calls the C library or branches is not vectorised; one that only selects, multiplies and adds is.
Every function here works on one number and is inlined into the loop that calls it.

Sources: W. Cody and W. Waite, "Software Manual for the Elementary Functions", 1980, for the reduction by
ln(2) in two parts; G. Estrin, 1960, for the order in which polynomials are summed; J. Mills, Biometrika 1926.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped] # ships no types
from numba import types
from numba.extending import intrinsic

from strikelake.compiled import njit
from strikelake.pricing.coefficients import ARTANH, EXPONENTIAL, MILLS, MILLS_SHIFT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_DOUBLE = ir.DoubleType()


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a small function into whatever loop calls it.

    A product and a sum may round once ("contract"); no other freedom is taken, so that results are the same
    on every call. Division by zero gives infinity and no branch.
    """
    return njit(forceinline=True, error_model="numpy", fastmath={"contract"})(function)


def loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that Python calls with whole columns; it lets other threads run."""
    return njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})(function)


def merged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that only calls loops into the one place that calls it.

    Numba optimises whatever a function calls once more with it; a level less is a level sooner done.
    """
    return njit(inline="always", error_model="numpy", fastmath={"contract"})(function)


def _fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Emit a b + c, rounded once."""
    kind = ir.FunctionType(_DOUBLE, [_DOUBLE] * 3)
    return builder.call(builder.module.declare_intrinsic("llvm.fma", [_DOUBLE], kind), [a, b, c])


def _typed_fma(
    _typing: Any, _a: types.Type, _b: types.Type, _c: types.Type
) -> tuple[Any, Callable[..., Any]]:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _fused(builder, *arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


def _typed_select(
    _typing: Any, _c: types.Type, _a: types.Type, _b: types.Type
) -> tuple[Any, Callable[..., Any]]:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return types.float64(types.boolean, types.float64, types.float64), generate


def _typed_sqrt(_typing: Any, _a: types.Type) -> tuple[Any, Callable[..., Any]]:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_DOUBLE, [_DOUBLE])
        return builder.call(builder.module.declare_intrinsic("llvm.sqrt", [_DOUBLE], kind), arguments)

    return types.float64(types.float64), generate


def _bits(result: types.Type, given: types.Type) -> Callable[..., Any]:
    def typed(_typing: Any, _a: types.Type) -> tuple[Any, Callable[..., Any]]:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], context.get_value_type(result))

        return result(given), generate

    return typed


def _typed_wide(_typing: Any) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        # llvmlite accepts a list of attributes only; this one is LLVM's, whose default is half of the width.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate


def polynomial(coefficients: Sequence[float]) -> Any:
    """Return a compiled function of one number: the polynomial with these coefficients, constant first.

    Summed by Estrin's scheme in groups of four, so that no term waits long for another.
    """

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        x = arguments[0]
        terms = [ir.Constant(_DOUBLE, float(c)) for c in coefficients]
        power = x
        for _ in range(2):  # pairs, then fours
            terms = [
                _fused(builder, power, terms[k + 1], terms[k]) if k + 1 < len(terms) else terms[k]
                for k in range(0, len(terms), 2)
            ]
            power = builder.fmul(power, power)
        total = terms[-1]
        for term in reversed(terms[:-1]):
            total = _fused(builder, total, power, term)
        return total

    def typed(_typing: Any, _x: types.Type) -> tuple[Any, Callable[..., Any]]:
        return types.float64(types.float64), generate

    return intrinsic(typed)


def _typed_power_series(_typing: Any, series: Any, _x: types.Type) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x = arguments[1]
        terms = [builder.extract_value(arguments[0], k) for k in range(series.count)]
        value, slope = terms[-1], ir.Constant(_DOUBLE, 0.0)
        for term in reversed(terms[:-1]):
            slope = _fused(builder, slope, x, value)
            value = _fused(builder, value, x, term)
        return context.make_tuple(builder, signature.return_type, (value, slope))

    two = types.Tuple((types.float64, types.float64))  # type: ignore[no-untyped-call] # numba's own
    return two(series, types.float64), generate


power_series: Any = intrinsic(_typed_power_series)
"""Value and slope at x of a power series whose coefficients are a tuple, constant first."""

fma: Any = intrinsic(_typed_fma)
select: Any = intrinsic(_typed_select)
sqrt: Any = intrinsic(_typed_sqrt)
wide: Any = intrinsic(_typed_wide)
"""Let the calling loop use the processor's widest registers; without effect where there are none."""

bits_of: Any = intrinsic(_bits(types.int64, types.float64))
number_of: Any = intrinsic(_bits(types.float64, types.int64))

_exponential = polynomial(EXPONENTIAL)
_artanh = polynomial(ARTANH)
_mills = polynomial(MILLS)

_TO_WHOLE = 1.5 * 2.0**52  # adding it leaves the nearest whole number in the low bits
_PER_LN2 = 1.0 / log(2.0)
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_EXPONENT = 52
_ROOT_HALF = int(np.float64(np.sqrt(0.5)).view(np.int64))
_LOWEST, _HIGHEST = -708.0, 709.0
DENSITY_AT_0 = 0.3989422804014327
"""1 / sqrt(2 pi)."""


@inlined
def exp(x: Any) -> Any:
    """Return e to the x, to two units in the last place; x is cut to where the result is a normal number."""
    x = select(x < _LOWEST, _LOWEST, x)
    x = select(x > _HIGHEST, _HIGHEST, x)
    shifted = fma(x, _PER_LN2, _TO_WHOLE)
    whole = shifted - _TO_WHOLE
    rest = fma(whole, -_LN2_LOW, fma(whole, -_LN2_HIGH, x))
    return number_of(bits_of(_exponential(rest)) + (bits_of(shifted) << _EXPONENT))


@inlined
def ln(x: Any) -> Any:
    """Return the natural logarithm of a positive normal number, to two units in the last place."""
    bits = bits_of(x)
    exponent = (bits - _ROOT_HALF) >> _EXPONENT
    mantissa = number_of(bits - (exponent << _EXPONENT))
    twos = np.float64(exponent)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    return fma(twos, _LN2_HIGH, fma(s, _artanh(s * s), twos * _LN2_LOW))


@inlined
def mills(z: Any) -> Any:
    """Return (1 - N(z)) / n(z) for z >= 0: the normal tail over the density."""
    w = 1.0 / (z + MILLS_SHIFT)
    return w * _mills(fma(-2.0 * MILLS_SHIFT, w, 1.0))


@inlined
def normal(x: Any) -> Any:
    """Return the standard normal distribution function and density at x."""
    distance = abs(x)
    density = DENSITY_AT_0 * exp(-0.5 * distance * distance)
    tail = density * mills(distance)
    return select(x < 0.0, tail, 1.0 - tail), density


@inlined
def clip(x: Any, low: Any, high: Any) -> Any:
    """Return x, or the bound that it passes; NaN stays NaN."""
    return select(x > high, high, select(x < low, low, x))


@inlined
def finite(x: Any) -> Any:
    """Return whether x is neither NaN nor infinite."""
    return x - x == 0.0
