"""A tiny market, simulated once and served once."""

from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from strikelake.sandbox import launch, simulator
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


@pytest.fixture
def fault(running):
    """Ask the broker for a fault."""

    def ask(name, times=1):
        return post(f"{running.control_url}/sandbox/fault", f'{{"name": "{name}", "times": {times}}}')

    return ask
