"""Labels of option structures from the lake's quotes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features.labels import Label
from features.structure_labels import QUOTES
from strikelake.errors import DatasetError, EmptyLakeError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from features.feature import IntArray
    from features.structure_labels import StructureLabel
    from strikelake.lake.store import Lake
    from strikelake.lake.tables import Versions

_ROW = ["asof", "underlying"]


def structure_values(
    lake: Lake,
    label: StructureLabel,
    bars: pl.DataFrame,
    universe: Collection[str] | None = None,
    as_of: Versions = None,
) -> pl.DataFrame:
    """Return a label of option structures for bars, entered and left at the quotes of the lake.

    Parameters
    ----------
    lake
        Reads option_quotes, the sessions of one day's entries at a time.
    label
        What is bought, and for how long.
    bars
        A frame of bars (`features.bars.COLUMNS`), as traded: strikes are not adjusted for splits.
    universe
        Tickers; None takes every ticker with bars.
    as_of
        Versions by table to read, or a moment.

    Returns
    -------
    pl.DataFrame
        `features.labels.COLUMNS`, as the label gives them. Contracts that a split replaced between entry and
        exit have no quote at the exit: such rows are left out.

    Raises
    ------
    DatasetError
        When the lake has no option quotes of these dates.
    """
    names = sorted(set(bars["underlying"]) if universe is None else universe)
    ends = Label("forward_return", label.horizon)(bars).select(*_ROW, "known_at")
    rows = ends.join(bars.select(*_ROW, "date"), on=_ROW)
    day_of = dict(bars.select("asof", "date").unique().iter_rows())
    found = []
    for (day,), entries in rows.sort("date").partition_by("date", as_dict=True).items():
        last = day_of[entries["known_at"].max()]
        moments = np.unique(np.concatenate([entries["asof"].to_numpy(), entries["known_at"].to_numpy()]))
        quotes = _newest(lake, day, last, names, moments, as_of)
        if quotes is not None:
            values = label(bars.filter(pl.col("date").is_between(day, last)), quotes)
            found.append(values.join(entries.select(_ROW), on=_ROW, how="semi"))
    if not found:
        first, end = bars.select(first=pl.col("date").min(), end=pl.col("date").max()).row(0)
        raise DatasetError(
            f"{label.name} needs option quotes, and the lake has none from {first} to {end}: run `strikelake "
            "ingest --dataset option_quotes` for these dates"
        )
    return pl.concat(found).sort(_ROW)


def _newest(
    lake: Lake, first: date, last: date, names: Sequence[str], moments: IntArray, as_of: Versions
) -> pl.DataFrame | None:
    """Return each contract's newest quote at each moment of some sessions; None where there are none."""
    try:
        quotes = lake.scan("option_quotes", first, last, underlyings=names, as_of=as_of)
        rows = quotes.select(QUOTES.keys()).collect()
    except EmptyLakeError:
        return None
    # By the first moment at which a quote is known: later ones find it too, where there is no newer one.
    place = pl.Series("place", np.searchsorted(moments, rows["available_at"].to_numpy()))
    return (
        rows.with_columns(place)
        .filter(place < len(moments))
        .sort("occ_symbol", "available_at")
        .unique(["occ_symbol", "place"], keep="last", maintain_order=True)
        .drop("place")
    )
