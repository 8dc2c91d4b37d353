"""How long a decision takes, and where the time goes."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VENDOR = frozenset({"bars", "quotes"})
"""Parts spent on the vendor's answers, from asking to the finished table."""


@dataclass(frozen=True, slots=True)
class DecisionTiming:
    """How long one decision took.

    Attributes
    ----------
    asof
        The decision, ns UTC.
    parts
        Milliseconds by part, in their order: bars, features, score, quotes, chain, decide, write, send.
        Writing and sending are left out where there was no order.
    first_order
        Milliseconds from the bars' arrival to the first order's departure, waits for the vendor left out;
        None without an order.
    """

    asof: int
    parts: Mapping[str, float]
    first_order: float | None


class Stopwatch:
    """The laps of one decision; it runs from its creation."""

    def __init__(self) -> None:
        self._parts: dict[str, float] = {}
        self._last = perf_counter()

    @property
    def parts(self) -> dict[str, float]:
        """Milliseconds by part, in the order of their first laps."""
        return {part: seconds * 1_000 for part, seconds in self._parts.items()}

    @property
    def own_ms(self) -> float:
        """Milliseconds of all laps so far but the vendor's."""
        return sum(ms for part, ms in self.parts.items() if part not in VENDOR)

    def lap(self, part: str) -> None:
        """Count the time since the last lap to a part; parts can have several laps."""
        now = perf_counter()
        self._parts[part] = self._parts.get(part, 0.0) + now - self._last
        self._last = now


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the garbage collector out of a decision.

    With the libraries of training loaded, one full collection takes longer than the decision.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
