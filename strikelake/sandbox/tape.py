"""Option quotes of one simulated session, in the columns of the vendor's files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE
from strikelake.contracts import MULTIPLIER
from strikelake.sandbox.paths import StockPaths, Stream, generator, session_minutes
from strikelake.sandbox.valuation import NEEDED, OptionState, SessionTerms, option_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.sandbox.config import SimulatorConfig
    from strikelake.sandbox.surface import VarianceClock

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

EXCHANGES = np.array(
    [300, 301, 302, 303, 304, 307, 308, 309, 312, 313, 315, 316, 318, 319, 320, 322, 323, 325]
)
"""The vendor's numbers of the options exchanges."""

FAR = 6
"""How many quoting intervals pass between two quotes of a contract that few look at."""

_NEAR_DEVIATIONS, _NEAR_DAYS = 1.9, 45.0
_EARLY_MINUTES, _EARLY_WIDTH = 10, 1.6
# Spread at the money relative to the value, and how it grows as value falls short of that at the money.
_AT_THE_MONEY, _OUTWARD, _INWARD = 0.024, -0.70, -0.25
_NICKEL, _NICKEL_FROM = 5, 300.0
_ABANDONED_BID_CENTS, _ABANDONED = 3, 0.5
_CROSSED, _LOCKED, _TIGHT_TICKS = 0.0003, 0.012, 2


def deviations(contracts: pl.DataFrame, paths: StockPaths, config: SimulatorConfig, index: int) -> Floats:
    """Return ln(strike / opening price) in usual standard deviations until expiration; shape (contracts,)."""
    symbol = contracts["symbol"].to_numpy()
    spot = paths.price[int(paths.first_node[index])][symbol]
    vol = np.array([s.vol for s in config.stocks])[symbol]
    part = contracts["shares_per_contract"].to_numpy() / MULTIPLIER
    return np.asarray(
        np.log(contracts["strike"].to_numpy() / (part * spot))
        / (vol * np.sqrt(days_left(contracts, paths, index) / 365.0))
    )


def days_left(contracts: pl.DataFrame, paths: StockPaths, index: int) -> Floats:
    """Return calendar days from a session's open to expiration, at least one; shape (contracts,)."""
    return np.asarray(
        np.maximum((contracts["expiry_ns"].to_numpy() - paths.sessions[index].open_ns) / 86_400e9, 1.0)
    )


def option_quotes(
    config: SimulatorConfig,
    paths: StockPaths,
    clock: VarianceClock,
    terms: SessionTerms,
    contracts: pl.DataFrame,
    group: Ints,
    index: int,
) -> tuple[pl.DataFrame, OptionState]:
    """Return one session's quotes of its listed contracts.

    A quote is centred on the value at the last full minute. A missing side has price, size and exchange 0.
    Contracts near the money and near expiration are quoted in every interval, others in every sixth.

    Returns
    -------
    quotes : pl.DataFrame
        The vendor's columns, sorted by ticker and time.
    state : OptionState
        The true state behind them; arrays with one entry per quote.
    """
    session = paths.sessions[index]
    rng = generator(config, Stream.QUOTES, index)
    row, elapsed = _schedule(config, paths, contracts, index)
    quoted, moments = contracts.select(NEEDED)[row], session.open_ns + elapsed
    nodes = int(paths.first_node[index]) + elapsed // NS_PER_MINUTE
    state = option_state(paths, clock, terms, quoted, group[row], nodes, moments)
    bid, ask = _sides(config, quoted, state, elapsed, rng)
    sizes = 1 + rng.exponential(40.0, (2, row.size)).astype(np.int64)
    exchanges = rng.choice(EXCHANGES, (2, row.size))
    order = np.empty(row.size, dtype=np.int64)
    order[np.argsort(moments, kind="stable")] = np.arange(1, row.size + 1)
    return pl.DataFrame(
        {
            "ticker": quoted["ticker"],
            "ask_exchange": exchanges[0],
            "ask_price": ask / 100.0,
            "ask_size": sizes[0],
            "bid_exchange": np.where(bid > 0, exchanges[1], 0),
            "bid_price": bid / 100.0,
            "bid_size": np.where(bid > 0, sizes[1], 0),
            "sequence_number": order,
            "sip_timestamp": moments,
        }
    ), state


