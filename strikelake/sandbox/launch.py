"""Start and stop the local market."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from strikelake.errors import SandboxError
from strikelake.sandbox import s3
from strikelake.sandbox.desk import BrokerConfig
from strikelake.sandbox.paths import market_sessions
from strikelake.sandbox.plans import ADVANCED, BASIC, BUSINESS
from strikelake.sandbox.simulator import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from pathlib import Path
    from types import TracebackType

    from strikelake.sandbox.config import SimulatorConfig

LOG = "sandbox.log"
_API_KEY, _BASIC_KEY, _BUSINESS_KEY = "sandbox-data", "sandbox-basic", "sandbox-business"
_BROKER_KEY = "sandbox-broker"
_BROKER_SECRET = "sandbox-broker-secret"  # noqa: S105 - the local broker's own
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A running local market. Stop it, or use it as a context manager; it ends with this process anyway.

    Attributes
    ----------
    s3_endpoint, bucket, access_key, secret_key
        Where the flat files are. A file is there from 11:00 New York time of the day after its session.
    rest_url, api_key
        Market data; speaks Massive's REST. The key's plan has all but fair market values.
    basic_key, business_key
        Keys of the plans with five requests a minute and no data of the present day, and with everything.
    broker_url, broker_key, broker_secret
        The broker; speaks Alpaca's trading REST.
    clock_url
        The simulated time, for `strikelake.sandbox.clock.SandboxClock`.
    control_url
        Root of the sandbox's own endpoints: POST /sandbox/fault and /sandbox/reset.
    directory
        Files of the market: `flatfiles`, `reference`, and the server's log.
    first_session, last_session
        First and last session that is published as flat files.
    live_session
        The session after them, served by REST and broker only.
    """

    s3_endpoint: str
    bucket: str
    access_key: str
    secret_key: str
    rest_url: str
    api_key: str
    basic_key: str
    business_key: str
    broker_url: str
    broker_key: str
    broker_secret: str
    clock_url: str
    control_url: str
    directory: Path
    first_session: date
    last_session: date
    live_session: date
    process: subprocess.Popen[bytes] = field(repr=False)

    def stop(self) -> None:
        """End the server and wait for it; nothing when it has ended."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(
    config: SimulatorConfig,
    directory: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    account: BrokerConfig | None = None,
    port: int = 0,
) -> RunningSandbox:
    """Simulate a market into a directory, unless it is there already, and serve it on a loopback port.

    Parameters
    ----------
    config
        The market.
    directory
        Where its files and the server's log go; see `strikelake.sandbox.simulator.write`.
    progress
        Called with (sessions simulated, sessions in all).
    account
        The broker's account.
    port
        Where to serve everything; 0 is any free one.

    Returns
    -------
    RunningSandbox
        Ready: every endpoint answers.

    Raises
    ------
    SandboxError
        When the directory holds something else, or the server does not start; the message names its log.
    """
    write(config, directory, progress)
    sessions = market_sessions(config)
    process, addresses = _serve(directory, account or BrokerConfig(), port)
    http = addresses["http"]
    return RunningSandbox(
        s3_endpoint=http,
        bucket=s3.BUCKET,
        access_key=s3.ACCESS_KEY,
        secret_key=s3.SECRET_KEY,
        rest_url=http,
        api_key=_API_KEY,
        basic_key=_BASIC_KEY,
        business_key=_BUSINESS_KEY,
        broker_url=http,
        broker_key=_BROKER_KEY,
        broker_secret=_BROKER_SECRET,
        clock_url=f"{http}/clock",
        control_url=http,
        directory=directory,
        first_session=sessions[0].date,
        last_session=sessions[-2].date,
        live_session=sessions[-1].date,
        process=process,
    )


def _serve(
    directory: Path, account: BrokerConfig, port: int
) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    """Start the server process and wait until it has reported its addresses."""
    receiving, sending = os.pipe()
    settings = {
        "directory": str(directory.resolve()),
        "report_fd": sending,
        # The kernel's death signal follows the thread that started the child: only the main one is safe.
        "bound": threading.current_thread() is threading.main_thread(),
        "account": {
            "cash": str(account.cash),
            "fee": str(account.fee),
            "options_level": account.options_level,
        },
        "broker_keys": [_BROKER_KEY, _BROKER_SECRET],
        "data_keys": {_API_KEY: ADVANCED.name, _BASIC_KEY: BASIC.name, _BUSINESS_KEY: BUSINESS.name},
        "port": port,
    }
    command = [sys.executable, "-m", "strikelake.sandbox.server", json.dumps(settings)]
    log = directory / LOG
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own module with our own settings
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=(sending,),
            # Ctrl-C goes to the trader, which still needs its broker to leave a defined state.
            start_new_session=True,
        )
    os.close(sending)
    with os.fdopen(receiving, "rb") as report:
        text = _read(report.fileno(), time.monotonic() + _START_SECONDS)
    if not text:
        process.kill()
        process.communicate()
        raise SandboxError(f"the sandbox did not start: {_last_line(log)} (see {log})")
    return process, json.loads(text)


def _read(descriptor: int, deadline: float) -> bytes:
    """Return what arrives until the other end closes; what there is so far when time is up."""
    found = b""
    while (left := deadline - time.monotonic()) > 0 and select.select([descriptor], [], [], left)[0]:
        part = os.read(descriptor, 65536)
        if not part:
            return found
        found += part
    return b""


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")
