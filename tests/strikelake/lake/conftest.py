from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from strikelake.calendar import et_ns
from strikelake.lake.store import Lake
from strikelake.schemas import table


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def bars() -> Callable[..., pl.DataFrame]:
    """Day bars of one date with the closes given by ticker."""

    def make(day: date, **closes: float) -> pl.DataFrame:
        rows = [
            {
                "date": day,
                "ticker": ticker,
                "ts_ns": et_ns(day, "00:00"),
                "open": close,
                "high": close,
                "low": close,
                "close": close,
                "volume": 100.0,
                "transactions": 1,
                "available_at": et_ns(day, "16:00"),
            }
            for ticker, close in closes.items()
        ]
        return pl.DataFrame(rows, schema=table("stock_day_bars").columns)

    return make
