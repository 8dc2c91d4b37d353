"""The stream through our client, with everything that can go wrong."""

import asyncio
import logging
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, Thread

import massive
import pytest

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_ns
from strikelake.errors import MissingCredentialsError, NotEntitledError
from strikelake.sandbox import console
from strikelake.sandbox.clock import SandboxClock
from strikelake.vendors.stream import Subscription, _opened, _patience, listen
from strikelake.vendors.stream_events import Gap


@pytest.fixture
def opened(sandbox):
    """The live session's open, ns UTC."""
    return et_ns(sandbox.live_session, "09:30")


class Listener:
    """Our client in a thread, and what it handled."""

    def __init__(self, sandbox, log, until, handle, **options):
        settings = {
            "api_key": sandbox.api_key,
            "market": "stocks",
            "names": ("AM.SPY",),
            "feed": sandbox.stream_feed,
            "secure": False,
            "longest_pause": 0.1,
            **options,
        }
        self.found, self.error, self._log = [], None, log
        self._until, self._started = until, Event()
        self._handle = handle or self.found.append
        self.clock = SandboxClock(sandbox.clock_url)
        self._subscription = Subscription(**settings)
        self.thread = Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self):
        async def main():
            self.loop, self.task = asyncio.get_running_loop(), asyncio.current_task()
            self._started.set()
            await listen(self._subscription, self.clock, self._handle)

        try:
            with suppress(asyncio.CancelledError):
                asyncio.run(main())
        except Exception as error:  # noqa: BLE001 - the test says which it expects
            self.error = error

    @property
    def bars(self):
        return [ts for item in self.found if not isinstance(item, Gap) for ts in item.rows["ts_ns"]]

    @property
    def gaps(self):
        return [item for item in self.found if isinstance(item, Gap)]

    def until(self, condition):
        self._until(condition, lambda: f"handled {self.found}, {self.error!r}")

    def listening(self, times=1):
        """Wait until our client has heard that it is subscribed: the server knows a moment before."""
        self.until(lambda: self._log.text.count("stream of stocks: listening to AM.SPY") == times)

    def advance(self, moment):
        self.clock.sleep_until(moment)

    def stop(self):
        self._started.wait()
        with suppress(RuntimeError):  # the loop is closed: it has ended
            self.loop.call_soon_threadsafe(self.task.cancel)
        self.until(lambda: not self.thread.is_alive())


@pytest.fixture
def listener(sandbox, caplog, until):
    caplog.set_level(logging.INFO, "strikelake.vendors.stream")

    @contextmanager
    def start(handle=None, **options):
        heard = Listener(sandbox, caplog, until, handle, **options)
        try:
            yield heard
        finally:
            heard.stop()

    return start


@pytest.fixture
def fault(sandbox):
    return lambda name, **more: console.fault(sandbox, name, **more)


def test_bars_are_rows_of_the_lake(listener, opened):
    with listener() as heard:
        heard.listening()
        heard.advance(opened + 2 * NS_PER_MINUTE)
        heard.until(lambda: len(heard.bars) == 2)
    [events] = heard.found
    assert events.kind == "AM"
    assert events.rows.columns == [
        "ticker", "ts_ns", "open", "high", "low", "close", "volume", "available_at",
    ]  # fmt: skip
    assert (events.rows["available_at"] - events.rows["ts_ns"]).to_list() == [NS_PER_MINUTE] * 2
    assert heard.bars == [opened, opened + NS_PER_MINUTE]


@pytest.mark.parametrize(
    "name", ["stream.close", "stream.abort", "stream.broken_json", "stream.slow_consumer"]
)
def test_a_broken_connection_leaves_a_gap_that_is_reported(listener, fault, opened, name):
    fault(name, after=1)
    with listener() as heard:
        heard.listening()
        heard.advance(opened + 3 * NS_PER_MINUTE)
        heard.until(lambda: heard.gaps)
        heard.listening(times=2)
        heard.advance(opened + 4 * NS_PER_MINUTE)
        heard.until(lambda: len(heard.bars) == 2)
    assert heard.bars == [opened, opened + 3 * NS_PER_MINUTE]
    [gap] = heard.gaps
    assert (gap.start_ns, gap.end_ns) == (opened + NS_PER_MINUTE, opened + 3 * NS_PER_MINUTE)
    assert gap.reason
    # The gap comes before the events after it.
    assert heard.found.index(gap) == 1


