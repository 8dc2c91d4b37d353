"""A tiny market, simulated once and served once, and the broker's own client."""

import json
import warnings
from http.client import HTTPConnection
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from strikelake.sandbox import launch, simulator
from strikelake.sandbox.clock import SandboxClock
from strikelake.sandbox.config import SimulatorConfig


def post(url: str, body: str = "") -> int:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.request("POST", parts.path, body)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.fixture(scope="session")
def config():
    return SimulatorConfig(symbols=("AAPL", "SPY"), sessions=3)


@pytest.fixture(scope="session")
def market(config):
    return simulator.simulate(config)


@pytest.fixture(scope="session")
def running(config, tmp_path_factory):
    with launch.start(config, tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running):
    """The running market at the start of its live session, with an untouched account."""
    assert post(f"{running.control_url}/sandbox/reset") == 200
    return running


@pytest.fixture(scope="session")
def alpaca():
    with warnings.catch_warnings():
        # alpaca-py still imports a deprecated part of websockets.
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.common.exceptions import APIError
        from alpaca.trading import enums, requests
        from alpaca.trading.client import TradingClient
    return SimpleNamespace(APIError=APIError, TradingClient=TradingClient, enums=enums, requests=requests)


@pytest.fixture
def client(alpaca, sandbox):
    return alpaca.TradingClient(
        sandbox.broker_key, sandbox.broker_secret, paper=True, url_override=sandbox.broker_url
    )


@pytest.fixture
def clock(sandbox):
    return SandboxClock(sandbox.clock_url)


@pytest.fixture
def calls(alpaca, client):
    """Symbols of AAPL's calls of the nearest monthly expiration, around the price."""
    request = alpaca.requests.GetOptionContractsRequest(
        underlying_symbols=["AAPL"],
        expiration_date="2025-01-17",
        type=alpaca.enums.ContractType.CALL,
        strike_price_gte="235",
        strike_price_lte="260",
        limit=50,
    )
    return [contract.symbol for contract in client.get_option_contracts(request).option_contracts]


@pytest.fixture
def fault(sandbox):
    """Ask for a fault."""

    def ask(name, **more):
        assert post(f"{sandbox.control_url}/sandbox/fault", json.dumps({"name": name, **more})) == 200

    return ask
