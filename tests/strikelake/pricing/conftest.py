"""Kernels are compiled before a test's time counts."""

import pytest

from strikelake.pricing.warm import compile_kernels


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    compile_kernels()
