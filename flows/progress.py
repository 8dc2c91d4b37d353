"""Progress bars: flows report steps, the command line decides whether anybody looks."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    _Start = Callable[[str], Callable[[int, int], None]]

_START: ContextVar[_Start | None] = ContextVar("progress", default=None)


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
    """Draw a progress bar for every step that reports within this context; print lines where nobody watches.

    A bar in a file or a pipe would appear when all is over: there, a step is a line when it has ended.
    """
    from rich.console import Console

    console = Console(stderr=True)
    with _drawn(console) if console.is_terminal else _printed(console) as start:
        token = _START.set(start)
        try:
            yield
        finally:
            _START.reset(token)


@contextmanager
def _drawn(console: Console) -> Iterator[_Start]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<22}"), BarColumn(32), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as drawn:

        def start(name: str) -> Callable[[int, int], None]:
            task = drawn.add_task(name, total=None)
            return lambda done, total: drawn.update(task, completed=done, total=total)

        yield start


@contextmanager
def _printed(console: Console) -> Iterator[_Start]:
    """Yield a function that starts a step; those that have not ended at the end are printed then."""
    running: dict[int, str] = {}

    def start(name: str) -> Callable[[int, int], None]:
        number, began, over = next(numbers), monotonic(), False

        def step(done: int, total: int) -> None:
            nonlocal over
            line = f"{name:<22} {done}/{total} {timedelta(seconds=int(monotonic() - began))}"
            if over:
                return
            if over := done == total:
                running.pop(number, None)
                console.print(line, highlight=False, soft_wrap=True)
            else:
                running[number] = line

        return step

    numbers = count()
    try:
        yield start
    finally:
        for line in running.values():
            console.print(f"{line}, not to its end", highlight=False, soft_wrap=True)


def _ignore(done: int, total: int) -> None:
    """Report to nobody."""
