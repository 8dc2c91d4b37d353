"""The vendor's plans: which keys exist, what each may ask for, and how often."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Plan:
    """What a key may ask for.

    Attributes
    ----------
    name
        As the vendor sells it.
    per_minute
        Requests a minute of simulated time; None is as many as one likes.
    live
        Today's data: bars of the present day, snapshots, streams. Without it days can be asked for once they
        are over.
    fair_value
        Fair market values, in snapshots and streams.
    """

    name: str
    per_minute: int | None
    live: bool
    fair_value: bool


BASIC = Plan("basic", per_minute=5, live=False, fair_value=False)
ADVANCED = Plan("advanced", per_minute=None, live=True, fair_value=False)
BUSINESS = Plan("business", per_minute=None, live=True, fair_value=True)
PLANS = {plan.name: plan for plan in (BASIC, ADVANCED, BUSINESS)}


@dataclass(slots=True)
class Meter:
    """Counts the requests of each key within a sliding minute of simulated time."""

    _asked: dict[str, deque[int]] = field(default_factory=dict)

    def wait(self, key: str, plan: Plan, now: int) -> int:
        """Count a request, unless the plan has none left.

        Returns
        -------
        int
            0 when it may pass, otherwise the whole seconds until one may.
        """
        if plan.per_minute is None:
            return 0
        asked = self._asked.setdefault(key, deque())
        while asked and asked[0] <= now - NS_PER_MINUTE:
            asked.popleft()
        if len(asked) < plan.per_minute:
            asked.append(now)
            return 0
        return -(-(asked[0] + NS_PER_MINUTE - now) // NS_PER_SECOND)

    def clear(self) -> None:
        """Forget every request."""
        self._asked.clear()
