"""Inputs of the pricing functions, as compiled code gets them."""

import numpy as np
import pytest

from strikelake.pricing.arrays import BLOCK, broadcast, in_blocks


@pytest.mark.parametrize("rows", [1, 2, BLOCK + 1])
def test_a_scalar_may_be_asked_whether_it_is_writable(rows):
    """numpy warns of views that `broadcast_arrays` made, and numba asks when it compiles."""
    columns = broadcast(price=np.zeros(rows), rate=0.04)
    found = np.zeros(rows)

    def work(price, rate, out):
        assert price.flags.writeable
        assert rate.flags.writeable
        out[:] = rate

    in_blocks(work, columns, [found])
    assert (found == 0.04).all()
