"""Price every option bar: implied volatility and Greeks, each row with its status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from pipelines.rates import newest_curve, read_yields
from pipelines.underlying import with_underlying
from strikelake.calendar import session
from strikelake.contracts import expiry_ns
from strikelake.errors import EmptyLakeError
from strikelake.pricing.greeks import greeks
from strikelake.pricing.implied_vol import STATUSES, implied_vol
from strikelake.pricing.rates import interpolate, years_between
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from strikelake.lake.store import Lake

Bar = Literal["1d", "1m"]

_TABLES = {"1d": ("option_day_bars", "stock_day_bars"), "1m": ("option_minute_bars", "stock_minute_bars")}
_ROWS_A_COMMIT = 500_000  # a commit costs as much as pricing 30,000 rows, but rows wait for it in memory


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
    implied_underlying
        Rows by underlying without stock bars whose price is what its options imply (`pipelines.underlying`).
    without_underlying
        Rows by underlying that had neither a stock bar nor a pair of options to price against; their status
        is missing_input.
    adjusted_rows
        Rows of contracts that deliver something other than 100 shares (AAPL1); their status is missing_input.
    default_rate_sessions
        Sessions without a treasury curve of the last 30 days, priced at the default rate.
    """

    bar: Bar
    sessions: int
    rows: int
    by_status: Mapping[str, int]
    implied_underlying: Mapping[str, int]
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
    progress: Callable[[int, int], None] | None = None,
) -> AnalyticsReport:
    """Write option_analytics for the sessions that have option bars.

    A day bar is priced at the session's close against the underlying's day close, a minute bar at its end
    against the last stock minute that started no later; `pipelines.underlying` says what stands in for an
    underlying without stock bars. The rate comes from the newest treasury curve available before the first
    moment priced. Rows of the other `bar` stay as they are.

    Parameters
    ----------
    lake
        Reads option and stock bars and treasury_yields, writes option_analytics: whole sessions, many in a
        commit.
    start, end
        First and last date, both included.
    bar
        "1d" or "1m".
    rates_default
        Continuous rate where there is no curve.
    progress
        Called with the number of sessions priced and of sessions to price.

    Returns
    -------
    AnalyticsReport

    Raises
    ------
    EmptyLakeError
        When there are no option bars in the range.
    """
    option_table, stock_table = _TABLES[bar]
    options = lake.scan(option_table, start, end)  # says what to run when there is nothing
    stocks, yields = _if_any(lake, stock_table, start, end), read_yields(lake)
    days = [day for day in lake.sessions(option_table) if start <= day <= end]
    waiting: dict[date, pl.DataFrame] = {}
    counts: list[pl.DataFrame] = []
    defaulted = 0
    for done, day in enumerate(days, 1):
        curve = newest_curve(yields, session(day).close_ns if bar == "1d" else session(day).open_ns)
        traded = options.filter(pl.col("date") == day).collect()
        known = stocks.filter(
            pl.col("date") == day, pl.col("ticker").is_in(traded["underlying"].unique().implode())
        )
        rows = with_underlying(with_terms(traded, curve, rates_default), known.collect())
        waiting[day] = price_rows(rows, bar)
        counts.append(_counts(rows, waiting[day]))
        defaulted += curve is None
        if day == days[-1] or sum(map(len, waiting.values())) >= _ROWS_A_COMMIT:
            _write(lake, bar, waiting)
            waiting.clear()
        if progress is not None:
            progress(done, len(days))
    return _report(bar, counts, defaulted)


