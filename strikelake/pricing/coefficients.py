"""Coefficients of the polynomials in the kernels, constant term first.

`benchmarks/fit_coefficients.py` makes those of the Mills ratio and of Bachelier's formula.
"""

from __future__ import annotations

from math import factorial

MILLS_SHIFT = 4.25
"""z and this weigh the same in t = (z - shift) / (z + shift), the Mills ratio's variable."""

MILLS = (
    1.903920054557545,
    -1.5669679745511385,
    1.0483409414557217,
    -0.5527516843569247,
    0.2137453971029093,
    -0.048524122463198226,
    -0.001868285155930821,
    0.0053877031806956,
    -0.0010138215094249654,
    -0.0004815793211425938,
    0.00019553105129772232,
    5.175290209856134e-05,
    -3.16351336319244e-05,
    -7.996255437165961e-06,
    5.029531896763764e-06,
    1.6706010344956196e-06,
    -7.570104880981471e-07,
    -3.729997295944029e-07,
    9.375443759089019e-08,
    6.849801359703973e-08,
    -6.848894095010266e-09,
    -7.029709981643563e-09,
)
"""(z + shift) (1 - N(z)) / n(z) in t, for z >= 0; what is left out is below 1e-16."""

BACHELIER_ABOVE = (
    0.3989433182926897,
    0.23441864029351073,
    0.06303267322569613,
    0.009843560973005303,
    0.001016615454254325,
    3.579732811421066e-05,
    7.40355580093322e-08,
)
BACHELIER_BELOW = (
    1.0,
    0.08765976685606733,
    0.03439045182199546,
    0.0026207982187082877,
    0.00019152321371655598,
    1.813743206439847e-06,
)
"""h / (1 - exp(-L)) in L to 3e-6: h is moneyness in Bachelier deviations, L = ln(1 + moneyness / price)."""

EXPONENTIAL = tuple(1.0 / factorial(k) for k in range(13))
"""exp(x) for |x| <= ln(2) / 2: Taylor's series, 2e-17."""

ARTANH = tuple(2.0 / (2 * k + 1) for k in range(10))
"""2 artanh(s) / s in s squared, for m = (1 + s) / (1 - s) between the roots of 1/2 and 2: 5e-17."""

BACHELIER_TO_BLACK = (1.0, 1.0 / 24.0, 7.0 / 1920.0, 127.0 / 322560.0)
"""s / s' in s' squared where 2 N(s / 2) - 1 = s' / sqrt(2 pi): from Bachelier's deviation to Black's."""
