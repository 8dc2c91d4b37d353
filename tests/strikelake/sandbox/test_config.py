import pytest

from strikelake.errors import SandboxError
from strikelake.sandbox.config import STOCKS, SimulatorConfig


def test_stocks_come_in_the_order_of_their_tickers():
    config = SimulatorConfig(symbols=("TSLA", "AAPL", "TSLA"))
    assert [stock.ticker for stock in config.stocks] == ["AAPL", "TSLA"]


def test_the_universe_is_sorted_because_the_files_are():
    tickers = [stock.ticker for stock in STOCKS]
    assert tickers == sorted(tickers)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"symbols": ("AAPL", "ZZZ")}, r"no symbols ZZZ: choose from AAPL, .*TSLA"),
        ({"symbols": ()}, "symbols is 0: give it a value from 1"),
        ({"sessions": 0}, "sessions is 0: give it a value from 1"),
        ({"edge": 1.5}, "edge is 1.5: give it a value from 0.0 to 1.0"),
        ({"quote_minutes": 0}, "quote_minutes is 0"),
    ],
)
def test_a_bad_setting_is_named_with_its_range(setting, message):
    with pytest.raises(SandboxError, match=message):
        SimulatorConfig(**setting)
