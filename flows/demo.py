"""The whole line on the embedded local market, and the market by itself."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flows import progress
from flows.settings import NAMED_VARIABLES, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rich.console import Console

    from strikelake.sandbox.config import SimulatorConfig
    from strikelake.sandbox.launch import RunningSandbox

_BALANCE = 25_000


def run_demo(*, seed: int, sessions: int, console: Console) -> None:
    """Simulate, serve, ingest, price, train, backtest and trade; print a summary and where to look further.

    What earlier demos left below `data/demo` is removed, the simulated market is kept where seed and sessions
    are the same; models go into the MLflow experiment `strikelake-demo`.
    """
    from flows import facts, tables
    from flows.live_trade import live_trade
    from flows.research import research

    settings = load()
    folder = settings.path("data/demo")
    for name in ("lake", "reports", "journal", "requests.db", "summary.json"):
        _remove(folder / name)
    began = time.perf_counter()
    with _sandbox(folder / "market", seed, sessions) as sandbox, _environment(variables(sandbox, folder)):
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
        console.print(tables.whereabouts(done.backtested.page, digest(found)), soft_wrap=True)


def serve_sandbox(*, seed: int, sessions: int, console: Console) -> None:
    """Serve the local market until interrupted."""
    folder = load().path("data/sandbox")
    with _sandbox(folder / "market", seed, sessions) as sandbox:
        lines = [f"export {name}={value}" for name, value in variables(sandbox, folder).items()]
        console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
        console.print("# paste these into another shell; Ctrl-C here stops the market", style="dim")
        sandbox.process.wait()


def variables(sandbox: RunningSandbox, folder: Path) -> dict[str, str]:
    """Return the environment that points Strikelake at a running sandbox, with its own lake in `folder`."""
    return {
        "POLYGON_API_KEY": sandbox.api_key,
        "POLYGON_REST_ENDPOINT": sandbox.rest_url,
        "POLYGON_S3_ENDPOINT": sandbox.s3_endpoint,
        "POLYGON_S3_BUCKET": sandbox.bucket,
        "POLYGON_S3_ACCESS_KEY": sandbox.access_key,
        "POLYGON_S3_SECRET_KEY": sandbox.secret_key,
        "ALPACA_API_KEY": sandbox.broker_key,
        "ALPACA_SECRET_KEY": sandbox.broker_secret,
        "ALPACA_ENDPOINT": sandbox.broker_url,
        "ACCOUNT_BALANCE": str(_BALANCE),
        "RISK_TOLERANCE": "medium",
        "TRADING_MODE": "paper",
        "STRIKELAKE_CLOCK__ENDPOINT": sandbox.clock_url,
        "STRIKELAKE_LAKE__ROOT": str(folder / "lake"),
        "STRIKELAKE_REST__BUDGET_FILE": str(folder / "requests.db"),
        "STRIKELAKE_REST__SETTLE_SECONDS": "0",
        "STRIKELAKE_REPORTS": str(folder / "reports"),
        "STRIKELAKE_TRADING__JOURNAL": str(folder / "journal" / "intents.db"),
        "STRIKELAKE_TRACKING__EXPERIMENT": "strikelake-demo",
        "STRIKELAKE_TRACKING__MODEL": "demo-direction",
    }


def digest(content: Mapping[str, Any]) -> str:
    """Return a short name of a summary's content."""
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@contextmanager
def _sandbox(directory: Path, seed: int, sessions: int) -> Iterator[RunningSandbox]:
    from strikelake.sandbox.config import SimulatorConfig
    from strikelake.sandbox.launch import start

    config = trading_after_a_gap(SimulatorConfig(seed=seed, sessions=sessions))
    step = progress.advance("simulated sessions")
    with start(config, directory, step) as sandbox:
        # A market that is there already reports no steps of its own.
        step(config.sessions + 1, config.sessions + 1)
        yield sandbox


def trading_after_a_gap(config: SimulatorConfig) -> SimulatorConfig:
    """Return the market with up to four sessions less, so that no session is the day before the live one.

    Files appear at 11:00 of the next day: on most days yesterday's come in the middle of the session, and
    Friday's are there on Monday morning.
    """
    from strikelake.sandbox.paths import market_sessions

    found = [session.date for session in market_sessions(config)]
    gaps = (n for n in range(len(found) - 1, 0, -1) if (found[n] - found[n - 1]).days > 1)
    return replace(config, sessions=next(gaps, config.sessions))


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
