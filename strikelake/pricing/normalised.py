"""Black's formula in normalised form, compiled: value, first guess and one step of the search for volatility.

With the forward F, strike K, both discounted, and s = vol times the root of time, the out-of-the-money option
over sqrt(F K) is a function of x = -|ln(F / K)| and s alone. With h = x / s, t = s / 2 and the Mills ratio
Y(z) = (1 - N(z)) / n(z) it is

    b(x, s) = n(0) exp(-(h^2 + t^2) / 2) (Y(-h - t) - Y(-h + t)),

free of cancellation in the tails, and its slope is db/ds = n(0) exp(-(h^2 + t^2) / 2).

Sources: P. Jaeckel, "Let's be rational", Wilmott 2015, for the normalisation and Householder's third-order
step on ln(b); P. Jaeckel, "Implied normal volatility", Wilmott 2017, for inverting Bachelier's formula; C.
Grunspan, "A note on the equivalence between the normal and the lognormal implied volatility", 2011, for the
way from one to the other.
"""

from __future__ import annotations

from typing import Any

from strikelake.fused import fma
from strikelake.pricing.coefficients import BACHELIER_ABOVE, BACHELIER_BELOW, BACHELIER_TO_BLACK
from strikelake.pricing.elementary import (
    DENSITY_AT_0,
    exp,
    inlined,
    mills,
    polynomial,
    rough_exp,
    rough_ln,
    rough_mills,
    select,
)

_above, _below = polynomial(BACHELIER_ABOVE), polynomial(BACHELIER_BELOW)
_to_black = polynomial(BACHELIER_TO_BLACK)

_LN_ROOT_2PI = 0.9189385332046727
_ROOT_2PI = 2.5066282746310002
_SMALLEST = 1e-300


@inlined
def dollars(x: Any, s: Any, per_s: Any, geometric: Any, lesser: Any) -> Any:
    """Return h, t, the density's dollars, and those of the cheaper and of the dearer of forward and strike.

    `geometric` is sqrt(F K) and `lesser` the smaller of the two, both discounted; `per_s` is 1 / s. The
    out-of-the-money option is worth the difference of the last two, F N(d1) and K N(d2) for a call.
    """
    h, t = x * per_s, 0.5 * s
    density = DENSITY_AT_0 * exp(-0.5 * fma(h, h, t * t)) * geometric
    z = -(h + t)
    y, y2 = mills(abs(z), t - h)
    tail = density * y
    return h, t, density, select(z < 0.0, lesser - tail, tail), density * y2


@inlined
def first_guess(x: Any, distance: Any, per_price: Any, price: Any) -> Any:
    """Return s from Bachelier's formula, a few parts in a thousand off for s < 1.

    `distance` is |F - K| and `price` the time value, both over sqrt(F K); `per_price` is 1 / price.
    """
    total = distance + price
    level = rough_ln(total * per_price)
    s = total * _below(level) * (_SMALLEST - x) / (_above(level) * (distance + _SMALLEST))
    s2 = s * s
    return s * fma(s2, -x * x * (1.0 / 2880.0), _to_black(s2))


@inlined
def householder(x: Any, s: Any, per_price: Any) -> Any:
    """Return the relative step of s towards the root of ln(b(x, s) per_price), of fourth order.

    A start for a step of full precision: its own functions have ten digits.
    """
    per_s = 1.0 / s
    h, t = x * per_s, 0.5 * s
    z = -(h + t)
    y, y2 = rough_mills(abs(z), t - h)
    y1 = select(z < 0.0, fma(_ROOT_2PI, rough_exp(0.5 * z * z), -y), y)
    width = y1 - y2
    h2, t2 = h * h, t * t
    gap = fma(-0.5, h2 + t2, rough_ln(width * per_price) - _LN_ROOT_2PI)
    newton = -gap * width * per_s
    a = h2 - t2
    bend = fma(a, newton, gap)  # times newton, as `third` is times its square
    third = fma(newton * newton, fma(a, a, fma(-3.0, h2, -t2)), gap * fma(3.0 * a, newton, 2.0 * gap))
    return newton * fma(0.5, bend, 1.0) / fma(third, 1.0 / 6.0, 1.0 + bend)
