"""Treasury yields of the simulated market."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import previous_session
from strikelake.sandbox.paths import StockPaths, Stream, generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.sandbox.config import SimulatorConfig

    Floats = NDArray[np.float64]

TENORS = {
    "1month": 30,
    "3month": 91,
    "6month": 182,
    "1year": 365,
    "2year": 730,
    "3year": 1095,
    "5year": 1826,
    "7year": 2556,
    "10year": 3652,
    "20year": 7305,
    "30year": 10957,
}
"""Columns of the treasury's file and their maturities in days."""

_LEVELS = (0.0437, 0.0436, 0.0428, 0.0418, 0.0426, 0.0429, 0.0439, 0.0449, 0.0459, 0.0488, 0.0481)
_CURVE_SESSIONS_BEFORE = 10


def treasury_curves(config: SimulatorConfig, paths: StockPaths) -> pl.DataFrame:
    """Return one yield curve per session, and ten before the first so that a last known curve always exists.

    Returns
    -------
    pl.DataFrame
        `date` and one column per tenor, decimal yields: 0.0437 is 4.37 %.
    """
    days = [s.date for s in paths.sessions]
    for _ in range(_CURVE_SESSIONS_BEFORE):
        days.insert(0, previous_session(days[0]).date)
    rng = generator(config, Stream.CURVES)
    parallel = 0.0003 * np.cumsum(rng.standard_normal(len(days)))
    twist = 0.0002 * np.cumsum(rng.standard_normal(len(days)))
    along = np.linspace(-1.0, 1.0, len(TENORS))
    yields = np.array(_LEVELS) + parallel[:, None] + twist[:, None] * along
    rounded = np.maximum(yields, 0.0001).round(4)
    return pl.DataFrame({"date": days, **{name: rounded[:, i] for i, name in enumerate(TENORS)}})


def known_curve(curves: pl.DataFrame, index: int) -> Floats:
    """Return the yields that are known during session `index`: those of the session before."""
    row = curves.row(_CURVE_SESSIONS_BEFORE + index - 1)
    return np.array(row[1:], dtype=np.float64)
