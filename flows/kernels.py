"""The kernels of `strikelake.pricing`, compiled beside the steps that come before they are needed."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from flows import progress
from flows.services import process

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

_ASIDE: ContextVar[subprocess.Popen[bytes] | None] = ContextVar("compiling", default=None)


@contextmanager
def compiled_aside(log: Path) -> Iterator[None]:
    """Compile in a process of its own as long as the context lasts; `ready` waits for it.

    On a fresh clone this takes most of a minute of one core, which the first session priced would wait for.
    What is in NUMBA_CACHE_DIR already is only loaded.

    Parameters
    ----------
    log
        Gets what the process prints. That it fails costs time only: whoever needs a kernel compiles it then.
    """
    with process([sys.executable, "-m", "strikelake.pricing.warm"], log=log) as child:
        token = _ASIDE.set(child)
        try:
            yield
        finally:
            _ASIDE.reset(token)


def ready() -> None:
    """Return when the kernels are compiled, at once where nobody compiles them aside."""
    child = _ASIDE.get()
    if child is None or child.poll() is not None:
        return
    step = progress.advance("compiling")
    step(0, 1)
    child.wait()
    step(1, 1)
