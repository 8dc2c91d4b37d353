"""Price, volatility and volume paths of the simulated stocks, minute by minute.

A symbol's minute return is its volatility times a standard shock made of market, sector and own parts, plus
rare jumps of the market and of its own; variance includes the jumps. Log-volatility follows an
Ornstein-Uhlenbeck process with a market-wide and an own part, and rises when the market falls. The night is
one larger step. Minutes are louder near the open and the close. At the open after an earnings report the
price jumps; on an ex-date it opens lower by the dividend, and divided by the split. Symbols have random
streams of their own: a path does not depend on which others are simulated.

**The planted edge.** Every symbol has a latent interest m: an Ornstein-Uhlenbeck process with unit variance
and a half-life of two hours of trading, independent of everything else. It can be seen in three ways: volume
is multiplied by exp(0.4 m) (calls trade more, puts less), the news leans towards it, and part of what moves m
moves the price at once, so that recent returns lean towards m. The rest arrives late: each minute's return
gains a drift of `edge / sqrt(30)` minute volatilities per unit of m, which makes `edge` about the correlation
between m and the return over the next 30 minutes. At `edge=0` the same m moves volume, news and past returns
but no future return.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from strikelake.calendar import NS_PER_MINUTE, Session, sessions
from strikelake.sandbox import events
from strikelake.sandbox.universe import MARKET_VOL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.sandbox.config import SimulatorConfig
    from strikelake.sandbox.universe import Stock

    Floats = NDArray[np.float64]

FULL_DAY = 390
YEAR = 252
TILT = 0.4
INDEX_PRICE = 5900.0
_NEWS_SHARE = 0.25
_OVERNIGHT_SHARE = 0.28
_LEVERAGE = -0.6
_MARKET_VOL_OF_VOL, _OWN_VOL_OF_VOL = 0.30, 0.20
_VOL_HALF_LIFE = 10.0 * FULL_DAY
_INDEX_YIELD = 0.013
# Jumps: how many a year, and the standard deviation of their log size.
_MARKET_JUMPS, _OWN_JUMPS = (6.0, 0.012), (4.0, 0.03)
_REPORT_ATTENTION = 0.7


class Stream(IntEnum):
    """One independent random stream per purpose: adding draws to one never shifts another."""

    SHOCKS = 1
    SECONDS = 2
    CONTRACTS = 3
    QUOTES = 4
    PRINTS = 5
    CURVES = 6
    SECTOR = 7
    MARKET = 8
    STOCK_TICKS = 9
    INTEREST = 10
    NEWS = 11
    INDEX = 12
    REPORTS = 13


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
        Efficient price in dollars, as traded; shape (nodes, symbols).
    variance
        Yearly variance per symbol; shape (nodes, symbols).
    interest
        The latent m; shape (nodes, symbols).
    attention
        Log-volume above normal, apart from the interest; shape (nodes, symbols).
    index_price, index_variance
        Level of the market index and its yearly variance; shape (nodes,).
    """

    sessions: tuple[Session, ...]
    first_node: NDArray[np.int64]
    price: Floats
    variance: Floats
    interest: Floats
    attention: Floats
    index_price: Floats
    index_variance: Floats

    def nodes(self, index: int) -> slice:
        """Return the rows of one session."""
        return slice(int(self.first_node[index]), int(self.first_node[index + 1]))


@dataclass(frozen=True, slots=True)
class _Factors:
    """What symbols share, per node: market shocks and jumps, the market's log-volatility, sector shocks."""

    market: Floats
    jumps: Floats
    log_vol: Floats
    sectors: dict[int, Floats]


