"""Bars of any width, aligned to the session and labelled by their end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features.panel import at, series_of, sessions_between, sorted_by
from strikelake.calendar import NS_PER_MINUTE

if TYPE_CHECKING:
    from features.feature import FloatArray, IntArray

COLUMNS = {
    "asof": pl.Int64,
    "underlying": pl.String,
    "date": pl.Date,
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
    "segment": pl.Int32,
}
"""Columns of a frame of bars; rows are sorted (underlying, asof)."""

LONGEST_GAP = 5
"""Sessions without a bar that a series may have; a longer gap starts a new segment."""

_SESSION_MINUTES = 390


def width_minutes(bar: str) -> int:
    """Return the width of a bar in minutes; "1d" is a whole session.

    Raises
    ------
    ValueError
        When `bar` is not minutes, hours or "1d".

    Examples
    --------
    >>> width_minutes("30m"), width_minutes("1h"), width_minutes("1d")
    (30, 60, 390)
    """
    if bar == "1d":
        return _SESSION_MINUTES
    match = re.fullmatch(r"([1-9]\d{0,2})([mh])", bar)
    minutes = int(match[1]) * (60 if match[2] == "h" else 1) if match else 0
    if not 0 < minutes < _SESSION_MINUTES:
        raise ValueError(
            f"bar {bar!r} is not a width inside a session: use minutes or hours, such as 30m or 1h, or 1d"
        )
    return minutes


def bars_per_session(bar: str) -> int:
    """Return how many bars a full session has.

    Examples
    --------
    >>> bars_per_session("30m"), bars_per_session("1h")
    (13, 7)
    """
    return -(-_SESSION_MINUTES // width_minutes(bar))


def resample(minute_bars: pl.DataFrame, bar: str = "30m") -> pl.DataFrame:
    """Return wider bars from minute bars.

    Windows start at the open and are labelled by their end; the last one ends with the session, on half
    days too. Minutes outside regular hours are left out. A window with any minute gives a bar, one without
    gives none.

    Parameters
    ----------
    minute_bars
        Rows as in stock_minute_bars: date, ticker, ts_ns, open, high, low, close, volume. Any order.
    bar
        Width: "30m", "5m", "1h".

    Returns
    -------
    pl.DataFrame
        `COLUMNS`. `asof`, the window's end, is when the bar can be known: a window that is still open at
        some moment carries an `asof` after it.

    Raises
    ------
    ValueError
        When `bar` is not a width inside a session.
    """
    return _with_segments(_windows(minute_bars, bar))


def extend(bars: pl.DataFrame, minute_bars: pl.DataFrame, bar: str = "30m") -> pl.DataFrame:
    """Return bars and those of other minutes, as if all of their minutes had been resampled at once.

    Parameters
    ----------
    bars
        `COLUMNS`, of width `bar`; none of their windows may be in `minute_bars`.
    minute_bars, bar
        As in `resample`.

    Returns
    -------
    pl.DataFrame
        `COLUMNS`; segments are numbered anew.

    Raises
    ------
    ValueError
        When `bar` is not a width inside a session.
    """
    others = _windows(minute_bars, bar)
    together = pl.concat([bars[others.columns], others], how="vertical_relaxed")
    return _with_segments(together[_in_turn(bars["underlying"], others["underlying"])])


def from_day_bars(day_bars: pl.DataFrame) -> pl.DataFrame:
    """Return session bars from day bars; `asof` is the session's close.

    Parameters
    ----------
    day_bars
        Rows as in stock_day_bars. Dates that are no session are left out.

    Returns
    -------
    pl.DataFrame
        `COLUMNS`.
    """
    rows = _with_session(day_bars).rename({"ticker": "underlying"}).with_columns(asof="close_ns")
    return _with_segments(rows.collect())


def _in_turn(first: pl.Series, second: pl.Series) -> IntArray:
    """Return the rows of two frames, one below the other, by names: of each name those of the first before.

    Where both frames are sorted and the second is later, this is the sorted order.
    """
    names = [series_of(first), series_of(second)]
    parts = [
        (name, frame, np.arange(rows.start, rows.stop) + frame * len(first))
        for frame, (keys, series) in enumerate(zip((first, second), names, strict=True))
        for name, rows in zip(at(keys, series.starts), series.slices, strict=True)
    ]
    nothing = np.zeros(0, dtype=np.int64)
    return np.concatenate([nothing, *(rows for _, _, rows in sorted(parts, key=lambda part: part[:2]))])


def _windows(minute_bars: pl.DataFrame, bar: str) -> pl.DataFrame:
    """Return one row for each window with a minute, sorted by its underlying and end."""
    if bar == "1d":
        raise ValueError("minute bars are resampled inside a session: for 1d use from_day_bars on day bars")
    width = width_minutes(bar) * NS_PER_MINUTE
    window_end = pl.col("open_ns") + ((pl.col("ts_ns") - pl.col("open_ns")) // width + 1) * width
    minutes = (
        _with_session(minute_bars)
        .filter(pl.col("ts_ns") >= pl.col("open_ns"), pl.col("ts_ns") < pl.col("close_ns"))
        .with_columns(pl.col("volume").fill_null(0.0), asof=pl.min_horizontal(window_end, "close_ns"))
        .sort("ticker", "ts_ns")
        .collect()
    )
    windows = minutes.group_by("ticker", "asof", maintain_order=True).agg(
        pl.col("date").first(),
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.len().alias("minutes"),
    )
    return windows.select(
        pl.col("ticker").alias("underlying"),
        pl.exclude("ticker", "minutes"),
        volume=_sums(minutes["volume"].to_numpy(), windows["minutes"].cast(pl.Int64).to_numpy()),
    )


def _sums(values: FloatArray, lengths: IntArray) -> FloatArray:
    """Return the sum of each run of values, in one order.

    Polars adds up a group in an order that depends on how many rows the frame has: parts of shares, of which
    vendors' volumes have some, would differ in the last bit between a live day and its history.
    """
    starts = np.cumsum(lengths) - lengths
    return np.add.reduceat(values, starts) if len(starts) else np.zeros(0)


def _with_session(rows: pl.DataFrame) -> pl.LazyFrame:
    """Add open_ns and close_ns of each row's session; rows of other days go."""
    if rows.is_empty():
        return rows.lazy().with_columns(pl.lit(0, pl.Int64).alias(name) for name in ("open_ns", "close_ns"))
    days = sessions_between(rows["date"].min(), rows["date"].max())  # type: ignore[arg-type]
    return rows.lazy().join(days.lazy(), on="date", how="inner", maintain_order="left")


def _with_segments(rows: pl.DataFrame) -> pl.DataFrame:
    """Sort and number the unbroken runs of each series.

    A ticker that is silent for long may belong to another company afterwards; its series must not be
    stitched.
    """
    bars, names = sorted_by(rows, "underlying", "asof")
    segment = np.zeros(bars.height, dtype=np.int32)
    if bars.height:
        days = sessions_between(bars["date"].min(), bars["date"].max())  # type: ignore[arg-type]
        known, own = (frame["date"].to_physical().to_numpy() for frame in (days, bars))
        number = np.searchsorted(known, own)
        silent = np.diff(number, prepend=number[:1]) - 1 > LONGEST_GAP
        silent[names.starts] = False  # what lies between two underlyings is no silence
        before = np.cumsum(silent, dtype=np.int32)
        segment = before - np.repeat(before[names.starts], np.diff(names.bounds))
    columns = [pl.col(name).cast(dtype) for name, dtype in COLUMNS.items() if name != "segment"]
    return bars.select(*columns, segment=pl.Series(segment))