@pytest.mark.parametrize(("name", "times"), [("stream.mute_auth", 3), ("stream.drop", 1)])
def test_a_connection_that_does_not_come_about_is_tried_again(listener, fault, opened, name, times):
    fault(name, times=times)
    with listener(answer_seconds=0.1) as heard:
        heard.listening()
        heard.advance(opened + NS_PER_MINUTE)
        heard.until(lambda: heard.bars)
    assert (heard.bars, heard.gaps) == ([opened], [])


def test_every_failure_in_a_row_makes_it_more_patient():
    asked = Subscription("key", "stocks", ("AM.SPY",), answer_seconds=15.0)
    assert [_patience(asked, failures) for failures in (0, 1, 2, 32)] == [15.0, 30.0, 60.0, 60.0]
    assert _patience(replace(asked, answer_seconds=90.0), 3) == 90.0


def test_silence_while_the_market_is_open_ends_the_connection(listener, fault, opened):
    fault("stream.mute", times=4)
    with listener() as heard:
        heard.listening()
        heard.advance(opened + 4 * NS_PER_MINUTE)
        heard.until(lambda: heard.gaps)
        heard.listening(times=2)
        heard.advance(opened + 5 * NS_PER_MINUTE)
        heard.until(lambda: heard.bars == [opened + 4 * NS_PER_MINUTE])
    assert heard.gaps[0].reason == "no event for 240 s of an open market"
    assert heard.gaps[0].end_ns == opened + 4 * NS_PER_MINUTE


def test_a_client_that_forgets_a_cancel_is_cancelled_again(sandbox, monkeypatch):
    """As Python 3.11's wait_for does when an event comes at the same moment."""
    connected = asyncio.Event()

    class Forgetful:
        websocket = None

        def __init__(self, **_):
            pass

        async def connect(self, _):
            connected.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
            await asyncio.sleep(3600)

    async def main():
        subscription = Subscription("key", "stocks", ("AM.SPY",))
        work = asyncio.ensure_future(listen(subscription, SandboxClock(sandbox.clock_url), print))
        await connected.wait()
        work.cancel()
        await asyncio.wait([work], timeout=120)
        return work.cancelled()

    monkeypatch.setattr(massive, "WebSocketClient", Forgetful)
    assert asyncio.run(main())


def test_silence_outside_the_session_is_none(opened):
    assert _opened(opened) == _opened(opened + NS_PER_MINUTE) == opened
    closed = opened + 390 * NS_PER_MINUTE
    saturday = opened + 4 * 86_400 * NS_PER_SECOND
    assert [_opened(moment) for moment in (opened - 1, closed, saturday)] == [0, 0, 0]


def test_an_event_is_passed_on_once(listener, fault, opened):
    fault("stream.duplicate")
    with listener() as heard:
        heard.listening()
        heard.advance(opened + 2 * NS_PER_MINUTE)
        heard.until(lambda: len(heard.bars) == 2)
    assert heard.bars == [opened, opened + NS_PER_MINUTE]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"api_key": "wrong"}, "refuses the key or its plan: authentication failed"),
        ({"names": ("AM.SPY", "FMV.SPY")}, "refuses a subscription: not authorized: FMV.SPY"),
    ],
)
def test_a_refusal_is_final(listener, options, said):
    with listener(**options) as heard:
        heard.until(lambda: heard.error is not None)
    assert isinstance(heard.error, NotEntitledError)
    assert said in str(heard.error)


def test_what_the_handler_raises_is_not_taken_for_a_broken_connection(listener, opened):
    def full(_):
        raise OSError("disk full")

    with listener(full) as heard:
        heard.listening()
        heard.advance(opened + NS_PER_MINUTE)
        heard.until(lambda: heard.error is not None)
    assert str(heard.error) == "disk full"


def test_an_empty_key_is_refused():
    with pytest.raises(MissingCredentialsError, match="set MASSIVE_API_KEY"):
        Subscription("", "stocks", ("AM.*",))
