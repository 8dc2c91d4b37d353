"""Option trades of one simulated session, and the bars that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE
from strikelake.sandbox.paths import TILT, StockPaths, Stream, generator, minute_profile, session_minutes
from strikelake.sandbox.tape import EXCHANGES, days_left, deviations, spread_cents, tick_cents
from strikelake.sandbox.valuation import NEEDED, SessionTerms, option_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.sandbox.config import SimulatorConfig
    from strikelake.sandbox.seconds import SecondPaths
    from strikelake.sandbox.surface import VarianceClock

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

# Trades a day of a contract at the money that expires now, and how they thin out with distance and time.
_TRADES, _DISTANCE, _PATIENCE_DAYS, _DISPERSION = 17.0, 0.55, 35.0, 1.6
_BUSIEST = 900.0
_CONDITIONS, _CONDITION_SHARES = np.array([209, 219, 227, 228, 232]), (0.45, 0.15, 0.25, 0.05, 0.10)
_SWEEP, _COMPANIONS = 0.10, 0.2
_PIECE = 150_000_000


def option_trades(
    config: SimulatorConfig,
    paths: StockPaths,
    clock: VarianceClock,
    seconds: SecondPaths,
    terms: SessionTerms,
    contracts: pl.DataFrame,
    group: Ints,
    index: int,
) -> pl.DataFrame:
    """Return one session's option trades: most contracts trade a few times, some hundreds of times.

    A trade is at or inside the usual quote around the value at its second; a sweep is several trades at one
    price within milliseconds.

    Returns
    -------
    pl.DataFrame
        The vendor's columns, sorted by ticker and time; prices in whole cents, at least one.
    """
    session = paths.sessions[index]
    rng = generator(config, Stream.PRINTS, index)
    row, since_open = _moments(config, paths, contracts, index, rng)
    traded, moments = contracts.select(NEEDED)[row], session.open_ns + since_open
    nodes = int(paths.first_node[index]) + since_open // NS_PER_MINUTE
    spot = seconds.at(traded["symbol"].to_numpy(), since_open)
    state = option_state(paths, clock, terms, traded, group[row], nodes, moments, spot)
    value = state.value * 100.0
    spread = spread_cents(config, traded, state, tick_cents(config, traded, value))
    price = np.maximum(1, np.rint(value + (rng.random(row.size) - 0.5) * spread)).astype(np.int64)
    parts = 1 + rng.geometric(0.5, row.size) * (rng.random(row.size) < _SWEEP)
    pick = np.repeat(np.arange(row.size), parts)
    piece = np.arange(pick.size) - np.repeat(np.cumsum(parts) - parts, parts)
    stamp = np.minimum(
        moments[pick] + piece * rng.integers(1, _PIECE, row.size)[pick] // 8, session.close_ns - 1
    )
    size = 1 + rng.exponential(1.0, pick.size) * np.exp(1.3 * rng.standard_normal(pick.size) + 1.1)
    return pl.DataFrame(
        {
            "ticker": traded["ticker"][pick],
            "conditions": rng.choice(_CONDITIONS, pick.size, p=_CONDITION_SHARES),
            "correction": np.zeros(pick.size, dtype=np.int64),
            "exchange": rng.choice(EXCHANGES, pick.size),
            "price": price[pick] / 100.0,
            "sip_timestamp": stamp,
            "size": size.astype(np.int64),
        }
    ).sort("ticker", "sip_timestamp", maintain_order=True)


def minute_bars(trades: pl.DataFrame) -> pl.DataFrame:
    """Return the minute bars that trades make: only minutes with a trade.

    Parameters
    ----------
    trades
        One session's, in the vendor's columns, sorted by ticker and time.

    Returns
    -------
    pl.DataFrame
        The vendor's columns of minute bars, sorted by ticker and time.
    """
    price, size = pl.col("price"), pl.col("size")
    return (
        trades.with_columns(window_start=pl.col("sip_timestamp") // NS_PER_MINUTE * NS_PER_MINUTE)
        .group_by("ticker", "window_start", maintain_order=True)
        .agg(
            size.sum().alias("volume"),
            price.first().alias("open"),
            price.last().alias("close"),
            price.max().alias("high"),
            price.min().alias("low"),
            pl.len().cast(pl.Int64).alias("transactions"),
        )
        .select("ticker", "volume", "open", "close", "high", "low", "window_start", "transactions")
    )


def _moments(
    config: SimulatorConfig, paths: StockPaths, contracts: pl.DataFrame, index: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Draw who trades when: near the money, in busy minutes, calls more and puts less with interest.

    Returns
    -------
    row : ndarray of int64
        Of the contract, ascending.
    since_open : ndarray of int64
        ns.
    """
    minutes, rows = session_minutes(paths.sessions[index]), paths.nodes(index)
    symbol, sign = contracts["symbol"].to_numpy(), contracts["sign"].to_numpy()
    interest = paths.interest[rows][1:]
    weights = np.stack([minute_profile(minutes)[:, None] * np.exp(s * TILT * interest) for s in (1, -1)])
    away = deviations(contracts, paths, config, index)
    # In the money few trade.
    away = np.abs(away) + 0.5 * np.maximum(-sign * away, 0.0)
    left = days_left(contracts, paths, index)
    usual = (
        _TRADES
        * contracts["activity"].to_numpy() ** _DISPERSION
        * np.exp(-_DISTANCE * away**2 - left / _PATIENCE_DAYS)
    )
    side = np.where(sign > 0, 0, 1)
    busy = weights.mean(axis=1)[side, symbol] * minutes / 390.0
    attention = np.exp(paths.attention[rows][1:].mean(axis=0))[symbol]
    count = rng.poisson(np.minimum(usual * busy * attention, _BUSIEST))
    contract = np.repeat(np.arange(contracts.height), count)
    cumulative = np.cumsum(weights, axis=1)
    cumulative /= cumulative[:, -1:, :]
    # One sorted table of all (side, symbol) groups: group g covers (g, g + 1].
    groups = cumulative.transpose(0, 2, 1).reshape(-1, minutes)
    table = (groups + np.arange(groups.shape[0])[:, None]).ravel()
    group = (side * interest.shape[1] + symbol)[contract]
    found = np.searchsorted(table, group + rng.random(contract.size), side="left") - group * minutes
    minute = np.minimum(found, minutes - 1)
    # Trades attract trades within their minute; they and the pieces of a sweep do not leave it.
    again = 1 + rng.poisson(_COMPANIONS, contract.size)
    contract, minute = np.repeat(contract, again), np.repeat(minute, again)
    return contract, minute * NS_PER_MINUTE + rng.integers(0, NS_PER_MINUTE - 2 * 10**9, contract.size)
