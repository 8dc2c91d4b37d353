"""Bars of any width, aligned to the session and labelled by their end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features.columns import floats
from features.panel import PRICES, Panel
from features.series import at, runs, sorted_by
from features.sessions import days_of, hours_of
from strikelake.calendar import NS_PER_MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.feature import FloatArray, IntArray
    from features.series import Series

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
    gives none. Of rows for the same minute the last one counts.

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
    return frame_of(_windows(minute_bars, bar))


def extend(bars: pl.DataFrame, minute_bars: pl.DataFrame, bar: str = "30m") -> Panel:
    """Return bars and those of later minutes, as if all of their minutes had been resampled at once.

    Parameters
    ----------
    bars
        `COLUMNS`, of width `bar`, from sessions before those of `minute_bars`. Its segments are not looked
        at: they are found anew.
    minute_bars, bar
        As in `resample`.

    Raises
    ------
    ValueError
        When `bar` is not a width inside a session, or a price or volume is null or infinite.
    """
    return Panel.of(bars)[0].extended(_windows(minute_bars, bar))


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
    rows, names = sorted_by(day_bars, "ticker", "date")
    days = days_of(rows["date"])
    closes = hours_of(days).close_ns
    kept = np.flatnonzero(closes)
    columns = {name: floats(rows[name])[kept] for name in PRICES}
    return frame_of(_panel(rows["ticker"], names.number, kept, closes[kept], days[kept], columns))


def frame_of(panel: Panel) -> pl.DataFrame:
    """Return bars as a frame (`COLUMNS`); segments are numbered from 0 for each underlying."""
    number, name = panel.series.number, panel.names.number
    found = {
        "asof": panel.asof,
        "underlying": pl.Series(panel.underlyings, dtype=pl.String).gather(name),
        "date": pl.Series(panel.days).cast(pl.Date),
        **panel.columns,
        "segment": number - number[panel.names.starts][name],
    }
    return pl.DataFrame(found, schema=COLUMNS, nan_to_null=True)


def _windows(minute_bars: pl.DataFrame, bar: str) -> Panel:
    """Return one row for each window with a minute."""
    if bar == "1d":
        raise ValueError("minute bars are resampled inside a session: for 1d use from_day_bars on day bars")
    width = width_minutes(bar) * NS_PER_MINUTE
    rows, names = sorted_by(minute_bars, "ticker", "ts_ns")
    begins, days = rows["ts_ns"].to_numpy(), days_of(rows["date"])
    hours = hours_of(days)
    last = runs(names.number, begins).bounds[1:] - 1  # of rows for the same minute
    kept = last[(begins[last] >= hours.open_ns[last]) & (begins[last] < hours.close_ns[last])]
    opened = hours.open_ns[kept]
    ends = np.minimum(opened + ((begins[kept] - opened) // width + 1) * width, hours.close_ns[kept])
    windows = runs(names.number[kept], ends)
    first, final = kept[windows.starts], kept[windows.bounds[1:] - 1]
    volume = rows["volume"].fill_null(0.0) if rows["volume"].null_count() else rows["volume"]
    columns = {
        "open": floats(rows["open"])[first],
        "high": _over(np.fmax, floats(rows["high"])[kept], windows),
        "low": _over(np.fmin, floats(rows["low"])[kept], windows),
        "close": floats(rows["close"])[final],
        # In one order: polars adds up a group in an order that depends on how many rows the frame has, and
        # parts of shares, of which vendors' volumes have some, would differ between a live day and history.
        "volume": _over(np.add, floats(volume)[kept], windows),
    }
    return _panel(rows["ticker"], names.number, first, ends[windows.starts], days[first], columns)


def _over(operation: np.ufunc, values: FloatArray, parts: Series) -> FloatArray:
    """Return an operation over each run of values."""
    return np.asarray(operation.reduceat(values, parts.starts)) if len(values) else values


def _panel(
    tickers: pl.Series,
    number: IntArray,
    rows: IntArray,
    asof: IntArray,
    days: IntArray,
    columns: Mapping[str, FloatArray],
) -> Panel:
    """Return bars whose underlyings are those in some rows of tickers, with a number for each ticker."""
    names = runs(number[rows])
    return Panel.made(at(tickers, rows[names.starts]), names, asof, days, columns)
