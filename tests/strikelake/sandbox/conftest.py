"""The market behind `sandbox`, and the broker's own client."""

import asyncio
import json
import threading
import time
import warnings
from http.client import HTTPConnection
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from strikelake.sandbox import simulator
from strikelake.sandbox.clock import SandboxClock

PATIENCE = 10.0


def post(url: str, body: str = "") -> int:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.request("POST", parts.path, body)
    status = connection.getresponse().status
    connection.close()
    return status


class Listener:
    """A TradingStream in a thread of its own, and what its handler was called with."""

    def __init__(self, alpaca, sandbox):
        url = sandbox.broker_url.replace("http", "ws") + "/stream"
        self.stream = alpaca.TradingStream(sandbox.broker_key, sandbox.broker_secret, url_override=url)
        self.stream._reconnect_min_backoff = self.stream._reconnect_max_backoff = 0.05
        self.updates = []
        self.messages = []
        self.stream.subscribe_trade_updates(self._note)
        dispatch = self.stream._dispatch
        self.stream._dispatch = lambda message: self.messages.append(message) or dispatch(message)
        self.thread = threading.Thread(target=self.stream.run, daemon=True)

    async def _note(self, update):
        self.updates.append(update)

    @property
    def events(self):
        return [getattr(update.event, "value", update.event) for update in self.updates]

    def streams(self, name):
        return [message for message in self.messages if message.get("stream") == name]

    def wait(self, done, patience=PATIENCE):
        """Wait until something is the case; returns whether it came to be."""
        deadline = time.monotonic() + patience
        while not (found := done()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return found

    def wait_for(self, number, patience=PATIENCE):
        self.wait(lambda: len(self.updates) >= number, patience)
        return self.events

    def start(self):
        self.thread.start()
        assert self.wait(lambda: self.streams("listening"))

    def stop(self):
        self.stream._should_run = False
        if self.stream._ws is not None:
            # Its own stop waits for five seconds of silence.
            asyncio.run_coroutine_threadsafe(self.stream._ws.close(), self.stream._loop).result(PATIENCE)
        self.thread.join(PATIENCE)


@pytest.fixture(scope="session")
def config(sandbox_config):
    return sandbox_config


@pytest.fixture(scope="session")
def market(config):
    return simulator.simulate(config)


@pytest.fixture(scope="session")
def running(running_sandbox):
    return running_sandbox


@pytest.fixture(scope="session")
def alpaca():
    with warnings.catch_warnings():
        # alpaca-py still imports a deprecated part of websockets.
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.common.exceptions import APIError
        from alpaca.trading import enums, requests
        from alpaca.trading.client import TradingClient
        from alpaca.trading.models import NonTradeActivity
        from alpaca.trading.stream import TradingStream
    return SimpleNamespace(
        APIError=APIError,
        NonTradeActivity=NonTradeActivity,
        TradingClient=TradingClient,
        TradingStream=TradingStream,
        enums=enums,
        requests=requests,
    )


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


@pytest.fixture
def make_listener(alpaca, sandbox):
    """Make listeners, and end them all."""
    made = []

    def make():
        made.append(Listener(alpaca, sandbox))
        return made[-1]

    yield make
    for listener in made:
        listener.stop()


@pytest.fixture
def listener(make_listener):
    """The broker's updates, listened to."""
    found = make_listener()
    found.start()
    return found
