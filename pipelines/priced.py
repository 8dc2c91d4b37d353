"""Solve option rows: implied volatility and Greeks, every row with its status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.pricing import chain
from strikelake.pricing.options import Chain
from strikelake.pricing.statuses import STATUSES
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipelines.carry import Carry
    from pipelines.terms import Series
    from strikelake.pricing.analytics import Analytics
    from strikelake.pricing.arrays import FloatArray
    from strikelake.pricing.terms import Terms

_GREEKS = ("delta", "gamma", "vega", "theta", "rho")
_PARITY = "parity"

METHOD = "chain solver 6"
"""Goes up when the same inputs would give other volatilities."""


def price_rows(rows: pl.DataFrame, series: Series, carry: Carry, bar: str, threads: int = 1) -> pl.DataFrame:
    """Return option_analytics for option rows.

    Parameters
    ----------
    rows
        Option rows of one session with price, bid_price, ask_price, series, european, rate, years and what
        `pipelines.underlying` adds. A price that is parity's is discounted by the rate: no carry is added.
    series, carry
        Their terms.
    bar
        "1d", "1m" or "quote"; only quotes get volatilities of bid and ask.

    Returns
    -------
    pl.DataFrame
        Columns and types of the table, sorted as the table is; unknown numbers are null.
    """
    rows = rows.sort("series", "occ_symbol", "ts_ns")
    group, terms_series, terms_carry, implied = _groups(rows, carry)
    options = options_of(rows, group, series.terms(terms_series, terms_carry))

    def solve(name: str) -> Analytics:
        return chain.analyse(rows[name].fill_null(np.nan).to_numpy(), options, threads=threads)

    found = solve("price")
    known = np.isfinite(options.spot)
    numbers = {
        "implied_vol": found.vol,
        "iv_error": found.error,
        **{name: getattr(found, name) for name in _GREEKS},
        "forward": np.where(known & (options.years > 0.0), options.forwards(), np.nan),
        "carry": np.where(known, terms_carry[group], np.nan),
    }
    owing = series.frame["dividends"].to_numpy()[terms_series[group]] > 0
    source = np.select(
        [~known, (rows["underlying_source"] == _PARITY).to_numpy(), implied[group], owing],
        [3, 1, 0, 2],
        default=3,
    )
    columns = table("option_analytics").columns
    priced = rows.with_columns(
        *(pl.Series(name, values).fill_nan(None) for name, values in numbers.items()),
        *_sides(solve, bar),
        _names(("implied", "parity", "dividends", "none"), source).alias("carry_source"),
        _names(STATUSES, found.code).alias("status"),
        bar=pl.lit(bar),
        style=pl.when("european").then(pl.lit("european")).otherwise(pl.lit("american")),
    )
    return priced.select(columns.keys())


def options_of(rows: pl.DataFrame, group: NDArray[np.int64], terms: Terms) -> Chain:
    """Return option rows as a chain: their underlying_price, strike, years and option_type, nulls as NaN."""
    spot, strike, years = (
        rows[name].cast(pl.Float64).to_numpy() for name in ("underlying_price", "strike", "years")
    )
    sign = np.where((rows["option_type"] == "C").to_numpy(), 1.0, -1.0)
    return Chain(sign, spot, strike, years, group, terms)


def _groups(
    rows: pl.DataFrame, carry: Carry
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray, NDArray[np.bool_]]:
    """Return each row's entry of the terms, and series, carry and whether it was implied of each entry.

    Rows of a series share an entry while the carry in force is the same.
    """
    own = rows["series"].to_numpy()
    step = np.searchsorted(carry.moments, rows["available_at"].to_numpy(), side="right")
    step = np.where((rows["underlying_source"] == _PARITY).to_numpy(), 0, step)
    width = len(carry.moments) + 1
    changed = np.zeros((len(carry.in_force), width), dtype=np.int64)
    changed[:, 1:] = np.diff(carry.in_force, axis=1) != 0.0
    changed[:, 1:] |= np.diff(carry.implied.astype(np.int8), axis=1) != 0
    since = np.maximum.accumulate(np.where(changed, np.arange(width), 0), axis=1)
    entry = own * width + since[own, step]
    kept, group = np.unique(entry, return_inverse=True)
    of_series, at = np.divmod(kept, width)
    return group.astype(np.int64), of_series, carry.in_force[of_series, at], carry.implied[of_series, at]


def _sides(solve: Callable[[str], Analytics], bar: str) -> list[pl.Expr | pl.Series]:
    if bar != "quote":
        nothing = {
            "bid_iv": pl.Float64,
            "bid_status": pl.String,
            "ask_iv": pl.Float64,
            "ask_status": pl.String,
        }
        return [pl.lit(None, dtype=kind).alias(name) for name, kind in nothing.items()]
    sides: list[pl.Expr | pl.Series] = []
    for side in ("bid", "ask"):
        found = solve(f"{side}_price")
        sides.append(pl.Series(f"{side}_iv", found.vol).fill_nan(None))
        sides.append(_names(STATUSES, found.code).alias(f"{side}_status"))
    return sides


def _names(names: tuple[str, ...], codes: NDArray[np.integer]) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(codes.astype(np.uint32))
