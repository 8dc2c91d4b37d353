import pytest

from strikelake.errors import SandboxError
from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.universe import STOCKS


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


def test_every_tier_s_symbols_are_there():
    import yaml

    from flows.settings import home

    tiers = yaml.safe_load((home() / "config" / "accounts.yaml").read_text())["tiers"]
    wanted = {symbol for tier in tiers.values() for symbol in tier["adds"]}
    assert wanted == {stock.ticker for stock in STOCKS}


def test_symbols_have_streams_of_their_own():
    assert len({stock.number for stock in STOCKS}) == len(STOCKS)
