"""Speak to a running sandbox: its state, its time, its faults and its end."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from strikelake.errors import SandboxError
from strikelake.sandbox.addresses import Addresses

if TYPE_CHECKING:
    from pathlib import Path

_OK = 200
_ANSWER_SECONDS = 300.0
_END_SECONDS = 120.0


class _NobodyThereError(SandboxError):
    """Nobody listens: the sandbox has ended, and is not merely slow."""


def ask(url: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any:
    """Return what one of the sandbox's own endpoints answers.

    Raises
    ------
    SandboxError
        When the sandbox does not answer, or refuses. Advancing a whole session takes it well under a second;
        it is given five minutes, for nobody else would answer in its place.
    """
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    # http.client knows no proxy settings: loopback must never go through one.
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request(method, path, json.dumps(body) if body else None)
        answer = connection.getresponse()
        text = answer.read().decode()
    except TimeoutError as error:
        raise SandboxError(
            f"the sandbox at {url} has not answered for {_ANSWER_SECONDS:.0f} s: the machine is overloaded, "
            "or sandbox.log in its folder says more"
        ) from error
    except (OSError, HTTPException) as error:
        raise _NobodyThereError(
            f"the sandbox at {url} does not answer ({error}): start it with `strikelake sandbox up`"
        ) from error
    finally:
        connection.close()
    if answer.status != _OK:
        raise SandboxError(f"the sandbox at {url} refused: {_message(text)}")
    return json.loads(text)


def find(state: Path) -> Addresses:
    """Return the sandbox that a state file names.

    Parameters
    ----------
    state
        The file that `strikelake sandbox up` writes.

    Raises
    ------
    SandboxError
        When there is no such file, or what it names is not running; then the file is removed. Also when the
        sandbox refuses to say how it is.
    """
    if not state.exists():
        raise SandboxError(f"no sandbox is running (no {state}): start one with `strikelake sandbox up`")
    found = Addresses.read(state)
    try:
        pid = ask(f"{found.control_url}/sandbox")["pid"]
    except _NobodyThereError as error:
        state.unlink()
        raise SandboxError(
            f"the sandbox that {state} names has ended: start another with `strikelake sandbox up`"
        ) from error
    if pid != found.pid:
        state.unlink()
        raise SandboxError(f"{found.control_url} is another sandbox than the one that {state} named")
    return found


def fault(
    addresses: Addresses, name: str, *, times: int | None = 1, after: int = 0, on: str | None = None
) -> dict[str, Any]:
    """Ask for a fault and return it; see `strikelake.sandbox.faults.Faults.inject`.

    Raises
    ------
    SandboxError
        When there is no such fault; the message names the nearest.
    """
    body: dict[str, Any] = {"name": name, "times": times, "after": after}
    if on is not None:
        body["on"] = on
    answer: dict[str, Any] = ask(f"{addresses.control_url}/sandbox/fault", "POST", body)
    return answer


def clear(addresses: Addresses, name: str | None = None) -> None:
    """Take one fault back, or all of them."""
    query = f"?name={quote(name)}" if name else ""
    ask(f"{addresses.control_url}/sandbox/fault{query}", "DELETE")


def stop(addresses: Addresses) -> None:
    """End a sandbox and wait for it.

    Raises
    ------
    SandboxError
        When it does not end.
    """
    ask(f"{addresses.control_url}/sandbox/down", "POST")
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline:
        try:
            ask(f"{addresses.control_url}/sandbox")
        except _NobodyThereError:
            return
        time.sleep(0.05)
    raise SandboxError(f"the sandbox does not end: kill its process {addresses.pid}")


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text
