"""Stock trades, quotes and second bars of one simulated session, in the columns of the vendor's files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_SECOND
from strikelake.sandbox.paths import Stream, generator
from strikelake.sandbox.seconds import SECONDS, SecondPaths

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.calendar import Session
    from strikelake.sandbox.config import SimulatorConfig

    Ints = NDArray[np.int64]

QUOTE_SECONDS = 10
_VENUES = np.array([2, 3, 4, 8, 10, 11, 12, 15, 19, 20, 21])
_OFF_EXCHANGE, _OFF_SHARE, _TRF = 4, 0.35, 202
_ODD_LOT, _ROUND_LOT = 100.0, 100.0
_TAPE = 3
_MS, _US = 1_000_000, 1_000


def stock_trades(config: SimulatorConfig, session: Session, seconds: SecondPaths, index: int) -> pl.DataFrame:
    """Return one session's stock trades, sorted by ticker and time; the minute bars are made of them."""
    rng = generator(config, Stream.STOCK_TICKS, index, 0)
    symbol, minute, second = np.nonzero(seconds.size > 0.0)
    stamp = _stamps(session, minute, second, rng)
    size = seconds.size[symbol, minute, second]
    off = rng.random(symbol.size) < _OFF_SHARE
    reported = stamp - rng.integers(1, 20, symbol.size) * _US
    return pl.DataFrame(
        {
            "ticker": np.array([s.ticker for s in config.stocks])[symbol],
            "conditions": np.where(size < _ODD_LOT, "12,37", "12"),
            "correction": np.zeros(symbol.size, dtype=np.int64),
            "exchange": np.where(off, _OFF_EXCHANGE, rng.choice(_VENUES, symbol.size)),
            "id": np.arange(1, symbol.size + 1).astype(str),
            "participant_timestamp": stamp - rng.integers(50, 900, symbol.size) * _US,
            "price": np.rint(seconds.price[symbol, minute, second] * 100.0) / 100.0,
            "sequence_number": _sequence(stamp),
            "sip_timestamp": stamp,
            "size": size,
            "tape": np.full(symbol.size, _TAPE),
            "trf_id": np.where(off, _TRF, 0),
            "trf_timestamp": np.where(off, reported, 0),
        }
    )


def stock_quotes(config: SimulatorConfig, session: Session, seconds: SecondPaths, index: int) -> pl.DataFrame:
    """Return one session's stock quotes, one every ten seconds per symbol, sorted by ticker and time."""
    rng = generator(config, Stream.STOCK_TICKS, index, 1)
    price = seconds.price[:, :, QUOTE_SECONDS - 1 :: QUOTE_SECONDS]
    symbol, minute, step = (part.ravel() for part in np.indices(price.shape))
    stamp = _stamps(session, minute, step * QUOTE_SECONDS + QUOTE_SECONDS - 1, rng)
    # A cent for most prices, more for dear stocks; at times half a cent of noise shifts the quote.
    width = np.maximum(1, np.rint(price.ravel() / 250.0)).astype(np.int64)
    bid = np.floor(price.ravel() * 100.0 - 0.5 * width + rng.random(price.size)).astype(np.int64)
    sizes = np.ceil(rng.exponential(4.0, (2, price.size))) * _ROUND_LOT
    venues = rng.choice(_VENUES, (2, price.size))
    return pl.DataFrame(
        {
            "ticker": np.array([s.ticker for s in config.stocks])[symbol],
            "ask_exchange": venues[0],
            "ask_price": (bid + width) / 100.0,
            "ask_size": sizes[0],
            "bid_exchange": venues[1],
            "bid_price": bid / 100.0,
            "bid_size": sizes[1],
            "conditions": ["1"] * price.size,
            "indicators": [""] * price.size,
            "participant_timestamp": stamp - rng.integers(50, 900, price.size) * _US,
            "sequence_number": _sequence(stamp),
            "sip_timestamp": stamp,
            "tape": np.full(price.size, _TAPE),
            "trf_timestamp": np.zeros(price.size, dtype=np.int64),
        }
    )


def second_bars(trades: pl.DataFrame) -> pl.DataFrame:
    """Return the second bars that one session's stock trades make; only seconds with a trade."""
    price = pl.col("price")
    return (
        trades.with_columns(window_start=pl.col("sip_timestamp") // NS_PER_SECOND * NS_PER_SECOND)
        .group_by("ticker", "window_start", maintain_order=True)
        .agg(
            pl.col("size").sum().round(4).alias("volume"),
            price.first().alias("open"),
            price.last().alias("close"),
            price.max().alias("high"),
            price.min().alias("low"),
            pl.len().cast(pl.Int64).alias("transactions"),
        )
        .select("ticker", "volume", "open", "close", "high", "low", "window_start", "transactions")
    )


def _stamps(session: Session, minute: Ints, second: Ints, rng: np.random.Generator) -> Ints:
    """Return moments late in their seconds, when their prices hold."""
    ends = session.open_ns + (minute * SECONDS + second + 1) * NS_PER_SECOND
    return np.asarray(ends - rng.integers(1, 400, minute.size) * _MS)


def _sequence(stamp: Ints) -> Ints:
    """Return each row's number in order of time."""
    order = np.empty(stamp.size, dtype=np.int64)
    order[np.argsort(stamp, kind="stable")] = np.arange(1, stamp.size + 1)
    return order
