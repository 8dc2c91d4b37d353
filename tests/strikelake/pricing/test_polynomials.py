"""Polynomials of run-time coefficients against NumPy's."""

import numpy as np
import pytest
from numba import njit
from numpy.polynomial import polynomial as series

from strikelake.pricing.polynomials import coefficients, power_surface

_read, _surface = coefficients(2, 12), power_surface(4, 3)


@njit
def _at(table, x, y):
    return _surface(_read(table), x, y)


def test_a_surface_has_the_value_slopes_and_bend_of_its_polynomial():
    table = np.random.default_rng(0).normal(size=15)
    c = table[2:14].reshape(4, 3)
    x, y = 0.3, -0.7
    expected = [
        series.polyval2d(x, y, part)
        for part in (c, series.polyder(c), series.polyder(c, 2), series.polyder(c, axis=1))
    ]
    assert _at(table, x, y) == pytest.approx(expected, rel=1e-13)
