"""Volatility surfaces of every underlying, from what option_analytics has of a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.provenance import Inputs, fingerprint, record, unchanged
from pipelines.rates import newest_curve, rate_for, read_yields
from pipelines.recall import sessions_before
from pipelines.slices import GROUP, at_decisions, fit_smiles, smile_points, surface_of
from pipelines.volatility_index import volatility_indices
from strikelake.calendar import session
from strikelake.errors import EmptyLakeError
from strikelake.lake.views import adjusted_bars
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from strikelake.lake.store import Lake

METHOD = "raw SVI 1, Cboe VIX 1"
"""Goes up when the same inputs would give other rows."""

RANK_SESSIONS = 252
"""Sessions that `iv_rank` looks back, the present one included."""

REALIZED_SESSIONS = 21
"""Close-to-close returns in `realized_vol`."""

TENORS = (7, 30, 60, 90)
_YEAR = 252
_CLOSES = pl.Schema({"underlying": pl.String, "date": pl.Date, "atm_iv_30d": pl.Float64})
_TABLES = ("smiles", "surfaces", "volatility_indices")


@dataclass(frozen=True, slots=True)
class SurfaceReport:
    """What a run fitted.

    Attributes
    ----------
    bar
        "1d", "1m" or "quote".
    sessions, skipped
        How many were computed, and how many had the same inputs before.
    smiles
        Slices by status.
    surfaces
        Surfaces by reason, "" for those with all numbers.
    indices
        Volatility indices by reason, "" for those with a value.
    with_calendar_gap
        Slices that lie below the one before them somewhere.
    """

    bar: str
    sessions: int
    skipped: int
    smiles: Mapping[str, int]
    surfaces: Mapping[str, int]
    indices: Mapping[str, int]
    with_calendar_gap: int


def build_surfaces(
    lake: Lake,
    start: date,
    end: date,
    *,
    bar: str = "1d",
    rates_default: float = 0.0,
    again: bool = False,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> SurfaceReport:
    """Write smiles, surfaces and, from quotes, volatility_indices of the sessions that are priced.

    Decision times are the close for day bars, and every half hour for minute bars and quotes. Point in time:
    a row at `asof` is made of rows with `available_at` at or before it, of closes of earlier sessions (and
    of the session's own at its close), and of surfaces of earlier sessions. Rows of other bars stay.

    Parameters
    ----------
    lake
        Reads option_analytics, option_quotes, stock_day_bars, corporate_actions and treasury_yields.
    start, end
        First and last date, both included.
    bar
        Which rows of option_analytics: "1d", "1m" or "quote".
    rates_default
        Continuous rate where there is no curve; only the volatility indices use rates.
    again
        Compute sessions again whose inputs did not change.
    threads
        How many fit slices at a time.
    progress
        Called with the number of sessions done and of sessions to do.

    Returns
    -------
    SurfaceReport

    Raises
    ------
    EmptyLakeError
        When nothing is priced in the range.
    """
    lake.scan("option_analytics", start, end)  # says what to run when there is nothing
    days = [day for day in lake.sessions("option_analytics") if start <= day <= end]
    closes = _known_closes(lake, days[0], bar)
    realized = _Realized(lake, days[0], days[-1])
    counts: dict[str, dict[str, int]] = {name: {} for name in _TABLES}
    computed = skipped = gaps = 0
    for done, day in enumerate(days, 1):
        inputs = _inputs(lake, day, closes)
        if not again and unchanged(lake, "surfaces", bar, {day: inputs}):
            skipped += 1
        else:
            frames = _session_frames(lake, day, bar, closes, realized, rates_default, threads)
            if frames["surfaces"].height:
                computed += 1
                _store(lake, day, bar, frames, inputs)
                gaps += int((frames["smiles"]["calendar_gap"] > 0.0).sum())
                _count(counts, frames)
        closes = _advanced(lake, day, bar, closes)
        if progress is not None:
            progress(done, len(days))
    return SurfaceReport(
        bar, computed, skipped, counts["smiles"], counts["surfaces"], counts["volatility_indices"], gaps
    )


def surface_rows(smiles: pl.DataFrame, priced: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each underlying and decision time with the numbers of its surface.

    Parameters
    ----------
    smiles
        Rows of `smiles` of one session and bar.
    priced
        Rows of option_analytics with `asof`, solved or not: an underlying without any slice has a row too.

    Returns
    -------
    pl.DataFrame
        date to rmse of `surfaces`, without rank and realised volatility, and with `reason`.
    """
    every = priced.group_by(GROUP).agg(
        pl.col("date").first(), pl.col("available_at").max(), solved=(pl.col("status") == "solved").any()
    )
    fitted = smiles.filter(pl.col("status") == "fitted").sort(*GROUP, "years")
    numbers = _numbers(fitted) if fitted.height else None
    rows = every if numbers is None else every.join(numbers, on=list(GROUP), how="left")
    absent = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in table("surfaces").columns.items()
        if name not in rows.columns
    ]
    tenors = [f"atm_iv_{days}d" for days in TENORS]
    return rows.with_columns(absent).with_columns(
        pl.col("expirations", "contracts").fill_null(0),
        reason=pl.when(~pl.col("solved"))
        .then(pl.lit("no_solved_contracts"))
        .when(pl.col("expirations").is_null())
        .then(pl.lit("no_fitted_expiration"))
        .when(pl.any_horizontal(pl.col(tenors).is_null()))
        .then(pl.lit("tenors_out_of_reach")),
    )


