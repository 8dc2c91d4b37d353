"""What the sandbox's servers read: the market's tables as Parquet, no vendor's format.

    stock_minutes      all sessions, unadjusted
    index_minutes      all sessions
    option_days        all sessions
    stock_seconds, stock_trades, stock_quotes, option_minutes, option_trades
                       the live session
    quotes             option quotes of the live session with the truth behind them, and each contract's last
                       quote of the session before: what a snapshot shows before the open
    contracts          those of the live session, with the open interest known that morning
    all_contracts      every contract ever listed
    open_interest      after each published session, and after the one before the first

Their columns are those of the flat files, of `strikelake.sandbox.listings.list_contracts` and of
`strikelake.sandbox.open_interest.open_interest`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from strikelake.sandbox.flat_files import Folder
from strikelake.sandbox.open_interest import open_interest
from strikelake.sandbox.stock_ticks import second_bars

if TYPE_CHECKING:
    from pathlib import Path

    from strikelake.sandbox.simulator import Market, MarketSession

_TRUTH = ("implied_vol", "value", "spot", "forward", "years", "rate")
_LIVE = {
    "stock_trades": Folder.STOCK_TRADES,
    "stock_quotes": Folder.STOCK_QUOTES,
    "option_minutes": Folder.OPTION_MINUTE_BARS,
    "option_trades": Folder.OPTION_TRADES,
}
_ALL = {
    "stock_minutes": Folder.STOCK_MINUTE_BARS,
    "index_minutes": Folder.INDEX_MINUTE_BARS,
    "option_days": Folder.OPTION_DAY_BARS,
}


@dataclass(slots=True)
class Keeper:
    """Takes the sessions of a market in order and keeps what the servers need of them."""

    market: Market
    _kept: dict[str, list[pl.DataFrame]] = field(default_factory=lambda: {name: [] for name in _ALL})
    _before: pl.DataFrame = field(default_factory=pl.DataFrame)
    _live: MarketSession | None = None

    def keep(self, session: MarketSession) -> None:
        """Take the next session."""
        for name, folder in _ALL.items():
            self._kept[name].append(session.frames[folder])
        if session.index < len(self.market.paths.sessions) - 1:
            quotes = session.frames[Folder.OPTION_QUOTES]
            self._before = quotes.group_by("ticker", maintain_order=True).last()
        else:
            self._live = session

    def write(self, folder: Path) -> None:
        """Write the tables; every session must have been kept."""
        live, market = self._live, self.market
        if live is None:
            raise RuntimeError("the live session was not simulated: keep all sessions first")
        folder.mkdir()
        tables = {name: pl.concat(frames) for name, frames in self._kept.items()}
        tables |= {name: live.frames[source] for name, source in _LIVE.items()}
        tables["stock_seconds"] = second_bars(live.frames[Folder.STOCK_TRADES])
        volumes = [frame.select("ticker", "volume") for frame in self._kept["option_days"][:-1]]
        tables["open_interest"] = open_interest(market.config, market.paths, market.contracts, volumes)
        tables["all_contracts"] = market.contracts
        tables["contracts"] = self._contracts(live, tables["open_interest"])
        tables["quotes"] = self._quotes(live)
        for name, frame in tables.items():
            frame.write_parquet(folder / f"{name}.parquet")

    def _contracts(self, live: MarketSession, interest: pl.DataFrame) -> pl.DataFrame:
        """Return the live contracts with the open interest after the session before; 0 for new ones."""
        last = interest.filter(pl.col("date") == self.market.published[-1].date)
        return live.contracts.join(
            last.select("ticker", "open_interest"), on="ticker", how="left", maintain_order="left"
        ).with_columns(pl.col("open_interest").fill_null(0))

    def _quotes(self, live: MarketSession) -> pl.DataFrame:
        truth = [pl.Series(name, getattr(live.state, name)) for name in _TRUTH]
        quotes = live.frames[Folder.OPTION_QUOTES].with_columns(*truth)
        earlier = self._before.filter(pl.col("ticker").is_in(live.contracts["ticker"].to_list()))
        return pl.concat([earlier, quotes], how="diagonal").sort(
            "ticker", "sip_timestamp", maintain_order=True
        )
