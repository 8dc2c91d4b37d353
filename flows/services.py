"""Processes that flows need beside them: a Prefect server, a worker and the MLflow UI, all on loopback."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strikelake.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from flows.settings import Settings

# A server that fails ends, which is seen at once: this is for a machine that is cold and loaded.
_START_SECONDS = 600.0
_ANSWER_SECONDS = 10.0
_QUIET_SECONDS = 20.0
_STOP_SECONDS = 10.0

logger = logging.getLogger(__name__)


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(
    command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command as long as the context lasts, with all it starts.

    Parameters
    ----------
    command
        Program and arguments.
    log
        File that gets what it prints.
    env
        Variables to set beside this process's own.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - our own commands, no shell
            command,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:
        yield child
    finally:
        _stop(child)


@dataclass(frozen=True, slots=True)
class Starting:
    """A server that was started and may not answer yet.

    Attributes
    ----------
    url
        Of its API.
    log
        File that has what it printed.
    process
        It.
    """

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def ready(self) -> None:
        """Return once it answers; see `wait_for`."""
        wait_for(f"{self.url}/health", self.process, self.log)


@contextmanager
def prefect_server(home: Path, *, port: int | None = None, services: bool = False) -> Iterator[str]:
    """Run a Prefect server, wait until it answers and yield its API URL; see `starting_prefect`."""
    with starting_prefect(home, port=port, services=services) as server:
        server.ready()
        yield server.url


@contextmanager
def starting_prefect(home: Path, *, port: int | None = None, services: bool = False) -> Iterator[Starting]:
    """Run a Prefect server, which takes 5 to 15 seconds to answer: there is other work meanwhile.

    Parameters
    ----------
    home
        Folder of the server's database and log.
    port
        Loopback port; a free one by default.
    services
        Whether it schedules: needed for deployments, not for flows run by hand.

    Raises
    ------
    ServiceError
        When the port is taken.
    """
    port = port or free_port()
    refuse_taken(port, "Prefect")
    url = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    log = home / "server.log"
    environment = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    if not services:
        command.append("--no-services")
    with process(command, log=log, env=environment) as child:
        yield Starting(url, log, child)


@contextmanager
def mlflow_ui(settings: Settings, *, port: int, log: Path) -> Iterator[str]:
    """Run the MLflow UI on the tracking database and yield its URL."""
    refuse_taken(port, "MLflow")
    url = f"http://127.0.0.1:{port}"
    with process(
        mlflow_command(settings, port), log=log, env={"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    ) as child:
        wait_for(f"{url}/health", child, log)
        yield url


def mlflow_command(settings: Settings, port: int) -> list[str]:
    """Return the command that serves the MLflow UI."""
    from flows.wiring import tracking_uri

    store = [
        "--backend-store-uri",
        tracking_uri(settings),
        "--default-artifact-root",
        str(settings.path(settings.tracking.artifacts)),
    ]
    return [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        *store,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]


def up(
    settings: Settings, home: Path, *, prefect_port: int, mlflow_port: int, say: Callable[[str], None]
) -> None:
    """Run server, worker, deployments and MLflow UI until interrupted.

    Raises
    ------
    ServiceError
        When a port is taken, before anything starts; when one of them does not start, or has died.
    """
    logs = home / "logs"
    refuse_taken(prefect_port, "Prefect")
    refuse_taken(mlflow_port, "MLflow")
    with ExitStack() as stack:
        say("starting the Prefect server …")
        url = stack.enter_context(prefect_server(home, port=prefect_port, services=True))
        environment = {"PREFECT_API_URL": url, "PREFECT_HOME": str(home)}
        say("creating the work pool and the deployments …")
        deploy(settings.path("."), environment)
        command = [
            sys.executable,
            "-m",
            "prefect",
            "worker",
            "start",
            "--pool",
            "strikelake",
            "--type",
            "process",
        ]
        worker = stack.enter_context(process(command, log=logs / "worker.log", env=environment))
        ui = stack.enter_context(mlflow_ui(settings, port=mlflow_port, log=logs / "mlflow.log"))
        say(f"Prefect {url.removesuffix('/api')} · MLflow {ui} · logs {logs}")
        say("start a session with `prefect deployment run live-trade`; Ctrl-C stops everything here")
        while worker.poll() is None:
            time.sleep(0.5)
        raise ServiceError(
            f"the Prefect worker ended with code {worker.returncode}: see {logs / 'worker.log'}"
        )


def deploy(project: Path, environment: Mapping[str, str]) -> None:
    """Create the process work pool and every deployment of `prefect.yaml`.

    Raises
    ------
    ServiceError
        With the last line that Prefect printed, when either fails.
    """
    for arguments in (
        ["work-pool", "create", "strikelake", "--type", "process", "--overwrite"],
        ["--no-prompt", "deploy", "--all"],
    ):
        done = subprocess.run(  # noqa: S603 - our own commands, no shell
            [sys.executable, "-m", "prefect", *arguments],
            cwd=project,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise ServiceError(f"`prefect {' '.join(arguments)}` failed: {' '.join(last)}")


def answers(url: str, body: bytes = b"") -> bool:
    """Return whether a GET of `url` succeeds within ten seconds, with this body where one is given.

    Where nobody listens, it fails at once.
    """
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as response:  # noqa: S310 - http on loopback or configured endpoints
            return bool(response.status < 400 and response.read(1_000).startswith(body))  # noqa: PLR2004 - HTTP
    except (OSError, ValueError):
        return False


def reachable(url: str) -> bool:
    """Return whether anybody answers at `url`, were it only to refuse."""
    try:
        with urllib.request.urlopen(url, timeout=3):  # noqa: S310 - http on loopback or configured endpoints
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def wait_for(url: str, child: subprocess.Popen[bytes], log: Path) -> None:
    """Return once `url` answers; says that it waits when that takes long.

    Raises
    ------
    ServiceError
        When the process ends first or ten minutes pass; names its log and the last line of it.
    """
    began, told = time.monotonic(), False
    while child.poll() is None and time.monotonic() - began < _START_SECONDS:
        if answers(url):
            return
        if not told and time.monotonic() - began > _QUIET_SECONDS:
            told = True
            logger.warning("waiting for %s to answer; what it says is in %s", url, log)
        time.sleep(0.2)
    what = f"for {_START_SECONDS:.0f} s" if child.poll() is None else f"and it ended with {child.returncode}"
    lines = log.read_text(errors="replace").strip().splitlines()
    last = lines[-1] if lines else "it printed nothing"
    raise ServiceError(f"no answer from {url} {what}: {last} (log: {log})")


def refuse_taken(port: int, name: str) -> None:
    """Refuse a port that somebody listens on.

    Raises
    ------
    ServiceError
        Naming the option that moves the service.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ServiceError(
                f"port {port} is taken, and {name} is to listen there: stop what uses it, "
                f"or choose another with --{name.lower()}-port"
            ) from None


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End a process and everything it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    child.wait()
