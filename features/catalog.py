"""The catalogue of features, and the one function that computes them for training and for trading."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features import market, options_flow, price, session, volatility, volume
from features.bars import bars_per_session
from features.context import attach

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from features.feature import Feature, FloatArray

_KEY = ("asof", "underlying", "date")


def catalog() -> dict[str, Feature]:
    """Return every feature by name, in the order of columns."""
    families = (price, volume, volatility, session, market, options_flow)
    return {feature.name: feature for family in families for feature in family.features()}


def choose(
    names: Sequence[str] | None = None, features: Mapping[str, Feature] | None = None
) -> dict[str, Feature]:
    """Return the named features, all when `names` is None; `features` stands in for the catalogue.

    Raises
    ------
    ValueError
        When a name is unknown; the message names the nearest.
    """
    known = catalog() if features is None else features
    if names is None:
        return dict(known)
    for name in names:
        if name not in known:
            near = ", ".join(get_close_matches(name, known, n=3, cutoff=0.0))
            raise ValueError(f"there is no feature {name!r}: the nearest names are {near}")
    return {name: known[name] for name in names}


def max_lookback(names: Sequence[str] | None = None) -> int:
    """Return how many bars of history the named features need, the current one included."""
    return max(feature.lookback for feature in choose(names).values())


def history_sessions(bar: str, names: Sequence[str] | None = None) -> int:
    """Return how many sessions of history to read before the first one wanted.

    Half as many again as full sessions would need, for half days and windows without a trade, and at least
    ten.

    Examples
    --------
    >>> history_sessions("30m", ["return_1"]), history_sessions("1d", ["rsi_7"])
    (10, 336)
    """
    return max(10, -(-3 * max_lookback(names) // (2 * bars_per_session(bar))))


def build(
    bars: pl.DataFrame,
    options: pl.DataFrame | None = None,
    names: Sequence[str] | None = None,
    *,
    features: Mapping[str, Feature] | None = None,
) -> pl.DataFrame:
    """Return the value of each feature at the end of each bar.

    The same call serves years of history and the live window: a value depends on the feature's last
    `lookback` bars of the same segment and on nothing that became available after `asof`.

    Parameters
    ----------
    bars
        A frame of bars (`features.bars.COLUMNS`), in any order.
    options
        Option summaries (`features.options_flow.SUMMARY`); without them the options features are null.
    names
        Features wanted; all when None.
    features
        Definitions to use instead of the catalogue.

    Returns
    -------
    pl.DataFrame
        asof, underlying, date and one Float64 column per feature, sorted (asof, underlying); null where
        unknown, never NaN or infinite.

    Raises
    ------
    ValueError
        When a name is unknown, a price or volume is null, or a definition gives the wrong number of rows.
    """
    chosen = choose(names, features)
    if bars.is_empty():
        return bars.select(*_KEY, *(pl.lit(None, pl.Float64).alias(name) for name in chosen))
    _refuse_unknown_prices(bars)
    full = attach(bars, options)
    columns = {
        name: full[name].cast(pl.Float64).to_numpy().copy()
        for name in {c for f in chosen.values() for c in f.inputs}
    }
    values = {name: np.full(len(full), np.nan) for name in chosen}
    # Undefined arithmetic is part of the job: its NaN and infinities become nulls below.
    with np.errstate(all="ignore"):
        for rows in _series(full):
            inputs = {name: column[rows] for name, column in columns.items()}
            for name, feature in chosen.items():
                values[name][rows] = _compute(feature, inputs)
    known = [
        pl.Series(name, column).set(pl.Series(~np.isfinite(column)), None) for name, column in values.items()
    ]
    return full.select(_KEY).with_columns(known).sort("asof", "underlying")


def _compute(feature: Feature, inputs: Mapping[str, FloatArray]) -> FloatArray:
    """Compute one feature on one series and blank its warm-up."""
    wanted = {name: inputs[name] for name in feature.inputs}
    length = len(wanted[feature.inputs[0]])
    found = np.array(feature.compute(wanted), dtype=np.float64)
    if found.shape != (length,):
        raise ValueError(
            f"feature {feature.name} gave shape {found.shape} for {length} bars: return one value a bar"
        )
    found[: feature.lookback - 1] = np.nan
    return found


def _series(bars: pl.DataFrame) -> Iterator[slice]:
    """Yield the rows of each unbroken run: one foreign price would poison a recursive average."""
    same = (pl.col("underlying") == pl.col("underlying").shift(1)) & (
        pl.col("segment") == pl.col("segment").shift(1)
    )
    new = bars.select(same.fill_null(value=False)).to_series().to_numpy()
    starts = [*np.flatnonzero(~new).tolist(), len(bars)]
    for first, after in pairwise(starts):
        yield slice(first, after)


def _refuse_unknown_prices(bars: pl.DataFrame) -> None:
    prices = bars.select("open", "high", "low", "close", "volume")
    bad = prices.select((~pl.all().is_finite()).fill_null(value=True).sum()).row(0, named=True)
    if any(bad.values()):
        found = ", ".join(f"{count} in {name}" for name, count in bad.items() if count)
        raise ValueError(
            f"bars hold null or infinite values ({found}): drop those bars before building features"
        )
