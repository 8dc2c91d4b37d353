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

ROUGH_MILLS_SHIFT = 4.0

ROUGH_MILLS = (
    1.8932190632784764,
    -1.523770909568052,
    0.9704095579785718,
    -0.4675410103890489,
    0.15139170870372737,
    -0.018899929446763802,
    -0.008721939087097865,
    0.004085306978975694,
    0.0003330645560998499,
    -0.0005727889693630735,
    -2.601577183677131e-06,
    7.903838443878925e-05,
    -5.792008863048191e-07,
    -7.981697588793785e-06,
)
"""As `MILLS`, for a start: to 8e-11."""

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

EXPONENTIAL_LESS_1 = EXPONENTIAL[1:]
"""(exp(x) - 1) / x on the same interval."""

ROUGH_EXPONENTIAL = (
    0.9999999999595482,
    0.9999999999797808,
    0.5000000107749384,
    0.16666666891074364,
    0.04166621827440191,
    0.008333266093189582,
    0.0013948580818093912,
    0.00019915869191389535,
)
"""As `EXPONENTIAL`, for a start: to 4e-11."""

ROUGH_LN = (
    -1.4097343807869105e-11,
    0.9999998711870343,
    -0.4999999005258461,
    0.3333507796115368,
    -0.25002256135347495,
    0.19936638966363382,
    -0.165510567045145,
    0.15102536240999812,
    -0.14478062925356075,
    0.08491219290392682,
)
"""ln(m) in m - 1 for m between the roots of 1/2 and 2, for a start: to 4e-9."""

ARTANH = tuple(2.0 / (2 * k + 1) for k in range(11))
"""2 artanh(s) / s in s squared, for m = (1 + s) / (1 - s) between 2/3 and 3/2: 5e-17."""

BACHELIER_TO_BLACK = (1.0, 1.0 / 24.0, 7.0 / 1920.0, 127.0 / 322560.0)
"""s / s' in s' squared where 2 N(s / 2) - 1 = s' / sqrt(2 pi): from Bachelier's deviation to Black's."""
