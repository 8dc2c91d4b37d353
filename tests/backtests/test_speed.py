"""The load that the engine is built for; a minute or so, most of it spent on making the quotes."""

from datetime import date
from time import process_time

import pytest

from backtests.engine import replay
from backtests.results import Assumptions
from strikelake.calendar import sessions

NAMES = ("SPY", "QQQ", "IWM", "AAPL", "MSFT", "TSLA", "NVDA", "AMZN", "GOOGL", "META")


@pytest.mark.slow
def test_sixty_sessions_of_ten_underlyings_take_less_than_forty_seconds(
    made_market, made_signals, made_limits, made_account
):
    market = type(made_market)(NAMES, sessions(date(2025, 1, 2), date(2025, 3, 31))[:60])
    quotes = {day.date: market.quotes(day) for day in market.days}
    market.quotes = lambda session: quotes[session.date]
    signals = made_signals(NAMES, market.days, every=1)
    assert sum(frame.height for frame in quotes.values()) > 2_900_000
    start = process_time()
    result = replay(market, market.days, signals, made_account, made_limits(NAMES), Assumptions())
    assert process_time() - start < 40
    assert len(result.trades) > 100
