"""Eight numbers at once are what numpy makes of them."""

import numpy as np
import pytest
from numba import njit

from strikelake.pricing.lanes import LANES, fused, load, splat, store, times, where_above


@njit
def _all(given, found):
    a, b = load(given, 0), load(given, 3)
    store(found, 0, times(a, b))
    store(found, 1, fused(a, b, splat(0.5)))
    store(found, 2, where_above(a, b, a, splat(-1.0)))


@pytest.mark.parametrize("shape", [(4, LANES), (2, 2, LANES)])
def test_rows_are_counted_through_all_dimensions(shape):
    given, found = np.random.default_rng(0).normal(size=shape), np.full((3, LANES), np.nan)
    rows = given.reshape(4, LANES)
    rows[3, 0], rows[0, 1] = np.nan, rows[3, 1]
    a, b = rows[0], rows[3]
    _all(given, found)
    assert found[0] == pytest.approx(a * b, nan_ok=True, rel=0.0, abs=0.0)
    assert found[1] == pytest.approx(a * b + 0.5, nan_ok=True, rel=1e-15)
    # Neither NaN nor an equal number is above.
    assert found[2] == pytest.approx(np.where(a > b, a, -1.0), nan_ok=True, rel=0.0, abs=0.0)
    assert found[2, :2].tolist() == [-1.0, -1.0]
