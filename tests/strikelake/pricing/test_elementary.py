"""The straight-line functions against 30 digits."""

import mpmath
import numpy as np
import pytest
from numba import njit

from strikelake.pricing import elementary


@njit(error_model="numpy")
def _exponentials(x):
    found = np.empty((4, x.size))
    for i in range(x.size):
        found[0, i] = elementary.exp(x[i])
        found[1, i] = elementary.rough_exp(x[i])
        found[2, i], found[3, i] = elementary.growth(x[i])
    return found


@njit(error_model="numpy")
def _logarithms(x):
    found = np.empty((2, x.size))
    for i in range(x.size):
        found[0, i], found[1, i] = elementary.ln(x[i]), elementary.rough_ln(x[i])
    return found


@njit(error_model="numpy")
def _tails(a, b):
    found = np.empty((4, a.size))
    for i in range(a.size):
        found[0, i], found[1, i] = elementary.mills(a[i], b[i])
        found[2, i], found[3, i] = elementary.rough_mills(a[i], b[i])
    return found


def _exact(function, x):
    with mpmath.workdps(30):
        return np.array([float(function(mpmath.mpf(float(each)))) for each in x])


def _ratio(z):
    return mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(z * z / 2) * mpmath.erfc(z / mpmath.sqrt(2))


def test_exponentials():
    x = np.r_[-700.0, -50.0, np.linspace(-3.0, 3.0, 101), 1e-9, -1e-17, 50.0, 700.0]
    exact, rough, whole, gained = _exponentials(x)
    wanted = _exact(mpmath.exp, x)
    assert exact == pytest.approx(wanted, rel=5e-16)
    assert whole == pytest.approx(wanted, rel=5e-16)
    assert rough == pytest.approx(wanted, rel=6e-11)
    assert gained == pytest.approx(_exact(mpmath.expm1, x), rel=1e-15, abs=0.0)


def test_logarithms():
    x = np.r_[1e-300, 1e-12, np.linspace(0.5, 2.0, 101), 7.0, 1e300]
    exact, rough = _logarithms(x)
    wanted = _exact(mpmath.log, x)
    assert exact == pytest.approx(wanted, rel=5e-16, abs=5e-17)
    assert rough == pytest.approx(wanted, rel=0.0, abs=6e-9)


def test_tails_of_two_at_once():
    a, b = np.linspace(0.0, 37.0, 75), np.linspace(5.0, 0.0, 75)
    exact_a, exact_b, rough_a, rough_b = _tails(a, b)
    assert exact_a == pytest.approx(_exact(_ratio, a), rel=2e-15)
    assert exact_b == pytest.approx(_exact(_ratio, b), rel=2e-15)
    assert rough_a == pytest.approx(_exact(_ratio, a), rel=2e-9)
    assert rough_b == pytest.approx(_exact(_ratio, b), rel=2e-10)
