"""Alpaca's `trade_updates` over a websocket, in binary frames as its paper endpoint sends them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from strikelake.sandbox.venue import Venue

    Message = dict[str, Any]

STREAM = "trade_updates"
_NORMAL = 1000


class _LeaveError(Exception):
    """Ends a connection: without a word, or with a close frame."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


def routes() -> list[WebSocketRoute]:
    """Return the stream's route; the application's state carries the `venue`."""
    return [WebSocketRoute("/stream", _serve)]


async def _serve(websocket: WebSocket) -> None:
    await websocket.accept()
    venue: Venue = websocket.app.state.venue
    connection = _Connection(websocket, venue)
    tasks = [asyncio.ensure_future(work) for work in (connection.listen(), connection.tell())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except WebSocketDisconnect:
        return
    except _LeaveError as leave:
        # Without a close frame the server drops the connection when this function returns.
        if leave.code is not None:
            await websocket.close(leave.code)
    finally:
        connection.leave()
        for task in tasks:
            task.cancel()


class _Connection:
    """One client: who it is, what it listens to, and what it has not been sent yet."""

    def __init__(self, websocket: WebSocket, venue: Venue) -> None:
        self._websocket = websocket
        self._venue = venue
        self._authorized = False
        self._waiting: asyncio.Queue[Message] = asyncio.Queue()
        self._held_back: Message | None = None

    async def listen(self) -> None:
        """Answer what the client asks for until it goes."""
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", _NORMAL))
            try:
                asked = json.loads(message.get("text") or message.get("bytes") or b"")
                action = asked.get("action")
            except (ValueError, AttributeError):
                await self._send({"stream": "error", "data": {"error": "invalid JSON"}})
                continue
            if action in {"authenticate", "auth"}:
                await self._authorize(asked)
            elif action == "listen" and self._authorized:
                await self._subscribe(asked)
            else:
                await self._send({"stream": "listening", "data": {"error": "not authorized", "streams": []}})

    async def tell(self) -> None:
        """Send updates as they come, with the faults that are asked for."""
        while True:
            message = await self._waiting.get()
            event, faults = message["data"]["event"], self._venue.faults
            if faults.take("updates.close", event):
                raise _LeaveError(_NORMAL)
            if faults.take("updates.abort", event):
                raise _LeaveError(None)
            if faults.take("updates.mute", event):
                continue
            if faults.take("updates.out_of_order", event):
                self._held_back = message
                continue
            if faults.take("updates.broken_json", event):
                await self._websocket.send_bytes(_frame(message)[: len(_frame(message)) // 2])
                continue
            await self._send(message)
            if faults.take("updates.duplicate", event):
                await self._send(message)
            if self._held_back is not None:
                held_back, self._held_back = self._held_back, None
                await self._send(held_back)

    def leave(self) -> None:
        """Stop listening."""
        if self._waiting.put_nowait in self._venue.listeners:
            self._venue.listeners.remove(self._waiting.put_nowait)

    async def _authorize(self, asked: Message) -> None:
        if self._venue.faults.take("updates.mute_auth", "auth"):
            return
        data = asked.get("data") or {}
        given = (
            data.get("key_id", asked.get("key")),
            data.get("secret_key", asked.get("secret")),
        )
        self._authorized = given == self._venue.broker_keys
        status = "authorized" if self._authorized else "unauthorized"
        await self._send({"stream": "authorization", "data": {"action": asked["action"], "status": status}})

    async def _subscribe(self, asked: Message) -> None:
        streams = (asked.get("data") or {}).get("streams") or []
        self.leave()
        if STREAM in streams:
            self._venue.listeners.append(self._waiting.put_nowait)
        await self._send({"stream": "listening", "data": {"streams": [STREAM] if STREAM in streams else []}})

    async def _send(self, message: Message) -> None:
        await self._websocket.send_bytes(_frame(message))


def _frame(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()
