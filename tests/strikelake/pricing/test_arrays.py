"""Inputs of the pricing functions, as compiled code gets them."""

import numpy as np
import polars as pl
import pytest

from strikelake.pricing import chain
from strikelake.pricing.american_kernels import start_rows
from strikelake.pricing.arrays import BLOCK, broadcast, contiguous, in_blocks
from strikelake.pricing.european_analysis import analyse_rows
from strikelake.pricing.options import Chain
from strikelake.pricing.terms import Terms


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


def test_columns_of_a_frame_call_no_other_compiled_function():
    """What may not be written to has another type for numba, which would compile all kernels once more."""
    frame = pl.DataFrame({"price": [4.0, 5.0, 6.0], "strike": [95.0, 100.0, 105.0]})
    columns = [frame["price"].to_numpy(), frame["strike"].to_numpy()]
    assert not any(column.flags.writeable for column in columns)
    terms = Terms(np.array([0.04, 0.04]), np.zeros(2), np.array([True, False]))
    kernels = (analyse_rows, start_rows)
    compiled = []
    for prices, strikes in ([column.copy() for column in columns], columns):
        chain.analyse(prices, Chain(-1, 100.0, strikes, 0.25, [0, 0, 1], terms))
        compiled.append([len(kernel.signatures) for kernel in kernels])
    assert compiled[0] == compiled[1]


def test_a_broadcast_scalar_of_no_rows_may_be_asked_too():
    columns = broadcast(price=np.zeros(0), rate=0.04)
    assert [contiguous(column).size for column in columns] == [0, 0]
