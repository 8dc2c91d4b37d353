"""The simulated market: builds it from a configuration and writes its files.

Directory written by `write`:

    flatfiles/     the published sessions in the vendor's layout, as its bucket holds them
    reference/     splits.csv, dividends.csv, treasury_curves.csv
    market/        what the REST and broker servers serve, the live session included; no vendor format
    manifest.json  the configuration; written last, so that a directory with it is complete
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import polars as pl

from strikelake.errors import SandboxError
from strikelake.sandbox import flat_files
from strikelake.sandbox.bars import day_bars, stock_minutes
from strikelake.sandbox.flat_files import Folder
from strikelake.sandbox.listings import list_contracts
from strikelake.sandbox.paths import StockPaths, stock_paths
from strikelake.sandbox.surface import known_curve, treasury_curves
from strikelake.sandbox.tape import listed, option_minutes, option_quotes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from strikelake.calendar import Session
    from strikelake.sandbox.config import SimulatorConfig

    Progress = Callable[[int, int], None]

FORMAT = 1
"""Raised whenever the simulator would write other bytes for an unchanged configuration."""

MANIFEST = "manifest.json"
_OWN = ("flatfiles", "reference", "market")
_STARTED = "simulating"


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
    """

    config: SimulatorConfig
    paths: StockPaths
    contracts: pl.DataFrame
    curves: pl.DataFrame

    @property
    def published(self) -> tuple[Session, ...]:
        """Sessions that exist as flat files."""
        return self.paths.sessions[:-1]

    @property
    def live(self) -> Session:
        """The session that is served by REST and broker only."""
        return self.paths.sessions[-1]


def simulate(config: SimulatorConfig) -> Market:
    """Simulate the stock market and list the option contracts; a second for sixty sessions of ten symbols."""
    paths = stock_paths(config)
    return Market(config, paths, list_contracts(config, paths), treasury_curves(config, paths))


def session_frames(market: Market, index: int) -> dict[Folder, pl.DataFrame]:
    """Return one session's rows as the vendor's files hold them, by dataset."""
    config, paths = market.config, market.paths
    day = paths.sessions[index].date
    contracts, curve = listed(market.contracts, paths, index), known_curve(market.curves, index)
    minutes = stock_minutes(config, paths, index)
    prints = option_minutes(config, paths, curve, contracts, index)
    quotes, _ = option_quotes(config, paths, curve, contracts, index)
    return {
        Folder.STOCK_DAY_BARS: day_bars(minutes, day),
        Folder.STOCK_MINUTE_BARS: minutes,
        Folder.OPTION_DAY_BARS: day_bars(prints, day),
        Folder.OPTION_MINUTE_BARS: prints,
        Folder.OPTION_QUOTES: quotes,
    }


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
    _write_reference(market, directory / "reference")
    kept: list[pl.DataFrame] = []
    last_quotes = pl.DataFrame()
    for index, session in enumerate(market.paths.sessions):
        frames = session_frames(market, index)
        kept.append(frames[Folder.STOCK_MINUTE_BARS])
        if session != market.live:
            for folder, frame in frames.items():
                flat_files.write(directory / "flatfiles", folder, session.date, frame)
            last_quotes = frames[Folder.OPTION_QUOTES].group_by("ticker", maintain_order=True).last()
        else:
            _write_live(market, index, directory / "market", pl.concat(kept), last_quotes)
        if progress is not None:
            progress(index + 1, len(market.paths.sessions))
    manifest.write_text(json.dumps(wanted, indent=1))
    (directory / _STARTED).unlink()
    return directory


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


def _write_reference(market: Market, folder: Path) -> None:
    folder.mkdir()
    (folder / "splits.csv").write_text("ticker,execution_date,split_from,split_to,prior_close\n")
    (folder / "dividends.csv").write_text("ticker,ex_dividend_date,cash_amount,prior_close,note\n")
    market.curves.write_csv(folder / "treasury_curves.csv")


def _write_live(
    market: Market, index: int, folder: Path, minutes: pl.DataFrame, before: pl.DataFrame
) -> None:
    """Store what the servers need: all stock minutes, and the live session's contracts and quotes.

    Each contract's last quote of the session before is kept too: it is what a snapshot shows before the open.
    """
    folder.mkdir()
    contracts, curve = listed(market.contracts, market.paths, index), known_curve(market.curves, index)
    quotes, state = option_quotes(market.config, market.paths, curve, contracts, index)
    truth = {name: getattr(state, name).ravel() for name in ("implied_vol", "spot", "years", "rate")}
    live = quotes.with_columns(**{name: pl.Series(values) for name, values in truth.items()})
    earlier = before.filter(pl.col("ticker").is_in(contracts["ticker"].to_list()))
    minutes.write_parquet(folder / "stock_minutes.parquet")
    contracts.write_parquet(folder / "contracts.parquet")
    pl.concat([earlier, live], how="diagonal").sort("ticker", "sip_timestamp").write_parquet(
        folder / "quotes.parquet"
    )
