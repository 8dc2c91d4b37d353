"""Price, volatility and volume paths of the simulated stocks, minute by minute.

A symbol's minute return is its volatility times a standard shock made of market, technology and own parts.
Log-volatility follows an Ornstein-Uhlenbeck process with a market-wide and an own part, and rises when the
market falls. The night is one larger step. Minutes are louder near the open and the close.

**The planted edge.** Every symbol has a latent interest m: an Ornstein-Uhlenbeck process with unit variance
and a half-life of two hours of trading, independent of everything else. It can be seen in two ways: volume is
multiplied by exp(0.4 m) (calls trade more, puts less), and part of the news that moves m moves the price at
once, so that recent returns lean towards m. The rest of the news arrives late: each minute's return gains a
drift of `edge / sqrt(30)` minute volatilities per unit of m, which makes `edge` about the correlation between
m and the return over the next 30 minutes. At `edge=0` the same m moves volume and past returns but no future
return.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from strikelake.calendar import NS_PER_MINUTE, Session, sessions
from strikelake.sandbox.config import MARKET_VOL, SimulatorConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FULL_DAY = 390
TILT = 0.4
_NEWS_SHARE = 0.25
_OVERNIGHT_SHARE = 0.28
_YEAR = 252
_LEVERAGE = -0.6
_MARKET_VOL_OF_VOL, _OWN_VOL_OF_VOL = 0.30, 0.20


class Stream(IntEnum):
    """One independent random stream per purpose: adding draws to one never shifts another."""

    SHOCKS = 1
    BARS = 2
    CONTRACTS = 3
    QUOTES = 4
    PRINTS = 5
    CURVES = 6


@dataclass(frozen=True, slots=True)
class StockPaths:
    """The true state of the stock market at its nodes: each session's open, and the end of each minute.

    Attributes
    ----------
    sessions
        Published sessions, then the live one.
    first_node
        Row of each session's open, and the number of rows at the end; shape (sessions + 1,).
    price
        Efficient price in dollars; shape (nodes, symbols).
    variance
        Yearly variance per symbol; shape (nodes, symbols).
    interest
        The latent m; shape (nodes, symbols).
    attention
        Log-volume above normal, apart from the interest; shape (nodes, symbols).
    """

    sessions: tuple[Session, ...]
    first_node: NDArray[np.int64]
    price: Floats
    variance: Floats
    interest: Floats
    attention: Floats

    def nodes(self, index: int) -> slice:
        """Return the rows of one session."""
        return slice(int(self.first_node[index]), int(self.first_node[index + 1]))


def generator(config: SimulatorConfig, stream: Stream, index: int = 0) -> np.random.Generator:
    """Return the generator of one purpose and session; the same in every process."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([config.seed, int(stream), index])))


def session_minutes(session: Session) -> int:
    """Return the length of a session in minutes: 390, or 210 on a half day."""
    return (session.close_ns - session.open_ns) // NS_PER_MINUTE


def minute_profile(minutes: int) -> Floats:
    """Return the relative size of each minute of a session, U-shaped, mean 1; shape (minutes,)."""
    elapsed = (np.arange(minutes) + 0.5) / minutes
    shape = 0.7 + 1.3 * np.exp(-elapsed / 0.06) + 0.8 * np.exp(-(1.0 - elapsed) / 0.08)
    return np.asarray(shape / shape.mean())


