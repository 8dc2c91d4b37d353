"""A small random market, the same in every run."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from features.bars import COLUMNS
from features.facts import FACTS
from features.option_summaries import OPEN_INTEREST, SUMMARY
from strikelake.calendar import NS_PER_MINUTE, sessions

DAYS = sessions(date(2025, 1, 2), date(2025, 2, 24))


def _walk(rng, ticker, days):
    """Half-hour bars of one underlying."""
    asof = [day.open_ns + (k + 1) * 30 * NS_PER_MINUTE for day in days for k in range(13)]
    dates = [day.date for day in days for _ in range(13)]
    close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.004, len(asof)))), 2)
    opened = np.round(np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0.0, 0.001, len(asof))), 2)
    spread = np.round(np.abs(rng.normal(0.0, 0.2, (2, len(asof)))), 2)
    return pl.DataFrame(
        {
            "asof": asof,
            "underlying": ticker,
            "date": dates,
            "open": opened,
            "high": np.maximum(opened, close) + spread[0],
            "low": np.minimum(opened, close) - spread[1],
            "close": close,
            "volume": rng.integers(1_000, 90_000, len(asof)).astype(float),
            "segment": 0,
        },
        schema=COLUMNS,
    )


@pytest.fixture(scope="session")
def bars():
    """Four underlyings over 36 sessions of 13 bars; MSFT is a reused ticker: silent for 12 sessions."""
    rng = np.random.default_rng(7)
    frames = [_walk(rng, ticker, DAYS) for ticker in ("AAPL", "QQQ", "SPY")]
    reused = [
        _walk(rng, "MSFT", days).with_columns(segment=pl.lit(n, pl.Int32))
        for n, days in enumerate((DAYS[:2], DAYS[14:]))
    ]
    return pl.concat([frames[0], *reused, *frames[1:]])


@pytest.fixture(scope="session")
def options(bars):
    """A summary per underlying and session, known at the session's close."""
    rng = np.random.default_rng(8)
    rows = [
        (
            ticker,
            day.date,
            day.close_ns,
            rng.uniform(0.1, 0.6),
            *rng.integers(1, 999, 5).astype(float).tolist(),
        )
        for ticker in ("AAPL", "QQQ", "SPY")
        for day in DAYS
    ]
    return pl.DataFrame(rows, schema=SUMMARY, orient="row")


@pytest.fixture(scope="session")
def facts(options):
    """Every table of facts: options and surfaces at the close, open interest before the next session."""
    rng = np.random.default_rng(9)
    before_open = 3 * 3600 * 10**9
    held = options.select("underlying", "date", pl.col("available_at") + 14 * 3600 * 10**9)
    draw = {name: rng.uniform(0.5, 2.0, len(held)) for name in list(OPEN_INTEREST)[3:]}
    surface = {name: rng.normal(0.0, 0.02, len(options)) for name in FACTS["surfaces"].columns}
    index = pl.DataFrame({"available_at": [day.close_ns + 900 * 10**9 for day in DAYS]})
    published = [day.open_ns + int(offset) for day in DAYS for offset in rng.integers(0, 6 * 3600, 2) * 10**9]
    news = pl.DataFrame(
        {
            "underlying": ["AAPL", "SPY"] * len(DAYS),
            "available_at": published,
            "score": rng.choice([-1.0, 0.0, 1.0], len(published)),
        }
    ).with_columns(pl.when(pl.int_range(pl.len()) % 5 > 0).then("score"))
    report = [DAYS[20].close_ns, DAYS[-1].close_ns + 60 * 86400 * 10**9]
    told = [DAYS[3].open_ns - before_open, DAYS[22].open_ns - before_open]
    return {
        "options": options,
        "open_interest": held.with_columns(**draw),
        "surfaces": options.select("underlying", "available_at").with_columns(**surface),
        "volatility_index": index.with_columns(vix=pl.Series(rng.uniform(0.1, 0.4, len(DAYS)))),
        "own_index": index.with_columns(own_vix=pl.Series(rng.uniform(0.1, 0.4, len(DAYS)))),
        "news": news,
        "earnings": pl.DataFrame({"underlying": "AAPL", "available_at": told, "report_at": report}),
        "classifications": _sectors(),
    }


def _sectors():
    """Everyone is in one sector until QQQ leaves it, in the middle of the afternoon of a late session."""
    rows = [(name, DAYS[0].open_ns, 6.0) for name in ("AAPL", "MSFT", "QQQ", "SPY")]
    rows.append(("QQQ", DAYS[-4].open_ns + 5 * 3600 * 10**9, 9.0))
    return pl.DataFrame(rows, schema=["underlying", "available_at", "sector"], orient="row")


@pytest.fixture
def minutes():
    """Return a function that makes minute bars of a day and its clock times in minutes from the open."""

    def make(day, offsets, ticker="SPY", price=100.0):
        session = next(s for s in sessions(day - timedelta(days=1), day) if s.date == day)
        count = len(offsets)
        starts = [session.open_ns + offset * NS_PER_MINUTE for offset in offsets]
        return pl.DataFrame(
            {
                "date": [day] * count,
                "ticker": [ticker] * count,
                "ts_ns": starts,
                "open": [price + offset for offset in offsets],
                "high": [price + offset + 2.0 for offset in offsets],
                "low": [price + offset - 2.0 for offset in offsets],
                "close": [price + offset + 1.0 for offset in offsets],
                "volume": [10.0] * count,
                "transactions": [1] * count,
                "available_at": [start + NS_PER_MINUTE for start in starts],
            }
        )

    return make
