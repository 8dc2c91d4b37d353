"""exp, log, the Mills ratio and the normal distribution as straight-line code that LLVM turns into SIMD.

A loop that calls the C library or branches is not vectorised; one that only selects, multiplies and adds is.
Every function here works on one number and is inlined into the loop that calls it. Nothing is left to LLVM
that could change a result (`strikelake.fused`): what rounds once says so.

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
from strikelake.fused import DOUBLE, emit_fma, fma
from strikelake.pricing.coefficients import (
    ARTANH,
    EXPONENTIAL,
    EXPONENTIAL_LESS_1,
    MILLS,
    MILLS_SHIFT,
    ROUGH_EXPONENTIAL,
    ROUGH_LN,
    ROUGH_MILLS,
    ROUGH_MILLS_SHIFT,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a small function into whatever loop calls it; division by zero gives infinity and no branch."""
    return njit(entry=False, forceinline=True, error_model="numpy")(function)


def loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that Python calls with whole columns; it lets other threads run."""
    return njit(nogil=True, cache=True, error_model="numpy")(function)


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that only loops and their parts call: once in each of them, and not by itself."""
    return njit(entry=False, error_model="numpy")(function)


def merged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that only calls loops into the one place that calls it.

    Numba optimises whatever a function calls once more with it; a level less is a level sooner done.
    """
    return njit(inline="always", error_model="numpy")(function)


def _typed_select(
    _typing: Any, _c: types.Type, _a: types.Type, _b: types.Type
) -> tuple[Any, Callable[..., Any]]:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return types.float64(types.boolean, types.float64, types.float64), generate


def _typed_sqrt(_typing: Any, _a: types.Type) -> tuple[Any, Callable[..., Any]]:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(DOUBLE, [DOUBLE])
        return builder.call(builder.module.declare_intrinsic("llvm.sqrt", [DOUBLE], kind), arguments)

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
        terms = [ir.Constant(DOUBLE, float(c)) for c in coefficients]
        power = x
        for _ in range(2):  # pairs, then fours
            terms = [
                emit_fma(builder, power, terms[k + 1], terms[k]) if k + 1 < len(terms) else terms[k]
                for k in range(0, len(terms), 2)
            ]
            power = builder.fmul(power, power)
        total = terms[-1]
        for term in reversed(terms[:-1]):
            total = emit_fma(builder, total, power, term)
        return total

    def typed(_typing: Any, _x: types.Type) -> tuple[Any, Callable[..., Any]]:
        return types.float64(types.float64), generate

    return intrinsic(typed)


def _typed_power_series(_typing: Any, series: Any, _x: types.Type) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x = arguments[1]
        terms = [builder.extract_value(arguments[0], k) for k in range(series.count)]
        value, slope = terms[-1], ir.Constant(DOUBLE, 0.0)
        for term in reversed(terms[:-1]):
            slope = emit_fma(builder, slope, x, value)
            value = emit_fma(builder, value, x, term)
        return context.make_tuple(builder, signature.return_type, (value, slope))

    two = types.Tuple((types.float64, types.float64))  # type: ignore[no-untyped-call] # numba's own
    return two(series, types.float64), generate


power_series: Any = intrinsic(_typed_power_series)
"""Value and slope at x of a power series whose coefficients are a tuple, constant first."""

select: Any = intrinsic(_typed_select)
sqrt: Any = intrinsic(_typed_sqrt)
wide: Any = intrinsic(_typed_wide)
"""Let the calling loop use the processor's widest registers; without effect where there are none."""

bits_of: Any = intrinsic(_bits(types.int64, types.float64))
number_of: Any = intrinsic(_bits(types.float64, types.int64))

_exponential, _exponential_less_1 = polynomial(EXPONENTIAL), polynomial(EXPONENTIAL_LESS_1)
_artanh = polynomial(ARTANH)
_mills = polynomial(MILLS)
_rough_exponential, _rough_ln = polynomial(ROUGH_EXPONENTIAL), polynomial(ROUGH_LN)
_rough_mills = polynomial(ROUGH_MILLS)

_TO_WHOLE = 1.5 * 2.0**52  # adding it leaves the nearest whole number in the low bits
_LN2 = log(2.0)
_PER_LN2 = 1.0 / _LN2
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_EXPONENT = 52
_ROOT_HALF = int(np.float64(np.sqrt(0.5)).view(np.int64))
_HALF = 1 << (_EXPONENT - 1)
_LOWEST, _HIGHEST = -708.0, 709.0
DENSITY_AT_0 = 0.3989422804014327
"""1 / sqrt(2 pi)."""


