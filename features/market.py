"""Market features: the index fund's return, and strength against the other underlyings.

`market_columns` computes what a bar needs to know of other underlyings from each one's own last bars, so that
nothing but the bars of one moment meets.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from features.feature import WARM_UP, Feature, FloatArray, Inputs

INDEX_FUND = "SPY"
FEWEST = 3
"""Underlyings needed at a moment for a mean of the market."""

_LONG = 13


def features() -> tuple[Feature, ...]:
    """Return the market family."""
    share = "share of the price"
    no_fund = f"{WARM_UP}, and where {INDEX_FUND} has no bar at asof"
    few = f"{WARM_UP}, and where fewer than {FEWEST} underlyings have a bar at asof"
    return (
        *(
            Feature(
                f"spy_return_{n}",
                "market",
                (column,),
                n + 1,
                share,
                partial(_as_is, column=column),
                nulls=no_fund,
            )
            for n, column in ((1, "spy_return_1"), (_LONG, "spy_return_13"))
        ),
        Feature(
            "relative_strength_13",
            "market",
            ("own_return_13", "market_return_13"),
            _LONG + 1,
            share,
            relative_strength,
            nulls=few,
        ),
    )


def relative_strength(inputs: Inputs) -> FloatArray:
    """Return the 13-bar return minus its mean over all underlyings of the frame, this one included.

    The universe is part of this feature: the live trader must see the underlyings that the training set saw.
    """
    return inputs["own_return_13"] - inputs["market_return_13"]


def market_columns(bars: pl.DataFrame) -> pl.DataFrame:
    """Add the inputs of the market family to bars sorted (underlying, asof)."""
    series = ["underlying", "segment"]
    returns = bars.with_columns(
        (pl.col("close") / pl.col("close").shift(n).over(series) - 1.0).alias(f"own_return_{n}")
        for n in (1, _LONG)
    )
    fund = returns.filter(pl.col("underlying") == INDEX_FUND).select(
        "asof", spy_return_1="own_return_1", spy_return_13="own_return_13"
    )
    own = returns["own_return_13"].to_numpy().astype(np.float64)
    return (
        returns.drop("own_return_1")
        .with_columns(market_return_13=_mean_at(returns["asof"].to_numpy(), own))
        .join(fund, on="asof", how="left", maintain_order="left")
    )


def _mean_at(asof: np.ndarray, values: FloatArray) -> FloatArray:
    """Return the mean over each moment's rows, added in row order so that other rows cannot change a bit."""
    _, moment = np.unique(asof, return_inverse=True)
    known = np.isfinite(values)
    count = np.bincount(moment, weights=known)
    total = np.bincount(moment, weights=np.where(known, values, 0.0))
    return np.where(count >= FEWEST, total / np.maximum(count, 1), np.nan)[moment]


def _as_is(inputs: Inputs, column: str) -> FloatArray:
    return inputs[column]
