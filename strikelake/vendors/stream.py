"""Massive's streams that cannot fall silent unnoticed: every gap is reported, so that REST can fill it.

The vendor's client reconnects without a pause, forgets subscriptions when it is dropped early, dies of a
broken frame, and waits for ever for a server that says nothing. So each connection gets a client of its own
that may not reconnect, a deadline until its subscriptions are confirmed, and a watch over its silence while
the market is open.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from strikelake.calendar import NS_PER_SECOND, et_date, is_session, session
from strikelake.errors import MissingCredentialsError, NotEntitledError, VendorUnavailableError
from strikelake.vendors.stream_events import Events, Gap, batches, event_key, event_time

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from strikelake.calendar import Clock

    Handler = Callable[[Events | Gap], None]

_POLL_SECONDS = 0.1
_FIRST_PAUSE = 0.5
_LONGEST_ANSWER = 60.0
_MOST_DOUBLINGS = 32  # a weekend's failures would be more than a float can hold
_REMEMBERED = 20_000
_NAMED = 3
_CONFIRMED = "subscribed to: "

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is listened to, and how patiently.

    Attributes
    ----------
    api_key
        The vendor's key.
    market
        The cluster; a key has one connection to each.
    names
        Such as `AM.*` or `Q.O:SPY250117C00590000`; quotes and fair values of at most 1,000 contracts.
    feed
        Host, and port if need be; a sandbox's `stream_feed` serves a simulated market.
    secure
        Whether the connection is encrypted; a sandbox's is not.
    answer_seconds
        How long the server may take until all names are confirmed. Twice as long after each failure in a row,
        up to a minute: where the machine or the line is slow, an attempt succeeds at last.
    mute_ns
        How long a connection may be silent while the market is open. Choose it by what is subscribed: minute
        bars of active stocks come every minute.
    longest_pause
        Seconds at most between two attempts. Pauses are random, and twice as long on average after each
        failure, so that clients which were dropped together do not come back together.

    Raises
    ------
    MissingCredentialsError
        When `api_key` is empty.
    """

    api_key: str = field(repr=False)
    market: Literal["options", "stocks", "indices"]
    names: tuple[str, ...]
    feed: str = "socket.massive.com"
    secure: bool = True
    answer_seconds: float = 15.0
    mute_ns: int = 150 * NS_PER_SECOND
    longest_pause: float = 60.0

    def __post_init__(self) -> None:
        if not self.api_key:
            raise MissingCredentialsError(
                f"no API key for {self.feed}: set MASSIVE_API_KEY (or POLYGON_API_KEY, its former name)"
            )


async def listen(subscription: Subscription, clock: Clock, handle: Handler) -> None:
    """Pass events and gaps to `handle` until cancelled; connections come and go.

    An event that comes a second time is dropped.

    Parameters
    ----------
    subscription
        What to listen to.
    clock
        What tells the time of gaps and the market's hours.
    handle
        Called in the event loop with each batch of events, and with each gap before the events after it.

    Raises
    ------
    NotEntitledError
        When the vendor refuses the key or a name: another attempt would give the same.
    Exception
        What `handle` raises.
    """
    memory = _Memory(await asyncio.to_thread(clock.now))
    failures = 0
    while True:
        connection = _Connection(subscription, clock, handle, memory, _patience(subscription, failures))
        try:
            await connection.serve()
        except VendorUnavailableError as error:
            memory.reason = str(error)
        failures = 1 if connection.heard else min(failures + 1, _MOST_DOUBLINGS)
        pause = random.uniform(0.0, min(subscription.longest_pause, _FIRST_PAUSE * 2.0**failures))
        logger.warning("stream of %s: %s; again in %.1f s", subscription.market, memory.reason, pause)
        await asyncio.sleep(pause)


@dataclass(slots=True)
class _Memory:
    """What outlives a connection: the last event's time, why it ended, and the last events themselves."""

    last_event: int
    reason: str = ""
    order: deque[tuple[Any, ...]] = field(default_factory=deque)
    keys: set[tuple[Any, ...]] = field(default_factory=set)

    def is_new(self, event: dict[str, Any]) -> bool:
        key = event_key(event)
        if key in self.keys:
            return False
        self.keys.add(key)
        self.order.append(key)
        if len(self.order) > _REMEMBERED:
            self.keys.discard(self.order.popleft())
        return True


