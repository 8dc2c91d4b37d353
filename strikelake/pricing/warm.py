"""Compile every kernel, or load it from numba's cache, before anybody waits for a price."""

from __future__ import annotations

import numpy as np


def compile_kernels() -> None:
    """Call each compiled function of this package once, on a few rows.

    The first call after an install compiles for some tens of seconds and leaves the result beside the
    sources, or in NUMBA_CACHE_DIR; from then on this takes less than a second.
    """
    from strikelake.pricing import american, chain, european
    from strikelake.pricing.options import Chain, Options
    from strikelake.pricing.svi import fit

    market = ([1.0, -1.0], 100.0, [100.0, 95.0], 0.25)
    options = Options(*market, 0.04, 0.01)
    for vol in (0.2, 9.0):  # the second takes the bracketed search
        european.analyse(european.price(options, vol), options)
    european.greeks(options, 0.2)
    american.analyse(american.price(options, 0.2), options)
    paid = chain.Dividends(np.zeros(1, np.int64), np.array([0.1]), np.array([0.01]))
    terms = chain.Terms(np.array([0.04]), np.zeros(1), np.array([True]), paid)
    chain.analyse([4.0, 2.0], Chain(*market, 0, terms))
    moneyness = np.linspace(-0.2, 0.2, 9)
    fit(moneyness, 0.01 + 0.1 * moneyness**2, np.ones(9), np.array([0, 9]))