def generator(config: SimulatorConfig, stream: Stream, *index: int) -> np.random.Generator:
    """Return the generator of one purpose, and of one symbol or session; the same in every process."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([config.seed, int(stream), *index])))


def session_minutes(session: Session) -> int:
    """Return the length of a session in minutes: 390, or 210 on a half day."""
    return (session.close_ns - session.open_ns) // NS_PER_MINUTE


def minute_profile(minutes: int) -> Floats:
    """Return the relative size of each minute of a session, U-shaped, mean 1; shape (minutes,)."""
    elapsed = (np.arange(minutes) + 0.5) / minutes
    shape = 0.7 + 1.3 * np.exp(-elapsed / 0.06) + 0.8 * np.exp(-(1.0 - elapsed) / 0.08)
    return np.asarray(shape / shape.mean())


def node_shares(minutes: int) -> Floats:
    """Return each node's share of a full day's variance: the night into the open, then the minutes.

    A half day is a shorter day, not a louder one; shape (minutes + 1,).
    """
    minute = (1.0 - _OVERNIGHT_SHARE) / FULL_DAY * minute_profile(minutes)
    return np.concatenate([[_OVERNIGHT_SHARE], minute])


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
    first_node = np.concatenate([[0], np.cumsum(lengths)])
    scale = np.sqrt(np.concatenate([node_shares(n - 1) for n in lengths]) / YEAR)
    factors = _factors(config, scale)
    columns = [_symbol(config, stock, found, first_node, scale, factors) for stock in config.stocks]
    price, variance, interest, attention = (np.stack(parts, axis=1) for parts in zip(*columns, strict=True))
    index_vol = MARKET_VOL * _lagged(np.exp(factors.log_vol)) * scale
    index_moves = index_vol * factors.market + factors.jumps - 0.5 * index_vol**2 - _INDEX_YIELD * scale**2
    return StockPaths(
        sessions=found,
        first_node=first_node,
        price=price,
        variance=variance,
        interest=interest,
        attention=attention,
        index_price=INDEX_PRICE * np.exp(np.cumsum(index_moves)),
        index_variance=MARKET_VOL**2 * np.exp(2.0 * factors.log_vol),
    )


def _factors(config: SimulatorConfig, scale: Floats) -> _Factors:
    rng = generator(config, Stream.MARKET)
    shocks = rng.standard_normal(scale.size)
    leveraged = _LEVERAGE * shocks + np.sqrt(1.0 - _LEVERAGE**2) * rng.standard_normal(scale.size)
    log_vol = _MARKET_VOL_OF_VOL * _mean_reverting(leveraged, _VOL_HALF_LIFE, rng) - _MARKET_VOL_OF_VOL**2
    jumps, lost = _jumps(rng, scale, *_MARKET_JUMPS, MARKET_VOL)
    sectors = {
        number: generator(config, Stream.SECTOR, number).standard_normal(scale.size)
        for number in sorted({int(stock.sector) for stock in config.stocks})
    }
    return _Factors(lost * shocks, jumps, log_vol, sectors)


def _symbol(
    config: SimulatorConfig,
    stock: Stock,
    found: tuple[Session, ...],
    first_node: NDArray[np.int64],
    scale: Floats,
    factors: _Factors,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return one symbol's price, variance, interest and attention; shapes (nodes,)."""
    rng = generator(config, Stream.SHOCKS, stock.number)
    news, tape, own, own_log_vol = rng.standard_normal((4, scale.size))
    interest = _mean_reverting(news, half_life=120.0, rng=rng)
    log_vol = factors.log_vol + _OWN_VOL_OF_VOL * _mean_reverting(own_log_vol, _VOL_HALF_LIFE, rng)
    log_vol -= _OWN_VOL_OF_VOL**2
    own_jumps, lost = (
        (np.zeros(scale.size), 1.0) if stock.fund else _jumps(rng, scale, *_OWN_JUMPS, stock.own_vol)
    )
    parts = stock.beta * MARKET_VOL * factors.market + stock.sector_vol * factors.sectors[int(stock.sector)]
    shocks = (parts + stock.own_vol * lost * own) / stock.vol
    # Moves use the state at the start of their minute: a vol that knew the shock would give them a drift.
    vol = stock.vol * _lagged(np.exp(log_vol)) * scale
    drift = config.edge / np.sqrt(30.0) * _lagged(interest)
    drift[first_node[:-1]] = 0.0
    noise = _NEWS_SHARE * news + np.sqrt(1.0 - _NEWS_SHARE**2) * shocks
    moves = vol * (noise + drift) + stock.beta * factors.jumps + own_jumps - 0.5 * vol**2
    attention = 0.5 * log_vol + 0.25 * _mean_reverting(tape, half_life=390.0, rng=rng)
    shown = events.reports(stock, found[0].date - timedelta(days=7), found[-1].date)
    for report, size in zip(shown, rng.standard_normal(len(shown)), strict=True):
        session = next((i for i, s in enumerate(found) if s.date == report.reacts), None)
        if session is not None:
            # The first open is where the market starts: its price is given.
            moves[first_node[session]] += report.move * size - 0.5 * report.move**2 if session else 0.0
            attention[first_node[session] : first_node[session + 1]] += _REPORT_ATTENTION
    price = stock.price * np.exp(np.cumsum(moves))
    _go_ex(config, stock, found, first_node, price)
    return price, stock.vol**2 * np.exp(2.0 * log_vol), interest, attention


def _go_ex(
    config: SimulatorConfig,
    stock: Stock,
    found: tuple[Session, ...],
    first_node: NDArray[np.int64],
    price: Floats,
) -> None:
    """Take splits and dividends out of the price, from the open of their ex-dates on."""
    # What went ex before the first open is in the price at the start.
    first, last = found[1].date if len(found) > 1 else found[0].date, found[-1].date
    opens = {s.date: int(node) for s, node in zip(found, first_node, strict=False)}
    divided = events.splits(config, first, last)
    for split in divided:
        if split.ticker == stock.ticker:
            price[opens[split.ex_date] :] *= split.old / split.new
    for dividend in events.dividends(stock, first, last, divided):
        node = opens[dividend.ex_date]
        price[node:] *= 1.0 - dividend.amount / price[node - 1]


def _jumps(
    rng: np.random.Generator, scale: Floats, a_year: float, size: float, vol: float
) -> tuple[Floats, float]:
    """Draw log jumps per node, and return what their variance leaves of a shock's standard deviation."""
    count = rng.poisson(a_year * scale**2)
    jumps = np.where(count > 0, size * rng.standard_normal(scale.size) - 0.5 * size**2, 0.0)
    return jumps, float(np.sqrt(max(1.0 - a_year * size**2 / vol**2, 0.25)))


def _mean_reverting(shocks: Floats, half_life: float, rng: np.random.Generator) -> Floats:
    """Return a unit-variance AR(1), started from its stationary law; half-life in rows."""
    from scipy.signal import lfilter

    keep = 0.5 ** (1.0 / half_life)
    path, _ = lfilter([np.sqrt(1.0 - keep**2)], [1.0, -keep], shocks, zi=[keep * rng.standard_normal()])
    return np.asarray(path)


def _lagged(path: Floats) -> Floats:
    """Return the path one row later; the first row sees itself."""
    return np.concatenate([path[:1], path[:-1]])
