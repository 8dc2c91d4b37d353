"""The order journal: every intent on disk before it is sent, every change after it, nothing overwritten.

SQLite in WAL mode with synchronous=FULL, so that a committed line survives the loss of power. One process
writes.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Self

from strikelake.errors import JournalError
from strikelake.journal.database import lock, open_database
from strikelake.journal.rows import INSERT_INTENT, RECORDS, intent_row, read_record
from strikelake.journal.states import IntentState, check_step
from strikelake.journal.trades import Trades, match_trades
from strikelake.splits import Split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from strikelake.journal.states import IntentRecord
    from strikelake.orders import Leg, OrderIntent, OrderState


class IntentJournal:
    """The journal of one file; a context manager.

    Parameters
    ----------
    path
        The database; its folder is created. A `.lock` file beside it marks the one writer; the system
        releases it when that process ends, however it ends.

    Raises
    ------
    JournalError
        When another process writes this journal, or the file is no journal of this version.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = lock(self._path)
        try:
            self._db = open_database(self._path)
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let the next writer in."""
        self._db.close()
        os.close(self._lock)

    def record(self, intents: Sequence[OrderIntent], account_id: str, at: int) -> list[IntentRecord]:
        """Write intents down before any is sent, all or none; what was written under a name before stays.

        A decision made again after a crash sees other quotes and may set another price or size. What was
        written, and perhaps sent, first is the one that counts, so callers send what this returns.

        Parameters
        ----------
        intents
            What is about to be sent, such as all orders of a decision: they share one flush to the disk.
        account_id
            The account they are for.
        at
            Now, ns UTC.

        Returns
        -------
        list of IntentRecord
            Each intent as first written and what is known of it: INTENDED and `is_new` when it was written
            by this call.

        Raises
        ------
        JournalError
            When another decision has a client_order_id.
        """
        if not intents:
            return []
        with self._transaction():
            new = [self._insert(intent, account_id, at) for intent in intents]
        return [
            replace(self._known(intent.client_order_id), is_new=is_new)
            for intent, is_new in zip(intents, new, strict=True)
        ]

    def update(self, order: OrderState, at: int, detail: str = "") -> IntentRecord:
        """Note what the broker says of an order; hearing the same again writes nothing.

        Raises
        ------
        JournalError
            When no such intent was recorded, or the step cannot happen; see `states.check_step`.
        """
        known, state = self._known(order.client_order_id), IntentState(order.status.value)
        check_step(known, state, order.filled_quantity)
        said = (state, order.broker_id, order.filled_quantity, order.average_price)
        if said == (known.state, known.broker_id, known.filled_quantity, known.average_price):
            return known
        with self._transaction():
            self._append(order.client_order_id, *said, at, detail)
        return self._known(order.client_order_id)

    def mark(self, client_order_id: str, state: IntentState, at: int, detail: str = "") -> IntentRecord:
        """Note what we found out without an order to show for it: UNKNOWN, NEVER_SENT or REJECTED.

        Raises
        ------
        JournalError
            As `update`.
        """
        known = self._known(client_order_id)
        check_step(known, state, known.filled_quantity)
        if known.state is not state:
            with self._transaction():
                self._append(client_order_id, state, known.broker_id, known.filled_quantity, None, at, detail)
        return self._known(client_order_id)

    def settle(self, client_order_id: str, at: int, detail: str) -> None:
        """Note that a holding is gone without an order of ours: expired, exercised or closed by hand."""
        self._known(client_order_id)
        with self._transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO settlements VALUES (?,?,?)", (client_order_id, at, detail)
            )

    def find(self, client_order_id: str) -> IntentRecord | None:
        """Return what is known of an intent; None when it was never recorded."""
        found = self._records("WHERE i.client_order_id = ?", (client_order_id,))
        return found[0] if found else None

    def records(self, account_id: str, since: int = 0, until: int | None = None) -> list[IntentRecord]:
        """Return an account's intents decided in [since, until), ns UTC, in the order of their decisions."""
        end = 2**63 - 1 if until is None else until
        return self._records(
            "WHERE i.account_id = ? AND i.asof >= ? AND i.asof < ?", (account_id, since, end)
        )

    def open_intents(self, account_id: str) -> list[IntentRecord]:
        """Return the intents that can still become fills: intended, unknown, and working at the broker."""
        names = [state.value for state in IntentState if state.is_open]
        marks = ",".join("?" * len(names))
        return self._records(f"WHERE i.account_id = ? AND e.state IN ({marks})", (account_id, *names))

    def adopt(self, split: Split, at: int) -> bool:
        """Note a split that has come into force; returns False, and writes nothing, where it was known.

        Raises
        ------
        JournalError
            When it was known with another ratio: holdings were counted by it.
        """
        key = (split.ticker, str(split.ex_date))
        known = self._db.execute("SELECT ratio FROM splits WHERE ticker = ? AND ex_date = ?", key).fetchone()
        if known is None:
            with self._transaction():
                self._db.execute("INSERT INTO splits VALUES (?,?,?,?)", (*key, str(split.ratio), at))
        elif Fraction(known[0]) != split.ratio:
            raise JournalError(
                f"{self._path} knows the split of {split.ticker} on {split.ex_date} as {known[0]} new shares "
                f"for one and now hears {split.ratio}: find out which is right and correct the other"
            )
        return known is None

    def trades(self, account_id: str) -> Trades:
        """Return what an account holds and what it has closed, from fills and splits alone."""
        settled = frozenset(name for (name,) in self._db.execute("SELECT client_order_id FROM settlements"))
        rows = self._db.execute("SELECT ticker, ex_date, ratio FROM splits ORDER BY ex_date, ticker")
        splits = [Split(ticker, date.fromisoformat(day), Fraction(ratio)) for ticker, day, ratio in rows]
        return match_trades(self.records(account_id), settled, splits)

    def history(self, client_order_id: str) -> list[tuple[IntentState, int]]:
        """Return an intent's states with the time each was learned, ns UTC, oldest first."""
        query = "SELECT state, at FROM events WHERE client_order_id = ? ORDER BY sequence"
        return [(IntentState(state), at) for state, at in self._db.execute(query, (client_order_id,))]

    def open_session(self, session: date, account_id: str, equity: Decimal) -> tuple[Decimal, bool]:
        """Keep the first equity seen in a session, so that a restart does not forget the day's loss.

        Returns
        -------
        tuple of Decimal and bool
            The session's opening equity in dollars, and whether its entries were halted.
        """
        key = (str(session), account_id)
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO sessions VALUES (?,?,?,0)", (*key, str(equity)))
        query = "SELECT opening_equity, halted FROM sessions WHERE date = ? AND account_id = ?"
        opening, halted = self._db.execute(query, key).fetchone()
        return Decimal(opening), bool(halted)

    def halt_session(self, session: date, account_id: str) -> None:
        """Note that a session's entries are halted; a restart does not lift it."""
        with self._transaction():
            self._db.execute(
                "UPDATE sessions SET halted = 1 WHERE date = ? AND account_id = ?", (str(session), account_id)
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit as one, flushed to the disk; a full disk or a vanished file becomes an error of ours."""
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                yield
        except sqlite3.Error as error:
            raise JournalError(
                f"{self._path} cannot be written ({error}): nothing is sent without it, make room there"
            ) from error

    def _insert(self, intent: OrderIntent, account_id: str, at: int) -> bool:
        """Write an intent inside a transaction, unless its decision is there; return whether it was not."""
        known = self.find(intent.client_order_id)
        if known is not None:
            if (_decision(known.intent), known.account_id) != (_decision(intent), account_id):
                raise JournalError(
                    f"{self._path} has another decision named {intent.client_order_id}: raise its attempt"
                )
            return False
        self._db.execute(INSERT_INTENT, intent_row(intent, account_id))
        self._append(intent.client_order_id, IntentState.INTENDED, None, 0, None, at, "")
        return True

    def _append(
        self,
        client_order_id: str,
        state: IntentState,
        broker_id: str | None,
        filled_quantity: int,
        average_price: Decimal | None,
        at: int,
        detail: str,
    ) -> None:
        price = None if average_price is None else str(average_price)
        self._db.execute(
            "INSERT INTO events VALUES (NULL,?,?,?,?,?,?,?)",
            (client_order_id, state.value, broker_id, filled_quantity, price, at, detail),
        )

    def _known(self, client_order_id: str) -> IntentRecord:
        known = self.find(client_order_id)
        if known is None:
            raise JournalError(
                f"{self._path} has no intent named {client_order_id}: record it before it is sent"
            )
        return known

    def _records(self, where: str, parameters: Sequence[str | int]) -> list[IntentRecord]:
        query = f"{RECORDS} {where} ORDER BY i.asof, i.rowid"
        return [read_record(row) for row in self._db.execute(query, parameters)]


def _decision(intent: OrderIntent) -> tuple[int, str, frozenset[Leg]]:
    return intent.asof, intent.strategy, frozenset(intent.legs)
