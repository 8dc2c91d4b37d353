"""Join features and labels into a training set that can be rebuilt from its manifest, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from features.catalog import choose
from features.definitions import definition
from features.feature import BARS
from features.labels import Label, direction
from features.structure_labels import StructureLabel
from pipelines.dataset import MANIFEST_VERSION, AnyLabel, Dataset, Source, label_of
from pipelines.recall import bar_table, read_bars
from pipelines.structures import structure_values
from strikelake.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from features.feature import Feature
    from strikelake.lake.store import Lake
    from strikelake.lake.tables import Versions

_ROW = ("asof", "underlying")
_KEY = (*_ROW, "date")
_FEWEST_ROWS = 100


def assemble(
    lake: Lake,
    features: Iterable[str] | Mapping[str, Feature],
    labels: Sequence[AnyLabel],
    *,
    bar: str,
    start: date,
    end: date,
    universe: Collection[str] | None = None,
    as_of: Versions = None,
) -> Dataset:
    """Return the training set of a range of dates.

    Nothing after `end` is read: a row whose label needs a later bar is left out, so that `known_at` is at
    most the last session's close.

    Parameters
    ----------
    lake
        Reads features, stock bars and corporate_actions, and option_quotes for a `StructureLabel`.
    features
        Names of features or families, or definitions by name; they must be stored.
    labels
        What to forecast. The first is what models are trained on and must be binary; a row must have all: of
        a `StructureLabel` those remain whose contracts were quoted at both ends.
    bar
        Width of the bars.
    start, end
        First and last date, both included.
    universe
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
        When a feature is not stored, or not as it is defined now, a label needs quotes and there are none,
        too few rows are left, or all labels are the same; the message has the counts and what to do.
    FeatureError
        When a feature is unknown.
    """
    chosen = dict(features) if isinstance(features, Mapping) else choose(features)
    of_bars = {name: feature.on == BARS for name, feature in chosen.items()}
    dataset = _joined(lake, of_bars, labels, bar, (start, end), universe, lake.resolve(as_of))
    _require_as_defined(dataset, chosen)
    return dataset


def rebuild(lake: Lake, manifest: Mapping[str, Any]) -> Dataset:
    """Return the training set that a manifest describes, to the last byte.

    The features are read as they were stored: code that has changed since changes nothing.

    Parameters
    ----------
    lake
        Must still have the versions that the manifest names.
    manifest
        As `Dataset.manifest` gives it, from JSON.

    Raises
    ------
    DatasetError
        When the manifest is of another kind, or what is found is not what it describes.
    LakeError
        When a version is gone.
    """
    if manifest.get("manifest") != MANIFEST_VERSION:
        raise DatasetError(
            f"the manifest is of version {manifest.get('manifest')!r}, not {MANIFEST_VERSION}: "
            "rebuild it with the release that wrote it"
        )
    dataset = _joined(
        lake,
        {name: feature["of_bars"] for name, feature in manifest["features"].items()},
        [label_of(told) for told in manifest["labels"]],
        manifest["bar"],
        (date.fromisoformat(manifest["start"]), date.fromisoformat(manifest["end"])),
        manifest["universe"],
        manifest["versions"],
    )
    found = dataset.manifest()
    differing = sorted(name for name in found if found[name] != manifest.get(name))
    if differing:
        raise DatasetError(
            f"the rebuilt training set has {found['rows']} rows and differs from its manifest in "
            f"{', '.join(differing)}: check that the lake is the one it was made from, and its polars"
        )
    return dataset


def _joined(
    lake: Lake,
    of_bars: Mapping[str, bool],
    labels: Sequence[AnyLabel],
    bar: str,
    span: tuple[date, date],
    universe: Collection[str] | None,
    versions: Mapping[str, int],
) -> Dataset:
    """Return the training set of features that are known by name, and by whether they are made of bars."""
    names = list(of_bars)
    rows = _stored(lake, span, bar, names, universe, versions)
    bars = read_bars(lake, *span, bar=bar, underlyings=universe, as_of=versions)
    wide = rows.pivot(on="feature", index=_KEY, values="value", on_columns=names)
    labelled = wide
    for columns in [*_labels(bars, labels), *_structures(lake, span, bar, labels, universe, versions)]:
        labelled = labelled.join(columns, on=["asof", "underlying"], how="inner", maintain_order="left")
    warm = labelled.join(_early(rows, of_bars), on=["asof", "underlying"], how="anti", maintain_order="left")
    kept = tuple(name for name in names if warm[name].null_count() < warm.height)
    quoted = ("option_quotes",) if any(isinstance(label, StructureLabel) for label in labels) else ()
    read = ("features", bar_table(bar), "corporate_actions", *quoted)
    dataset = Dataset(
        frame=warm.drop(name for name in names if name not in kept).sort("asof", "underlying"),
        features=kept,
        labels=tuple(labels),
        versions={name: versions[name] for name in read if name in versions},
        bar=bar,
        horizon=labels[0].horizon,
        span=span,
        universe=None if universe is None else tuple(sorted(universe)),
        sources=_sources(rows, of_bars),
        warm_up_rows=labelled.height - warm.height,
        unlabelled_rows=wide.height - labelled.height,
        empty_features=tuple(name for name in names if name not in kept),
    )
    _require_enough(dataset)
    return dataset


def _stored(
    lake: Lake,
    span: tuple[date, date],
    bar: str,
    names: Sequence[str],
    universe: Collection[str] | None,
    versions: Mapping[str, int],
) -> pl.DataFrame:
    """Return the rows of the features table."""
    start, end = span
    found = lake.scan("features", start, end, underlyings=universe, as_of=versions)
    mine = found.filter(pl.col("bar") == bar, pl.col("feature").is_in(names))
    columns = (*_KEY, "feature", "value", "null_reason", "definition")
    rows = mine.select(columns).collect().sort("asof", "underlying")
    if rows.is_empty():
        widths = found.select(pl.col("bar").unique().sort()).collect()["bar"]
        bars = ", ".join(widths) or "none of these underlyings"
        raise DatasetError(
            f"features from {start} to {end} are there for {bars}, not for {bar}: "
            f"run `strikelake featurize` for {bar}"
        )
    missing = sorted(set(names) - set(rows["feature"].unique()))
    if missing:
        raise DatasetError(
            f"{', '.join(missing)} are not stored for {bar} bars from {start} to {end}: "
            f"run `strikelake features build --bar {bar}` with their names"
        )
    return rows


def _labels(bars: pl.DataFrame, labels: Sequence[AnyLabel]) -> list[pl.DataFrame]:
    """Return the columns of labels of bars; the first one's are label, forward_return and known_at."""
    first = labels[0] if labels else None
    if not isinstance(first, Label) or not first.is_binary:
        raise DatasetError(
            f"the first label is {first.name if first else 'none'}: models need one that is 0 or 1, such as "
            "direction, as the first"
        )
    target = direction(bars, first.horizon).select(*_ROW, "label", "forward_return", "known_at")
    others = [_named(label, label(bars)) for label in labels[1:] if isinstance(label, Label)]
    return [target, *others]