class _Connection:
    """One connection, by a client of its own."""

    def __init__(
        self, asked: Subscription, clock: Clock, handle: Handler, memory: _Memory, patience: float
    ) -> None:
        self._asked = asked
        self._clock = clock
        self._handle = handle
        self._memory = memory
        self._patience = patience
        self._unconfirmed = set(asked.names)
        self._gap_start = memory.last_event
        self._early: list[dict[str, Any]] = []
        self._failed: Exception | None = None
        self._closing = "the server closed the connection"
        self._heard_at = 0
        self.heard = False

    async def serve(self) -> None:
        """Serve until the connection ends; raises why."""
        from massive import WebSocketClient
        from massive.exceptions import AuthError
        from websockets.exceptions import WebSocketException

        asked = self._asked
        client = WebSocketClient(
            api_key=asked.api_key,
            feed=asked.feed,
            market=asked.market,
            raw=True,
            subscriptions=list(asked.names),
            max_reconnects=0,
            secure=asked.secure,
        )
        work = asyncio.ensure_future(client.connect(self._receive))
        try:
            await self._watch(work)
            await work
        except AuthError as error:
            raise NotEntitledError(f"{asked.feed} refuses the key or its plan: {error}") from error
        except (WebSocketException, OSError, json.JSONDecodeError) as error:
            if error is self._failed:
                raise
            raise VendorUnavailableError(f"the connection broke ({error})") from error
        finally:
            await _end(work)
            if client.websocket is not None:
                # A cancelled client leaves its connection open.
                await client.close()
        raise VendorUnavailableError(self._closing)

    async def _watch(self, work: asyncio.Future[None]) -> None:
        """Return when the client has ended; raise when the server does not answer, or has fallen silent."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        while self._unconfirmed:
            if (await asyncio.wait([work], timeout=_POLL_SECONDS))[0]:
                return
            if loop.time() > deadline:
                missing = f"{_listed(self._unconfirmed)} not confirmed in {self._patience:g} s"
                raise VendorUnavailableError(f"{self._asked.feed} does not answer: {missing}")
        while not (await asyncio.wait([work], timeout=_POLL_SECONDS))[0]:
            now = await asyncio.to_thread(self._clock.now)
            silent_since = max(self._heard_at, _opened(now))
            if silent_since and now - silent_since > self._asked.mute_ns:
                seconds = (now - silent_since) // NS_PER_SECOND
                raise VendorUnavailableError(f"no event for {seconds} s of an open market")

    async def _receive(self, frame: str | bytes) -> None:
        events: list[dict[str, Any]] = []
        for item in json.loads(frame):
            if item.get("ev") == "status":
                await self._note(str(item.get("status")), str(item.get("message")))
            elif self._memory.is_new(item):
                events.append(item)
        if self._unconfirmed:
            self._early += events
        elif events := [*self._early, *events]:
            self._early = []
            self._pass_on(events)

    def _pass_on(self, events: list[dict[str, Any]]) -> None:
        self.heard = True
        latest = max(event_time(item) for item in events)
        self._heard_at = max(self._heard_at, latest)
        self._memory.last_event = max(self._memory.last_event, latest)
        for batch in batches(events):
            self._give(batch)

    def _give(self, item: Events | Gap) -> None:
        try:
            self._handle(item)
        except Exception as error:
            self._failed = error
            raise

    async def _note(self, status: str, message: str) -> None:
        if status == "success":
            self._unconfirmed.discard(message.removeprefix(_CONFIRMED))
            if not self._unconfirmed:
                await self._report_gap()
                logger.info("stream of %s: listening to %s", self._asked.market, _listed(self._asked.names))
        elif status == "error":
            raise NotEntitledError(f"{self._asked.feed} refuses a subscription: {message}")
        else:
            self._closing = f"the server said {status}: {message}"

    async def _report_gap(self) -> None:
        """Report what the connections before have missed; events that came early wait until then."""
        self._heard_at = await asyncio.to_thread(self._clock.now)
        if self._memory.reason and self._heard_at > self._gap_start:
            self._give(Gap(self._gap_start, self._heard_at, self._memory.reason))


async def _end(work: asyncio.Future[None]) -> None:
    """Cancel the client until it has ended: what it waits with forgets a cancel that comes with an event."""
    while not work.done():
        work.cancel()
        await asyncio.wait([work], timeout=_POLL_SECONDS)
    await asyncio.gather(work, return_exceptions=True)


def _patience(asked: Subscription, failures: int) -> float:
    """Return the seconds that an attempt after so many failures may take to be confirmed."""
    return max(asked.answer_seconds, min(asked.answer_seconds * 2.0**failures, _LONGEST_ANSWER))


def _listed(names: Collection[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(sorted(names)[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _opened(now: int) -> int:
    """Return when the market opened that is open now, ns UTC; 0 when it is closed."""
    day = et_date(now)
    if not is_session(day):
        return 0
    trading = session(day)
    return trading.open_ns if trading.open_ns <= now < trading.close_ns else 0
