"""The flat files behind S3's own protocol: list, head and get, with signatures that are really checked.

It is ours rather than moto's or SeaweedFS's because what it serves depends on the simulated time, on the plan
of the key and on faults, which none of them can be told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from strikelake.calendar import NS_PER_SECOND
from strikelake.sandbox.faults import Surface
from strikelake.sandbox.faulty_http import faulty
from strikelake.sandbox.s3_auth import RefusedError, SignedRequest, signer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from strikelake.sandbox.publication import Bucket, StoredObject

    Handler = Callable[[Request, "Shelf"], Awaitable[Response]]

BUCKET = "flatfiles"
ACCESS_KEY = "sandbox"
SECRET_KEY = "sandbox-secret"  # noqa: S105 - the local server's own
SMALL_ACCESS_KEY = "sandbox-small"
SMALL_SECRET_KEY = "sandbox-small-secret"  # noqa: S105 - the local server's own

_SECRETS = {ACCESS_KEY: SECRET_KEY, SMALL_ACCESS_KEY: SMALL_SECRET_KEY}
_TICKS = ("/quotes_v1/", "/trades_v1/")
_MOST_KEYS = 1_000
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True, slots=True)
class Shelf:
    """What one request may see: the bucket, the simulated time, and the plan of its key."""

    bucket: Bucket
    now: int
    small_plan: bool


def routes() -> list[Route]:
    """Return the S3 routes, which take every path that no other route took.

    The application's state carries the `venue` and the `bucket`.
    """
    reading, writing = ["GET", "HEAD"], ["PUT", "POST", "DELETE"]
    table: tuple[tuple[str, Handler, list[str]], ...] = (
        ("/{bucket}", _list, reading),
        ("/{bucket}/{key:path}", _object, reading),
        ("/{bucket}/{key:path}", _read_only, writing),
    )
    return [
        Route(path, _guarded(handler), methods=methods, middleware=[faulty(Surface.S3)])
        for path, handler, methods in table
    ]


def _guarded(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Check signature and bucket, and turn what is refused into S3's XML."""

    @wraps(handler)
    async def respond(request: Request) -> Response:
        bucket, path = request.path_params["bucket"], request.url.path
        if bucket != BUCKET and not request.headers.get("authorization", "").startswith("AWS4"):
            return PlainTextResponse("404 page not found", 404)
        try:
            return await handler(request, _shelf(request))
        except RefusedError as refusal:
            fields = {"Code": refusal.code, "Message": str(refusal), **refusal.details, "Resource": path}
            body = b"" if request.method == "HEAD" else _xml("Error", fields)
            return Response(body, refusal.status, media_type="application/xml")

    return respond


def _shelf(request: Request) -> Shelf:
    key = signer(_signed(request), _SECRETS, datetime.now(UTC))
    if request.path_params["bucket"] != BUCKET:
        raise RefusedError(404, "NoSuchBucket", "The specified bucket does not exist")
    state = request.app.state
    return Shelf(state.bucket, state.venue.now, key == SMALL_ACCESS_KEY)


def _signed(request: Request) -> SignedRequest:
    """Return the request as it was signed: the path with its escapes."""
    raw = request.scope.get("raw_path") or request.url.path.encode()
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"http://{request.headers.get('host', '')}{raw.decode()}{query}"
    return SignedRequest(request.method, url, request.headers)


async def _list(request: Request, shelf: Shelf) -> Response:
    """Answer ListObjectsV2; listing shows every prefix, whatever the plan."""
    query = request.query_params
    if query.get("list-type") != "2":
        raise RefusedError(501, "NotImplemented", "Only ListObjectsV2 is implemented: send list-type=2.")
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = query.get("continuation-token") or query.get("start-after", "")
    found = dict.fromkeys(_folded(key, prefix, delimiter) for key in shelf.bucket.keys(prefix, shelf.now))
    rest = [name for name in found if name > after]
    shown = rest[: min(_whole(query.get("max-keys", "1000")), _MOST_KEYS)]
    show = quote if query.get("encoding-type") == "url" else str
    truncated = len(shown) < len(rest)
    fields: list[tuple[str, Any]] = [
        ("Name", BUCKET),
        ("Prefix", show(prefix)),
        ("KeyCount", len(shown)),
        ("MaxKeys", query.get("max-keys", "1000")),
        ("IsTruncated", str(truncated).lower()),
    ]
    fields += [(name, show(query[field])) for name, field in _ECHOED.items() if field in query]
    if truncated and shown:
        fields.append(("NextContinuationToken", shown[-1]))
    for name in shown:
        if delimiter and name.endswith(delimiter):
            fields.append(("CommonPrefixes", {"Prefix": show(name)}))
        else:
            fields.append(("Contents", _entry(shelf, name, show(name))))
    return Response(_xml("ListBucketResult", fields, _NAMESPACE), media_type="application/xml")


