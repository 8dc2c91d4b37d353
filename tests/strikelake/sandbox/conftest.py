"""The market behind `sandbox`, and the broker's own client."""

import asyncio
import json
import threading
import time
import warnings
from contextlib import contextmanager
from http.client import HTTPConnection
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from strikelake.sandbox import simulator
from strikelake.sandbox.clock import SandboxClock
from strikelake.sandbox.console import ask

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
        strike_price_lte="275",
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


class Heard:
    """Massive's client in a thread of its own, and what it has heard."""

    def __init__(self, sandbox, cluster, names, key, options):
        import massive

        self.events, self.error, self._sandbox = [], None, sandbox
        self.client = massive.WebSocketClient(
            api_key=key,
            feed=sandbox.stream_feed,
            market=cluster,
            secure=False,
            subscriptions=list(names),
            **{"max_reconnects": 0, **options},
        )
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self):
        async def main():
            self.loop = asyncio.get_running_loop()
            await self.client.connect(self._hear)

        try:
            asyncio.run(main())
        except Exception as error:  # noqa: BLE001 - the test says which it expects
            self.error = error

    async def _hear(self, events):
        self.events += events

    @property
    def ended(self):
        return not self.thread.is_alive()

    def state(self):
        return [s["subscriptions"] for s in ask(f"{self._sandbox.control_url}/sandbox")["streams"]]

    def until(self, condition, seconds=10.0):
        """Wait until a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; heard {self.events}, {self.error!r}"
            time.sleep(0.005)

    def wait(self, count):
        """Return what was heard once there are so many events."""
        self.until(lambda: len(self.events) >= count)
        return list(self.events)

    def wait_for_quotes(self, after, symbols):
        """Return what was heard once so many symbols were quoted after a time in milliseconds."""
        self.until(lambda: len({e.symbol for e in self.events if e.timestamp > after}) == symbols)
        return list(self.events)

    def subscribed(self, names):
        self.until(lambda: self.ended or sorted(names) in self.state())
        if self.ended and self.error is not None:
            raise self.error

    def unsubscribe(self, name):
        before = self.state()
        self.loop.call_soon_threadsafe(self.client.unsubscribe, name)
        self.until(lambda: self.state() != before)

    def advance(self, moment):
        SandboxClock(self._sandbox.clock_url).sleep_until(moment)

    def reset(self):
        ask(f"{self._sandbox.control_url}/sandbox/reset", "POST")

    def run(self, speed):
        ask(f"{self._sandbox.clock_url}/speed", "POST", {"factor": speed})

    def close(self):
        if not self.ended:
            asyncio.run_coroutine_threadsafe(self.client.close(), self.loop)
        self.thread.join(10)


@pytest.fixture
def stream(sandbox):
    """Listen with Massive's client; a context that begins when all subscriptions are taken."""

    @contextmanager
    def listen(cluster, *names, key=sandbox.api_key, wait=True, **options):
        heard = Heard(sandbox, cluster, names, key, options)
        try:
            if wait:
                heard.subscribed(names)
            yield heard
        finally:
            heard.close()

    return listen


class Raw:
    """The stream's protocol by hand."""

    def __init__(self, sandbox, cluster, key):
        from websockets.sync.client import connect

        self.connection = connect(f"ws://{sandbox.stream_feed}/{cluster}", proxy=None)
        self._said = [self.receive()]
        if key is not None:
            self.say("auth", key)
            self._said.append(self.receive())

    def say(self, action, params):
        self.connection.send(json.dumps({"action": action, "params": params}))

    def receive(self):
        return json.loads(self.connection.recv(timeout=10))

    def statuses(self):
        return [status["status"] for [status] in self._said]


@pytest.fixture
def raw(sandbox):
    """Speak the stream's protocol by hand."""
    opened = []

    def connect(cluster, key):
        opened.append(Raw(sandbox, cluster, key))
        return opened[-1]

    yield connect
    for socket in opened:
        socket.connection.close()
