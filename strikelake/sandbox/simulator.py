"""The simulated market: builds it from a configuration and writes its files.

Directory written by `write`:

    flatfiles/     the published sessions in the vendor's layout, as its bucket holds them
    unpublished/   the live session's files in the same layout, for whoever publishes them the day after
    reference/     splits, dividends, earnings, treasury curves, tickers and open interest (CSV), news (one
                   article a line)
    market/        what the servers serve, the live session included; no vendor format, see
                   `strikelake.sandbox.store`
    manifest.json  the configuration; written last, so that a directory with it is complete
"""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import polars as pl

from strikelake.errors import SandboxError
from strikelake.sandbox import flat_files, reference, store
from strikelake.sandbox.curves import treasury_curves
from strikelake.sandbox.flat_files import Folder
from strikelake.sandbox.indices import index_minutes
from strikelake.sandbox.listings import list_contracts, listed
from strikelake.sandbox.paths import StockPaths, stock_paths
from strikelake.sandbox.prints import minute_bars, option_trades
from strikelake.sandbox.schedule import Schedule, schedule
from strikelake.sandbox.seconds import day_bars, second_paths, stock_minutes
from strikelake.sandbox.stock_ticks import stock_quotes, stock_trades
from strikelake.sandbox.surface import VarianceClock, variance_clock
from strikelake.sandbox.tape import option_quotes
from strikelake.sandbox.valuation import OptionState, session_terms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from strikelake.calendar import Session
    from strikelake.sandbox.config import SimulatorConfig

    Progress = Callable[[int, int], None]

FORMAT = 4
"""Raised whenever the simulator would write other bytes for an unchanged configuration."""

MANIFEST = "manifest.json"
_OWN = ("flatfiles", "unpublished", "reference", "market")
_STARTED = "simulating"
_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Market:
    """A simulated market; its sessions are made on demand, each on its own.

    Attributes
    ----------
    config
        What it was made from.
    paths
        Stock prices, volatilities and volumes.
    contracts
        Every option contract; see `strikelake.sandbox.listings.list_contracts`.
    curves
        Treasury yields per session.
    clock
        Trading time, in which variance comes.
    plan
        Dividends, earnings reports and splits.
    """

    config: SimulatorConfig
    paths: StockPaths
    contracts: pl.DataFrame
    curves: pl.DataFrame
    clock: VarianceClock
    plan: Schedule

    @property
    def published(self) -> tuple[Session, ...]:
        """Sessions that exist as flat files."""
        return self.paths.sessions[:-1]

    @property
    def live(self) -> Session:
        """The session that is served by REST and broker only."""
        return self.paths.sessions[-1]


@dataclass(frozen=True, slots=True)
class MarketSession:
    """One session's rows.

    Attributes
    ----------
    index
        Of the session.
    frames
        As the vendor's files hold them, by dataset.
    contracts
        Those listed.
    state
        The true state behind each row of the option quotes.
    """

    index: int
    frames: dict[Folder, pl.DataFrame]
    contracts: pl.DataFrame
    state: OptionState


def simulate(config: SimulatorConfig) -> Market:
    """Simulate the stock market and list the option contracts; a second for sixty sessions of ten symbols."""
    paths = stock_paths(config)
    contracts, curves = list_contracts(config, paths), treasury_curves(config, paths)
    return Market(config, paths, contracts, curves, variance_clock(paths), schedule(config, paths))


def simulate_session(market: Market, index: int, *, ticks: bool | None = None) -> MarketSession:
    """Simulate one session's tape; the same whatever was simulated before.

    Parameters
    ----------
    ticks
        Whether stock trades and quotes belong to it; by default as the configuration says, and in the live
        session always.
    """
    config, paths, clock = market.config, market.paths, market.clock
    session = paths.sessions[index]
    contracts = listed(market.contracts, paths, index)
    terms, group = session_terms(config, paths, clock, market.plan, market.curves, contracts, index)
    seconds = second_paths(config, paths, index)
    stocks, levels = stock_minutes(config, paths, seconds, index), index_minutes(config, paths, clock, index)
    trades = option_trades(config, paths, clock, seconds, terms, contracts, group, index)
    quotes, state = option_quotes(config, paths, clock, terms, contracts, group, index)
    prints = minute_bars(trades)
    frames = {
        Folder.STOCK_DAY_BARS: day_bars(stocks, session.date),
        Folder.STOCK_MINUTE_BARS: stocks,
        Folder.OPTION_DAY_BARS: day_bars(prints, session.date),
        Folder.OPTION_MINUTE_BARS: prints,
        Folder.OPTION_TRADES: trades,
        Folder.OPTION_QUOTES: quotes,
        Folder.INDEX_DAY_BARS: day_bars(levels, session.date),
        Folder.INDEX_MINUTE_BARS: levels,
    }
    if ticks or (ticks is None and (config.stock_ticks or session == market.live)):
        frames[Folder.STOCK_TRADES] = stock_trades(config, session, seconds, index)
        frames[Folder.STOCK_QUOTES] = stock_quotes(config, session, seconds, index)
    return MarketSession(index, frames, contracts, state)


def write(config: SimulatorConfig, directory: Path, progress: Progress | None = None) -> Path:
    """Simulate a market into a directory, or do nothing when it is there already.

    Parameters
    ----------
    config
        The market.
    directory
        A new or empty directory, or one that an earlier call wrote; a market of another configuration in it
        is replaced.
    progress
        Called with (sessions done, sessions in all).

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    SandboxError
        When the directory holds files that no simulation wrote.
    """
    wanted = {"format": FORMAT, "config": json.loads(json.dumps(asdict(config), default=str))}
    manifest = directory / MANIFEST
    if manifest.exists() and json.loads(manifest.read_text()) == wanted:
        return directory
    _clear(directory)
    market = simulate(config)
    reference.write(market, directory / "reference")
    keeper = store.Keeper(market)
    total = len(market.paths.sessions)
    # Threads: the work is compiled code and file compression, which run beside one another.
    with ThreadPoolExecutor(_WORKERS) as pool:
        for done in pool.map(lambda index: _make(market, directory, index), range(total)):
            keeper.keep(done)
            if progress is not None:
                progress(done.index + 1, total)
    keeper.write(directory / "market")
    interest = pl.read_parquet(directory / "market" / "open_interest.parquet")
    reference.write_open_interest(interest, directory / "reference")
    manifest.write_text(json.dumps(wanted, indent=1))
    (directory / _STARTED).unlink()
    return directory


def _make(market: Market, directory: Path, index: int) -> MarketSession:
    """Simulate one session and write its files."""
    made = simulate_session(market, index)
    session = market.paths.sessions[index]
    folder = directory / ("unpublished" if session == market.live else "flatfiles")
    for name, frame in made.frames.items():
        flat_files.write(folder, name, session.date, frame)
    return made


def _clear(directory: Path) -> None:
    """Make room for a new market; only ever delete what an earlier call wrote."""
    directory.mkdir(parents=True, exist_ok=True)
    ours = (directory / MANIFEST).exists() or (directory / _STARTED).exists()
    if not ours and (found := sorted(path.name for path in directory.iterdir())):
        raise SandboxError(
            f"{directory} holds {found[0]}, which no simulation wrote: choose an empty directory"
        )
    (directory / _STARTED).touch()
    (directory / MANIFEST).unlink(missing_ok=True)
    for name in _OWN:
        shutil.rmtree(directory / name, ignore_errors=True)
