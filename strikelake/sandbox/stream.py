"""Massive's websocket: authentication, subscriptions with wildcards, and the events of the simulated time.

Events are sent when the sandbox's time passes them, however it moves: told to, or at a multiple of the
machine's. So the same steps give the same events in the same order.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from strikelake.sandbox.feed import CLUSTERS, Feed, event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.websockets import WebSocket

    from strikelake.sandbox.faults import Faults
    from strikelake.sandbox.plans import Plan

    Event = dict[str, Any]

MOST_CONTRACTS = 1_000
"""Contracts whose quotes, or fair values, one connection may ask for."""

_COUNTED = ("Q", "FMV")
_EVENTS_PER_FRAME = 250
_MOST_PENDING = 1_000_000
"""Events that wait for a client that does not read, before it is sent away."""
_NORMAL, _POLICY = 1000, 1008
_ALL = "*"


@dataclass(slots=True)
class Hub:
    """Every connection, and the feed they are served from."""

    feed: Feed
    connections: list[Connection] = field(default_factory=list)

    def publish(self, before: int, after: int) -> None:
        """Give every connection the events with `before < at <= after` that it has subscribed to."""
        for connection in tuple(self.connections):
            connection.publish(self.feed, before, after)

    def taken(self, key: str, cluster: str) -> bool:
        """Return whether a key has a connection to a cluster."""
        return any((c.key, c.cluster) == (key, cluster) for c in self.connections)

    def state(self) -> list[dict[str, Any]]:
        """Return cluster and subscriptions of each connection."""
        return [{"cluster": c.cluster, "subscriptions": sorted(c.subscriptions)} for c in self.connections]


def routes() -> list[WebSocketRoute]:
    """Return one route a cluster; the application's state carries venue, plans and hub."""
    return [WebSocketRoute(f"/{cluster}", _serve, name=cluster) for cluster in CLUSTERS]


