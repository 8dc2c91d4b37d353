"""Faults on demand: each has a name, counts its opportunities, and happens when its turn comes."""

from __future__ import annotations

import difflib
import threading
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from strikelake.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Surface(StrEnum):
    """Where a fault happens; the first part of its name."""

    BROKER = "broker"
    UPDATES = "updates"
    REST = "rest"
    S3 = "s3"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that the sandbox knows.

    Attributes
    ----------
    name
        `surface.kind`, such as `broker.http_504_after`.
    does
        What the server does, in one sentence.
    vendor
        What the vendor's client makes of it when nothing protects it; a test shows it.
    ours
        What Strikelake makes of it.
    on
        Which opportunities count, unless told otherwise; see `Faults.take`.
    """

    name: str
    does: str
    vendor: str
    ours: str
    on: str = "*"

    @property
    def surface(self) -> Surface:
        """Where it happens."""
        return Surface(self.name.partition(".")[0])


@dataclass(frozen=True, slots=True)
class ActiveFault:
    """A fault that was asked for: it lets `after` opportunities pass and then happens `times` times.

    `times` is None until it is taken back; `on` is the pattern of the opportunities that count.
    """

    name: str
    times: int | None
    after: int
    on: str


@dataclass(slots=True)
class Faults:
    """The faults that are asked for in one sandbox. Safe to use from several threads.

    Parameters
    ----------
    known
        Every fault by its name.
    """

    known: Mapping[str, Fault]
    _active: dict[str, ActiveFault] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def inject(self, name: str, times: int | None = 1, after: int = 0, on: str | None = None) -> ActiveFault:
        """Ask for a fault; it replaces an earlier request of the same name.

        Parameters
        ----------
        name
            Of the fault.
        times
            How often it happens; None until it is taken back, which 0 does.
        after
            Opportunities that pass before the first.
        on
            Pattern of the opportunities that count, with `*` and `?`; the fault's own by default.

        Raises
        ------
        SandboxError
            When there is no such fault, with the nearest names, or a number is negative.
        """
        if name not in self.known:
            near = difflib.get_close_matches(name, self.known, n=3) or sorted(self.known)
            raise SandboxError(f"the sandbox knows no fault {name!r}: did you mean {', '.join(near)}?")
        if (times or 0) < 0 or after < 0:
            raise SandboxError(f"times is {times} and after is {after}: neither can be negative")
        asked = ActiveFault(name, times, after, on or self.known[name].on)
        with self._lock:
            self._active.pop(name, None)
            if times != 0:
                self._active[name] = asked
        return asked

    def take(self, name: str, what: str = "") -> bool:
        """Tell whether a fault happens now, and count this opportunity.

        Parameters
        ----------
        name
            Of the fault.
        what
            The opportunity: method and path of a request, or the kind of an event. One that the fault's
            pattern does not match is none.
        """
        with self._lock:
            asked = self._active.get(name)
            if asked is None or not fnmatchcase(what, asked.on):
                return False
            if asked.after:
                self._active[name] = replace(asked, after=asked.after - 1)
                return False
            if asked.times == 1:
                del self._active[name]
            elif asked.times is not None:
                self._active[name] = replace(asked, times=asked.times - 1)
            return True

    def first(self, names: Iterable[str], what: str = "") -> str | None:
        """Return the first of these faults that happens now, None when none does."""
        return next((name for name in names if self.take(name, what)), None)

    def active(self) -> list[ActiveFault]:
        """Return what is still to happen, in the order of the requests."""
        with self._lock:
            return list(self._active.values())

    def clear(self, name: str | None = None) -> None:
        """Take one fault back, or all of them."""
        with self._lock:
            for asked in [name] if name else list(self._active):
                self._active.pop(asked, None)


def as_json(fault: Fault) -> dict[str, Any]:
    """Return a known fault as the control endpoint lists it."""
    return {
        "name": fault.name,
        "surface": str(fault.surface),
        "does": fault.does,
        "vendor": fault.vendor,
        "ours": fault.ours,
        "on": fault.on,
    }