def market_sessions(config: SimulatorConfig) -> tuple[Session, ...]:
    """Return the published sessions and the live one."""
    # A year has at least 250 sessions in 366 days; a month more covers any start.
    return sessions(config.start, config.start + timedelta(days=31 + config.sessions * 3 // 2))[
        : config.sessions + 1
    ]


def stock_paths(config: SimulatorConfig) -> StockPaths:
    """Simulate all sessions of all symbols.

    Parameters
    ----------
    config
        The market.

    Returns
    -------
    StockPaths
        Deterministic in `config`.
    """
    found = market_sessions(config)
    lengths = [session_minutes(s) + 1 for s in found]
    rng = generator(config, Stream.SHOCKS)
    shape = (sum(lengths), len(config.stocks))
    news, tape = rng.standard_normal(shape), rng.standard_normal(shape)
    market = rng.standard_normal((shape[0], 1))
    shocks = _correlated(config, market, rng.standard_normal((shape[0], 1)), rng.standard_normal(shape))
    interest = _mean_reverting(news, half_life=120.0, rng=rng)
    log_vol = _log_vol(config, market, rng)
    scale = np.concatenate([_node_scale(n) for n in lengths])[:, None]
    # Moves use the state at the start of their minute: a vol that knew the shock would give them a drift.
    vol = np.array([s.vol for s in config.stocks]) / np.sqrt(_YEAR) * _lagged(np.exp(log_vol)) * scale
    first_node = np.concatenate([[0], np.cumsum(lengths)])
    drift = config.edge / np.sqrt(30.0) * _lagged(interest)
    drift[first_node[:-1]] = 0.0
    noise = _NEWS_SHARE * news + np.sqrt(1.0 - _NEWS_SHARE**2) * shocks
    moves = vol * (noise + drift) - 0.5 * vol**2
    start = np.log([s.price for s in config.stocks])
    return StockPaths(
        sessions=found,
        first_node=first_node,
        price=np.exp(start + np.cumsum(moves, axis=0)),
        variance=np.array([s.vol**2 for s in config.stocks]) * np.exp(2.0 * log_vol),
        interest=interest,
        attention=0.5 * log_vol + 0.25 * _mean_reverting(tape, half_life=390.0, rng=rng),
    )


def _correlated(config: SimulatorConfig, market: Floats, sector: Floats, own: Floats) -> Floats:
    """Return unit-variance shocks with the symbols' factor structure; shape (nodes, symbols)."""
    total = np.array([s.vol for s in config.stocks])
    beta = np.array([s.beta * MARKET_VOL for s in config.stocks])
    sector_vol = np.array([s.sector_vol for s in config.stocks])
    own_vol = np.array([s.own_vol for s in config.stocks])
    return np.asarray((beta * market + sector_vol * sector + own_vol * own) / total)


def _log_vol(config: SimulatorConfig, market: Floats, rng: np.random.Generator) -> Floats:
    """Return log-volatility above its long-run level, so that the mean variance is the long-run one."""
    nodes, symbols = market.shape[0], len(config.stocks)
    common = _LEVERAGE * market + np.sqrt(1.0 - _LEVERAGE**2) * rng.standard_normal((nodes, 1))
    half_life = 10.0 * FULL_DAY
    market_part = _MARKET_VOL_OF_VOL * _mean_reverting(common, half_life, rng)
    own_part = _OWN_VOL_OF_VOL * _mean_reverting(rng.standard_normal((nodes, symbols)), half_life, rng)
    return np.asarray(market_part + own_part - (_MARKET_VOL_OF_VOL**2 + _OWN_VOL_OF_VOL**2))


def _mean_reverting(shocks: Floats, half_life: float, rng: np.random.Generator) -> Floats:
    """Return a unit-variance AR(1) along axis 0, started from its stationary law; half-life in rows."""
    from scipy.signal import lfilter

    keep = 0.5 ** (1.0 / half_life)
    start = keep * rng.standard_normal((1, shocks.shape[1]))
    path, _ = lfilter([np.sqrt(1.0 - keep**2)], [1.0, -keep], shocks, axis=0, zi=start)
    return np.asarray(path)


def _node_scale(rows: int) -> Floats:
    """Return each node's share of a day's standard deviation: the night into the open, then the minutes."""
    loudness = np.sqrt(minute_profile(rows - 1))
    # A half day is a shorter day, not a louder one.
    minute = np.sqrt((1.0 - _OVERNIGHT_SHARE) / FULL_DAY) * loudness
    return np.concatenate([[np.sqrt(_OVERNIGHT_SHARE)], minute])


def _lagged(path: Floats) -> Floats:
    """Return the path one row later; the first row sees itself."""
    return np.concatenate([path[:1], path[:-1]])
