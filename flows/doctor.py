"""`strikelake doctor`: what this machine and its configuration lack, and how to mend each."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from flows import room
from flows.services import reachable
from flows.settings import Settings, home, load
from strikelake.errors import ConfigError, VendorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_GIB = 1_024 * room.MIB
_ENOUGH_DISK = 20 * _GIB
_LITTLE_DISK = 2 * _GIB
_OLDEST_PYTHON = (3, 11)
_BREAKING = {"fastapi": (0, 151), "sqlalchemy": (2, 1)}


class Status(StrEnum):
    """How a check ended; only a failure stops Strikelake from working at all."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: what was looked at, how it is, what was found and what to do about it."""

    name: str
    status: Status
    found: str
    remedy: str = ""


def examine(*, reach: Callable[[str], bool] = reachable) -> list[Check]:
    """Look at everything a run depends on.

    Parameters
    ----------
    reach
        Says whether a URL answers; replaced where the network must be left alone.
    """
    checks = [_python(), *_packages()]
    try:
        settings = load()
    except ConfigError as error:
        return [*checks, Check("configuration", Status.FAILURE, str(error), "mend the key it names")]
    return [
        *checks,
        Check("configuration", Status.OK, f"{home() / 'config'}"),
        *_keys(settings),
        *_endpoints(settings, reach),
        _disk(settings),
    ]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _OLDEST_PYTHON:
        return Check("Python", Status.FAILURE, found, "install Python 3.11 or newer, then `make setup`")
    return Check("Python", Status.OK, found)


def _packages() -> Iterator[Check]:
    for name, limit in _BREAKING.items():
        found = version(name)
        if tuple(int(part) for part in re.findall(r"\d+", found)[:2]) >= limit:
            yield Check(
                name, Status.FAILURE, f"{found} breaks Prefect 3.8", "`make setup` installs the pinned one"
            )
    lock = home() / "requirements.lock"
    if not lock.is_file():
        yield Check(
            "versions", Status.WARNING, f"no {lock}", "run in the checkout to compare with the tested set"
        )
        return
    moved = list(_moved(lock))
    if moved:
        some = ", ".join(moved[:3]) + (f" and {len(moved) - 3} more" if len(moved) > 3 else "")  # noqa: PLR2004
        remedy = "`pip install -c requirements.lock -e .` gives the tested set"
        yield Check("versions", Status.WARNING, f"differ from requirements.lock: {some}", remedy)
    else:
        yield Check("versions", Status.OK, "as pinned in requirements.lock")


def _moved(lock: Path) -> Iterator[str]:
    """Yield installed packages whose version is not the pinned one; absent ones are of extras not chosen."""
    for line in lock.read_text().splitlines():
        name, _, pinned = line.partition("==")
        if not pinned:
            continue
        try:
            found = version(name).split("+")[0]
        except PackageNotFoundError:
            continue
        if found != pinned:
            yield f"{name} {found} (pinned {pinned})"


def _keys(settings: Settings) -> Iterator[Check]:
    for name, read in (
        ("flat-file keys", settings.flat_file_keys),
        ("REST key", settings.vendor_key),
        ("broker keys", settings.broker_keys),
    ):
        try:
            read()
        except VendorError as error:
            found, _, remedy = str(error).partition(": ")
            yield Check(name, Status.WARNING, found, remedy)
        else:
            yield Check(name, Status.OK, "set")


def _endpoints(settings: Settings, reach: Callable[[str], bool]) -> Iterator[Check]:
    broker = (
        settings.broker.live_endpoint if settings.trading_mode == "live" else settings.broker.paper_endpoint
    )
    for name, url, variable in (
        ("flat files", settings.s3_endpoint or settings.flat_files.endpoint, "POLYGON_S3_ENDPOINT"),
        ("REST", settings.rest_endpoint or settings.rest.endpoint, "POLYGON_REST_ENDPOINT"),
        (f"broker ({settings.trading_mode})", settings.alpaca_endpoint or broker, "ALPACA_ENDPOINT"),
    ):
        if reach(url):
            yield Check(name, Status.OK, f"{url} answers")
        else:
            remedy = f"check the network, or {variable}; `strikelake demo` needs none of it"
            yield Check(name, Status.WARNING, f"{url} does not answer", remedy)


def _bucket(settings: Settings) -> Check:
    from flows import wiring
    from strikelake.errors import LakeError

    try:
        count = len(wiring.lake(settings).tables())
    except LakeError as error:
        return Check("lake", Status.FAILURE, settings.lake.root, str(error))
    return Check("lake", Status.OK, f"{settings.lake.root} answers and has {count} tables")


def _disk(settings: Settings) -> Check:
    if "://" in settings.lake.root:
        return _bucket(settings)
    root = settings.path(settings.lake.root)
    try:
        free = room.free(root)
    except OSError as error:
        remedy = f"make {error.filename} writable, or move the lake with STRIKELAKE_LAKE__ROOT"
        return Check("disk", Status.FAILURE, f"cannot write {error.filename}: {error.strerror}", remedy)
    found = f"{free / _GIB:.0f} GiB free for {root}"
    if free < _LITTLE_DISK:
        return Check("disk", Status.FAILURE, found, "free some, or move the lake with STRIKELAKE_LAKE__ROOT")
    if free < _ENOUGH_DISK:
        return Check(
            "disk",
            Status.WARNING,
            found,
            "a day of option bars is about 30 MB: free some before a long backfill",
        )
    return Check("disk", Status.OK, found)