def _structures(
    lake: Lake,
    span: tuple[date, date],
    bar: str,
    labels: Sequence[AnyLabel],
    universe: Collection[str] | None,
    versions: Mapping[str, int],
) -> list[pl.DataFrame]:
    """Return the columns of labels of option structures."""
    structures = [label for label in labels if isinstance(label, StructureLabel)]
    if not structures:
        return []
    traded = read_bars(lake, *span, bar=bar, underlyings=universe, as_of=versions, as_traded=True)
    return [_named(label, structure_values(lake, label, traded, universe, versions)) for label in structures]


def _named(label: AnyLabel, values: pl.DataFrame) -> pl.DataFrame:
    return values.rename({"value": label.name, "known_at": f"{label.name}_known_at"})


def _early(rows: pl.DataFrame, of_bars: Mapping[str, bool]) -> pl.DataFrame:
    """Return the bars at which a feature of bars has too little history."""
    names = [name for name, made_of_bars in of_bars.items() if made_of_bars]
    warming = (pl.col("null_reason") == "warm_up") & pl.col("feature").is_in(names)
    return rows.filter(warming).select("asof", "underlying").unique()


def _sources(rows: pl.DataFrame, of_bars: Mapping[str, bool]) -> dict[str, Source]:
    found = dict(rows.group_by("feature").agg(pl.col("definition").unique().sort()).iter_rows())
    return {name: Source(made_of_bars, tuple(found[name])) for name, made_of_bars in of_bars.items()}


def _require_as_defined(dataset: Dataset, features: Mapping[str, Feature]) -> None:
    """Refuse values of other code: a model is served by the code there is now."""
    others = [
        name for name in dataset.sources if dataset.sources[name].definitions != (definition(features[name]),)
    ]
    if others:
        raise DatasetError(
            f"{', '.join(others)} are stored as another definition computed them, at least in part: what is "
            f"served would differ from what is learned; run `strikelake features build --bar {dataset.bar}` "
            "with their names, or `rebuild` the training set of that time from its manifest"
        )


def _require_enough(dataset: Dataset) -> None:
    rows = dataset.frame.height
    span = "from {} to {}".format(*dataset.span)
    if rows < _FEWEST_ROWS:
        raise DatasetError(
            f"{rows} rows are left {span} ({dataset.warm_up_rows} in warm-up, "
            f"{dataset.unlabelled_rows} without a future) and training needs {_FEWEST_ROWS}: "
            "ingest and featurize more sessions, or widen the dates"
        )
    up = int(dataset.frame["label"].sum())
    if up in {0, rows}:
        kind = "up" if up else "flat or down"
        raise DatasetError(
            f"all {rows} labels {span} are {kind}: widen the dates or change the horizon "
            f"({dataset.horizon} bars of {dataset.bar})"
        )