_ECHOED = {"Delimiter": "delimiter", "StartAfter": "start-after", "EncodingType": "encoding-type"}


async def _object(request: Request, shelf: Shelf) -> Response:
    """Answer GetObject and HeadObject, with Range and the conditions on the ETag."""
    key, faults = request.path_params["key"], shelf.bucket.faults
    if (shelf.small_plan and any(kind in key for kind in _TICKS)) or faults.take(
        "s3.forbidden", f"GET {key}"
    ):
        raise RefusedError(403, "AccessDenied", "You are not authorized to access this resource.")
    stored = shelf.bucket.read(key, shelf.now)
    if stored is None:
        raise RefusedError(404, "NoSuchKey", "The specified key does not exist.", Key=key)
    wanted, known = (request.headers.get(name, "") for name in ("if-match", "if-none-match"))
    if wanted and stored.etag not in _tags(wanted):
        message = "At least one of the pre-conditions you specified did not hold"
        raise RefusedError(412, "PreconditionFailed", message, Condition="If-Match")
    headers = {
        "ETag": f'"{stored.etag}"',
        "Last-Modified": format_datetime(_utc(stored.modified_ns), usegmt=True),
        "Accept-Ranges": "bytes",
    }
    if known and stored.etag in _tags(known):
        return Response(None, 304, headers)
    first, stop = _span(request.headers.get("range"), stored)
    status = 200
    if (first, stop) != (0, len(stored.content)):
        headers["Content-Range"], status = f"bytes {first}-{stop - 1}/{len(stored.content)}", 206
    headers["Content-Length"] = str(stop - first)
    body = b"" if request.method == "HEAD" else stored.content[first:stop]
    return Response(body, status, headers, media_type="application/gzip")


async def _read_only(_: Request, __: Shelf) -> Response:
    raise RefusedError(403, "AccessDenied", "The vendor's bucket is read only.")


def _folded(key: str, prefix: str, delimiter: str) -> str:
    """Return the key, or its part up to the first delimiter after the prefix."""
    if not delimiter or delimiter not in key[len(prefix) :]:
        return key
    return key[: key.index(delimiter, len(prefix)) + len(delimiter)]


def _entry(shelf: Shelf, key: str, shown: str) -> dict[str, Any]:
    etag, size, modified = shelf.bucket.summary(key, shelf.now)
    return {
        "Key": shown,
        "LastModified": f"{_utc(modified):%Y-%m-%dT%H:%M:%S.000Z}",
        "ETag": f'"{etag}"',
        "Size": size,
        "StorageClass": "STANDARD",
    }


def _span(header: str | None, stored: StoredObject) -> tuple[int, int]:
    """Return start and end of the bytes that a Range header asks for; all of them where it makes no sense."""
    size = len(stored.content)
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if found is None or not (found[1] or found[2]):
        return 0, size
    if not found[1]:
        return max(0, size - int(found[2])), size
    first, stop = int(found[1]), min(int(found[2] or size) + 1, size)
    if first >= size or stop <= first:
        message = "The requested range is not satisfiable"
        raise RefusedError(416, "InvalidRange", message, ActualObjectSize=str(size))
    return first, stop


def _tags(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise RefusedError(400, "InvalidArgument", "Argument max-keys must be an integer")
    return int(text)


def _utc(moment: int) -> datetime:
    return datetime.fromtimestamp(moment // NS_PER_SECOND, UTC)


def _xml(name: str, fields: Any, namespace: str = "") -> bytes:
    root = ET.Element(name, {"xmlns": namespace} if namespace else {})
    _fill(root, fields)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root)


def _fill(parent: ET.Element, fields: Any) -> None:
    for name, value in fields.items() if isinstance(fields, dict) else fields:
        child = ET.SubElement(parent, name)
        if isinstance(value, dict):
            _fill(child, value)
        else:
            child.text = str(value)
