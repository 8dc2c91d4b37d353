"""The kernels of prices and features, compiled before they are needed: `python -m flows.kernels`."""

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

    from flows.settings import Settings

_ASIDE: ContextVar[subprocess.Popen[bytes] | None] = ContextVar("compiling", default=None)


@contextmanager
def compiled_aside(settings: Settings, log: str) -> Iterator[None]:
    """Compile in a process of its own as long as the context lasts; `ready` waits for it.

    On a fresh clone this takes more than a minute of one core, which the first session priced and the first
    features would wait for. What numba keeps already is only loaded.

    Parameters
    ----------
    settings
        Say where the project's home is.
    log
        File below the project's home that gets what the process prints. That it fails costs time only:
        whoever needs a kernel compiles it then.
    """
    with process([sys.executable, "-m", "flows.kernels"], log=settings.path(log)) as child:
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
    step = progress.advance("compiling (first run)")
    step(0, 1)
    child.wait()
    step(1, 1)


def _compile() -> None:
    from features import warm as features
    from strikelake.pricing import warm as pricing

    pricing.compile_kernels()
    features.compile_kernels()


if __name__ == "__main__":
    _compile()