def with_terms(options: pl.DataFrame, curve: pl.DataFrame | None, rates_default: float) -> pl.DataFrame:
    """Add years to expiration and the rate for that time to option bars, both as of the bar's end.

    Parameters
    ----------
    options
        Option bars with expiration and available_at.
    curve
        tenor_days and yield_rate of one date, or None.
    rates_default
        Continuous rate where there is no curve.

    Returns
    -------
    pl.DataFrame
        The rows in their order with years (of 365 days, negative after expiration) and rate (continuous, per
        year); no nulls.
    """
    expirations = options["expiration"].unique().to_list()
    ends = pl.DataFrame(
        {"expiration": expirations, "ends_at": [expiry_ns(day) for day in expirations]},
        schema={"expiration": pl.Date, "ends_at": pl.Int64},
    )
    ends_at = options.join(ends, on="expiration", how="left", maintain_order="left")["ends_at"]
    years = years_between(options["available_at"].to_numpy(), ends_at.to_numpy())
    rate = np.full(len(options), rates_default)
    if curve is not None:
        rate = interpolate(curve["tenor_days"].to_numpy(), curve["yield_rate"].to_numpy(), years * 365.0)
    return options.with_columns(pl.Series("years", years), pl.Series("rate", rate))


def price_rows(rows: pl.DataFrame, bar: Bar) -> pl.DataFrame:
    """Return option_analytics for option bars with terms and underlying.

    Parameters
    ----------
    rows
        Option bars with years, rate, underlying_price and underlying_ts_ns.
    bar
        Goes into the column of that name.

    Returns
    -------
    pl.DataFrame
        Columns and types of the table, in the order of `rows`; unknown numbers are null.
    """
    sign = np.where(rows["option_type"].to_numpy() == "C", 1.0, -1.0)
    price, spot, strike, years, rate = (
        rows[name].to_numpy() for name in ("close", "underlying_price", "strike", "years", "rate")
    )
    found = implied_vol(price, sign, spot, strike, years, rate)
    slopes = greeks(sign, spot, strike, years, rate, found.vol)
    numbers = {
        "implied_vol": found.vol,
        "iv_error": found.error,
        "delta": slopes.delta,
        "gamma": slopes.gamma,
        "vega": slopes.vega,
        "theta": slopes.theta,
        "rho": slopes.rho,
    }
    growth = (pl.col("rate") * pl.col("years")).exp()
    priced = rows.with_columns(
        pl.lit(bar).alias("bar"),
        pl.Series("status", STATUSES).gather(found.code.astype(np.uint32)),
        *(pl.Series(name, values).fill_nan(None) for name, values in numbers.items()),
        price="close",
        style=pl.lit("european"),
        forward=pl.col("underlying_price") * growth,
        carry=pl.when(pl.col("underlying_price").is_not_null()).then(0.0),
        carry_source=pl.lit("none"),
    )
    columns = table("option_analytics").columns
    absent = [
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in columns.items() if name not in priced.columns
    ]
    return priced.with_columns(absent).select(columns.keys())


def _if_any(lake: Lake, name: str, start: date | None = None, end: date | None = None) -> pl.LazyFrame:
    try:
        return lake.scan(name, start, end)
    except EmptyLakeError:
        return pl.LazyFrame(schema=table(name).columns)


def _write(lake: Lake, bar: Bar, priced: Mapping[date, pl.DataFrame]) -> None:
    """Make the rows those of this bar on their dates; rows of other bars stay."""
    rows = pl.concat(priced.values())
    lake.update(
        "option_analytics",
        lambda present: pl.concat([present.filter(pl.col("bar") != bar), rows]),
        days=list(priced),
        source=f"analytics {bar}",
    )


def _counts(rows: pl.DataFrame, priced: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.select("underlying", source="underlying_source", status=priced["status"])
        .group_by("underlying", "source", "status")
        .len("rows")
    )


def _report(bar: Bar, counts: Sequence[pl.DataFrame], defaulted: int) -> AnalyticsReport:
    every = pl.concat(counts)

    def by(column: str, *chosen: pl.Expr) -> dict[str, int]:
        sums = every.filter(*chosen).group_by(column).agg(pl.col("rows").sum())
        return dict(sums.sort(["rows", column], descending=[True, False]).rows())

    source = pl.col("source")
    return AnalyticsReport(
        bar=bar,
        sessions=len(counts),
        rows=int(every["rows"].sum()),
        by_status=by("status"),
        implied_underlying=by("underlying", source == "parity"),
        without_underlying=by("underlying", source == "none"),
        adjusted_rows=sum(by("source", source == "adjusted").values()),
        default_rate_sessions=defaulted,
    )
