"""Compiled code gives one result in every process: no flag lets LLVM round as it likes."""

import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit
from numba.core.dispatcher import Dispatcher

import features
import strikelake
from strikelake.fused import fma

PIECES = ("american_search", "dividend_kernels", "premium_tables", "european_analysis", "svi_kernels")

SOLVE = """
import sys
import numpy as np
from features import recursions
from strikelake.pricing import chain, european
from strikelake.pricing.chain import Chain, Dividends, Terms
from strikelake.pricing.options import Options
from strikelake.pricing.svi import fit

rng, n = np.random.default_rng(1), 600
sign, vol, group = rng.choice([1.0, -1.0], n), rng.uniform(0.08, 1.2, n), rng.integers(0, 6, n)
years = np.array([0.01, 0.04, 0.3, 1.0, 0.08, 0.5])[group]
strike = 100.0 * np.exp(rng.normal(0.0, 1.2, n) * vol * np.sqrt(years))
market = (sign, 100.0, strike, years)
rates = np.array([0.04, 0.04, 0.05, 0.0, 0.03, -0.01])
carries = np.array([0.0, 0.02, 0.06, -0.02, 0.0301, -0.03])
ahead = Dividends(np.arange(6), 0.4 * np.array([0.01, 0.04, 0.3, 1.0, 0.08, 0.5]), np.full(6, 0.01))
rows = Options(*market, rates[group], carries[group])
paid = european.price(rows, vol)
slopes = european.greeks(rows, vol)
found = [paid, *european.analyse(paid, rows).columns()]
found += [slopes.delta, slopes.gamma, slopes.vega, slopes.theta, slopes.rho]
for owed in (None, ahead):
    rows = Chain(*market, group, Terms(rates, carries, np.ones(6, np.bool_), owed))
    paid, slopes = chain.price(rows, vol), chain.greeks(rows, vol)
    found += [paid, slopes.delta, slopes.gamma, slopes.vega, slopes.theta, slopes.rho]
    found += chain.analyse(np.round(paid, 2), rows).columns()
k = np.linspace(-0.3, 0.3, 40)
smiles = fit(k, 0.01 + 0.1 * k * k + rng.normal(0.0, 0.0005, 40), np.ones(40), np.array([0, 20, 40]))
found += [smiles.params, smiles.min_g]
walk = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.001, 3000)))
found += [recursions.ema_distance(walk, 10), recursions.ema_ratio(walk, 5, 10), recursions.macd(walk, 12, 26)]
found += [recursions.macd_histogram(walk, 12, 26, 9), recursions.relative_strength(walk, 14, 60)]
found += [recursions.true_range(walk * 1.001, walk * 0.999, walk, 14)]
np.savez(sys.argv[1], *found)
"""


@njit
def _once(a, b, c):
    return fma(a, b, c)


def test_a_product_and_a_sum_round_once():
    tiny = 2.0**-30
    assert _once(1.0 + tiny, 1.0 - tiny, -1.0) == -(tiny**2)
    assert (1.0 + tiny) * (1.0 - tiny) - 1.0 == 0.0


def _compiled():
    """Every compiled function of the packages that compute."""
    for package in (strikelake, features):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            source = Path(module.module_finder.path, module.name.rpartition(".")[2] + ".py")
            if source.is_file() and "njit" in source.read_text(encoding="utf-8"):
                for found in vars(importlib.import_module(module.name)).values():
                    if isinstance(found, Dispatcher):
                        yield found


def test_no_compiled_function_leaves_rounding_to_llvm():
    found = list(_compiled())
    assert len(found) > 50
    free = {
        f"{each.py_func.__module__}.{each.py_func.__name__}": each.targetoptions.get("fastmath")
        for each in found
    }
    assert {name: flags for name, flags in free.items() if flags} == {}


@pytest.mark.slow
def test_who_compiles_kernels_and_who_loads_them_get_the_same_bits(tmp_path):
    cache = tmp_path / "cache"

    def solve(name):
        file = tmp_path / f"{name}.npz"
        subprocess.run(
            [sys.executable, "-c", SOLVE, str(file)],
            check=True,
            env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        )
        return [np.load(file)[key] for key in np.load(file).files]

    def forget(pieces):
        files = [file for file in cache.rglob("*.nb*") if file.name.startswith(pieces)]
        assert files
        for file in files:
            file.unlink()

    compiled = solve("compiled")
    loaded = solve("loaded")
    forget(PIECES)
    partly = solve("partly")
    for other in (loaded, partly):
        for number, (ours, theirs) in enumerate(zip(compiled, other, strict=True)):
            assert np.array_equal(ours, theirs, equal_nan=True), f"column {number}"
