"""The market behind `sandbox`, and the broker's own client."""

import asyncio
import json
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from strikelake.sandbox import simulator
from strikelake.sandbox.clock import SandboxClock
from strikelake.sandbox.console import ask

SILENCE = 0.4
"""Seconds to listen for what must not come. A slow machine makes such a test see less, never fail."""


def post(url: str, body: str = "") -> int:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname, parts.port, timeout=120)
    connection.request("POST", parts.path, body)
    status = connection.getresponse().status
    connection.close()
    return status


class Listener:
    """A TradingStream in a thread of its own, and what its handler was called with."""

    def __init__(self, alpaca, sandbox, until):
        url = sandbox.broker_url.replace("http", "ws") + "/stream"
        self.stream = alpaca.TradingStream(sandbox.broker_key, sandbox.broker_secret, url_override=url)
        self.stream._reconnect_min_backoff = self.stream._reconnect_max_backoff = 0.05
        self.updates = []
        self.messages = []
        self._until = until
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

    def until(self, condition):
        return self._until(condition, lambda: f"heard {self.messages}")

    def wait_for(self, number):
        self.until(lambda: len(self.updates) >= number)
        return self.events

    def events_after_a_silence(self):
        time.sleep(SILENCE)
        return self.events

    def start(self):
        self.thread.start()
        self.until(lambda: self.streams("listening"))

    def stop(self):
        self.stream._should_run = False
        if self.stream._ws is not None:
            # Its own stop waits for five seconds of silence.
            asyncio.run_coroutine_threadsafe(self.stream._ws.close(), self.stream._loop).result(120)
        self.until(lambda: not self.thread.is_alive())


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
def pending(sandbox):
    """Return the faults that have not happened as often as they are to."""
    return lambda: ask(f"{sandbox.control_url}/sandbox")["faults"]


@pytest.fixture
def patience(pending):
    """Return how many seconds to wait for an answer: few before a fault, else as many as it may take."""
    return lambda: 0.5 if pending() else 120.0


@pytest.fixture
def make_listener(alpaca, sandbox, until):
    """Make listeners, and end them all."""
    made = []

    def make():
        made.append(Listener(alpaca, sandbox, until))
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

    def __init__(self, sandbox, until, cluster, names, key, options):
        import massive

        self.events, self.error, self._sandbox = [], None, sandbox
        self._until, self._started = until, threading.Event()
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
            self.loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            work, stopped = map(asyncio.ensure_future, (self.client.connect(self._hear), self._stop.wait()))
            self._started.set()
            await asyncio.wait([work, stopped], return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            while not work.done():  # the client's wait_for forgets a cancel that comes with an event
                work.cancel()
                await asyncio.wait([work], timeout=0.1)
            await self.client.close()
            if not work.cancelled():
                await work

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

    def until(self, condition):
        """Wait until a condition holds."""
        return self._until(condition, lambda: f"heard {self.events}, {self.error!r}")

    @contextmanager
    def reconnecting(self):
        """Wait at the end for another connection of the client; the server has let the first one go then."""
        first = self.until(lambda: self.client.websocket)
        yield
        self.until(lambda: self.client.websocket not in {None, first})

    def silence(self):
        """Return what was heard after a while, and whether the client has ended."""
        time.sleep(SILENCE)
        return list(self.events), self.ended

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
        self._started.wait()
        with suppress(RuntimeError):  # the loop is closed: it has ended
            self.loop.call_soon_threadsafe(self._stop.set)
        self.until(lambda: self.ended)


@pytest.fixture
def stream(sandbox, until):
    """Listen with Massive's client; a context that begins when all subscriptions are taken."""

    @contextmanager
    def listen(cluster, *names, key=sandbox.api_key, wait=True, **options):
        heard = Heard(sandbox, until, cluster, names, key, options)
        try:
            if wait:
                heard.subscribed(names)
            yield heard
        finally:
            heard.close()
        heard.until(lambda: sorted(names) not in heard.state())

    return listen


class Raw:
    """The stream's protocol by hand."""

    def __init__(self, sandbox, cluster, key):
        from websockets.sync.client import connect

        self.connection = connect(f"ws://{sandbox.stream_feed}/{cluster}", proxy=None, open_timeout=120)
        self._said = [self.receive()]
        if key is not None:
            self.say("auth", key)
            self._said.append(self.receive())

    def say(self, action, params):
        self.connection.send(json.dumps({"action": action, "params": params}))

    def receive(self):
        return json.loads(self.connection.recv(timeout=120))

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
