"""One request budget for all processes that share a vendor's key.

Bookings are rows of a small SQLite file, and not a JSON file under a lock: a process killed while it writes
leaves the file whole, and its lock goes with it. It keeps the rollback journal: the write-ahead log helps
readers, of which there are none, and two processes that switch it on at once fail (seen).

A request is booked for the first moment at which the budget allows it, in one transaction, and its process
sleeps until that moment without holding a lock. So requests leave in the order in which they were asked for,
whatever process asked, a restart forgets nothing, and a process that dies waiting costs its one booking.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from strikelake.calendar import NS_PER_SECOND, SystemClock, et_date, et_ns, iso
from strikelake.errors import ConfigError, VendorUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strikelake.calendar import Clock

# A second more than the vendor's minute: requests do not arrive at intervals as exact as those they left at.
_WINDOW_NS = 61 * NS_PER_SECOND
_PATIENCE_NS = 120 * NS_PER_SECOND
# Bookings further ahead than anybody waits were made by a clock that has been set back since.
_FURTHEST_NS = 3_600 * NS_PER_SECOND
_LOCK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Budget:
    """Requests that may be made: in any minute, and from midnight to midnight in New York."""

    per_minute: int
    per_day: int


@dataclass(frozen=True, slots=True)
class Used:
    """Requests booked within the last minute, later ones included, and for the present day in New York."""

    minute: int
    day: int


class RequestLimiter:
    """Lets requests pass at the rate of a budget.

    Parameters
    ----------
    path
        The file that all processes of one key share; made when it is first used.
    budget
        What may be spent. Processes may have different ones: each books by its own.
    clock
        Where the time comes from; all users of one file use one time.
    patience_ns
        How long `acquire` waits at most.
    window_ns
        What counts as a minute.

    Attributes
    ----------
    budget, patience_ns
        As given; nobody waits for more than an hour.

    Notes
    -----
    The count survives the end of any process, however it ends.
    """

    def __init__(
        self,
        path: str | Path,
        budget: Budget,
        clock: Clock | None = None,
        *,
        patience_ns: int = _PATIENCE_NS,
        window_ns: int = _WINDOW_NS,
    ) -> None:
        self._path = Path(path)
        self.budget = budget
        self._clock = clock or SystemClock()
        self.patience_ns = min(patience_ns, _FURTHEST_NS)
        self._window_ns = window_ns

    def acquire(self) -> None:
        """Return when one request may be made; it then counts as made.

        Raises
        ------
        VendorUnavailableError
            When the day's budget is used up, or the wait would be longer than the patience.
        ConfigError
            When the file cannot be used.
        """
        with self._ledger() as ledger:
            now = self._clock.now()
            ledger.execute("delete from bookings where moment > ?", (now + _FURTHEST_NS,))
            moment = self._first_free(ledger, now)
            self._require_day(ledger, moment)
            ledger.execute("insert into bookings values (?)", (moment,))
            yesterday = et_ns(et_date(now) - timedelta(days=1), "00:00")
            ledger.execute("delete from bookings where moment < ?", (yesterday,))
        if moment > now:
            self._clock.sleep_until(moment)

    def hold(self, seconds: float) -> None:
        """Let nobody pass for a while: the vendor has answered 429, and said for how long.

        Parameters
        ----------
        seconds
            From now. A hold that ends later stays.
        """
        with self._ledger() as ledger:
            until = self._clock.now() + round(seconds * NS_PER_SECOND)
            ledger.execute("insert into holds values (?)", (until,))

    def used(self) -> Used:
        """Return what has been booked."""
        with self._ledger() as ledger:
            now = self._clock.now()
            minute = _count(ledger, now - self._window_ns + 1, now + _FURTHEST_NS)
            return Used(minute, _count(ledger, *_day(now)))

    def _first_free(self, ledger: sqlite3.Connection, now: int) -> int:
        """Return the first moment with room in the minute before it, after all earlier bookings."""
        query = "select moment from bookings order by moment desc limit ?"
        recent: list[int] = [moment for (moment,) in ledger.execute(query, (self.budget.per_minute,))]
        ledger.execute("delete from holds where until <= ? or until > ?", (now, now + 24 * _FURTHEST_NS))
        held: int | None = ledger.execute("select max(until) from holds").fetchone()[0]
        room = recent[-1] + self._window_ns if len(recent) == self.budget.per_minute else now
        moment = max(now, held or now, room, *recent[:1])
        if moment - now > self.patience_ns:
            why = "the vendor asked for a pause" if held == moment else f"{self._says()} is taken"
            raise VendorUnavailableError(
                f"no request before {iso(moment)}: {why}; try again then, or run fewer processes at once"
            )
        return moment

    def _require_day(self, ledger: sqlite3.Connection, moment: int) -> None:
        if _count(ledger, *_day(moment)) >= self.budget.per_day:
            tomorrow = et_date(moment) + timedelta(days=1)
            raise VendorUnavailableError(
                f"the day's budget of {self.budget.per_day} requests is used up (requests.per_day of the "
                f"tier, counted in {self._path}): it starts again at {tomorrow} 00:00 New York time"
            )

    def _says(self) -> str:
        return f"the budget of {self.budget.per_minute} requests per minute (requests.per_minute of the tier)"

    @contextmanager
    def _ledger(self) -> Iterator[sqlite3.Connection]:
        """Yield the file inside a write transaction, which other processes wait for."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=_LOCK_SECONDS, isolation_level=None)) as ledger:
                ledger.execute("begin immediate")
                ledger.execute("create table if not exists bookings (moment integer not null)")
                ledger.execute("create index if not exists by_moment on bookings (moment)")
                ledger.execute("create table if not exists holds (until integer not null)")
                yield ledger
                ledger.execute("commit")
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                f"the request budget cannot be kept in {self._path} ({error}): remove the file or make "
                "its folder writable; it is rest.budget_file"
            ) from error


def _count(ledger: sqlite3.Connection, first: int, end: int) -> int:
    """Return the bookings with `first <= moment < end`."""
    query = "select count(*) from bookings where moment >= ? and moment < ?"
    return int(ledger.execute(query, (first, end)).fetchone()[0])


def _day(moment: int) -> tuple[int, int]:
    """Return the first moment of a moment's day in New York and that of the next day."""
    day = et_date(moment)
    return et_ns(day, "00:00"), et_ns(day + timedelta(days=1), "00:00")