@inlined
def _in_twos(x: Any) -> Any:
    """Return r, at most ln(2) / 2, and the bits of the power of 2 that exp(r) is to be multiplied with."""
    x = select(x < _LOWEST, _LOWEST, x)
    x = select(x > _HIGHEST, _HIGHEST, x)
    shifted = fma(x, _PER_LN2, _TO_WHOLE)
    whole = shifted - _TO_WHOLE
    return fma(whole, -_LN2_LOW, fma(whole, -_LN2_HIGH, x)), bits_of(shifted) << _EXPONENT


@inlined
def _mantissa(x: Any) -> Any:
    """Return x over the power of 2 that leaves it between the roots of 1/2 and 2, and that power."""
    bits = bits_of(x)
    exponent = (bits - _ROOT_HALF) >> _EXPONENT
    return number_of(bits - (exponent << _EXPONENT)), np.float64(exponent)


@inlined
def exp(x: Any) -> Any:
    """Return e to the x, to two units in the last place; x is cut to where the result is a normal number."""
    rest, power = _in_twos(x)
    return number_of(bits_of(_exponential(rest)) + power)


@inlined
def growth(x: Any) -> Any:
    """Return e to the x, and the same less 1, each to its own last places; x is cut as `exp` cuts it."""
    rest, power = _in_twos(x)
    scale, gained = number_of(bits_of(1.0) + power), rest * _exponential_less_1(rest)
    return fma(gained, scale, scale), fma(gained, scale, scale - 1.0)


@inlined
def rough_exp(x: Any) -> Any:
    """Return e to the x to 6e-11 of itself; x is cut as `exp` cuts it."""
    rest, power = _in_twos(x)
    return number_of(bits_of(_rough_exponential(rest)) + power)


@inlined
def ln(x: Any) -> Any:
    """Return the natural logarithm of a positive normal number, to two units in the last place."""
    mantissa, twos = _mantissa(x)
    return ln_from((mantissa - 1.0) / (mantissa + 1.0), twos)


@inlined
def near(x: Any, y: Any) -> Any:
    """Return y times the power of 2 that brings it within half of x, and that power."""
    twos = (bits_of(x) - bits_of(y) + _HALF) >> _EXPONENT
    return number_of(bits_of(y) + (twos << _EXPONENT)), np.float64(twos)


@inlined
def ln_from(s: Any, twos: Any) -> Any:
    """Return ln(m) and that many ln(2), where s is (m - 1) / (m + 1) for an m between 2/3 and 3/2."""
    return fma(twos, _LN2_HIGH, fma(s, _artanh(s * s), twos * _LN2_LOW))


@inlined
def rough_ln(x: Any) -> Any:
    """Return the natural logarithm of a positive normal number to 6e-9, without a division."""
    mantissa, twos = _mantissa(x)
    return fma(twos, _LN2, _rough_ln(mantissa - 1.0))


@inlined
def _mills_places(a: Any, b: Any, shift: float) -> Any:
    """Return 1 / (z + shift) and the polynomial's variable for two z, with one division."""
    to_a, to_b = a + shift, b + shift
    both = 1.0 / (to_a * to_b)
    per_a, per_b = to_b * both, to_a * both
    return per_a, fma(-2.0 * shift, per_a, 1.0), per_b, fma(-2.0 * shift, per_b, 1.0)


@inlined
def mills(a: Any, b: Any) -> Any:
    """Return (1 - N(z)) / n(z) of two z >= 0: the normal tail over the density."""
    per_a, at_a, per_b, at_b = _mills_places(a, b, MILLS_SHIFT)
    return per_a * _mills(at_a), per_b * _mills(at_b)


@inlined
def rough_mills(a: Any, b: Any) -> Any:
    """Return what `mills` does, to 8e-11."""
    per_a, at_a, per_b, at_b = _mills_places(a, b, ROUGH_MILLS_SHIFT)
    return per_a * _rough_mills(at_a), per_b * _rough_mills(at_b)


@inlined
def normal(x: Any) -> Any:
    """Return the standard normal distribution function and density at x."""
    distance = abs(x)
    density = DENSITY_AT_0 * exp(-0.5 * distance * distance)
    w = 1.0 / (distance + MILLS_SHIFT)
    tail = density * w * _mills(fma(-2.0 * MILLS_SHIFT, w, 1.0))
    return select(x < 0.0, tail, 1.0 - tail), density


@inlined
def clip(x: Any, low: Any, high: Any) -> Any:
    """Return x, or the bound that it passes; NaN stays NaN."""
    return select(x > high, high, select(x < low, low, x))


@inlined
def finite(x: Any) -> Any:
    """Return whether x is neither NaN nor infinite."""
    return x - x == 0.0
