"""The journal's file: its tables, its durability, and the lock of its one writer."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from typing import TYPE_CHECKING

from strikelake.errors import JournalError

if TYPE_CHECKING:
    from pathlib import Path

_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (
    client_order_id TEXT PRIMARY KEY, account_id TEXT NOT NULL, asof INTEGER NOT NULL,
    underlying TEXT NOT NULL, strategy TEXT NOT NULL, legs TEXT NOT NULL, quantity INTEGER NOT NULL,
    limit_price TEXT NOT NULL, reason TEXT NOT NULL, max_loss TEXT NOT NULL, exit_at INTEGER,
    direction INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL REFERENCES intents, state TEXT NOT NULL,
    broker_id TEXT, filled_quantity INTEGER NOT NULL, average_price TEXT, at INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS events_by_order ON events (client_order_id, sequence);
CREATE TABLE IF NOT EXISTS settlements (
    client_order_id TEXT PRIMARY KEY REFERENCES intents, at INTEGER NOT NULL, detail TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS splits (
    ticker TEXT NOT NULL, ex_date TEXT NOT NULL, ratio TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (ticker, ex_date)
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    date TEXT NOT NULL, account_id TEXT NOT NULL, opening_equity TEXT NOT NULL,
    halted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (date, account_id)
) STRICT;
"""


def lock(path: Path) -> int:
    """Hold the writer's lock of a journal until the handle is closed or the process ends.

    Raises
    ------
    JournalError
        When another process holds it; the message has its number.
    """
    handle = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise JournalError(
            f"{path} is being written by process {holder}: one trader per journal, stop that one first"
        ) from error
    os.truncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    return handle


def open_database(path: Path) -> sqlite3.Connection:
    """Open a journal's file and create what is missing in it.

    Raises
    ------
    JournalError
        When the file is of another version, or no journal at all.
    """
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA foreign_keys=ON")
        _check_version(db, path)
        db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={_VERSION}; COMMIT;")
    except sqlite3.DatabaseError as error:
        db.close()
        raise JournalError(
            f"{path} cannot be read as an order journal ({error}): restore it from a backup"
        ) from error
    except BaseException:
        db.close()
        raise
    return db


def _check_version(db: sqlite3.Connection, path: Path) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    # Version 1 had no splits; what is missing is created.
    if version > _VERSION:
        raise JournalError(
            f"{path} is a journal of version {version}, not {_VERSION}: use the release that wrote it"
        )
