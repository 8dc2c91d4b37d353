"""Day bars as matrices of sessions and series, where every ticker has a range and gaps of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import session_frame
from strikelake.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from numpy.typing import NDArray

LONGEST_GAP = 10
"""Sessions without a bar that one series may have between two bars.

The SEC suspends trading in a stock for at most ten business days (Securities Exchange Act, section 12(k)):
what is silent for longer was delisted or renamed, and a ticker that comes back is somebody else's.
"""


@dataclass(frozen=True, slots=True)
class PriceMatrices:
    """Opens and closes as arrays of shape (sessions, series), dollars, NaN where there is no bar.

    Attributes
    ----------
    dates
        Sessions in order.
    names
        Of the series: the ticker, and for a ticker used again `TICKER from DATE`.
    tickers
        Of the series, under which they are forecast.
    opens, closes
        Both or neither are finite.
    """

    dates: list[date]
    names: list[str]
    tickers: list[str]
    opens: NDArray[np.float64]
    closes: NDArray[np.float64]

    @property
    def priced(self) -> NDArray[np.bool_]:
        """Where there is a bar, shape (sessions, series)."""
        return np.isfinite(self.opens)


def price_matrices(prices: pl.DataFrame, underlyings: Collection[str]) -> PriceMatrices:
    """Return the bars of the underlyings that are both priced and wanted.

    The rows are the sessions of the calendar from the first bar to the last. A ticker's bars are one series
    until more than `LONGEST_GAP` sessions in a row lack one; those after are another. Point in time: which
    series a bar belongs to depends on earlier bars only.

    Parameters
    ----------
    prices
        date, underlying, open, close; at most one row per session and underlying, and none where it did not
        trade. A row that lacks a positive open or close is no bar, nor is one of a date without a session.
    underlyings
        Tickers.

    Raises
    ------
    DatasetError
        When none is priced, or there are fewer than two sessions.
    """
    rows = prices.filter(pl.col("underlying").is_in(sorted(underlyings)))
    rows = rows.filter(pl.all_horizontal(pl.col("open", "close").is_finite() & (pl.col("open", "close") > 0)))
    traded = rows["date"].unique().sort().to_list()
    if len(traded) < 2:  # noqa: PLR2004 - a decision and its execution
        raise DatasetError(
            f"{len(traded)} sessions of prices cannot test forecasts of {sorted(underlyings)}: "
            "ingest stock_day_bars of these underlyings for two sessions or more"
        )
    calendar = session_frame(traded[0], traded[-1]).select("date").with_row_index("row")
    dates, bars = calendar["date"].to_list(), _in_series(rows.join(calendar, on="date"))
    series = bars.select("name", "underlying", "first").unique().sort("underlying", "first")
    columns = {name: column for column, name in enumerate(series["name"])}
    at = bars["row"].to_numpy(), bars["name"].replace_strict(columns, return_dtype=pl.Int64).to_numpy()
    opens, closes = (np.full((len(dates), series.height), np.nan) for _ in range(2))
    opens[at], closes[at] = bars["open"].to_numpy(), bars["close"].to_numpy()
    return PriceMatrices(dates, series["name"].to_list(), series["underlying"].to_list(), opens, closes)


def carried(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a matrix with each gap filled from the last value before it; leading gaps stay NaN.

    Examples
    --------
    >>> carried(np.array([[np.nan], [3.0], [np.nan]])).ravel().tolist()
    [nan, 3.0, 3.0]
    """
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isfinite(values), rows, 0), axis=0)
    return np.take_along_axis(values, last, axis=0)


def at_open(matrices: PriceMatrices) -> NDArray[np.float64]:
    """Return what a trader sees at each session's open: the open, or else the last close; NaN before any."""
    closes = carried(matrices.closes)
    before = np.vstack([np.full_like(closes[:1], np.nan), closes[:-1]])
    return np.where(matrices.priced, matrices.opens, before)


def sessions_missing(priced: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many sessions in a row, the row's own included, have had no bar of each series.

    Examples
    --------
    >>> sessions_missing(np.array([[True], [False], [False], [True]])).ravel().tolist()
    [0, 1, 2, 0]
    """
    missing = np.zeros(priced.shape, dtype=np.int64)
    for row, now in enumerate(priced):
        missing[row] = np.where(now, 0, (missing[row - 1] if row else 0) + 1)
    return missing


def _in_series(bars: pl.DataFrame) -> pl.DataFrame:
    """Add each bar's series: its name and its first date."""
    skipped = pl.col("row").cast(pl.Int64).diff().over("underlying") - 1
    numbered = bars.sort("underlying", "row").with_columns(
        number=(skipped.fill_null(0) > LONGEST_GAP).cum_sum().over("underlying")
    )
    first = pl.col("date").min().over("underlying", "number")
    again = pl.format("{} from {}", "underlying", "first")
    return numbered.with_columns(first=first).with_columns(
        name=pl.when(pl.col("number") == 0).then("underlying").otherwise(again)
    )
