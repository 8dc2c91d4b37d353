"""Compiled kernels: where they are kept, and those of prices compiled before they are needed."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from flows import progress
from flows.services import process
from strikelake import pricing, sandbox, vendors

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from flows.settings import Settings

_ASIDE: ContextVar[subprocess.Popen[bytes] | None] = ContextVar("compiling", default=None)


def keep(settings: Settings) -> None:
    """Name the folder of compiled kernels after their sources, unless NUMBA_CACHE_DIR is set.

    numba itself misses changes of what is compiled into a file.
    """
    folders = [Path(folder) for package in (vendors, pricing, sandbox) for folder in package.__path__]
    sources = [source for folder in folders for source in sorted(folder.glob("*.py"))]
    checksum = crc32(b"".join(source.read_bytes() for source in sources))
    os.environ.setdefault("NUMBA_CACHE_DIR", str(settings.path(f".cache/numba-{checksum}")))


@contextmanager
def compiled_aside(settings: Settings, log: str) -> Iterator[None]:
    """Compile in a process of its own as long as the context lasts; `ready` waits for it.

    On a fresh clone this takes most of a minute of one core, which the first session priced would wait for.
    What is in NUMBA_CACHE_DIR already is only loaded.

    Parameters
    ----------
    settings
        Say where kernels are kept.
    log
        File below the project's home that gets what the process prints. That it fails costs time only:
        whoever needs a kernel compiles it then.
    """
    keep(settings)
    with process([sys.executable, "-m", "strikelake.pricing.warm"], log=settings.path(log)) as child:
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
