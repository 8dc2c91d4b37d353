"""The whole line on the embedded local market."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flows.local_market import variables
from flows.misspelt import NAMED_VARIABLES
from flows.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rich.console import Console

    from strikelake.sandbox.launch import RunningSandbox


def run_demo(sandbox: RunningSandbox, began: float, console: Console) -> None:
    """Ingest, price, train, backtest and trade; print a summary and where to look further.

    What earlier demos left below `data/demo` is removed but for the simulated market; models go into the
    MLflow experiment `strikelake-demo`.

    Parameters
    ----------
    sandbox
        The local market.
    began
        When the demo did, as `time.perf_counter` says: it counts the seconds since.
    console
        Where to print.
    """
    from flows import facts, tables
    from flows.live_trade import live_trade
    from flows.research import research

    settings = load()
    folder = settings.path("data/demo")
    for name in ("lake", "reports", "journal", "requests.db", "summary.json"):
        _remove(folder / name)
    with _environment(variables(sandbox, folder)):
        console.print(
            f"local market: {sandbox.first_session} to {sandbox.last_session} as flat files, "
            f"{sandbox.live_session} live"
        )
        done = research(
            start=sandbox.first_session,
            end=sandbox.last_session,
            reference=sandbox.directory / "reference",
            bar="30m",
        )
        traded = live_trade(session=sandbox.live_session)
        seconds = time.perf_counter() - began
        found = facts.of(done, traded)
        (folder / "summary.json").write_text(json.dumps(found, indent=1))
        console.print(tables.summary(done, traded, seconds))
        where = (done.backtested.page, folder / "lake", sandbox.last_session)
        console.print(tables.whereabouts(*where, digest(found)), soft_wrap=True)


def digest(content: Mapping[str, Any]) -> str:
    """Return a short name of a summary's content."""
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables for a while; the user's own keys must not reach the local market, nor the reverse."""
    before = dict(os.environ)
    for name in NAMED_VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
