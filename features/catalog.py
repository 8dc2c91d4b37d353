"""The catalogue of features, and the one function that computes them for training and for trading."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from features import (
    calendar,
    engine,
    events,
    options_flow,
    price,
    sectors,
    universe,
    volatility,
    volatility_index,
    volume,
)
from features.at import compute_at
from features.bars import COLUMNS, bars_per_session
from features.feature import BARS, Definition, Feature
from features.panel import Panel
from strikelake.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import ModuleType

    from features.columns import Column
    from features.facts import Facts

_KEY = ("asof", "underlying", "date")
_FAMILIES = (price, volume, volatility, options_flow, universe, sectors, volatility_index, events, calendar)


def catalog() -> dict[str, Feature]:
    """Return every feature by name, family by family."""
    return dict(_catalog())


@cache
def _catalog() -> dict[str, Feature]:
    found = [feature for module in _FAMILIES for feature in collect(module).values()]
    order = list(dict.fromkeys(feature.family for feature in found))
    return {f.name: f for f in sorted(found, key=lambda f: order.index(f.family))}


def collect(module: ModuleType) -> dict[str, Feature]:
    """Return the features that a module declares, in its order.

    They are its decorated functions, its `Feature` objects, and what its function `features()` returns.

    Raises
    ------
    FeatureError
        When two have one name.
    """
    found: list[Feature] = []
    for value in vars(module).values():
        if isinstance(value, Definition) and value.function.__module__ == module.__name__:
            found += value.features
        elif isinstance(value, Feature):
            found.append(value)
    listed = getattr(module, "features", None)
    if callable(listed) and not isinstance(listed, Definition):
        found += listed()
    names = [feature.name for feature in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FeatureError(
            f"{module.__name__} declares {', '.join(twice)} twice: give each a name of its own"
        )
    return {feature.name: feature for feature in found}


def families(features: Mapping[str, Feature] | None = None) -> dict[str, list[Feature]]:
    """Return the features of each family; `features` stands in for the catalogue."""
    found: dict[str, list[Feature]] = {}
    for feature in (catalog() if features is None else features).values():
        found.setdefault(feature.family, []).append(feature)
    return found


def choose(
    names: Iterable[str] | None = None, features: Mapping[str, Feature] | None = None
) -> dict[str, Feature]:
    """Return the named features, all when `names` is None; `features` stands in for the catalogue.

    A family's name stands for all its features.

    Raises
    ------
    FeatureError
        When a name is unknown; the message names the nearest.
    """
    known = catalog() if features is None else features
    if names is None:
        return dict(known)
    groups = families(known)
    chosen: dict[str, Feature] = {}
    for name in names:
        if name in known:
            chosen[name] = known[name]
        elif name in groups:
            chosen |= {feature.name: feature for feature in groups[name]}
        else:
            near = ", ".join(get_close_matches(name, [*known, *groups], n=3, cutoff=0.0))
            raise FeatureError(f"there is no feature {name!r}: the nearest names are {near}")
    return chosen


def max_lookback(features: Iterable[Feature] | None = None) -> int:
    """Return how many bars of history features need, the current one included."""
    chosen = catalog().values() if features is None else features
    return max((feature.lookback for feature in chosen if feature.on == BARS), default=1)


def history_sessions(bar: str, names: Sequence[str] | None = None) -> int:
    """Return how many sessions of history to read before the first one wanted.

    Half as many again as full sessions would need, for half days and windows without a trade, and at least
    ten.

    Examples
    --------
    >>> history_sessions("30m", ["return_1"]), history_sessions("1d", ["rsi_7"])
    (10, 336)
    """
    return sessions_of_history(bar, choose(names).values())


def sessions_of_history(bar: str, features: Iterable[Feature]) -> int:
    """Return the same for features that need not be the catalogue's."""
    return max(10, -(-3 * max_lookback(features) // (2 * bars_per_session(bar))))


def build(
    bars: pl.DataFrame,
    facts: Facts | None = None,
    names: Iterable[str] | None = None,
    *,
    features: Mapping[str, Feature] | None = None,
    threads: int = 1,
) -> pl.DataFrame:
    """Return the value of each feature at the end of each bar.

    The same call serves years of history and the live window: a value depends on the feature's last
    `lookback` rows of the same series and on nothing that became available after `asof`.

    Parameters
    ----------
    bars
        A frame of bars (`features.bars.COLUMNS`), in any order.
    facts
        Tables of facts (`features.facts.FACTS`); features that need one that is not there are null.
    names
        Features or families wanted; all when None.
    features
        Definitions to use instead of the catalogue.
    threads
        How many to compute on. The values do not depend on it.

    Returns
    -------
    pl.DataFrame
        asof, underlying, date and one Float64 column per feature, sorted (underlying, asof); null where
        unknown, never NaN or infinite.

    Raises
    ------
    FeatureError
        When a name is unknown.
    ValueError
        When a price or volume is null, an input does not exist, or a definition gives the wrong number of
        rows.
    """
    chosen = choose(names, features)
    if bars.is_empty():
        return _nothing(chosen)
    panel, keys = Panel.of(bars)
    return _framed(keys, engine.compute(panel, facts, chosen, threads))


def build_at(
    panel: Panel,
    facts: Facts | None,
    asof: int,
    names: Iterable[str] | None = None,
    *,
    features: Mapping[str, Feature] | None = None,
) -> pl.DataFrame:
    """Return the rows of one moment as `build` gives them, without computing those before it.

    Parameters
    ----------
    panel
        The bars that `build` would get as a frame.
    facts, names, features
        As in `build`.
    asof
        End of a bar, ns UTC; nothing later may be in bars and facts.

    Raises
    ------
    FeatureError, ValueError
        As `build` does.
    """
    chosen = choose(names, features)
    rows = np.flatnonzero(panel.asof == asof)
    if not len(rows):
        return _nothing(chosen)
    values = compute_at(panel, facts, chosen, rows)
    keys = {
        "asof": panel.asof[rows],
        "underlying": panel.names_of(rows),
        "date": pl.Series(panel.days[rows]).cast(pl.Date),
    }
    every = pl.Series(values.ravel(), nan_to_null=True)
    # Slices of one series: polars takes five times as long for an array each.
    columns = [every.slice(place * len(rows), len(rows)).alias(name) for place, name in enumerate(chosen)]
    return pl.DataFrame(keys).hstack(columns)


def _nothing(chosen: Iterable[str]) -> pl.DataFrame:
    return pl.DataFrame(schema={name: COLUMNS[name] for name in _KEY} | dict.fromkeys(chosen, pl.Float64))


def _framed(keys: pl.DataFrame, columns: Mapping[str, Column]) -> pl.DataFrame:
    values = pa.RecordBatch.from_arrays([column.arrow() for column in columns.values()], list(columns))
    return keys.hstack(pl.DataFrame(values))  # a quarter of the time of pl.from_arrow


def null_reasons(
    bars: pl.DataFrame,
    facts: Facts | None = None,
    names: Iterable[str] | None = None,
    *,
    features: Mapping[str, Feature] | None = None,
) -> pl.DataFrame:
    """Count the nulls of `build` by their reason.

    Returns
    -------
    pl.DataFrame
        feature, reason, count; only what occurs. Reasons are those of `features.engine.REASONS`, and
        "no <table>" for a table of facts that is not there.
    """
    chosen = choose(names, features)
    rows: list[tuple[str, str, int]] = []
    if not bars.is_empty():
        panel, _ = Panel.of(bars)
        columns = engine.compute(panel, facts, chosen)
        for name, found in engine.reasons(panel, facts, chosen, columns).items():
            counts = found.drop_nulls().value_counts(sort=True, name="count")
            rows += [(name, reason, count) for reason, count in counts.rows()]
    schema = {"feature": pl.String, "reason": pl.String, "count": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
