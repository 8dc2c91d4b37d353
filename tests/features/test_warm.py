"""The warm-up leaves nothing to compile for whoever computes features next, of a history or of one moment."""

import polars as pl

from features import kernels, recursions
from features.bars import COLUMNS
from features.catalog import build, build_at
from features.panel import Panel
from features.planted_market import planted_market
from features.warm import compile_kernels


def compiled():
    """Return how many signatures each kernel was compiled for."""
    found = {**vars(kernels), **vars(recursions)}
    return {name: len(each.signatures) for name, each in found.items() if hasattr(each, "signatures")}


def test_features_of_a_history_and_of_one_moment_compile_nothing_more():
    compile_kernels()
    before = compiled()
    bars = planted_market(seed=1)["bars"].with_columns(segment=pl.lit(0, dtype=COLUMNS["segment"]))
    build(bars, None, threads=2)
    build_at(Panel.of(bars)[0], None, bars["asof"].max())
    assert compiled() == before
    assert before["relative_strength"] == 1
    assert before["moments"] == 1