def spread_cents(config: SimulatorConfig, contracts: pl.DataFrame, state: OptionState, tick: Ints) -> Floats:
    """Return the usual spread of quotes in cents, not yet a multiple of the tick.

    At the money it is a part of the value; it shrinks less than the value does out of the money, and grows
    less than it does in the money.
    """
    width = np.array([s.spread for s in config.stocks])[contracts["symbol"].to_numpy()]
    part = contracts["shares_per_contract"].to_numpy() / MULTIPLIER
    centre = 40.0 * part * state.spot * state.implied_vol * np.sqrt(np.maximum(state.years, 1e-5))
    value = np.maximum(state.value * 100.0, 0.1)
    relative = value / np.maximum(centre, 1.0)
    shape = relative ** np.where(relative < 1.0, _OUTWARD, _INWARD)
    return np.asarray(0.4 * tick + width * _AT_THE_MONEY * value * shape)


def tick_cents(config: SimulatorConfig, contracts: pl.DataFrame, cents: Floats) -> Ints:
    """Return the price step at values in cents: nickels from three dollars on, but pennies for funds."""
    funds = np.array([s.fund for s in config.stocks])[contracts["symbol"].to_numpy()]
    return np.where((cents < _NICKEL_FROM) | funds, 1, _NICKEL)


def _schedule(
    config: SimulatorConfig, paths: StockPaths, contracts: pl.DataFrame, index: int
) -> tuple[Ints, Ints]:
    """Return row of the contract and time since the open (ns) of each quote, by contract and time."""
    intervals = session_minutes(paths.sessions[index]) // config.quote_minutes
    away = np.abs(deviations(contracts, paths, config, index))
    near = (away <= _NEAR_DEVIATIONS) & (days_left(contracts, paths, index) <= _NEAR_DAYS)
    slots = np.arange(intervals)
    # The others are quoted at the open, and then in a slot of their own of every six.
    own = (contracts["offset_ns"].to_numpy() // 1009) % FAR
    wanted = near[:, None] | (slots[None, :] == 0) | (slots[None, :] % FAR == own[:, None])
    row, slot = np.nonzero(wanted)
    offset = contracts["offset_ns"].to_numpy()[row]
    return row, offset + slot * (config.quote_minutes * NS_PER_MINUTE)


def _sides(
    config: SimulatorConfig,
    contracts: pl.DataFrame,
    state: OptionState,
    elapsed: Ints,
    rng: np.random.Generator,
) -> tuple[Ints, Ints]:
    """Return bid and ask in cents; a bid of 0 is none."""
    value = state.value * 100.0
    tick = tick_cents(config, contracts, value)
    early = np.where(elapsed < _EARLY_MINUTES * NS_PER_MINUTE, _EARLY_WIDTH, 1.0)
    noise = np.exp(0.25 * rng.standard_normal(value.shape))
    wanted = spread_cents(config, contracts, state, tick) * early * noise / tick
    spread = np.maximum(1, np.rint(wanted)).astype(np.int64)
    bid = np.rint(value / tick - 0.5 * spread).astype(np.int64)
    ask = np.maximum(bid + spread, 1)
    luck = rng.random(value.shape)
    tight = (spread <= _TIGHT_TICKS) & (bid > 1)
    ask = np.where(tight & (luck < _LOCKED), bid, ask)
    ask = np.where((bid > 1) & (luck > 1.0 - _CROSSED), bid - 1, ask)
    bid, ask = bid * tick, ask * tick
    abandoned = (bid <= _ABANDONED_BID_CENTS) & (rng.random(value.shape) < _ABANDONED)
    return np.where(abandoned | (bid < 0), 0, bid), ask
