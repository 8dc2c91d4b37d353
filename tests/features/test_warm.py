"""The warm-up leaves no kernel to compile for whoever computes features next."""

import numpy as np
import pytest

from features import kernels, recursions
from features.warm import compile_kernels
from strikelake.compiled import njit

DISPATCHER = type(njit()(lambda: None))


@pytest.mark.parametrize("module", [kernels, recursions])
def test_every_kernel_is_compiled_once_and_for_arrays_of_the_lake(module):
    compile_kernels()
    found = {name: each for name, each in vars(module).items() if isinstance(each, DISPATCHER)}
    assert len(found) > 3
    assert {name: len(each.signatures) for name, each in found.items()} == dict.fromkeys(found, 1)


def test_arrays_of_floats_need_no_other_signature():
    compile_kernels()
    before = list(kernels.sums.signatures)
    kernels.sums(np.arange(5.0), 2, 1.0)
    assert kernels.sums.signatures == before
