"""Client of the sandbox's simulated clock."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from strikelake.errors import SandboxError


class SandboxClock:
    """The time of a running sandbox; it moves only when it is told to.

    Parameters
    ----------
    url
        `clock_url` of the running sandbox.
    timeout
        Seconds to wait for an answer. Advancing a whole session takes well under one.
    """

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout

    def now(self) -> int:
        """Return the simulated time, ns UTC.

        Raises
        ------
        SandboxError
            When the sandbox does not answer.
        """
        return self._ask("GET", "", None)

    def sleep_until(self, moment: int) -> None:
        """Advance the simulated time to `moment` (ns UTC); nothing when it has passed.

        Orders fill on the way.

        Raises
        ------
        SandboxError
            When the sandbox does not answer.
        """
        if self.now() < moment:
            self._ask("POST", "/advance", {"to_ns": moment})

    def _ask(self, method: str, path: str, body: dict[str, int] | None) -> int:
        parts = urlsplit(self._url)
        # http.client knows no proxy settings: loopback must never go through one.
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=self._timeout)
        try:
            connection.request(method, parts.path + path, json.dumps(body) if body else None)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, HTTPException) as error:
            raise SandboxError(
                f"the sandbox's clock at {self._url} does not answer ({error}): "
                "start it with `strikelake sandbox up`"
            ) from error
        finally:
            connection.close()
        if answer.status != 200:  # noqa: PLR2004 - the status of success
            raise SandboxError(f"the sandbox's clock at {self._url} refused: {text}")
        return int(json.loads(text)["now_ns"])
