"""Progress bars: flows report steps, the command line decides whether anybody looks."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_START: ContextVar[Callable[[str], Callable[[int, int], None]] | None] = ContextVar("progress", default=None)


def advance(name: str) -> Callable[[int, int], None]:
    """Return a function to call with (steps done, steps in all); it draws a bar within `bars`."""
    start = _START.get()
    return start(name) if start else _ignore


def lines(name: str, total: int) -> Callable[[str], None]:
    """Return a function to call with a line on each of `total` steps done."""
    done = count(1)
    step = advance(name)

    def tell(line: str) -> None:
        step(next(done), total)
        logging.getLogger(__name__).info("%s: %s", name, line)

    return tell


@contextmanager
def bars() -> Iterator[None]:
    """Draw a progress bar for every step that reports within this context."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<22}"), BarColumn(32), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as drawn:

        def start(name: str) -> Callable[[int, int], None]:
            task = drawn.add_task(name, total=None)
            return lambda done, total: drawn.update(task, completed=done, total=total)

        token = _START.set(start)
        try:
            yield
        finally:
            _START.reset(token)


def _ignore(done: int, total: int) -> None:
    """Report to nobody."""
