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
from strikelake.sandbox.addresses import Addresses
from strikelake.sandbox.desk import BrokerConfig
from strikelake.sandbox.paths import market_sessions
from strikelake.sandbox.plans import ADVANCED, BASIC, BUSINESS
from strikelake.sandbox.simulator import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from strikelake.sandbox.config import SimulatorConfig

LOG = "sandbox.log"
_API_KEY, _BASIC_KEY, _BUSINESS_KEY = "sandbox-data", "sandbox-basic", "sandbox-business"
_BROKER_KEY = "sandbox-broker"
_BROKER_SECRET = "sandbox-broker-secret"  # noqa: S105 - the local broker's own
# A server that fails ends at once, and is reported at once: this is for a machine that is cold and loaded.
_START_SECONDS = 600.0
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class RunningSandbox(Addresses):
    """A running local market. Stop it, or use it as a context manager; it ends with this process anyway.

    Attributes
    ----------
    process
        The server. One that was started `detached` goes on when this process ends.
    """

    process: subprocess.Popen[bytes] = field(repr=False)

    def stop(self) -> None:
        """End the server and wait for it; nothing when it has ended."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        else:
            self.process.terminate()
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
    detached: bool = False,
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
    detached
        Whether the server goes on when this process ends; `strikelake.sandbox.console.stop` ends it.

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
    process, http = _serve(directory, account or BrokerConfig(), port, detached=detached)
    return RunningSandbox(
        s3_endpoint=http,
        bucket=s3.BUCKET,
        access_key=s3.ACCESS_KEY,
        secret_key=s3.SECRET_KEY,
        small_access_key=s3.SMALL_ACCESS_KEY,
        small_secret_key=s3.SMALL_SECRET_KEY,
        rest_url=http,
        api_key=_API_KEY,
        basic_key=_BASIC_KEY,
        business_key=_BUSINESS_KEY,
        stream_feed=http.removeprefix("http://"),
        broker_url=http,
        broker_key=_BROKER_KEY,
        broker_secret=_BROKER_SECRET,
        clock_url=f"{http}/clock",
        control_url=http,
        directory=directory.resolve(),
        first_session=sessions[0].date,
        last_session=sessions[-2].date,
        live_session=sessions[-1].date,
        pid=process.pid,
        process=process,
    )


def _serve(
    directory: Path, account: BrokerConfig, port: int, *, detached: bool
) -> tuple[subprocess.Popen[bytes], str]:
    """Start the server process and wait until it has reported its address."""
    receiving, sending = os.pipe()
    settings = {
        "directory": str(directory.resolve()),
        "report_fd": sending,
        "detached": detached,
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
            stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
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
        when = f" within {_START_SECONDS:.0f} s" if text is None else ""
        raise SandboxError(f"the sandbox did not start{when}: {_last_line(log)} (see {log})")
    return process, str(json.loads(text)["http"])


def _read(descriptor: int, deadline: float) -> bytes | None:
    """Return what arrives until the other end closes; None when time is up before."""
    found = b""
    while (left := deadline - time.monotonic()) > 0 and select.select([descriptor], [], [], left)[0]:
        part = os.read(descriptor, 65536)
        if not part:
            return found
        found += part
    return None


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")
