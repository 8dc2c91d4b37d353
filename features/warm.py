"""Compile every kernel of the features, or load it from numba's cache, before anybody waits for a value."""

from __future__ import annotations

import polars as pl


def compile_kernels() -> None:
    """Compute the catalogue once on a small made-up market.

    The first call after an install compiles for some ten seconds and leaves the result beside the sources, or
    in NUMBA_CACHE_DIR; from then on this takes about a second.
    """
    from features.bars import COLUMNS
    from features.catalog import build
    from features.planted_market import planted_market

    bars = planted_market()["bars"]
    build(bars.with_columns(segment=pl.lit(0, dtype=COLUMNS["segment"])), None)
