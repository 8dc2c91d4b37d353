"""Forecasts of underlyings as positions: who is held from which open, before any accounting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import et_date
from strikelake.errors import DatasetError

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PriceMatrices:
    """Opens and closes as arrays of shape (sessions, underlyings), dollars, without gaps."""

    dates: list[date]
    names: list[str]
    opens: NDArray[np.float64]
    closes: NDArray[np.float64]


def price_matrices(prices: pl.DataFrame, underlyings: set[str]) -> PriceMatrices:
    """Return the prices of the underlyings that are both priced and wanted.

    Parameters
    ----------
    prices
        date, underlying, open, close; at most one row per session and underlying.

    Raises
    ------
    DatasetError
        When none is priced, there are fewer than two sessions, or an underlying lacks a session.
    """
    kept = prices.filter(pl.col("underlying").is_in(sorted(underlyings))).sort("date", "underlying")
    dates, names = kept["date"].unique().sort().to_list(), kept["underlying"].unique().sort().to_list()
    if not names or len(dates) < 2:  # noqa: PLR2004 - a decision and its execution
        raise DatasetError(
            f"{len(dates)} sessions of prices cannot test forecasts of {sorted(underlyings)}: "
            "ingest stock_day_bars of these underlyings for two sessions or more"
        )
    counts = kept.drop_nulls(["open", "close"]).group_by("underlying").len().sort("underlying")
    for name, count in counts.filter(pl.col("len") != len(dates)).iter_rows():
        raise DatasetError(
            f"{name} has open and close on {count} of {len(dates)} sessions from {dates[0]} to {dates[-1]}: "
            "ingest the others, or leave it out of the forecasts"
        )
    shape = (len(dates), len(names))
    return PriceMatrices(
        dates, names, kept["open"].to_numpy().reshape(shape), kept["close"].to_numpy().reshape(shape)
    )


def target_positions(
    forecasts: pl.DataFrame, dates: list[date], names: list[str], *, edge: float, short: bool
) -> NDArray[np.float64]:
    """Return the position wanted from each session's open on: 1, 0 or -1.

    Point in time: a session's row is decided by the last forecast made on the session before; the first row
    is flat. A session without a forecast, or with one that is no number, leads to a flat one.

    Parameters
    ----------
    forecasts
        asof (ns UTC), underlying, probability.
    edge
        Distance from 0.5 that has to be exceeded.
    short
        Whether falls are traded.

    Returns
    -------
    ndarray of float64, shape (sessions, underlyings)
    """
    made = {asof: et_date(asof) for asof in forecasts["asof"].unique()}
    rows = forecasts.sort("asof").select("asof", "underlying", "probability").iter_rows()
    latest = {(made[asof], name): probability for asof, name, probability in rows}
    target = np.zeros((len(dates), len(names)))
    for i, decided in enumerate(dates[:-1]):
        for j, name in enumerate(names):
            probability = latest.get((decided, name))
            lean = 0.0 if probability is None else probability - 0.5
            if lean > edge:
                target[i + 1, j] = 1.0
            elif short and lean < -edge:
                target[i + 1, j] = -1.0
    return target
