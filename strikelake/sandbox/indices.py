"""Index values: the simulated market's level, and the volatility that its option surface implies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE
from strikelake.sandbox.paths import YEAR, StockPaths, Stream, generator, node_shares, session_minutes
from strikelake.sandbox.surface import VarianceClock, at_the_money, smile, smile_variances
from strikelake.sandbox.universe import MARKET_VOL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.sandbox.config import SimulatorConfig

    Floats = NDArray[np.float64]

LEVEL, VOLATILITY = "I:SPX", "I:VIX"
_DAYS = 30
_DAY_NS = 24 * 60 * NS_PER_MINUTE


def index_minutes(
    config: SimulatorConfig, paths: StockPaths, clock: VarianceClock, index: int
) -> pl.DataFrame:
    """Return the minute bars of the market's level and of its 30-day volatility index.

    The volatility index is the square root of the fair value of variance over the next 30 days, in points:
    what a strip of all out-of-the-money options on the index would cost (Cboe's method, not truncated).

    Returns
    -------
    pl.DataFrame
        Sorted by ticker and time: ticker, open, close, high, low, window_start.
    """
    session = paths.sessions[index]
    minutes, rows = session_minutes(session), paths.nodes(index)
    starts = session.open_ns + np.arange(minutes + 1, dtype=np.int64) * NS_PER_MINUTE
    level, variance = paths.index_price[rows], paths.index_variance[rows]
    volatility = volatility_index(clock, clock.node[rows], starts, variance)
    rng = generator(config, Stream.INDEX, index)
    frames = []
    for ticker, values in ((LEVEL, level), (VOLATILITY, volatility)):
        opened, closed = values[:-1], values[1:]
        usual = np.sqrt(variance[:-1] * node_shares(minutes)[1:] / YEAR) if ticker == LEVEL else 0.002
        reach = np.abs(rng.standard_normal((2, minutes))) * usual * 0.5
        columns = {
            "open": opened,
            "close": closed,
            "high": np.maximum(opened, closed) * np.exp(reach[0]),
            "low": np.minimum(opened, closed) * np.exp(-reach[1]),
        }
        rounded = {name: found.round(2) for name, found in columns.items()}
        frames.append(pl.DataFrame({"ticker": [ticker] * minutes, **rounded, "window_start": starts[:-1]}))
    return pl.concat(frames)


def volatility_index(
    clock: VarianceClock, now: Floats, moments: NDArray[np.int64], variance: Floats
) -> Floats:
    """Return the 30-day volatility index in points at moments whose trading time is `now`."""
    premium, long_run = smile(None).premium, MARKET_VOL**2
    spans = clock.at(moments + _DAYS * _DAY_NS) - now
    theta = np.array(
        [
            at_the_money(span, found, long_run, premium, 0.0)
            for span, found in zip(spans, variance, strict=True)
        ]
    )
    grid = np.geomspace(theta.min() * 0.99, theta.max() * 1.01, 12)
    fair = np.interp(theta, grid, [fair_variance(level) for level in grid])
    return np.asarray(100.0 * np.sqrt(fair * 365.0 / _DAYS))


def fair_variance(theta: float) -> float:
    """Return the fair value of total variance, given that at the money: twice the log contract's strip."""
    from scipy.special import ndtr

    shape = smile(None)
    k = np.linspace(-12.0, 12.0, 1201) * np.sqrt(theta)
    deviation = np.sqrt(smile_variances(k, theta, shape.rho, shape.eta))
    d1 = -k / deviation + 0.5 * deviation
    calls = ndtr(d1) - np.exp(k) * ndtr(d1 - deviation)
    puts = np.exp(k) * ndtr(deviation - d1) - ndtr(-d1)
    strip = np.where(k < 0.0, puts, calls) * np.exp(-k)
    return float(2.0 * np.trapezoid(strip, k))
