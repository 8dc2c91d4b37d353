"""What bars look up: tables of dated facts, each joined point in time.

A fact is known from its `available_at` on. Tables of the kind "series" have rows that replace one another,
most of them one a session; a bar takes the newest, unless it is too old. The others are events: news, whose
last days are counted, and earnings dates, of which the next and the last matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl

from features.columns import readable
from features.series import Series, at, sorted_by
from strikelake.calendar import NS_PER_SECOND

if TYPE_CHECKING:
    from features.feature import FloatArray, IntArray
    from features.panel import Panel

NEVER = 36_500
"""Days after which a row is stale that holds until another one replaces it: a century."""

Facts: TypeAlias = Mapping[str, pl.DataFrame]
"""Frames by the names of `FACTS`; a table that is not there gives nulls."""

NS_PER_DAY = 24 * 3600 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class FactTable:
    """A table of facts.

    Attributes
    ----------
    columns
        Values that features may name as inputs; no two tables share a name.
    source
        Where the rows come from.
    by_underlying
        Whether rows are of one underlying each; otherwise all bars share them.
    stale_days
        Age in calendar days from which a row says nothing any more; of two rows further apart than that the
        later one starts a new series.
    events
        Whether needs are counted in days, and not in rows.
    """

    columns: tuple[str, ...]
    source: str
    by_underlying: bool = True
    stale_days: int = 7
    events: bool = False


FACTS: Mapping[str, FactTable] = {
    "options": FactTable(
        ("atm_iv", "put_volume", "call_volume", "option_notional", "put_delta", "call_delta"),
        "option_day_bars with option_analytics, a row a session",
    ),
    "open_interest": FactTable(
        ("put_open", "call_open", "open_notional", "gamma_exposure", "delta_exposure", "vega_exposure"),
        "open_interest with option_analytics, a row a session",
    ),
    "surfaces": FactTable(
        ("atm_iv_30d", "risk_reversal_25d", "butterfly_25d", "term_slope"), "surfaces, at the close"
    ),
    "volatility_index": FactTable(("vix",), "index_day_bars of I:VIX", by_underlying=False),
    "own_index": FactTable(("own_vix",), "volatility_indices of SPY, at the close", by_underlying=False),
    "news": FactTable(("score",), "news, an article and a ticker a row", events=True),
    "classifications": FactTable(
        ("sector",), "classifications, a row where the sector changes", stale_days=NEVER
    ),
    "earnings": FactTable(("report_at",), "earnings, a report a row", events=True),
}


def known_at(facts: Facts | None, asof: int) -> Facts:
    """Return the rows that were available at a moment (ns UTC)."""
    return {name: _known(rows, asof) for name, rows in (facts or {}).items()}


def _known(rows: pl.DataFrame, asof: int) -> pl.DataFrame:
    known = rows["available_at"].to_numpy() <= asof
    return rows if known.all() else rows.filter(known)


def in_order(facts: Facts) -> Facts:
    """Return facts sorted as they are looked up, which then need not be done at every look."""
    return {
        name: rows.sort("underlying", "available_at")
        if FACTS[name].by_underlying
        else rows.sort("available_at")
        for name, rows in facts.items()
    }


def newest(facts: Facts | None, needs: Mapping[str, int], asof: int) -> Facts:
    """Return no more than what is needed at a moment: the newest rows, or the last days of events."""
    kept = {}
    for name, rows in known_at(facts, asof).items():
        count = needs.get(name, 0)
        spec = FACTS[name]
        if spec.events:
            kept[name] = rows.filter(pl.col("available_at") > asof - count * NS_PER_DAY)
        elif spec.by_underlying:
            ordered = rows.sort("underlying", "available_at").group_by("underlying", maintain_order=True)
            kept[name] = ordered.tail(count)
        else:
            kept[name] = rows.sort("available_at").tail(count)
    return kept


class FactSeries:
    """The rows of one table as arrays, sorted, and the newest of them for each bar.

    Parameters
    ----------
    name
        Of the table.
    rows
        Its frame, in any order.
    panel
        The bars.
    """

    def __init__(self, name: str, rows: pl.DataFrame, panel: Panel) -> None:
        spec = FACTS[name]
        if spec.by_underlying:
            self._rows, self.names = sorted_by(rows, "underlying", "available_at")
        else:
            self._rows, self.names = _in_time(rows), _whole(rows.height)
        self._stale_ns = spec.stale_days * NS_PER_DAY
        self.available: IntArray = self._rows["available_at"].to_numpy()
        self.series = self._split()
        self.newest: IntArray = self._newest(panel, by_underlying=spec.by_underlying)

    def column(self, name: str) -> FloatArray:
        """Return a column that cannot be written to, NaN for null."""
        return readable(self._rows[name].to_numpy())

    def joined(self, values: FloatArray) -> FloatArray:
        """Return each bar's newest value; NaN where no row is known or the newest is too old."""
        if not len(values):
            return np.full(len(self.newest), np.nan)
        return np.where(self.newest >= 0, values[self.newest], np.nan)

    def _split(self) -> Series:
        """Start a new series where a table was silent for so long that its last row was forgotten."""
        late = np.diff(self.available, prepend=self.available[:1]) > self._stale_ns
        starts = np.union1d(self.names.starts, np.flatnonzero(late))
        return Series(np.append(starts, len(self.available)))

    def _newest(self, panel: Panel, *, by_underlying: bool) -> IntArray:
        """Return the row that each bar reads, -1 for none."""
        place = np.full(len(panel), -1)
        if not by_underlying:
            place[:] = np.searchsorted(self.available, panel.asof, side="right") - 1
        else:
            found = at(self._rows["underlying"], self.names.starts)
            where = dict(zip(found, self.names.slices, strict=True))
            for name, bars in zip(panel.underlyings, panel.names.slices, strict=True):
                rows = where.get(name)
                if rows is not None:
                    known = self.available[rows].searchsorted(panel.asof[bars], side="right")
                    place[bars] = known + (rows.start - 1)
                    if known[0] == 0:
                        place[bars][known == 0] = -1
        if len(self.available):
            place[panel.asof - self.available[place] > self._stale_ns] = -1
        return place


def _in_time(rows: pl.DataFrame) -> pl.DataFrame:
    moments = rows["available_at"].to_numpy()
    return rows if (moments[1:] >= moments[:-1]).all() else rows.sort("available_at", maintain_order=True)


def _whole(rows: int) -> Series:
    return Series(np.array([0, rows]) if rows else np.array([0]))
