"""Where a running sandbox is and how to speak to it, also for processes that did not start it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strikelake.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Addresses:
    """Endpoints, keys and dates of a running sandbox.

    Attributes
    ----------
    s3_endpoint, bucket, access_key, secret_key
        Where the flat files are. A file is there from 11:00 New York time of the day after its session.
    small_access_key, small_secret_key
        A pair whose plan lists ticks and may not have them.
    rest_url, api_key
        Market data; speaks Massive's REST. The key's plan has all but fair market values.
    basic_key, business_key
        Keys of the plans with five requests a minute and no data of the present day, and with everything.
    stream_feed
        `feed` of Massive's WebSocketClient, with `secure=False`.
    broker_url, broker_key, broker_secret
        The broker; speaks Alpaca's trading REST.
    clock_url
        The simulated time, for `strikelake.sandbox.clock.SandboxClock`.
    control_url
        Root of the sandbox's own endpoints: /sandbox, /sandbox/fault, /sandbox/reset and /sandbox/down.
    directory
        Files of the market: `flatfiles`, `reference`, and the server's log.
    first_session, last_session
        First and last session that is published as flat files.
    live_session
        The session after them, served by REST, stream and broker.
    pid
        The server's process.
    """

    s3_endpoint: str
    bucket: str
    access_key: str
    secret_key: str
    small_access_key: str
    small_secret_key: str
    rest_url: str
    api_key: str
    basic_key: str
    business_key: str
    stream_feed: str
    broker_url: str
    broker_key: str
    broker_secret: str
    clock_url: str
    control_url: str
    directory: Path
    first_session: date
    last_session: date
    live_session: date
    pid: int

    def save(self, path: Path) -> None:
        """Write them to a file, so that other processes find the sandbox; the keys open nothing else."""
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {field.name: getattr(self, field.name) for field in fields(Addresses)}
        # Whoever looks meanwhile finds the whole file or none.
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(json.dumps(values, default=str, indent=1))
        part.replace(path)

    @staticmethod
    def read(path: Path) -> Addresses:
        """Read what `save` wrote.

        Raises
        ------
        SandboxError
            When the file is not what `save` writes.
        """
        try:
            values: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            days = {name: date.fromisoformat(values[name]) for name in values if name.endswith("_session")}
            return Addresses(**{**values, **days, "directory": Path(values["directory"])})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SandboxError(
                f"{path} does not say where a sandbox is ({type(error).__name__}: {error}): remove it, then "
                "`strikelake sandbox up`"
            ) from error
