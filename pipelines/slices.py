"""Fit the smile of every expiration at every decision time, from solved rows of option_analytics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.calendar import NS_PER_MINUTE
from strikelake.contracts import LATE_NS
from strikelake.pricing.surface import Surface
from strikelake.pricing.svi import FEWEST, fit, total_variance
from strikelake.schemas import table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from strikelake.calendar import Session
    from strikelake.pricing.arrays import FloatArray

STEP = 30 * NS_PER_MINUTE
"""Between two decision times inside a session; the last is its close."""

WINDOWS = {"1m": STEP, "quote": 2 * STEP}
"""How old a contract's newest row may be at a decision time. A quote stands until it is replaced."""

GROUP = ("underlying", "asof")
SLICE = (*GROUP, "expiration", "root")
_OCC_TAIL = 15  # characters of a symbol after its root
_NS_PER_YEAR = 365 * 24 * 60 * NS_PER_MINUTE
_LEAST_ERROR = 0.001  # a tenth of a vol point: prints are never better than that
_WIDEST_ERROR = 0.25  # an error that is a larger share of the volatility says nothing
_LEAST_YEARS = 60 * NS_PER_MINUTE / _NS_PER_YEAR  # in the last hour a smile is noise


def decision_times(session: Session, bar: str) -> list[int]:
    """Return the moments at which a session has surfaces: its close; of minutes and quotes every half hour.

    Day bars of options that trade on after the close have theirs when that ends (`at_decisions`).

    Examples
    --------
    >>> from datetime import date
    >>> from strikelake.calendar import session
    >>> len(decision_times(session(date(2025, 1, 8)), "1m"))
    13
    """
    if bar == "1d":
        return [session.close_ns]
    return [*range(session.open_ns + STEP, session.close_ns, STEP), session.close_ns]


