"""The carry of every expiration through a session: the yield at which calls and puts have one volatility.

A call and a put of one strike differ in price by what the forward is worth. American options add the value
of early exercise on both sides, so that the forward cannot be read off their difference; but one model
prices both, and only at the right forward do the two have the same volatility. The gap is nearly linear in
the yield q,

    d(IV_call - IV_put) / dq = T S (delta_call - delta_put) / vega,

so that each pair gives a yield by one Newton step, and the median over the pairs near the money a robust one.
Sources: H. Stoll, 1969, for parity; the matching of volatilities is the market makers' practice of implied
borrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.slices import decision_times
from strikelake.pricing import chain
from strikelake.pricing.options import Chain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.terms import Series
    from strikelake.calendar import Session
    from strikelake.pricing.arrays import FloatArray

METHOD = "implied carry 2"
"""Goes up when the same prices would give another carry."""

FEWEST_PAIRS = 3
"""Pairs without which a carry is not trusted."""

NEAREST_PAIRS = 40
"""Pairs of one expiration and decision time, those nearest the money, whose yields are combined."""

_NEAR, _NEAR_PER_ROOT_YEAR = 0.05, 0.15  # |ln(K / S)| of a pair: 6 % at a week, 20 % at a year
_WORTH_A_CHANGE = 1e-4  # of the forward: less is not worth other terms for the rest of the session
_WORTH_A_STEP = 3e-4  # of the forward: below, one Newton step is off by less than a tenth of its error
_DEVIATIONS = 3.0  # a carry changes when the new one differs by so many of its standard errors
_MAD_TO_ERROR = (
    1.4826 * 1.2533
)  # from the median absolute deviation to the standard error of a median, times root n
_LARGEST = 0.1  # of the forward: a carry beyond is an error of alignment, not of the market
_LOOSEST = 0.002  # of the forward: the standard error of a carry that is not used

PAIR_COLUMNS = ("series", "strike", "years", "spot", "call", "put", "decision")


@dataclass(frozen=True, slots=True)
class Carry:
    """Carries of the series of a session.

    Attributes
    ----------
    moments
        The decision times, ns UTC, shape (j,).
    in_force
        What rows are priced with: column 0 until the first decision time, column i from the i-th on, shape
        (s, j + 1). 0 where nothing is known.
    implied
        Whether it was implied by options, shape (s, j + 1).
    estimates
        One row for each series and decision time with pairs: series, decision, carry, dispersion, pairs,
        gap_before, gap_after, status.
    """

    moments: NDArray[np.int64]
    in_force: FloatArray
    implied: NDArray[np.bool_]
    estimates: pl.DataFrame


def pairs_of(rows: pl.DataFrame, session: Session, bar: str) -> pl.DataFrame:
    """Return calls and puts of one strike that were priced in the same minute, near the money.

    Parameters
    ----------
    rows
        Option rows of a session with series, years, price, underlying_price and underlying_source; rows
        without an observed underlying are left out.

    Returns
    -------
    pl.DataFrame
        `PAIR_COLUMNS`: years and spot as of the call, prices in dollars, and which decision time comes next;
        at most `NEAREST_PAIRS` of a series and decision.
    """
    moments = decision_times(session, bar)
    moneyness = (pl.col("strike") / pl.col("underlying_price")).log().abs()
    minute = pl.col("available_at") // 60_000_000_000
    near = (
        rows.filter(
            pl.col("underlying_source").is_in(["stock", "index", "quote"]),
            pl.col("price") > 0.0,
            pl.col("years") > 0.0,
            pl.col("available_at") <= session.close_ns,
            moneyness <= _NEAR + _NEAR_PER_ROOT_YEAR * pl.col("years").sqrt(),
        )
        .with_columns(minute=minute, moneyness=moneyness)
        .sort("available_at")
        .unique(["series", "strike", "option_type", "minute"], keep="last", maintain_order=True)
    )
    key = ["series", "strike", "minute"]
    puts = near.filter(pl.col("option_type") == "P").select(*key, put="price", put_at="available_at")
    pairs = near.filter(pl.col("option_type") == "C").join(puts, on=key)
    known = pairs.select(pl.max_horizontal("available_at", "put_at")).to_series()
    return (
        pairs.with_columns(
            decision=pl.Series(np.searchsorted(moments, known.to_numpy(), side="left"), dtype=pl.Int64),
            call="price",
            spot="underlying_price",
        )
        .sort("series", "decision", "moneyness", "minute", "strike")
        .group_by("series", "decision", maintain_order=True)
        .head(NEAREST_PAIRS)
        .select(PAIR_COLUMNS)
    )


def implied_carry(pairs: pl.DataFrame, series: Series, session: Session, bar: str, threads: int = 1) -> Carry:
    """Return what the pairs say of each series' carry at each decision time.

    Point in time: the carry in force from a decision time on is made of pairs up to it. The Newton step
    starts from 0; a second one from the series' first estimate of enough pairs, which is known by the time of
    all others that count, unless that is too small to matter. Nothing of other sessions is used: a session's
    rows depend on its own tables alone.

    Parameters
    ----------
    pairs
        As `pairs_of` gives them.
    series
        The session's series, with their dividends.
    """
    moments = np.asarray(decision_times(session, bar), dtype=np.int64)
    start = np.zeros(len(series.frame))
    # Fewer pairs give no estimate to start from: one step from 0 is all they get.
    enough = pl.len().over("series", "decision") >= FEWEST_PAIRS
    first = _newton(pairs.filter(enough), series, start, threads)
    opening = (
        _medians(first)
        .filter(pl.col("pairs") >= FEWEST_PAIRS)
        .sort("series", "decision")
        .unique("series", keep="first")
        .filter(pl.col("carry").abs() * pl.col("years") > _WORTH_A_STEP)
    )
    start[opening["series"].to_numpy()] = opening["carry"].to_numpy()
    moved = pl.col("series").is_in(opening["series"].implode())
    found = [first.filter(~moved), _newton(pairs.filter(~enough | moved), series, start, threads)]
    estimates = _judged(_medians(pl.concat(found)), pairs)
    in_force, implied = _in_force(estimates, len(start), len(moments))
    return Carry(moments, in_force, implied, estimates)


def _newton(pairs: pl.DataFrame, series: Series, start: FloatArray, threads: int) -> pl.DataFrame:
    """Return each solved pair with its gap and slope at the start, and the carry of one Newton step."""
    used, group = np.unique(pairs["series"].to_numpy(), return_inverse=True)
    terms = series.terms(used, start[used])
    spot, strike, years = (pairs[name].to_numpy() for name in ("spot", "strike", "years"))
    call, put = (
        chain.analyse(pairs[side], Chain(sign, spot, strike, years, group, terms), threads=threads)
        for side, sign in (("call", 1.0), ("put", -1.0))
    )
    with np.errstate(all="ignore"):
        gap = call.vol - put.vol
        slope = years * spot * (call.delta - put.delta) / (0.5 * (call.vega + put.vega))
        base = start[pairs["series"].to_numpy()]
        carry = base - gap / slope
    found = pairs.select("series", "decision", "years").with_columns(
        gap=pl.Series(gap), slope=pl.Series(slope), base=pl.Series(base), carry=pl.Series(carry)
    )
    return found.filter(pl.col("carry").is_finite(), pl.col("slope") > 0.0)


def _medians(found: pl.DataFrame) -> pl.DataFrame:
    carry = pl.col("carry")
    return (
        found.with_columns(middle=carry.median().over("series", "decision"))
        .group_by("series", "decision", maintain_order=True)
        .agg(
            pl.col("middle").first().alias("carry"),
            pairs=pl.len().cast(pl.Int64),
            dispersion=(carry - pl.col("middle")).abs().median(),
            gap_before=(pl.col("gap") - pl.col("slope") * pl.col("base")).abs().median(),
            gap_after=(pl.col("gap") + pl.col("slope") * (pl.col("middle") - pl.col("base"))).abs().median(),
            years=pl.col("years").median(),
        )
    )


def _judged(estimates: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Add a status to the estimates, and rows for decisions whose pairs were all unsolved."""
    error = pl.col("dispersion") * _MAD_TO_ERROR / pl.col("pairs").sqrt()
    every = pairs.select("series", "decision").unique(maintain_order=True)
    return (
        every.join(estimates, on=["series", "decision"], how="left", maintain_order="left")
        .with_columns(pl.col("pairs").fill_null(0), error=error)
        .with_columns(
            status=pl.when(pl.col("pairs") < FEWEST_PAIRS)
            .then(pl.lit("too_few_pairs"))
            .when(pl.col("carry").abs() * pl.col("years") > _LARGEST)
            .then(pl.lit("out_of_range"))
            .when(pl.col("error") * pl.col("years") > _LOOSEST)
            .then(pl.lit("too_dispersed"))
            .otherwise(pl.lit("solved"))
        )
    )


def _in_force(estimates: pl.DataFrame, count: int, decisions: int) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the carry that rows use: it changes where a new estimate differs by more than its own error."""
    solved = estimates.filter(pl.col("status") == "solved")
    place = solved["series"].to_numpy(), solved["decision"].to_numpy()
    shape = (count, decisions)
    carry, error, years = (np.full(shape, np.nan) for _ in range(3))
    carry[place], error[place], years[place] = (
        solved[name].to_numpy() for name in ("carry", "error", "years")
    )
    in_force, implied = np.zeros((count, decisions + 1)), np.zeros((count, decisions + 1), dtype=bool)
    for step in range(decisions):
        now, before = carry[:, step], in_force[:, step]
        with np.errstate(invalid="ignore", divide="ignore"):
            needed = np.maximum(_DEVIATIONS * error[:, step], _WORTH_A_CHANGE / years[:, step])
            changes = np.isfinite(now) & (~implied[:, step] | (np.abs(now - before) > needed))
        in_force[:, step + 1] = np.where(changes, now, before)
        implied[:, step + 1] = implied[:, step] | changes
    return in_force, implied
