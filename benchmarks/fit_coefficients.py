"""Fit the coefficients of `strikelake.pricing.coefficients`, and print them with what they leave out.

Run ``python benchmarks/fit_coefficients.py``. It takes seconds, needs mpmath, and writes nothing.
"""

import argparse
import math
import sys
from functools import partial

import mpmath
import numpy as np
from scipy.special import erfcx

SHIFT = 4.25  # z and SHIFT weigh the same in the Mills ratio's variable: 21 terms then reach 1e-16
MILLS_DEGREE = 21
ROUGH_SHIFT, ROUGH_DEGREES = 4.0, (13, 7, 9)  # Mills ratio, exponential, logarithm
RATIO_DEGREES = (6, 5)
NODES, DIGITS = 90, 70
LARGE = 25  # beyond it the asymptotic series of the Mills ratio has more digits than are kept


def main() -> int:
    """Print the fits."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    mpmath.mp.dps = DIGITS
    half, low, high = mpmath.log(2) / 2, mpmath.sqrt(0.5), mpmath.sqrt(2)
    of_mills, of_exp, of_ln = ROUGH_DEGREES
    print(f"MILLS_SHIFT, ROUGH_MILLS_SHIFT = {SHIFT}, {ROUGH_SHIFT}")
    show("MILLS", partial(scaled_mills, mpmath.mpf(SHIFT)), MILLS_DEGREE, -1, 1)
    show("ROUGH_MILLS", partial(scaled_mills, mpmath.mpf(ROUGH_SHIFT)), of_mills, -1, 1)
    show("ROUGH_EXPONENTIAL", mpmath.exp, of_exp, -half, half)
    show("ROUGH_LN", mpmath.log1p, of_ln, low - 1, high - 1)
    above, below, error = bachelier_ratio(*RATIO_DEGREES)
    print(f"BACHELIER_ABOVE = {above}\nBACHELIER_BELOW = {below}\n# largest relative error: {error:.1e}")
    return 0


def show(name: str, function, degree: int, low, high) -> None:  # noqa: ANN001 - mpmath is untyped
    """Print the polynomial that stands for a function between two numbers."""
    middle, half = (mpmath.mpf(low) + high) / 2, (mpmath.mpf(high) - low) / 2
    series, neglected = chebyshev(lambda t: function(middle + half * t), degree)
    print(f"{name} = {tuple(map(float, moved(monomials(series), -middle / half, 1 / half)))}")
    print(f"# first coefficient left out: {mpmath.nstr(neglected, 2)}")


def moved(powers: list, shift, factor) -> list:  # noqa: ANN001 - mpmath is untyped
    """Return the power series in x of one in shift + factor x."""
    total = [mpmath.mpf(0)] * len(powers)
    for k, coefficient in enumerate(powers):
        for j in range(k + 1):
            total[j] += coefficient * mpmath.binomial(k, j) * shift ** (k - j) * factor**j
    return total


def mills(z: mpmath.mpf) -> mpmath.mpf:
    """Return (1 - N(z)) / n(z), the normal tail over the density."""
    if z < LARGE:
        return mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(z * z / 2) * mpmath.erfc(z / mpmath.sqrt(2))
    total = term = 1 / z
    for k in range(1, 60):
        term *= -(2 * k - 1) / (z * z)
        total += term
    return total


def scaled_mills(shift: mpmath.mpf, t: mpmath.mpf) -> mpmath.mpf:
    """Return (z + shift) times the Mills ratio at z = shift (1 + t) / (1 - t): smooth on [-1, 1]."""
    z = shift * (1 + t) / (1 - t)
    return (z + shift) * mills(z)


def chebyshev(function, degree: int) -> tuple[list, mpmath.mpf]:  # noqa: ANN001 - mpmath is untyped
    """Return a Chebyshev series on [-1, 1] and the first coefficient that it leaves out."""
    angles = [mpmath.pi * (j + mpmath.mpf(1) / 2) / NODES for j in range(NODES)]
    values = [function(mpmath.cos(angle)) for angle in angles]
    found = [
        2 / mpmath.mpf(NODES) * sum(v * mpmath.cos(k * a) for v, a in zip(values, angles, strict=True))
        for k in range(degree + 2)
    ]
    found[0] /= 2
    return found[:-1], abs(found[-1])


def monomials(series: list) -> list:
    """Return the power series of a Chebyshev series."""
    before, now = [mpmath.mpf(1)], [mpmath.mpf(0), mpmath.mpf(1)]
    total = [mpmath.mpf(0)] * len(series)
    total[0], total[1] = series[0], series[1]
    for coefficient in series[2:]:
        after = [mpmath.mpf(0), *(2 * value for value in now)]
        for power, value in enumerate(before):
            after[power] -= value
        for power, value in enumerate(after):
            total[power] += coefficient * value
        before, now = now, after
    return total


def bachelier_ratio(above: int, below: int) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Fit h / (1 - exp(-L)) as a rational in L by reweighted least squares.

    h is the moneyness in Bachelier standard deviations, L = ln(1 + moneyness / price).
    """
    h = np.concatenate([np.linspace(1e-9, 0.5, 400), np.linspace(0.5, 11, 3000)])
    excess = 1 / h - math.sqrt(math.pi / 2) * erfcx(h / math.sqrt(2))  # price = density times this
    level = np.log1p(np.exp(0.5 * h * h + 0.5 * math.log(2 * math.pi)) / excess)
    wanted = -h / np.expm1(-level)
    x, weight, bottom = level / 10, np.ones_like(level), np.ones_like(level)
    for _ in range(60):
        columns = [np.vander(x, above + 1, increasing=True) / wanted[:, None]]
        columns.append(-np.vander(x, below + 1, increasing=True)[:, 1:])
        scale = weight / np.abs(bottom)
        found = np.linalg.lstsq(np.hstack(columns) * scale[:, None], scale, rcond=None)[0]
        top, rest = found[: above + 1], np.r_[1.0, found[above + 1 :]]
        bottom = np.polyval(rest[::-1], x)
        error = np.abs(np.polyval(top[::-1], x) / bottom / wanted - 1)
        weight = weight * (1 + 3 * error / error.max())
        weight /= weight.mean()
    scaled = [tuple((c / 10.0 ** np.arange(len(c))).tolist()) for c in (top, rest)]
    return scaled[0], scaled[1], float(error.max())


if __name__ == "__main__":
    sys.exit(main())
