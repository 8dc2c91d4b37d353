"""Stock prices second by second, the trades on them, and the bars and quotes that they make.

Between two nodes of the paths the log price is a Brownian bridge. A minute's bar is made of the trades of its
seconds, at most one a second; each minute has one in its last second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_ns
from strikelake.sandbox.paths import (
    FULL_DAY,
    TILT,
    YEAR,
    StockPaths,
    Stream,
    generator,
    minute_profile,
    node_shares,
    session_minutes,
)

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from strikelake.sandbox.config import SimulatorConfig

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SECONDS = 60
_VOLUME_NOISE = 0.35
_TRADED = 0.35


@dataclass(frozen=True, slots=True)
class SecondPaths:
    """One session of all symbols, second by second.

    Attributes
    ----------
    price
        Efficient price in dollars at the end of each second; shape (symbols, minutes, 60).
    size
        Shares traded in it, 0 without a trade; the same shape.
    """

    price: Floats
    size: Floats

    def at(self, symbol: Ints, since_open: Ints) -> Floats:
        """Return prices of symbols (columns of the paths) at times since the open, ns."""
        second = np.maximum(since_open // NS_PER_SECOND - 1, 0)
        return np.asarray(self.price[symbol, second // SECONDS, second % SECONDS])


def second_paths(config: SimulatorConfig, paths: StockPaths, index: int) -> SecondPaths:
    """Simulate the seconds of one session."""
    session = paths.sessions[index]
    minutes, rows = session_minutes(session), paths.nodes(index)
    log_price, variance = np.log(paths.price[rows]), paths.variance[rows]
    minute_vol = np.sqrt(variance[:-1] * node_shares(minutes)[1:, None] / YEAR)
    along = np.arange(1, SECONDS + 1) / SECONDS
    price, size = np.empty((2, len(config.stocks), minutes, SECONDS))
    for symbol, stock in enumerate(config.stocks):
        rng = generator(config, Stream.SECONDS, index, stock.number)
        steps = np.cumsum(rng.standard_normal((minutes, SECONDS)), axis=1) / np.sqrt(SECONDS)
        bridge = minute_vol[:, symbol, None] * (steps - along * steps[:, -1:])
        start, move = log_price[:-1, symbol, None], np.diff(log_price[:, symbol])[:, None]
        price[symbol] = np.exp(start + along * move + bridge)
        volume = _volume(stock.daily_volume, paths, index, symbol, rng)
        usual = stock.daily_volume / FULL_DAY
        chance = 1.0 - np.exp(-np.sqrt(volume / usual)[:, None] / _TRADED)
        traded = rng.random((minutes, SECONDS)) < chance
        traded[:, -1] = True
        share = np.where(traded, rng.exponential(1.0, (minutes, SECONDS)), 0.0)
        share /= share.sum(axis=1, keepdims=True)
        size[symbol] = np.where(traded, np.maximum(share * volume[:, None], 1.0), 0.0).round(4)
    return SecondPaths(price, size)


def stock_minutes(
    config: SimulatorConfig, paths: StockPaths, seconds: SecondPaths, index: int
) -> pl.DataFrame:
    """Return the minute bars of one session.

    Returns
    -------
    pl.DataFrame
        Sorted by ticker and time: ticker, volume (shares, decimals), open, close, high, low (dollars, whole
        cents), window_start (start of the minute, ns UTC), transactions.
    """
    session = paths.sessions[index]
    minutes = session_minutes(session)
    traded, cents = seconds.size > 0.0, np.rint(seconds.price * 100.0)
    first = np.take_along_axis(cents, traded.argmax(axis=2)[..., None], axis=2)[..., 0]
    columns = {
        "open": first,
        "close": cents[..., -1],
        "high": np.where(traded, cents, -np.inf).max(axis=2),
        "low": np.where(traded, cents, np.inf).min(axis=2),
    }
    starts = session.open_ns + np.arange(minutes, dtype=np.int64) * NS_PER_MINUTE
    return pl.DataFrame(
        {
            "ticker": np.repeat([s.ticker for s in config.stocks], minutes),
            "volume": seconds.size.sum(axis=2).ravel().round(4),
            **{name: values.ravel() / 100.0 for name, values in columns.items()},
            "window_start": np.tile(starts, len(config.stocks)),
            "transactions": traded.sum(axis=2).ravel(),
        }
    )


def day_bars(minutes: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return the day bars that minute bars make; they start at midnight in New York, as the vendor's do.

    Parameters
    ----------
    minutes
        One session's bars, sorted by ticker and time, in the vendor's columns.
    day
        The session.
    """
    volume = [pl.col("volume").sum().round(4)] if "volume" in minutes.columns else []
    count = [pl.col("transactions").sum()] if "transactions" in minutes.columns else []
    bars = (
        minutes.group_by("ticker", maintain_order=True)
        .agg(
            # Rounded, because the order of the summation is not given.
            *volume,
            pl.col("open").first(),
            pl.col("close").last(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.lit(et_ns(day, "00:00")).alias("window_start"),
            *count,
        )
        .sort("ticker")
    )
    return bars.select(minutes.columns)


def _volume(daily: float, paths: StockPaths, index: int, symbol: int, rng: np.random.Generator) -> Floats:
    """Return shares per minute: U-shaped, busier in volatile times and when interest is high."""
    rows = paths.nodes(index)
    interest, attention = paths.interest[rows, symbol][1:], paths.attention[rows, symbol][1:]
    noise = _VOLUME_NOISE * rng.standard_normal(interest.size)
    return np.asarray(
        daily / FULL_DAY * minute_profile(interest.size) * np.exp(TILT * interest + attention + noise)
    )
