"""The faults that any HTTP answer can have, the same for every surface."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.middleware import Middleware

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from strikelake.sandbox.faults import Faults, Surface

STATUSES = (429, 500, 503, 504)
BEFORE = (*(f"http_{status}" for status in STATUSES), "html", "hang")
"""The request is not carried out."""
AFTER = (*(f"http_{status}_after" for status in STATUSES), "hang_after", "reset", "broken_json")
"""The request is carried out, and its answer is lost or spoilt."""
LATER_PAGE = (*AFTER, "bad_page", "empty_page")
_RETRY_AFTER = b"1"
_PAGE_MARKS = (b"cursor=", b"page_token=", b"page_marker=")


def faulty(surface: Surface) -> Middleware:
    """Return the middleware of a surface's routes."""
    return Middleware(FaultyHttp, surface=surface)


class FaultyHttp:
    """Spoils answers on demand: `surface.http_504`, `surface.reset` and so on, where the sandbox knows them.

    An opportunity is a request, `METHOD /path`. `bad_page` and `empty_page` count only requests for a later
    page.
    """

    def __init__(self, app: ASGIApp, surface: Surface) -> None:
        self._app = app
        self._surface = surface

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        faults: Faults = scope["app"].state.venue.faults
        what = f"{scope['method']} {scope['path']}"
        kind = self._due(faults, BEFORE, what)
        if kind is not None:
            await _refuse(kind, receive, send)
            return
        later_page = any(mark in scope["query_string"] for mark in _PAGE_MARKS)
        kind = self._due(faults, LATER_PAGE if later_page else AFTER, what)
        if kind is None:
            await self._app(scope, receive, send)
            return
        answer = _Answer()
        await self._app(scope, receive, answer.collect)
        await _spoil(kind, answer, receive, send)

    def _due(self, faults: Faults, kinds: tuple[str, ...], what: str) -> str | None:
        names = {f"{self._surface}.{kind}": kind for kind in kinds}
        found = faults.first(names, what)
        return names[found] if found else None


class _Answer:
    """An application's answer, kept back."""

    def __init__(self) -> None:
        self.start: Message = {}
        self.body = b""

    async def collect(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")


async def _refuse(kind: str, receive: Receive, send: Send) -> None:
    if kind == "hang":
        await _gone(receive)
    elif kind == "html":
        # What a proxy in front of the vendor says when it finds nobody behind it.
        await _send_status(HTTPStatus.BAD_GATEWAY, send)
    else:
        await _send_status(HTTPStatus(int(kind.removeprefix("http_"))), send)


async def _spoil(kind: str, answer: _Answer, receive: Receive, send: Send) -> None:
    if kind == "hang_after":
        await _gone(receive)
    elif kind == "reset":
        await send(answer.start)
        await send(_body(answer.body[: len(answer.body) // 2], more=True))
        # Give the part time to leave; a return without an end closes the connection.
        await asyncio.sleep(0.05)
    elif kind in {"broken_json", "bad_page"}:
        await _send_instead(answer.body[: len(answer.body) // 2], answer, send)
    elif kind == "empty_page":
        await _send_instead(b'{"status":"OK"}', answer, send)
    else:
        await _send_status(HTTPStatus(int(kind.removeprefix("http_").removesuffix("_after"))), send)


async def _send_instead(content: bytes, answer: _Answer, send: Send) -> None:
    headers = [(k, v) for k, v in answer.start["headers"] if k != b"content-length"]
    length = (b"content-length", str(len(content)).encode())
    await send({**answer.start, "headers": [*headers, length]})
    await send(_body(content))


async def _send_status(status: HTTPStatus, send: Send) -> None:
    """Answer as the proxies in front of the vendors do; an exceeded rate as their applications do."""
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        content, kind = b'{"code":42910000,"message":"too many requests."}', b"application/json"
    else:
        title = f"{status.value} {status.phrase}".encode()
        content = b"<html><head><title>%b</title></head><body><h1>%b</h1></body></html>" % (title, title)
        kind = b"text/html"
    headers = [(b"content-type", kind), (b"content-length", str(len(content)).encode())]
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        headers.append((b"retry-after", _RETRY_AFTER))
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send(_body(content))


async def _gone(receive: Receive) -> None:
    """Return when the client has given up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _body(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}