async def _serve(websocket: WebSocket) -> None:
    await websocket.accept()
    connection = Connection(websocket)
    tasks = [asyncio.ensure_future(work) for work in (connection.listen(), connection.tell())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except WebSocketDisconnect:
        return
    except LeaveError as leave:
        # Without a close frame the server drops the connection when this function returns.
        if leave.code is not None:
            await websocket.close(leave.code)
    finally:
        connection.leave()
        for task in tasks:
            task.cancel()


class LeaveError(Exception):
    """Ends a connection: with a close frame, or without a word."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


class Connection:
    """One client: who it is, what it has subscribed to, and what it has not been sent yet."""

    def __init__(self, websocket: WebSocket) -> None:
        state = websocket.app.state
        self.cluster = websocket.url.path.strip("/")
        self.key = ""
        self.subscriptions: set[str] = set()
        self._websocket = websocket
        self._hub: Hub = state.hub
        self._plans: dict[str, Plan] = state.plans
        self._faults: Faults = state.venue.faults
        self._waiting: asyncio.Queue[list[Event]] = asyncio.Queue()
        self._pending = 0
        self._held_back: Event | None = None

    def publish(self, feed: Feed, before: int, after: int) -> None:
        """Queue what the client has subscribed to, in the order of time."""
        kinds = {subscription.partition(".")[0] for subscription in self.subscriptions}
        found: list[tuple[int, int, Event]] = []
        for rank, kind in enumerate(name for name in CLUSTERS[self.cluster] if name in kinds):
            rows = feed.between(self.cluster, kind, before, after)
            if rows.height:
                chosen = rows.filter(_matching(self._symbols(kind)))
                found += [(row["at"], rank, event(kind, row)) for row in chosen.iter_rows(named=True)]
        found.sort(key=lambda item: item[:2])
        events = [item for *_, item in found]
        self._pending += len(events)
        for start in range(0, len(events), _EVENTS_PER_FRAME):
            self._waiting.put_nowait(events[start : start + _EVENTS_PER_FRAME])

    def leave(self) -> None:
        """Take no more events."""
        if self in self._hub.connections:
            self._hub.connections.remove(self)

    async def listen(self) -> None:
        """Answer what the client asks for until it goes."""
        await self._say("connected", "Connected Successfully")
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", _NORMAL))
            try:
                asked = json.loads(message.get("text") or message.get("bytes") or b"")
                action, params = str(asked["action"]), str(asked["params"])
            except (ValueError, KeyError, TypeError):
                await self._say("error", "invalid message")
                continue
            if self._faults.take("stream.drop", action):
                raise LeaveError(None)
            if action == "auth":
                await self._authenticate(params)
            elif not self.key:
                await self._say("error", "not authorized")
            elif action == "subscribe":
                await self._subscribe(params.split(","))
            elif action == "unsubscribe":
                await self._unsubscribe(params.split(","))
            else:
                await self._say("error", f"unknown action: {action}")

    async def tell(self) -> None:
        """Send events as they come, with the faults that are asked for."""
        while True:
            events = await self._waiting.get()
            if self._pending > _MOST_PENDING:
                await self._send_away()
            self._pending -= len(events)
            if not any(asked.name.startswith("stream.") for asked in self._faults.active()):
                await self._send([*events[:1], *self._released(), *events[1:]])
                continue
            for one in events:
                await self._tell_one(one)

    async def _tell_one(self, one: Event) -> None:
        kind, faults = one["ev"], self._faults
        if faults.take("stream.close", kind):
            raise LeaveError(_NORMAL)
        if faults.take("stream.abort", kind):
            raise LeaveError(None)
        if faults.take("stream.slow_consumer", kind):
            await self._send_away()
        if faults.take("stream.mute", kind):
            return
        if faults.take("stream.out_of_order", kind):
            self._held_back = one
            return
        if faults.take("stream.broken_json", kind):
            text = _text([one])
            await self._websocket.send_text(text[: len(text) // 2])
            return
        twice = [one] if faults.take("stream.duplicate", kind) else []
        await self._send([one, *twice, *self._released()])

    async def _send_away(self) -> None:
        await self._say("slow_consumer", "The client does not read fast enough.")
        raise LeaveError(_POLICY)

    def _released(self) -> list[Event]:
        """Return the event that was held back, after which it is not."""
        held_back, self._held_back = self._held_back, None
        return [] if held_back is None else [held_back]

    async def _authenticate(self, key: str) -> None:
        if self._faults.take("stream.mute_auth", "auth"):
            return
        plan = self._plans.get(key)
        if plan is None:
            await self._say("auth_failed", "authentication failed")
            raise LeaveError(_POLICY)
        if not plan.live:
            await self._say("auth_failed", "Your plan doesn't include websocket access.")
            raise LeaveError(_POLICY)
        if self._hub.taken(key, self.cluster):
            await self._say("max_connections", "Maximum number of websocket connections exceeded.")
            raise LeaveError(_POLICY)
        self.key = key
        self._hub.connections.append(self)
        await self._say("auth_success", "authenticated")

    async def _subscribe(self, asked: Iterable[str]) -> None:
        for name in (text.strip() for text in asked):
            if problem := self._problem(name):
                await self._say("error", problem)
            else:
                self.subscriptions.add(name)
                await self._say("success", f"subscribed to: {name}")

    async def _unsubscribe(self, asked: Iterable[str]) -> None:
        for name in (text.strip() for text in asked):
            kind, _, symbol = name.partition(".")
            gone = {
                s for s in self.subscriptions if s == name or (symbol == _ALL and s.startswith(f"{kind}."))
            }
            self.subscriptions -= gone
            await self._say("success", f"unsubscribed to: {name}")

    def _problem(self, name: str) -> str | None:
        """Return why a subscription is refused."""
        kind, _, symbol = name.partition(".")
        if kind not in CLUSTERS[self.cluster] or not symbol:
            return f"invalid subscription: {name}"
        if kind == "FMV" and not self._plans[self.key].fair_value:
            return f"not authorized: {name} needs the business plan"
        if kind in _COUNTED and self.cluster == "options":
            if symbol.endswith(_ALL):
                return f"wildcards are not allowed: {name}"
            if name not in self.subscriptions and len(self._symbols(kind)) >= MOST_CONTRACTS:
                return f"more than {MOST_CONTRACTS} contracts: {name}"
        return None

    def _symbols(self, kind: str) -> set[str]:
        """Return the symbols of a kind's subscriptions, with `*` at the end of a wildcard."""
        pairs = (subscription.split(".", 1) for subscription in self.subscriptions)
        return {symbol for name, symbol in pairs if name == kind}

    async def _say(self, status: str, message: str) -> None:
        await self._send([{"ev": "status", "status": status, "message": message}])

    async def _send(self, events: list[Event]) -> None:
        await self._websocket.send_text(_text(events))


def _matching(symbols: set[str]) -> pl.Expr:
    if _ALL in symbols:
        return pl.lit(True)  # noqa: FBT003 - a column
    exact = pl.col("sym").is_in(sorted(symbols))
    starts = [pl.col("sym").str.starts_with(symbol[:-1]) for symbol in symbols if symbol.endswith(_ALL)]
    return pl.any_horizontal(exact, *starts)


def _text(events: list[Event]) -> str:
    return json.dumps(events, separators=(",", ":"))
