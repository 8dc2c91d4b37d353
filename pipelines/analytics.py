"""Price every option bar: implied volatility and Greeks, each row with its status."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from strikelake.calendar import session
from strikelake.contracts import expiry_ns
from strikelake.errors import EmptyLakeError
from strikelake.pricing.greeks import greeks
from strikelake.pricing.implied_vol import STATUSES, implied_vol
from strikelake.pricing.rates import interpolate, years_between
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from strikelake.lake.store import Lake

Bar = Literal["1d", "1m"]

_TABLES = {"1d": ("option_day_bars", "stock_day_bars"), "1m": ("option_minute_bars", "stock_minute_bars")}
_OLDEST_CURVE = timedelta(days=30)
_OCC_TAIL = 15  # characters of a symbol after its root


@dataclass(frozen=True, slots=True)
class AnalyticsReport:
    """What a run priced.

    Attributes
    ----------
    bar
        "1d" or "1m".
    sessions, rows
        How many of each were written.
    by_status
        Rows by status, the most frequent first.
    without_underlying
        Rows by underlying that had no stock bar to price against; their status is missing_input.
    adjusted_rows
        Rows of contracts that deliver something other than 100 shares (AAPL1); their status is missing_input.
    default_rate_sessions
        Sessions without a treasury curve of the last 30 days, priced at the default rate.
    """

    bar: Bar
    sessions: int
    rows: int
    by_status: Mapping[str, int]
    without_underlying: Mapping[str, int]
    adjusted_rows: int
    default_rate_sessions: int


def analyse(
    lake: Lake,
    start: date,
    end: date,
    *,
    bar: Bar = "1d",
    rates_default: float = 0.0,
    progress: Callable[[str], None] | None = None,
) -> AnalyticsReport:
    """Write option_analytics for the sessions that have option bars.

    A day bar is priced at the session's close against the underlying's day close, a minute bar at its end
    against the last stock minute that started no later. The rate comes from the newest treasury curve
    available before the first moment priced. Rows of the other `bar` stay as they are.

    Parameters
    ----------
    lake
        Reads option and stock bars and treasury_yields, writes option_analytics, one commit a session.
    start, end
        First and last date, both included.
    bar
        "1d" or "1m".
    rates_default
        Continuous rate where there is no curve.
    progress
        Told one line a session.

    Returns
    -------
    AnalyticsReport

    Raises
    ------
    EmptyLakeError
        When there are no option bars in the range.
    """
    option_table, stock_table = _TABLES[bar]
    lake.scan(option_table, start, end)  # says what to run when there is nothing
    days = [day for day in lake.sessions(option_table) if start <= day <= end]
    yields = _yields(lake)
    statuses: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    adjusted = defaulted = 0
    for day in days:
        options = lake.scan(option_table, day, day).collect()
        stocks = _stocks(lake, stock_table, day, options["underlying"].unique().to_list())
        moment = session(day).close_ns if bar == "1d" else session(day).open_ns
        curve = newest_curve(yields, moment)
        rows = price_rows(with_underlying(options, stocks, bar), curve, rates_default, bar)
        lake.update("option_analytics", _replacing(bar, rows), days=[day], source=f"analytics {bar}")
        statuses.update(_counts(rows, "status"))
        unpriced = rows.filter(pl.col("underlying_price").is_null())
        adjusted += unpriced.filter(_is_adjusted()).height
        missing.update(_counts(unpriced.filter(~_is_adjusted()), "underlying"))
        defaulted += curve is None
        if progress is not None:
            progress(f"{day}: {rows.height} option bars priced")
    rows_written = sum(statuses.values())
    return AnalyticsReport(
        bar,
        len(days),
        rows_written,
        dict(statuses.most_common()),
        dict(missing.most_common()),
        adjusted,
        defaulted,
    )


def with_underlying(options: pl.DataFrame, stocks: pl.DataFrame, bar: Bar) -> pl.DataFrame:
    """Add underlying_price, underlying_ts_ns and the joint available_at to option bars.

    Parameters
    ----------
    options
        Rows of one session's option bars.
    stocks
        Rows of the same session's stock bars; both as traded, because strikes are.
    bar
        "1d" joins the day's bar, "1m" the last minute that started at or before the option's.

    Returns
    -------
    pl.DataFrame
        Sorted (underlying, ts_ns); the three columns are null where the underlying has no bar. Adjusted
        contracts get no price: what they deliver is not in the symbol.
    """
    known = stocks.select(
        "ts_ns",
        underlying="ticker",
        underlying_price="close",
        underlying_ts_ns="ts_ns",
        underlying_known="available_at",
    ).sort("underlying", "ts_ns")
    rows = options.sort("underlying", "ts_ns", "occ_symbol")
    if bar == "1d":
        joined = rows.join(known.drop("ts_ns"), on="underlying", how="left", maintain_order="left")
    else:
        # Both sides are sorted (underlying, ts_ns), the order that this join needs and cannot check by group.
        joined = rows.join_asof(
            known, on="ts_ns", by="underlying", strategy="backward", check_sortedness=False
        )
    deliverable = pl.when(~_is_adjusted())
    return joined.with_columns(
        deliverable.then("underlying_price").alias("underlying_price"),
        deliverable.then("underlying_ts_ns").alias("underlying_ts_ns"),
        pl.max_horizontal("available_at", deliverable.then("underlying_known")).alias("available_at"),
        valued_at="available_at",
    )


def price_rows(
    rows: pl.DataFrame, curve: pl.DataFrame | None, rates_default: float, bar: Bar
) -> pl.DataFrame:
    """Return option_analytics for rows of `with_underlying`.

    Parameters
    ----------
    rows
        Option bars with underlying_price and valued_at.
    curve
        tenor_days and yield_rate of one date, or None.
    rates_default
        Continuous rate where there is no curve.
    bar
        Goes into the column of that name.

    Returns
    -------
    pl.DataFrame
        Columns and types of the table; unknown numbers are null.
    """
    expirations = rows["expiration"].unique().to_list()
    ends = pl.DataFrame(
        {"expiration": expirations, "ends_at": [expiry_ns(day) for day in expirations]},
        schema={"expiration": pl.Date, "ends_at": pl.Int64},
    )
    rows = rows.join(ends, on="expiration", how="left", maintain_order="left")
    years = years_between(rows["valued_at"].to_numpy(), rows["ends_at"].to_numpy())
    rate = np.full(len(rows), rates_default)
    if curve is not None:
        rate = interpolate(curve["tenor_days"].to_numpy(), curve["yield_rate"].to_numpy(), years * 365.0)
    sign = np.where(rows["option_type"].to_numpy() == "C", 1.0, -1.0)
    spot, strike = rows["underlying_price"].to_numpy(), rows["strike"].to_numpy()
    found = implied_vol(rows["close"].to_numpy(), sign, spot, strike, years, rate)
    slopes = greeks(sign, spot, strike, years, rate, found.vol)
    numbers = {
        "rate": rate,
        "years": years,
        "implied_vol": found.vol,
        "iv_error": found.error,
        "delta": slopes.delta,
        "gamma": slopes.gamma,
        "vega": slopes.vega,
        "theta": slopes.theta,
        "rho": slopes.rho,
    }
    return rows.with_columns(
        pl.lit(bar).alias("bar"),
        pl.Series("status", STATUSES).gather(found.code.astype(np.uint32)),
        *(pl.Series(name, values).fill_nan(None) for name, values in numbers.items()),
        price="close",
    ).select(table("option_analytics").columns.keys())


def newest_curve(yields: pl.DataFrame, moment: int) -> pl.DataFrame | None:
    """Return the treasury curve of the newest date available at `moment` (ns UTC), or None.

    A curve more than 30 days older than `moment` is None too: it says nothing about that day's rates.
    """
    known = yields.filter(pl.col("available_at") <= moment)
    newest = known.filter(pl.col("date") == pl.col("date").max())
    oldest = moment - _OLDEST_CURVE // timedelta(microseconds=1) * 1_000
    return (
        newest
        if newest["available_at"].max() is not None and (newest["available_at"] >= oldest).all()
        else None
    )


def _yields(lake: Lake) -> pl.DataFrame:
    try:
        return lake.scan("treasury_yields").collect()
    except EmptyLakeError:
        return pl.DataFrame(schema=table("treasury_yields").columns)


def _stocks(lake: Lake, name: str, day: date, underlyings: list[str]) -> pl.DataFrame:
    try:
        return lake.scan(name, day, day, underlyings=underlyings).collect()
    except EmptyLakeError:
        return pl.DataFrame(schema=table(name).columns)


def _replacing(bar: str, rows: pl.DataFrame) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda present: pl.concat([present.filter(pl.col("bar") != bar), rows])


def _is_adjusted() -> pl.Expr:
    root = pl.col("occ_symbol").str.head(pl.col("occ_symbol").str.len_chars() - _OCC_TAIL)
    return root.str.contains(r"\d$")


def _counts(rows: pl.DataFrame, column: str) -> dict[str, int]:
    return dict(rows.group_by(column).len().sort(column).rows())
