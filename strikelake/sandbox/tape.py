"""Option quotes and prints of one simulated session, in the columns of the vendor's files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE
from strikelake.sandbox.paths import (
    TILT,
    StockPaths,
    Stream,
    generator,
    minute_profile,
    session_minutes,
)
from strikelake.sandbox.surface import OptionState, option_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.sandbox.config import SimulatorConfig

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_EXCHANGES = np.array(
    [300, 301, 302, 303, 304, 307, 308, 309, 312, 313, 315, 316, 318, 319, 320, 322, 323, 325]
)
_ABANDONED_BID_CENTS = 3
_ABANDONED_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Prints:
    """Where trades happened: one entry per contract and minute with at least one trade, sorted."""

    contract: Ints
    minute: Ints


def listed(contracts: pl.DataFrame, paths: StockPaths, index: int) -> pl.DataFrame:
    """Return the contracts that trade in a session, sorted by ticker."""
    day = paths.sessions[index].date
    return contracts.filter((pl.col("first_session") <= index) & (pl.col("expiration") >= day))


def option_quotes(
    config: SimulatorConfig, paths: StockPaths, curve: Floats, contracts: pl.DataFrame, index: int
) -> tuple[pl.DataFrame, OptionState]:
    """Return one session's quotes of its listed contracts.

    A quote is centred on the value at the last full minute. A missing side has price, size and exchange 0.

    Returns
    -------
    quotes : pl.DataFrame
        The vendor's columns, sorted by ticker and time.
    state : OptionState
        The true state behind them; arrays of shape (contracts, quotes per contract).
    """
    session = paths.sessions[index]
    interval = config.quote_minutes * NS_PER_MINUTE
    grid = np.arange(session_minutes(session) // config.quote_minutes, dtype=np.int64) * interval
    elapsed = contracts["offset_ns"].to_numpy()[:, None] + grid[None, :]
    moments = session.open_ns + elapsed
    nodes = int(paths.first_node[index]) + elapsed // NS_PER_MINUTE
    state = option_state(config, paths, curve, contracts, nodes, moments)
    rng = generator(config, Stream.QUOTES, index)
    bid, ask = _sides(config, contracts, state, elapsed, rng)
    shape = bid.shape
    return pl.DataFrame(
        {
            "ticker": np.repeat(contracts["ticker"].to_numpy(), shape[1]),
            "ask_exchange": rng.choice(_EXCHANGES, bid.size),
            "ask_price": ask.ravel() / 100.0,
            "ask_size": 1 + rng.exponential(40.0, bid.size).astype(np.int64),
            "bid_exchange": np.where(bid > 0, rng.choice(_EXCHANGES, shape), 0).ravel(),
            "bid_price": bid.ravel() / 100.0,
            "bid_size": np.where(bid > 0, 1 + rng.exponential(40.0, shape).astype(np.int64), 0).ravel(),
            "sequence_number": np.argsort(np.argsort(moments.ravel(), kind="stable")) + 1,
            "sip_timestamp": moments.ravel(),
        }
    ), state


def option_minutes(
    config: SimulatorConfig, paths: StockPaths, curve: Floats, contracts: pl.DataFrame, index: int
) -> pl.DataFrame:
    """Return one session's option minute bars: only minutes with a trade, most of them with a single price.

    Returns
    -------
    pl.DataFrame
        The vendor's columns, sorted by ticker and time; prices in whole cents, at least one.
    """
    session = paths.sessions[index]
    rng = generator(config, Stream.PRINTS, index)
    prints = _prints(config, paths, contracts, index, rng)
    traded = contracts[prints.contract]
    minutes = prints.minute[:, None] + np.array([[0, 1]])
    nodes, moments = int(paths.first_node[index]) + minutes, session.open_ns + minutes * NS_PER_MINUTE
    value = option_state(config, paths, curve, traded, nodes, moments).value * 100.0
    spread = _spread_cents(config, traded, value)
    ends = np.maximum(1, np.rint(value + (rng.random(value.shape) - 0.5) * 0.8 * spread)).astype(np.int64)
    transactions = 1 + rng.poisson(0.4, len(traded))
    closed = ends[:, 1]
    opened = np.where(transactions > 1, ends[:, 0], closed)
    reach = np.where(transactions > 1, rng.integers(0, 2, len(traded)), 0)
    return pl.DataFrame(
        {
            "ticker": traded["ticker"],
            "volume": transactions * (1 + rng.exponential(6.0, len(traded)).astype(np.int64)),
            "open": opened / 100.0,
            "close": closed / 100.0,
            "high": (np.maximum(opened, closed) + reach) / 100.0,
            "low": np.maximum(np.minimum(opened, closed) - reach, 1) / 100.0,
            "window_start": moments[:, 0],
            "transactions": transactions,
        }
    )


def _sides(
    config: SimulatorConfig,
    contracts: pl.DataFrame,
    state: OptionState,
    elapsed: Ints,
    rng: np.random.Generator,
) -> tuple[Ints, Ints]:
    """Return bid and ask in cents; a bid of 0 is none."""
    value = state.value * 100.0
    early = np.where(elapsed < 10 * NS_PER_MINUTE, 1.6, 1.0)
    noise = np.exp(0.25 * rng.standard_normal(value.shape))
    spread = np.maximum(1, np.rint(_spread_cents(config, contracts, value) * early * noise)).astype(np.int64)
    bid = np.floor(value - 0.5 * spread + 0.5).astype(np.int64)
    ask = np.maximum(bid + spread, 1)
    abandoned = (bid <= _ABANDONED_BID_CENTS) & (rng.random(value.shape) < _ABANDONED_SHARE)
    return np.where(abandoned | (bid < 0), 0, bid), ask


def _spread_cents(config: SimulatorConfig, contracts: pl.DataFrame, value: Floats) -> Floats:
    """Return the usual spread in cents for values in cents: a floor and a part of the value."""
    width = np.array([s.spread for s in config.stocks])[contracts["symbol"].to_numpy()][:, None]
    return np.asarray(1.0 + width * (0.5 + 0.16 * np.sqrt(value) + 0.014 * value))


def _prints(
    config: SimulatorConfig, paths: StockPaths, contracts: pl.DataFrame, index: int, rng: np.random.Generator
) -> Prints:
    """Draw the minutes in which each contract trades: near the money, busy minutes, calls with interest."""
    minutes, rows = session_minutes(paths.sessions[index]), paths.nodes(index)
    symbol = contracts["symbol"].to_numpy()
    sign = contracts["sign"].to_numpy()
    interest = paths.interest[rows][1:]
    profile = minute_profile(minutes)[:, None]
    weights = np.stack([profile * np.exp(s * TILT * interest) for s in (1, -1)])
    spot = paths.price[rows][0][symbol]
    vol = np.array([s.vol for s in config.stocks])[symbol]
    days = np.maximum((contracts["expiry_ns"].to_numpy() - paths.sessions[index].open_ns) / 86_400e9, 1.0)
    deviations = np.log(contracts["strike"].to_numpy() / spot) / (vol * np.sqrt(days / 365.0))
    side = np.where(sign > 0, 0, 1)
    busy = weights.mean(axis=1)[side, symbol] * minutes / 390.0
    count = rng.poisson(contracts["activity"].to_numpy() * np.exp(-0.5 * deviations**2) * busy)
    contract = np.repeat(np.arange(contracts.height), count)
    cumulative = np.cumsum(weights, axis=1)
    cumulative /= cumulative[:, -1:, :]
    # One sorted table of all (side, symbol) groups: group g covers (g, g + 1].
    groups = cumulative.transpose(0, 2, 1).reshape(-1, minutes)
    table = (groups + np.arange(groups.shape[0])[:, None]).ravel()
    group = (side * interest.shape[1] + symbol)[contract]
    found = np.searchsorted(table, group + rng.random(contract.size), side="left") - group * minutes
    unique = np.unique(contract * minutes + np.minimum(found, minutes - 1))
    return Prints(contract=unique // minutes, minute=unique % minutes)
