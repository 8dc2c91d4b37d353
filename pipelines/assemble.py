"""Join features and labels into a training set that can be rebuilt from its versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from features.catalog import catalog
from features.labels import direction
from pipelines.recall import bar_table, read_bars
from strikelake.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from strikelake.lake.store import Lake
    from strikelake.lake.tables import Versions

_KEY = ("asof", "underlying", "date")
_FEWEST_ROWS = 100


@dataclass(frozen=True, slots=True)
class Dataset:
    """Features and labels of one bar width and horizon.

    Attributes
    ----------
    frame
        asof, underlying, date, the features, label (Int8: 1 up, 0 flat or down), forward_return, known_at;
        sorted (asof, underlying). Label, forward_return and known_at are never null, features may be.
    features
        Names of the feature columns, in the order of the catalogue.
    versions
        Lake version of every table read: `assemble(..., as_of=versions)` gives the same frame again.
    bar, horizon
        Width of the bars, and how many of them the label looks ahead.
    warm_up_rows
        Rows left out because a price feature had too little history.
    unlabelled_rows
        Rows left out because their future lies beyond the range.
    empty_features
        Features left out because they are null in every row.
    """

    frame: pl.DataFrame
    features: tuple[str, ...]
    versions: Mapping[str, int]
    bar: str
    horizon: int
    warm_up_rows: int
    unlabelled_rows: int
    empty_features: tuple[str, ...]


def assemble(
    lake: Lake,
    start: date,
    end: date,
    *,
    bar: str,
    horizon: int,
    underlyings: Collection[str] | None = None,
    as_of: Versions = None,
) -> Dataset:
    """Return the training set of a range of dates.

    Nothing after `end` is read: a row whose label needs a later bar is left out, so that `known_at` is at
    most the last session's close.

    Parameters
    ----------
    lake
        Reads features, stock bars and corporate_actions.
    start, end
        First and last date, both included.
    bar, horizon
        Width of the bars; bars ahead that the label looks.
    underlyings
        Tickers to keep; None keeps all that have features.
    as_of
        Versions by table to read, or a moment: those current then; None reads the latest of each. The result
        says which were read.

    Returns
    -------
    Dataset

    Raises
    ------
    EmptyLakeError
        When there are no features or bars in the range.
    DatasetError
        When too few rows are left, or all labels are the same; the message has the counts and what to do.
    """
    versions = lake.resolve(as_of)
    wide = _wide(lake, start, end, bar, underlyings, versions)
    bars = read_bars(lake, start, end, bar=bar, underlyings=underlyings, as_of=versions)
    labelled = wide.join(
        direction(bars, horizon), on=["asof", "underlying"], how="inner", maintain_order="left"
    )
    prices = [
        name for name, feature in catalog().items() if feature.family == "price" and name in wide.columns
    ]
    warm = labelled.drop_nulls(prices)
    names = [name for name in catalog() if name in wide.columns]
    kept = tuple(name for name in names if warm[name].null_count() < warm.height)
    read = ("features", bar_table(bar), "corporate_actions")
    dataset = Dataset(
        frame=warm.select(*_KEY, *kept, "label", "forward_return", "known_at").sort("asof", "underlying"),
        features=kept,
        versions={name: versions[name] for name in read if name in versions},
        bar=bar,
        horizon=horizon,
        warm_up_rows=labelled.height - warm.height,
        unlabelled_rows=wide.height - labelled.height,
        empty_features=tuple(name for name in names if name not in kept),
    )
    _require_enough(dataset, start, end)
    return dataset


def _wide(
    lake: Lake,
    start: date,
    end: date,
    bar: str,
    underlyings: Collection[str] | None,
    versions: Mapping[str, int],
) -> pl.DataFrame:
    """Return one row per bar and one column per feature of the catalogue."""
    found = lake.scan("features", start, end, underlyings=underlyings, as_of=versions).collect()
    rows = found.filter(pl.col("bar") == bar, pl.col("feature").is_in(list(catalog())))
    if rows.is_empty():
        bars = ", ".join(found["bar"].unique().sort()) or "none of these underlyings"
        raise DatasetError(
            f"features from {start} to {end} are there for {bars}, not for {bar}: "
            f"run `strikelake featurize` for {bar}"
        )
    return rows.pivot(on="feature", index=_KEY, values="value").sort("asof", "underlying")


def _require_enough(dataset: Dataset, start: date, end: date) -> None:
    rows = dataset.frame.height
    if rows < _FEWEST_ROWS:
        raise DatasetError(
            f"{rows} rows are left from {start} to {end} ({dataset.warm_up_rows} in warm-up, "
            f"{dataset.unlabelled_rows} without a future) and training needs {_FEWEST_ROWS}: "
            "ingest and featurize more sessions, or widen the dates"
        )
    up = int(dataset.frame["label"].sum())
    if up in {0, rows}:
        kind = "up" if up else "flat or down"
        raise DatasetError(
            f"all {rows} labels from {start} to {end} are {kind}: widen the dates or change the horizon "
            f"({dataset.horizon} bars of {dataset.bar})"
        )
