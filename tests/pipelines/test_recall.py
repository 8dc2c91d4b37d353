"""Reading bars back."""

from datetime import date

import pytest

from features.bars import COLUMNS
from pipelines.recall import read_bars, sessions_before

START, END = date(2025, 1, 2), date(2025, 1, 10)


@pytest.mark.parametrize(("bar", "rows"), [("1d", 6), ("30m", 6 * 13), ("1h", 6 * 7)])
def test_bars_of_any_width(market_lake, bar, rows):
    found = read_bars(market_lake, START, END, bar=bar, underlyings=["SPY"])
    assert dict(found.schema) == COLUMNS
    assert found.height == rows


def test_day_and_half_hour_bars_agree(market_lake):
    days = read_bars(market_lake, START, END, bar="1d", underlyings=["SPY", "QQQ"])
    halves = read_bars(market_lake, START, END, bar="30m", underlyings=["SPY", "QQQ"])
    joined = days.join(halves, on=["asof", "underlying"], suffix="_half")
    assert joined.height == days.height
    assert joined["close"].equals(joined["close_half"], check_names=False)


def test_sessions_before_skips_holidays():
    assert sessions_before(date(2025, 1, 10), 1) == date(2025, 1, 8)
