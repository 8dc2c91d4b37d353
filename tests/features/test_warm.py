"""The warm-up leaves nothing to compile for whoever computes features next, of a history or of one moment."""

import subprocess
import sys

# In a process of its own: other tests call kernels with arrays of other kinds, which are further signatures.
SCRIPT = """
import polars as pl

from features import columns, kernels, recursions
from features.bars import COLUMNS
from features.catalog import build, build_at
from features.panel import Panel
from features.planted_market import planted_market
from features.warm import compile_kernels


def compiled():
    found = vars(columns) | vars(kernels) | vars(recursions)
    return {name: len(each.signatures) for name, each in found.items() if hasattr(each, "signatures")}


compile_kernels()
before = compiled()
bars = planted_market(seed=1)["bars"].with_columns(segment=pl.lit(0, dtype=COLUMNS["segment"]))
build(bars, None, threads=2)
build_at(Panel.of(bars)[0], None, bars["asof"].max())
assert compiled() == before, (before, compiled())
assert (before["relative_strength"], before["moments"]) == (1, 1), before
print("nothing more")
"""


def test_features_of_a_history_and_of_one_moment_compile_nothing_more():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "nothing more\n"), done.stderr
