"""Open interest: how many contracts of the simulated market are open after each session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import et_ns, next_session, previous_session
from strikelake.sandbox.paths import StockPaths, Stream, generator
from strikelake.sandbox.tape import days_left, deviations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from strikelake.sandbox.config import SimulatorConfig

PUBLISHED = "06:30"
"""When the clearing house's counts of a session are out, New York time of the next session."""

# Of the contracts traded, the share that opens: from closing a third to opening six in ten.
_OPENING = (-0.35, 0.60)
_STARTED = 600.0


def open_interest(
    config: SimulatorConfig, paths: StockPaths, contracts: pl.DataFrame, volumes: Sequence[pl.DataFrame]
) -> pl.DataFrame:
    """Return open interest after each session, and after the one before the first.

    It starts as a guess for what is listed when the market begins, changes by no more than is traded, and is
    multiplied when a split adjusts a contract.

    Parameters
    ----------
    contracts
        All contracts, sorted by ticker; see `strikelake.sandbox.listings.list_contracts`.
    volumes
        ticker and volume of the option day bars of the first sessions, one frame each.

    Returns
    -------
    pl.DataFrame
        Sorted by date and ticker: date (the session whose end it describes), ticker, open_interest,
        available_at (06:30 ET of the next session, ns UTC). Contracts are there while they trade.
    """
    first = contracts["first_session"].to_numpy()
    last = contracts["last_session"].to_numpy()
    expirations = contracts["expiration"].to_numpy()
    days = [previous_session(paths.sessions[0].date).date, *(s.date for s in paths.sessions)]
    ratio, before = contracts["ratio"].to_numpy(), _before(contracts)
    counts = _start(config, paths, contracts)
    frames = [_frame(days[0], contracts, counts, first == 0)]
    for index, volume in enumerate(volumes):
        adjusted = (first == index) & (before >= 0)
        counts[adjusted] = counts[before[adjusted]] * ratio[adjusted]
        traded = contracts.join(volume, on="ticker", how="left", maintain_order="left")["volume"]
        rng = generator(config, Stream.INTEREST, index)
        share = rng.uniform(*_OPENING, contracts.height)
        change = np.rint(traded.fill_null(0).to_numpy() * share).astype(np.int64)
        counts = np.maximum(counts + change, 0)
        day = paths.sessions[index].date
        open_ = (first <= index) & (last >= index) & (expirations >= np.datetime64(day))
        frames.append(_frame(day, contracts, counts, open_))
    return pl.concat(frames)


def _start(config: SimulatorConfig, paths: StockPaths, contracts: pl.DataFrame) -> NDArray[np.int64]:
    """Return counts at the start: more where more is traded, near the money and on far expirations alike."""
    rng = generator(config, Stream.INTEREST, len(paths.sessions) + 1)
    away = deviations(contracts, paths, config, 0)
    usual = _STARTED * contracts["activity"].to_numpy() * np.exp(-0.3 * away**2)
    waiting = np.minimum(days_left(contracts, paths, 0) / 30.0, 2.0)
    counts = usual * waiting * np.exp(0.8 * rng.standard_normal(contracts.height))
    return np.where(contracts["first_session"].to_numpy() == 0, counts, 0.0).astype(np.int64)


def _before(contracts: pl.DataFrame) -> NDArray[np.int64]:
    """Return the row of each contract's predecessor before a split; -1 for none."""
    rows = contracts.select("ticker").with_row_index("row")
    found = contracts.join(
        rows, left_on="adjusted_from", right_on="ticker", how="left", maintain_order="left"
    )
    return found["row"].cast(pl.Int64).fill_null(-1).to_numpy()


def _frame(
    day: date, contracts: pl.DataFrame, counts: NDArray[np.int64], kept: NDArray[np.bool_]
) -> pl.DataFrame:
    return (
        contracts.select("ticker")
        .with_columns(pl.Series("open_interest", counts))
        .filter(pl.Series(kept))
        .select(
            pl.lit(day).alias("date"),
            "ticker",
            "open_interest",
            pl.lit(et_ns(next_session(day).date, PUBLISHED)).alias("available_at"),
        )
    )
