"""Statistics of stored features: what they look like and what they say about returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from features.labels import direction
from features.statistics import describe
from pipelines.recall import read_bars
from strikelake.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date

    from features.feature import Feature
    from features.statistics import FeatureStatistics
    from strikelake.lake.store import Lake

HORIZONS = {"1d": (1, 5, 21)}
"""Bars ahead that returns look, by width of the bars; `_INSIDE` elsewhere."""
_INSIDE = (1, 6, 13)


@dataclass(frozen=True, slots=True)
class StatisticsReport:
    """Statistics of features on a lake.

    Attributes
    ----------
    bar, start, end
        Width of the bars, and the dates.
    underlyings
        How many there are.
    horizons
        Bars ahead.
    features
        One entry for each feature, in order.
    """

    bar: str
    start: date
    end: date
    underlyings: int
    horizons: tuple[int, ...]
    features: tuple[FeatureStatistics, ...]

    @property
    def known(self) -> tuple[FeatureStatistics, ...]:
        """Those that ever have a value."""
        return tuple(each for each in self.features if each.distribution is not None)

    @property
    def suspect(self) -> tuple[str, ...]:
        """Names of those whose coefficient for some horizon never varies: they follow the return itself."""
        return tuple(each.name for each in self.features if any(info.suspect for info in each.information))

    @property
    def never_known(self) -> dict[str, list[str]]:
        """Names of the others, by the reasons of their nulls."""
        found: dict[str, list[str]] = {}
        for each in self.features:
            if each.distribution is None:
                found.setdefault(", ".join(each.nulls).replace("_", " "), []).append(each.name)
        return found


def feature_statistics(
    lake: Lake,
    features: Mapping[str, Feature],
    start: date,
    end: date,
    *,
    bar: str,
    horizons: Sequence[int] | None = None,
    underlyings: Collection[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> StatisticsReport:
    """Return the statistics of features that the lake holds.

    Parameters
    ----------
    lake
        Reads features, stock bars and corporate_actions.
    features
        Which of them, by name; those that are not stored are left out.
    start, end
        First and last date; returns that go beyond `end` are not looked at.
    bar
        "1d", or a width such as "30m".
    horizons
        Bars ahead of the returns; 1, 5 and 21 of day bars and 1, 6 and 13 of others by default.
    underlyings
        Tickers; None takes all.
    progress
        Called with the number of features done and in all.

    Returns
    -------
    StatisticsReport

    Raises
    ------
    EmptyLakeError
        When there are no features or bars in the range.
    DatasetError
        When none of the features is stored for this bar.
    """
    ahead = tuple(horizons or HORIZONS.get(bar, _INSIDE))
    stored = lake.scan("features", start, end, underlyings=underlyings)
    mine = stored.filter(pl.col("bar") == bar, pl.col("feature").is_in(list(features)))
    rows = mine.select("asof", "underlying", "date", "feature", "value", "null_reason").collect()
    if rows.is_empty():
        raise DatasetError(
            f"none of these features is stored for {bar} bars from {start} to {end}: "
            f"run `strikelake features build --bar {bar}`"
        )
    bars = read_bars(lake, start, end, bar=bar, underlyings=underlyings)
    returns = {horizon: direction(bars, horizon) for horizon in ahead}
    by_name = {name: part for (name,), part in rows.partition_by("feature", as_dict=True).items()}
    there = [name for name in features if name in by_name]
    found: list[FeatureStatistics] = []
    for name in there:
        found.append(describe(name, features[name].family, by_name[name], returns))
        if progress is not None:
            progress(len(found), len(there))
    first, last = rows.select(first=pl.col("date").min(), last=pl.col("date").max()).row(0)
    return StatisticsReport(bar, first, last, rows["underlying"].n_unique(), ahead, tuple(found))
