"""The vendor's bucket as a simulated time shows it: files appear at 11:00 ET of the next day."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, field
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from strikelake.calendar import et_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strikelake.sandbox.faults import Faults

PUBLISHED_AT = "11:00"
"""New York time at which a session's files appear, on the next calendar day."""

_PART = 8 << 20


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One file as it is served.

    Attributes
    ----------
    key
        Its name in the bucket.
    content
        Its bytes.
    etag
        Without quotes. Large files have been uploaded in parts: theirs is no MD5 of the content.
    modified_ns
        When it was published, ns UTC.
    """

    key: str
    content: bytes
    etag: str
    modified_ns: int


@dataclass(slots=True)
class Bucket:
    """Files below some folders, with their times of publication.

    Parameters
    ----------
    roots
        Folders whose relative paths are the keys.
    faults
        What is to go wrong: `s3.late`, `s3.republished`, `s3.truncated`.
    """

    roots: tuple[Path, ...]
    faults: Faults
    _paths: dict[str, Path] = field(init=False)
    _etags: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = {
            path.relative_to(root).as_posix(): path for root in self.roots for path in root.rglob("*.gz")
        }
        self._paths = dict(sorted(found.items()))

    def keys(self, prefix: str, now: int) -> Iterator[str]:
        """Yield the keys that are published at `now`, sorted."""
        for key in self._paths:
            if key.startswith(prefix) and published_ns(key) <= now and not self._holds("s3.late", key):
                yield key

    def summary(self, key: str, now: int) -> tuple[str, int, int]:
        """Return ETag, size and time of publication as a listing shows them; a fault is not used up."""
        change = next((name for name in _CHANGES if self._holds(name, key)), "")
        if (key, change) not in self._etags:
            content = self._content(key, change)
            self._etags[key, change] = etag(content), len(content)
        return *self._etags[key, change], self._modified(key, change, now)

    def read(self, key: str, now: int) -> StoredObject | None:
        """Return a file, None when it is not there, or not yet."""
        if key not in self._paths or published_ns(key) > now or self.faults.take("s3.late", f"GET {key}"):
            return None
        change = self.faults.first(_CHANGES, f"GET {key}") or ""
        content = self._content(key, change)
        known = self._etags.setdefault((key, change), (etag(content), len(content)))
        return StoredObject(key, content, known[0], self._modified(key, change, now))

    def _content(self, key: str, change: str) -> bytes:
        content = self._paths[key].read_bytes()
        return _CHANGES[change](content) if change else content

    def _holds(self, name: str, key: str) -> bool:
        """Return whether a fault is due for a file, without using it up."""
        return any(
            asked.name == name and not asked.after and fnmatchcase(f"GET {key}", asked.on)
            for asked in self.faults.active()
        )

    def _modified(self, key: str, change: str, now: int) -> int:
        return now if change == "s3.republished" else published_ns(key)


def published_ns(key: str) -> int:
    """Return when a file is published, ns UTC.

    Examples
    --------
    >>> from strikelake.calendar import iso
    >>> iso(published_ns("us_options_opra/quotes_v1/2025/01/2025-01-03.csv.gz"))
    '2025-01-04 11:00:00 ET'
    """
    day = date.fromisoformat(Path(key).name.removesuffix(".csv.gz"))
    return et_ns(day + timedelta(days=1), PUBLISHED_AT)


def etag(content: bytes) -> str:
    """Return the ETag that S3 gives to bytes that were uploaded in parts of 8 MiB.

    Examples
    --------
    >>> etag(b"")
    'd41d8cd98f00b204e9800998ecf8427e'
    """
    parts = [content[start : start + _PART] for start in range(0, len(content), _PART)] or [b""]
    digests = [hashlib.md5(part, usedforsecurity=False) for part in parts]
    if len(digests) == 1:
        return digests[0].hexdigest()
    joined = b"".join(digest.digest() for digest in digests)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(digests)}"


def _without_last_row(content: bytes) -> bytes:
    lines = gzip.decompress(content).splitlines(keepends=True)
    return gzip.compress(b"".join(lines[:-1]), 1, mtime=0)


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


_CHANGES = {"s3.republished": _without_last_row, "s3.truncated": _half}
