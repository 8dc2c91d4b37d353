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

from strikelake.pricing.coefficients import BACHELIER_ABOVE, BACHELIER_BELOW, BACHELIER_TO_BLACK
from strikelake.pricing.elementary import exp, fma, inlined, ln, mills, polynomial, select

_above, _below = polynomial(BACHELIER_ABOVE), polynomial(BACHELIER_BELOW)
_to_black = polynomial(BACHELIER_TO_BLACK)

LN_ROOT_2PI = 0.9189385332046727
_ROOT_2PI = 2.5066282746310002
_SMALLEST = 1e-300


@inlined
def tails(x: Any, s: Any) -> Any:
    """Return h, t and the two Mills ratios Y(-h - t) and Y(-h + t)."""
    h, t = x / s, 0.5 * s
    z = -(h + t)
    y = mills(abs(z))
    mirrored = fma(_ROOT_2PI, exp(0.5 * z * z), -y)
    return h, t, select(z < 0.0, mirrored, y), mills(t - h)


@inlined
def first_guess(x: Any, distance: Any, per_price: Any, price: Any) -> Any:
    """Return s from Bachelier's formula, a few parts in a thousand off for s < 1.

    `distance` is |F - K| and `price` the time value, both over sqrt(F K); `per_price` is 1 / price.
    """
    total = distance + price
    level = ln(total * per_price)
    ratio = _below(level) / _above(level)
    s = total * ratio * ((_SMALLEST - x) / (distance + _SMALLEST))
    s2 = s * s
    return s * fma(s2, -x * x * (1.0 / 2880.0), _to_black(s2))


@inlined
def householder(x: Any, s: Any, per_price: Any) -> Any:
    """Return the relative step of s towards the root of ln(b(x, s) per_price), of fourth order."""
    h, t, y1, y2 = tails(x, s)
    width = y1 - y2
    h2, t2 = h * h, t * t
    gap = ln(width * per_price) - 0.5 * (h2 + t2) - LN_ROOT_2PI
    slope = s / width  # d ln(b) / d ln(s)
    newton = -gap / slope
    bend = h2 - t2 - slope
    a = h2 - t2
    third = fma(a, a - 3.0 * slope, 2.0 * slope * slope) - 3.0 * h2 - t2
    return newton * fma(0.5 * bend, newton, 1.0) / fma(newton, fma(third * newton, 1.0 / 6.0, bend), 1.0)
