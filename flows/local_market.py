"""The embedded local market: start it, and point Strikelake at it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from flows import progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from strikelake.sandbox.addresses import Addresses
    from strikelake.sandbox.config import SimulatorConfig
    from strikelake.sandbox.launch import RunningSandbox

_BALANCE = 25_000


@contextmanager
def served(directory: Path, *, seed: int, sessions: int, port: int = 0) -> Iterator[RunningSandbox]:
    """Serve a simulated market as long as the context lasts, with a progress bar while it is made."""
    with started(directory, seed=seed, sessions=sessions, port=port) as sandbox:
        yield sandbox


def started(
    directory: Path,
    *,
    seed: int,
    sessions: int,
    symbols: Iterable[str] | None = None,
    port: int = 0,
    detached: bool = False,
) -> RunningSandbox:
    """Start a simulated market, with a progress bar while it is made.

    Parameters
    ----------
    directory
        Of the market's files; a market of the same seed and sessions is used again.
    seed, sessions
        Of the simulator; see `trading_after_a_gap`.
    symbols
        Underlyings; None is all there are.
    port
        Where to serve; 0 is any free one.
    detached
        Whether it goes on when this process ends.
    """
    from strikelake.sandbox.config import SimulatorConfig
    from strikelake.sandbox.launch import start

    config = SimulatorConfig(seed=seed, sessions=sessions)
    if symbols:
        config = replace(config, symbols=tuple(symbols))
    config = trading_after_a_gap(config)
    step = progress.advance("simulated sessions")
    sandbox = start(config, directory, step, port=port, detached=detached)
    # A market that is there already reports no steps of its own.
    step(config.sessions + 1, config.sessions + 1)
    return sandbox


def trading_after_a_gap(config: SimulatorConfig) -> SimulatorConfig:
    """Return the market with up to four sessions less, so that no session is the day before the live one.

    Files appear at 11:00 of the next day: on most days yesterday's come in the middle of the session, and
    Friday's are there on Monday morning.
    """
    from strikelake.sandbox.paths import market_sessions

    found = [session.date for session in market_sessions(config)]
    gaps = (n for n in range(len(found) - 1, 0, -1) if (found[n] - found[n - 1]).days > 1)
    return replace(config, sessions=next(gaps, config.sessions))


def variables(sandbox: Addresses, folder: Path) -> dict[str, str]:
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
