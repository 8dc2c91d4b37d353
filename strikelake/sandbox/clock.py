"""Client of the sandbox's simulated clock."""

from __future__ import annotations

from strikelake.sandbox.console import ask


class SandboxClock:
    """The time of a running sandbox; it moves only when it is told to.

    Parameters
    ----------
    url
        `clock_url` of the running sandbox.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

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
        return int(ask(self._url + path, method, body)["now_ns"])
