"""What a flow needs around it when it is run by hand: a Prefect API and quiet logs."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from flows.services import answers, starting_prefect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flows.settings import Settings

_SERVED = "http://127.0.0.1:4200/api"


@contextmanager
def prefect_api(settings: Settings, *, home: str, verbose: bool = False) -> Iterator[Callable[[], None]]:
    """Point Prefect at the server that `make up` runs, or at a private one for this process.

    Prefect reads its environment once, when it is imported: enter this before any flow is imported.

    Parameters
    ----------
    home
        Folder of the private server, below the project's home.
    verbose
        Whether Prefect's own log is printed.

    Yields
    ------
    callable
        Returns once the server answers: call it before the first flow runs.
    """
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO" if verbose else "CRITICAL")
    logging.basicConfig(level=settings.logging.level if verbose else "WARNING", format="%(message)s")
    url = os.environ.get("PREFECT_API_URL", _SERVED)
    with ExitStack() as stack:
        ready = _at_once
        # A development server that has a page for every address is none of Prefect's.
        if not answers(f"{url}/health", b"true"):
            folder = settings.path(home)
            server = stack.enter_context(starting_prefect(folder))
            url, ready = server.url, server.ready
            os.environ["PREFECT_HOME"] = str(folder)
            # The server goes before the last log lines are flushed; nobody reads them there anyway.
            os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
        os.environ["PREFECT_API_URL"] = url
        yield ready


def _at_once() -> None:
    """Return: the server that is there answers."""