def at_decisions(rows: pl.DataFrame, session: Session, bar: str) -> pl.DataFrame:
    """Return each contract's newest row at each decision time, with `asof`.

    Point in time: only rows with `available_at` at or before `asof`, and not older than `WINDOWS` allows.
    Day bars count at the close, those of options that trade on until 16:15 ET then, an underlying's at once.
    """
    if bar == "1d":
        late = pl.col("available_at").max().over("underlying") > session.close_ns
        ended = pl.lit(session.close_ns) + pl.when(late).then(LATE_NS).otherwise(0)
        return rows.with_columns(asof=ended).filter(pl.col("available_at") <= pl.col("asof"))
    moments = decision_times(session, bar)
    first = np.searchsorted(moments, rows["available_at"].to_numpy(), side="left")
    copies = []
    for later in range(WINDOWS[bar] // STEP):
        inside = first + later < len(moments)
        asof = np.asarray(moments, dtype=np.int64)[first[inside] + later]
        copies.append(rows.filter(pl.Series(inside)).with_columns(asof=pl.Series(asof)))
    return (
        pl.concat(copies)
        .filter(pl.col("asof") - pl.col("available_at") < WINDOWS[bar])
        .sort("asof", "occ_symbol", "ts_ns")
        .unique(["asof", "occ_symbol"], keep="last", maintain_order=True)
    )


def smile_points(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one point of a smile for each strike: the out-of-the-money contract where it has a volatility.

    Parameters
    ----------
    rows
        Rows of option_analytics with `asof`.

    Returns
    -------
    pl.DataFrame
        The columns of `SLICE`, years (to settlement at `asof`), forward, k (log-moneyness), vol, error (of
        the volatility), option_type, in_the_money, available_at, strike, bid_vol and ask_vol (null for bars);
        sorted by `SLICE` and k. Contracts in the money stand in where their strike has nothing else; an error
        is at least a tenth of a vol point, and half the width of a quote.
    """
    root = pl.col("occ_symbol").str.head(pl.col("occ_symbol").str.len_chars() - _OCC_TAIL)
    elapsed = (pl.col("asof") - pl.col("available_at")) / _NS_PER_YEAR
    is_call = pl.col("option_type") == "C"
    width = (pl.col("ask_iv") - pl.col("bid_iv")).abs() / 2.0
    return (
        rows.filter(pl.col("status") == "solved", pl.col("forward") > 0.0)
        .with_columns(
            root=root,
            years=pl.col("years") - elapsed,
            k=(pl.col("strike") / pl.col("forward")).log(),
            vol=pl.col("implied_vol"),
            error=pl.max_horizontal("iv_error", width, pl.lit(_LEAST_ERROR)),
        )
        .with_columns(in_the_money=pl.when(is_call).then(pl.col("k") < 0.0).otherwise(pl.col("k") > 0.0))
        .filter(
            pl.col("years") > _LEAST_YEARS,
            pl.col("error") <= _WIDEST_ERROR * pl.col("vol"),
            ~pl.col("in_the_money") | (pl.col("k").abs() <= pl.col("vol") * pl.col("years").sqrt()),
        )
        .sort(*SLICE, "strike", "in_the_money", "option_type")
        .unique([*SLICE, "strike"], keep="first", maintain_order=True)
        .select(
            *SLICE,
            "years",
            "forward",
            "k",
            "vol",
            "error",
            "option_type",
            "in_the_money",
            "available_at",
            "strike",
            bid_vol="bid_iv",
            ask_vol="ask_iv",
        )
        .sort(*SLICE, "k")
    )


def fit_smiles(points: pl.DataFrame, bar: str, threads: int = 1) -> pl.DataFrame:
    """Return the rows of `smiles` for points as `smile_points` gives them, sorted by `GROUP` and years.

    A slice with fewer contracts than parameters, or with strikes on one side of the forward only, has no
    parameters and says so.
    """
    slices = points.group_by(SLICE, maintain_order=True).agg(
        pl.col("years").first(),
        pl.col("forward").median(),
        k_min=pl.col("k").min(),
        k_max=pl.col("k").max(),
        contracts=pl.len().cast(pl.Int64),
        available_at=pl.col("available_at").max(),
    )
    slices = slices.with_columns(
        status=pl.when(pl.col("contracts") < FEWEST)
        .then(pl.lit("too_few_contracts"))
        .when((pl.col("k_min") > 0.0) | (pl.col("k_max") < 0.0))
        .then(pl.lit("one_sided"))
        .otherwise(pl.lit("fitted")),
        date=pl.lit(None, dtype=pl.Date),
    )
    fitted = slices["status"].to_numpy() == "fitted"
    counts = slices["contracts"].to_numpy()
    chosen = points.filter(pl.Series(np.repeat(fitted, counts)))
    k, vol, error = (chosen[name].to_numpy() for name in ("k", "vol", "error"))
    sizes = counts[fitted]
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    years = np.repeat(slices["years"].to_numpy()[fitted], sizes)
    found = fit(k, vol * vol * years, 1.0 / (2.0 * vol * years * error) ** 2, starts, threads)
    numbers = {
        f"svi_{name}": found.params[:, place] for place, name in enumerate(("a", "b", "rho", "m", "sigma"))
    }
    numbers |= {"min_g": found.min_g, "rmse": _errors(found.params, k, vol, error, years, sizes)}
    filled = slices.with_columns(
        pl.Series(name, _spread(values, fitted)).fill_nan(None) for name, values in numbers.items()
    )
    return _with_calendar(filled.sort(*GROUP, "years", "root"), bar)


def surface_of(smiles: pl.DataFrame) -> Surface:
    """Return the fitted slices as surfaces, one for each `GROUP`; they are sorted by it and by years."""
    sizes = smiles.group_by(GROUP, maintain_order=True).len()["len"].to_numpy()
    params = smiles.select("svi_a", "svi_b", "svi_rho", "svi_m", "svi_sigma").to_numpy()
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    return Surface(starts, smiles["years"].to_numpy(), params)


def _errors(
    params: FloatArray,
    k: FloatArray,
    vol: FloatArray,
    error: FloatArray,
    years: FloatArray,
    sizes: NDArray[np.int64],
) -> FloatArray:
    """Return each slice's root mean square error in volatility, weighted as it was fitted."""
    if not len(sizes):
        return np.empty(0)
    w = total_variance(np.repeat(params, sizes, axis=0), k)
    gap = np.sqrt(np.maximum(w, 0.0) / years) - vol
    weight = error**-2.0
    firsts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    sums = np.add.reduceat(weight * gap * gap, firsts) / np.add.reduceat(weight, firsts)
    return np.asarray(np.sqrt(sums))


def _with_calendar(smiles: pl.DataFrame, bar: str) -> pl.DataFrame:
    """Add what needs the other slices of a surface, and bring the columns into the table's order."""
    fitted = smiles.filter(pl.col("status") == "fitted")
    if fitted.is_empty():
        numbers = {name: pl.lit(None, dtype=pl.Float64) for name in ("calendar_gap", "atm_iv", "skew")}
        done = smiles.with_columns(**numbers)
    else:
        surface = surface_of(fitted)
        level = np.sqrt(total_variance(surface.params, 0.0) / surface.years)
        gaps = surface.calendar_gaps(fitted["k_min"].to_numpy(), fitted["k_max"].to_numpy())
        own = fitted.select(SLICE).with_columns(
            calendar_gap=pl.Series(gaps), atm_iv=pl.Series(level), skew=pl.Series(surface.skews())
        )
        done = smiles.join(own, on=list(SLICE), how="left", maintain_order="left")
    return done.with_columns(bar=pl.lit(bar)).select(table("smiles").columns.keys())


def _spread(values: FloatArray, chosen: NDArray[np.bool_]) -> FloatArray:
    """Return the values at the chosen places of a longer array, NaN elsewhere."""
    spread = np.full(len(chosen), np.nan)
    spread[chosen] = values
    return spread
