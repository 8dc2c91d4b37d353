"""A small random market in the lake's own tables, on which planted leaks are looked for."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE, et_ns, next_session, sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from features.worlds import Tables
    from strikelake.calendar import Session

_DAYS = sessions(date(2025, 1, 2), date(2025, 2, 14))
_LIVES = {"ALFA": (0, 99), "BRAV": (0, 99), "CHAR": (0, 99), "LATE": (18, 99), "GONE": (0, 22)}
"""First and last session of each ticker: LATE is listed and GONE is delisted on the way."""

_SPLIT = ("BRAV", 25)
_FILED = {"ALFA": ((0, 3571), (8, 5961), (16, 7372)), "BRAV": ((0, 7370),), "CHAR": ((0, 5311), (12, 3674))}
"""Sessions from which a ticker's industry has a code; it is told `_TOLD_AFTER` sessions later."""

_TOLD_AFTER = 8
_HALF_HOUR = 30 * NS_PER_MINUTE
_HALT = (4, 9)
"""Bars of every other session in which CHAR does not trade."""


def planted_market(seed: int = 0) -> Tables:
    """Return 30 sessions: half-hour and day bars, option summaries, open interest, a split and news.

    Parameters
    ----------
    seed
        Of the prices and of everything else.

    Returns
    -------
    Tables
        bars (`features.bars.COLUMNS` without segment, as traded), stock_day_bars, corporate_actions (one
        split), open_interest (one row per ticker and date, and its correction two sessions later),
        option_summaries (known at the close), news (one article per ticker and session) and classifications
        (told eight sessions after their date). Tables of the lake have its columns, as far as they are used,
        and its `available_at`.
    """
    rng = np.random.default_rng(seed)
    bars = pl.concat(_bars(rng, ticker) for ticker in _LIVES)
    days = _days(bars)
    return {
        "bars": bars,
        "stock_day_bars": days,
        "corporate_actions": _splits(),
        "open_interest": _open_interest(rng, days),
        "option_summaries": _option_summaries(rng, days),
        "news": _news(rng, days),
        "classifications": _classifications(),
    }


def _life(ticker: str) -> Iterator[tuple[int, Session]]:
    first, last = _LIVES[ticker]
    return ((number, day) for number, day in enumerate(_DAYS) if first <= number <= last)


def _bars(rng: np.random.Generator, ticker: str) -> pl.DataFrame:
    """Return a walk over regular hours, as traded: the price halves on a split's date."""
    rows = [
        (min(day.open_ns + (slot + 1) * _HALF_HOUR, day.close_ns), day.date, number)
        for number, day in _life(ticker)
        for slot in range(13)
        if not (ticker == "CHAR" and _HALT[0] <= slot < _HALT[1] and number % 2)
    ]
    walk = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.005, len(rows))))
    close = np.where([ticker == _SPLIT[0] and row[2] >= _SPLIT[1] for row in rows], walk / 2.0, walk)
    opened = close * np.exp(rng.normal(0.0, 0.002, len(rows)))
    spread = np.abs(rng.normal(0.0, 0.002, (2, len(rows))))
    return pl.DataFrame(
        {
            "asof": [row[0] for row in rows],
            "underlying": ticker,
            "date": [row[1] for row in rows],
            "open": opened,
            "high": np.maximum(opened, close) * (1.0 + spread[0]),
            "low": np.minimum(opened, close) * (1.0 - spread[1]),
            "close": close,
            "volume": np.exp(rng.normal(7.0, 0.25, len(rows))).round(),
        }
    )


def _days(bars: pl.DataFrame) -> pl.DataFrame:
    """Return day bars, known at the close."""
    return (
        bars.group_by("date", "underlying", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
            pl.col("asof").max().alias("available_at"),
        )
        .rename({"underlying": "ticker"})
    )


def _splits() -> pl.DataFrame:
    day = _DAYS[_SPLIT[1]]
    return pl.DataFrame(
        {
            "ticker": [_SPLIT[0]],
            "action": ["split"],
            "ex_date": [day.date],
            "split_from": [1.0],
            "split_to": [2.0],
            "available_at": [day.open_ns],
        }
    )


def _open_interest(rng: np.random.Generator, days: pl.DataFrame) -> pl.DataFrame:
    """Return contracts open at each date's end, known the next morning, and corrected two sessions later."""
    known = {day.date: et_ns(next_session(day.date).date, "06:30") for day in _DAYS}
    first = days.select(
        "date",
        underlying="ticker",
        open_interest=pl.Series(rng.integers(1_000, 90_000, days.height)),
        available_at=pl.col("date").replace_strict(known, return_dtype=pl.Int64),
    )
    corrected = first.with_columns(
        pl.col("open_interest") + pl.Series(rng.integers(1, 900, days.height)),
        pl.col("available_at").shift(-2).over("underlying"),
    )
    return pl.concat([first, corrected.drop_nulls()])


def _option_summaries(rng: np.random.Generator, days: pl.DataFrame) -> pl.DataFrame:
    return days.select(
        "date", "available_at", underlying="ticker", atm_iv=pl.Series(rng.uniform(0.1, 0.6, days.height))
    )


def _news(rng: np.random.Generator, days: pl.DataFrame) -> pl.DataFrame:
    """Return one article per ticker and session, published at some minute of it."""
    before = pl.Series(rng.integers(1, 389, days.height)) * NS_PER_MINUTE
    return days.select(
        "date",
        "ticker",
        available_at=pl.col("available_at") - before,
        tone=pl.Series(rng.uniform(-1.0, 1.0, days.height)),
    )


def _classifications() -> pl.DataFrame:
    """Return what tickers are filed under from a date on, as it is told sessions later."""
    rows = [
        (_DAYS[number].date, ticker, code, _DAYS[number + _TOLD_AFTER].open_ns)
        for ticker, codes in _FILED.items()
        for number, code in codes
    ]
    return pl.DataFrame(rows, schema=["date", "ticker", "sic_code", "available_at"], orient="row")
