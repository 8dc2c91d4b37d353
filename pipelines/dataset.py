"""A training set, and the manifest that it can be rebuilt from."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

from features.labels import Label
from features.structure_labels import STRUCTURES, StructureLabel

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

MANIFEST_VERSION = 1

AnyLabel: TypeAlias = Label | StructureLabel
"""What a training set can forecast."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a feature's values come from.

    Attributes
    ----------
    of_bars
        Whether it is computed over bars, so that its warm-up shortens the training set.
    definitions
        Hashes of the code, `features.definitions.definition`; several where rows of different code are
        mixed.
    """

    of_bars: bool
    definitions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Features and labels of one bar width.

    Attributes
    ----------
    frame
        asof, underlying, date, the features, label (Int8: 1 up, 0 flat or down), forward_return, known_at,
        and for every further label its value and `<name>_known_at`; sorted (asof, underlying). Labels are
        never null, features may be.
    features
        Names of the feature columns, in the order asked for.
    versions
        Lake version of every table read: `assemble(..., as_of=versions)` gives the same frame again.
    bar, horizon
        Width of the bars, and how many of them the first label looks ahead.
    warm_up_rows
        Rows left out because a feature of bars had too little history.
    unlabelled_rows
        Rows left out because a label has no value: their future lies beyond the range, or was not quoted.
    empty_features
        Features left out because they are null in every row.
    labels
        What is forecast, the target first.
    span, universe
        First and last date, and tickers, as asked for.
    sources
        Where the values of each feature come from.
    """

    frame: pl.DataFrame
    features: tuple[str, ...]
    versions: Mapping[str, int]
    bar: str
    horizon: int
    warm_up_rows: int
    unlabelled_rows: int
    empty_features: tuple[str, ...]
    labels: tuple[AnyLabel, ...] = ()
    span: tuple[date, date] = (date.min, date.max)
    universe: tuple[str, ...] | None = None
    sources: Mapping[str, Source] = field(default_factory=dict)

    def content(self) -> bytes:
        """Return the frame as bytes: Arrow IPC, uncompressed, in one chunk."""
        sink = io.BytesIO()
        self.frame.rechunk().write_ipc(sink, compression="uncompressed")
        return sink.getvalue()

    def manifest(self) -> dict[str, Any]:
        """Return what the training set can be rebuilt from, as JSON has it.

        Versions of tables, names and definitions of features, labels with their settings, dates, universe,
        and the hash of the frame that a rebuilding must arrive at.
        """
        return {
            "manifest": MANIFEST_VERSION,
            "bar": self.bar,
            "start": str(self.span[0]),
            "end": str(self.span[1]),
            "universe": None if self.universe is None else list(self.universe),
            "features": {
                name: {"of_bars": source.of_bars, "definitions": list(source.definitions)}
                for name, source in self.sources.items()
            },
            "labels": [_told(label) for label in self.labels],
            "versions": dict(self.versions),
            "rows": self.frame.height,
            "sha256": hashlib.sha256(self.content()).hexdigest(),
        }


def label_of(told: Mapping[str, Any]) -> AnyLabel:
    """Return the label that a manifest tells of.

    Examples
    --------
    >>> label_of({"kind": "direction", "horizon": 6, "settings": {}}).name
    'direction_6'
    """
    kind, horizon, settings = told["kind"], told["horizon"], dict(told["settings"])
    if kind not in STRUCTURES:
        return Label(kind, horizon, settings)
    return StructureLabel(kind, horizon, **settings | {"days": tuple(settings["days"])})


def _told(label: AnyLabel) -> dict[str, Any]:
    if isinstance(label, Label):
        settings: dict[str, Any] = dict(label.settings)
    else:
        settings = {"days": list(label.days), "fee": label.fee, "stale_minutes": label.stale_minutes}
    return {"kind": label.kind, "horizon": label.horizon, "settings": settings}
