"""Stock bars of one simulated session, in the columns of the vendor's files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE, et_ns
from strikelake.sandbox.paths import (
    FULL_DAY,
    TILT,
    StockPaths,
    Stream,
    generator,
    minute_profile,
    session_minutes,
)

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from strikelake.sandbox.config import SimulatorConfig

    Floats = NDArray[np.float64]

_VOLUME_NOISE = 0.35
_SHARES_PER_TRADE = 110.0


def stock_minutes(config: SimulatorConfig, paths: StockPaths, index: int) -> pl.DataFrame:
    """Return the minute bars of one session.

    Returns
    -------
    pl.DataFrame
        Sorted by ticker and time: ticker, volume (shares, decimals), open, close, high, low (dollars, whole
        cents), window_start (start of the minute, ns UTC), transactions.
    """
    session = paths.sessions[index]
    minutes, rows = session_minutes(session), paths.nodes(index)
    rng = generator(config, Stream.BARS, index)
    price, variance = paths.price[rows], paths.variance[rows]
    minute_vol = np.sqrt(variance[:-1] / (252 * FULL_DAY) * minute_profile(minutes)[:, None])
    opened = price[:-1] * np.exp(0.1 * minute_vol * rng.standard_normal(minute_vol.shape))
    high, low = _extremes(opened, price[1:], minute_vol, rng)
    volume = _volume(config, paths, index, rng)
    starts = session.open_ns + np.arange(minutes, dtype=np.int64) * NS_PER_MINUTE
    columns = {"open": opened, "close": price[1:], "high": high, "low": low}
    return pl.DataFrame(
        {
            "ticker": np.repeat([s.ticker for s in config.stocks], minutes),
            "volume": volume.T.ravel().round(6),
            **{name: values.T.ravel().round(2) for name, values in columns.items()},
            "window_start": np.tile(starts, len(config.stocks)),
            "transactions": np.maximum(1, volume / _SHARES_PER_TRADE).astype(np.int64).T.ravel(),
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
    return (
        minutes.group_by("ticker", maintain_order=True)
        .agg(
            # Rounded, because the order of the summation is not given.
            pl.col("volume").sum().round(6),
            pl.col("open").first(),
            pl.col("close").last(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.lit(et_ns(day, "00:00")).alias("window_start"),
            pl.col("transactions").sum(),
        )
        .sort("ticker")
    )


def _extremes(opened: Floats, closed: Floats, vol: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw each minute's high and low from the law of a Brownian bridge between its open and its close."""
    start, move = np.log(opened), np.log(closed / opened)
    reach = -2.0 * vol**2
    up, down = 1.0 - rng.random(vol.shape), 1.0 - rng.random(vol.shape)
    high = start + 0.5 * (move + np.sqrt(move**2 + reach * np.log(up)))
    low = start + 0.5 * (move - np.sqrt(move**2 + reach * np.log(down)))
    return np.exp(high), np.exp(low)


def _volume(config: SimulatorConfig, paths: StockPaths, index: int, rng: np.random.Generator) -> Floats:
    """Return shares per minute and symbol: U-shaped, busier in volatile times and when interest is high."""
    rows = paths.nodes(index)
    interest, attention = paths.interest[rows][1:], paths.attention[rows][1:]
    per_minute = np.array([s.daily_volume for s in config.stocks]) / FULL_DAY
    noise = _VOLUME_NOISE * rng.standard_normal(interest.shape)
    profile = minute_profile(interest.shape[0])[:, None]
    return np.asarray(per_minute * profile * np.exp(TILT * interest + attention + noise))