def _numbers(fitted: pl.DataFrame) -> pl.DataFrame:
    surface = surface_of(fitted)
    reversal, butterfly = surface.wings(30)
    levels = {f"atm_iv_{days}d": surface.vol(0.0, days) for days in TENORS}
    sums = fitted.group_by(GROUP, maintain_order=True).agg(
        expirations=pl.len().cast(pl.Int64),
        contracts=pl.col("contracts").sum(),
        rmse=((pl.col("rmse") ** 2 * pl.col("contracts")).sum() / pl.col("contracts").sum()).sqrt(),
        butterfly_free=(pl.col("min_g") >= 0.0).all(),
        calendar_free=(pl.col("calendar_gap") == 0.0).all(),
    )
    return sums.with_columns(
        *(pl.Series(name, values).fill_nan(None) for name, values in levels.items()),
        pl.Series("risk_reversal_25d", reversal).fill_nan(None),
        pl.Series("butterfly_25d", butterfly).fill_nan(None),
    ).with_columns(term_slope=pl.col("atm_iv_90d") - pl.col("atm_iv_30d"))


def with_rank(rows: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """Add where `atm_iv_30d` lies in its range over the last 252 sessions, this row's own value included.

    Parameters
    ----------
    rows
        underlying and atm_iv_30d, rows of one session.
    closes
        underlying, date and atm_iv_30d at the closes of earlier sessions.

    Returns
    -------
    pl.DataFrame
        The rows in their order with iv_rank, in [0, 1], and iv_rank_sessions. The rank is null where
        `atm_iv_30d` is, and where there is no range yet.
    """
    range_ = (
        closes.drop_nulls("atm_iv_30d")
        .group_by("underlying")
        .agg(low=pl.col("atm_iv_30d").min(), high=pl.col("atm_iv_30d").max(), known=pl.len().cast(pl.Int64))
    )
    level = pl.col("atm_iv_30d")
    low, high = pl.min_horizontal("low", level), pl.max_horizontal("high", level)
    return (
        rows.join(range_, on="underlying", how="left", maintain_order="left")
        .with_columns(
            iv_rank=pl.when(level.is_not_null() & (high > low)).then((level - low) / (high - low)),
            iv_rank_sessions=pl.col("known").fill_null(0) + level.is_not_null().cast(pl.Int64),
        )
        .drop("low", "high", "known")
    )


class _Realized:
    """Realised volatilities of the underlyings, from closes adjusted for splits."""

    def __init__(self, lake: Lake, first: date, last: date) -> None:
        start = sessions_before(first, REALIZED_SESSIONS + 5)
        try:
            bars = (
                adjusted_bars(lake, "stock_day_bars", start, last).select("ticker", "date", "close").collect()
            )
        except EmptyLakeError:
            bars = pl.DataFrame(schema={"ticker": pl.String, "date": pl.Date, "close": pl.Float64})
        change = pl.col("close").log().diff().over("ticker")
        vol = (change**2).rolling_mean(REALIZED_SESSIONS).sqrt() * np.sqrt(_YEAR)
        vol = vol.round(10)  # the last digits depend on where the range begins
        self._vols = bars.sort("ticker", "date").select(
            "date", underlying="ticker", realized_vol=vol.over("ticker")
        )

    def join(self, rows: pl.DataFrame, day: date, close_ns: int) -> pl.DataFrame:
        """Add the volatility up to the day's close to rows at the close, up to the day before to others."""
        before = self._vols.filter(pl.col("date") < day).filter(
            pl.col("date") == pl.col("date").max(), pl.col("date") >= day - timedelta(days=7)
        )
        parts = []
        for known, part in (
            (self._vols.filter(pl.col("date") == day), rows.filter(pl.col("asof") >= close_ns)),
            (before, rows.filter(pl.col("asof") < close_ns)),
        ):
            parts.append(part.join(known.drop("date"), on="underlying", how="left", maintain_order="left"))
        return (
            pl.concat(parts)
            .with_columns(
                pl.col("realized_vol").fill_nan(None),
            )
            .with_columns(realized_minus_implied=pl.col("realized_vol") - pl.col("atm_iv_30d"))
        )


def _session_frames(
    lake: Lake,
    day: date,
    bar: str,
    closes: pl.DataFrame,
    realized: _Realized,
    rates_default: float,
    threads: int,
) -> dict[str, pl.DataFrame]:
    opened = session(day)
    priced = lake.scan("option_analytics", day, day).filter(pl.col("bar") == bar).collect()
    rows = at_decisions(priced, opened, bar)
    smiles = fit_smiles(smile_points(rows), bar, threads).with_columns(date=pl.lit(day))
    surfaces = surface_rows(smiles, rows).drop(
        "realized_vol", "realized_minus_implied", "iv_rank", "iv_rank_sessions"
    )
    surfaces = realized.join(with_rank(surfaces, closes), day, opened.close_ns).with_columns(bar=pl.lit(bar))
    indices = pl.DataFrame(schema=table("volatility_indices").columns)
    if bar == "quote":
        quotes = lake.scan("option_quotes", day, day).collect()
        rate = rate_for(newest_curve(read_yields(lake), opened.open_ns), rates_default)
        indices = volatility_indices(quotes, opened, rate)
    return {
        "smiles": smiles,
        "surfaces": surfaces.select(table("surfaces").columns.keys()).sort(*GROUP),
        "volatility_indices": indices,
    }


def _store(lake: Lake, day: date, bar: str, frames: Mapping[str, pl.DataFrame], inputs: Inputs) -> None:
    versions = [
        lake.update(
            name,
            _replacing(bar, frames[name]),
            days=[day],
            source=f"surfaces {bar}; {inputs.method}",
        )
        for name in _TABLES
        if name != "volatility_indices" or bar == "quote"
    ]
    record(lake, "surfaces", bar, [(day, inputs, frames["surfaces"].height)], versions[1])


def _replacing(bar: str, rows: pl.DataFrame) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda present: pl.concat([present.filter(pl.col("bar") != bar), rows])


def _inputs(lake: Lake, day: date, closes: pl.DataFrame) -> Inputs:
    sources = ("option_analytics", "option_quotes", "stock_day_bars")
    return Inputs(fingerprint(lake, day, sources, closes.sort("underlying", "date"), METHOD), METHOD)


def _known_closes(lake: Lake, day: date, bar: str) -> pl.DataFrame:
    """Return the surfaces' last 30-day level of each of the 251 sessions before a date."""
    try:
        rows = lake.scan("surfaces", sessions_before(day, RANK_SESSIONS - 1), day - timedelta(days=1))
    except EmptyLakeError:
        return pl.DataFrame(schema=_CLOSES)
    return _last(rows.filter(pl.col("bar") == bar).collect())


def _advanced(lake: Lake, day: date, bar: str, closes: pl.DataFrame) -> pl.DataFrame:
    """Return the closes as the session after `day` knows them."""
    try:
        rows = lake.scan("surfaces", day, day).filter(pl.col("bar") == bar).collect()
    except EmptyLakeError:
        return closes
    oldest = sessions_before(day + timedelta(days=1), RANK_SESSIONS - 1)
    return pl.concat([closes.filter(pl.col("date") >= oldest, pl.col("date") != day), _last(rows)])


def _last(rows: pl.DataFrame) -> pl.DataFrame:
    latest = rows.sort("asof").unique(["underlying", "date"], keep="last", maintain_order=True)
    return latest.select(*_CLOSES)


def _count(counts: dict[str, dict[str, int]], frames: Mapping[str, pl.DataFrame]) -> None:
    for name, column in zip(_TABLES, ("status", "reason", "reason"), strict=True):
        for status, rows in frames[name][column].fill_null("").value_counts().iter_rows():
            counts[name][status] = counts[name].get(status, 0) + rows
