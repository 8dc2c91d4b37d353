"""Forecasts as signals, when they are acted on and when they run out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from typing import TYPE_CHECKING

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, Session, et_date, sessions
from strikelake.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

DECISION_MINUTES = 30

WITHDRAWAL_NS = 5 * NS_PER_SECOND
"""How long before a decision the orders of the one before are withdrawn.

The broker's answer to a cancellation takes a moment: with it the positions and the cash are settled when the
decision is made. Backtests withdraw at the same moment, so that neither fills what the other does not.
"""


@dataclass(frozen=True, slots=True)
class Signal:
    """One forecast to act on.

    Attributes
    ----------
    asof
        Decision time it is for, ns UTC; everything in it was known then.
    underlying
        Ticker.
    exit_at
        End of the forecast's horizon, ns UTC: a trade on it is closed then.
    probability
        That the underlying is higher at the horizon's end, 0 to 1.
    """

    asof: int
    underlying: str
    exit_at: int
    probability: float

    @property
    def edge(self) -> float:
        """Distance of the probability from a coin flip, 0 to 0.5."""
        return abs(self.probability - 0.5)

    @property
    def direction(self) -> int:
        """+1 when a rise is more likely, else -1."""
        return 1 if self.probability > 0.5 else -1  # noqa: PLR2004 - a half is the coin flip


def actionable(signals: Iterable[Signal], min_edge: float) -> tuple[Signal, ...]:
    """Return the signals strong enough to act on, the strongest first, then by symbol.

    Parameters
    ----------
    signals
        In any order; the result does not depend on it.
    min_edge
        Smallest distance from 0.5 that counts, exclusive. A probability that is not a number never counts.
    """
    strong = [s for s in signals if isfinite(s.probability) and s.edge > min_edge]
    return tuple(sorted(strong, key=lambda s: (-s.edge, s.underlying, -s.probability, s.asof, s.exit_at)))


def decision_times(session: Session) -> tuple[int, ...]:
    """Return when decisions are made in a session, ns UTC.

    The end of every 30-minute bar after which at least one more bar remains: 10:00 to 15:30 ET, to 12:30 on
    half days.

    Examples
    --------
    >>> from datetime import date
    >>> from strikelake.calendar import iso, session
    >>> times = decision_times(session(date(2025, 1, 2)))
    >>> len(times), iso(times[0]), iso(times[-1])
    (12, '2025-01-02 10:00:00 ET', '2025-01-02 15:30:00 ET')
    """
    step = DECISION_MINUTES * NS_PER_MINUTE
    return tuple(range(session.open_ns + step, session.close_ns - step + 1, step))


def exit_time(asof: int, bar: str, horizon: int) -> int:
    """Return the end of a forecast's horizon: the end of the `horizon`-th bar after `asof`, ns UTC.

    Parameters
    ----------
    asof
        End of the bar that the forecast was made on, ns UTC.
    bar
        `1d`, or minutes such as `30m`; minute bars are counted from each session's open.
    horizon
        Bars ahead, at least 1; they run on into the next sessions.

    Raises
    ------
    ConfigError
        When bar or horizon is not understood.
    """
    step = _bar_ns(bar)
    if horizon < 1:
        raise ConfigError(f"a horizon of {horizon} bars forecasts nothing: use 1 or more")
    day = et_date(asof)
    left = horizon
    for session in sessions(day, day + timedelta(days=2 * horizon + 14)):
        first = session.open_ns + step if step else session.close_ns
        ends = [*range(first, session.close_ns, step), session.close_ns] if step else [first]
        ahead = [end for end in ends if end > asof]
        if left <= len(ahead):
            return ahead[left - 1]
        left -= len(ahead)
    raise ConfigError(f"the calendar ends before {horizon} bars of {bar} have passed: shorten the horizon")


def _bar_ns(bar: str) -> int:
    """Return a bar's length in ns; 0 is one session."""
    if bar == "1d":
        return 0
    minutes = bar.removesuffix("m")
    if not bar.endswith("m") or not minutes.isdecimal() or int(minutes) == 0:
        raise ConfigError(f"bar {bar!r} is not understood: use 1d or minutes such as 30m")
    return int(minutes) * NS_PER_MINUTE
