"""Proof row by row: a feature's function, called with the rows it declares and nothing else.

The worlds of `features.worlds` change the tables that everything is read from, and features are held against
them at some decisions. What a user writes is a function of arrays, which costs microseconds and can be called
at every row: a leak that shows in one row of five hundred, or at the first bar after a holiday, is found too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from features import calendar
from features.columns import readable
from features.context import Context
from features.engine import computed
from features.feature import BARS
from features.panel import PRICES, Panel
from features.verdicts import Finding, describe, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import polars as pl

    from features.facts import Facts
    from features.feature import Feature, FloatArray, Inputs, IntArray
    from features.series import Series
    from features.verdicts import Board

    RowSource = Callable[[int, int], "RowAudit"]
    Compared = tuple[int, int, list[Finding]]

AHEAD = 64
"""Rows that follow the decision in the worlds that a function is tried in."""

_TRADED = PRICES[:4]
_SPECIAL = 4.0
"""How much likelier a session's first and last bar are drawn than others: that is where rules differ."""

_QUIET = np.errstate(all="ignore")
"""Undefined arithmetic is part of the job."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, and the bar that reads it.

    Attributes
    ----------
    underlying, asof
        Of the bar.
    start, place, stop
        First row of its series, the row, and the row after the last of the series.
    """

    underlying: str
    asof: int
    start: int
    place: int
    stop: int


@dataclass(frozen=True, slots=True)
class Window:
    """The inputs of one value: of the bar that reads it, with as many rows as the feature declares."""

    underlying: str
    asof: int
    inputs: Inputs
    value: float | None


class RowAudit:
    """Bars and facts around a decision, in whose rows features are tried.

    Parameters
    ----------
    bars, facts
        What `features.catalog.build` takes.
    features
        Definitions by name.
    since, asof
        The rows that bars with `since < asof' <= asof` read are tried, ns UTC.
    rows
        How many of them at most.
    seed
        Of the draw, and of other futures.
    """

    def __init__(
        self,
        bars: pl.DataFrame,
        facts: Facts,
        features: Mapping[str, Feature],
        since: int,
        asof: int,
        *,
        rows: int,
        seed: int,
    ) -> None:
        self._panel, _ = Panel.of(bars)
        self._context = Context(self._panel, facts)
        self._tried = np.flatnonzero((self._panel.asof > since) & (self._panel.asof <= asof))
        self._features, self._rows, self._seed = features, rows, seed
        self._tables: dict[str, _Table | None] = {}

    @_QUIET
    def past(self, name: str) -> Compared:
        """Compare a feature from the rows it declares with the one from all rows before.

        Returns
        -------
        tuple
            Values compared, how many of them are not null, and findings of the check "history".
        """
        compared, seen, found = 0, 0, []
        for table, row, alone, whole in self._trials(name):
            compared += 1
            seen += alone is not None
            if not same(whole, alone):
                before = table.before(self._features[name], row)  # later rows may be what makes it differ
                if not same(before, alone):
                    found.append(Finding("history", row.underlying, row.asof, before, alone))
        return compared, seen, found

    @_QUIET
    def future(self, name: str) -> Compared:
        """Compare a feature from all rows with those without later rows, and with other later rows.

        Returns
        -------
        tuple
            Values compared, how many of them are not null, and findings of the checks "removed" and
            "changed".
        """
        feature = self._features[name]
        compared, seen, found = 0, 0, []
        for table, row, alone, whole in self._trials(name):
            compared += 2
            seen += 2 * (alone is not None)
            if not same(whole, alone):
                before = table.before(feature, row)  # earlier rows may be what makes it differ
                if not same(whole, before):
                    found.append(Finding("removed", row.underlying, row.asof, whole, before))
                    continue
            other = table.alone(feature, row, compared // 2 + self._seed)
            if not same(alone, other):
                found.append(Finding("changed", row.underlying, row.asof, alone, other))
        return compared, seen, found

    @_QUIET
    def windows(self, name: str, count: int) -> list[Window]:
        """Return some rows of a feature with the inputs it declares there, oldest first."""
        feature = self._features[name]
        table = self._table(feature.on)
        rows = [] if table is None else self._drawn(feature, table)
        kept = rows[:: -(-len(rows) // count)] if rows else []
        return [table.window(feature, row) for row in kept if table is not None]

    def _trials(self, name: str) -> Iterator[tuple[_Table, Row, float | None, float | None]]:
        """Yield rows with the value from the rows that the feature declares, and the one from all rows."""
        feature = self._features[name]
        table = self._table(feature.on)
        if table is None:
            return
        rows = self._drawn(feature, table)
        alone = [table.alone(feature, row) for row in rows]
        for row, mine, whole in zip(rows, alone, table.whole(feature, rows), strict=True):
            yield table, row, mine, whole

    def _table(self, on: str) -> _Table | None:
        if on not in self._tables:
            facts = None if on == BARS else self._context.table(on)
            if on == BARS:
                every = np.arange(len(self._panel))
                self._tables[on] = _Table(self._context.column, self._panel.series, every)
            else:
                self._tables[on] = None if facts is None else _Table(facts.column, facts.series, facts.newest)
        return self._tables[on]

    def _drawn(self, feature: Feature, table: _Table) -> list[Row]:
        """Return the rows to try, each with the first bar that reads it."""
        bars = self._tried[table.read[self._tried] >= 0]
        _, first = np.unique(table.read[bars], return_index=True)
        bars = bars[first]
        bars = bars[table.series.position[table.read[bars]] >= feature.lookback - 1]
        if len(bars) > self._rows:
            rng = np.random.default_rng([self._seed, crc32(feature.name.encode())])
            days = self._panel.days
            edge = (np.diff(days, prepend=-1) != 0) | (np.diff(days, append=-1) != 0)
            weights = np.where(edge[bars], _SPECIAL, 1.0)
            bars = np.sort(rng.choice(bars, self._rows, replace=False, p=weights / weights.sum()))
        places = table.read[bars]
        numbers = table.series.number[places]
        names = self._panel.names_of(bars)
        bounds = table.series.bounds
        return [
            Row(*row)
            for row in zip(
                names,
                self._panel.asof[bars].tolist(),
                bounds[numbers].tolist(),
                places.tolist(),
                bounds[numbers + 1].tolist(),
                strict=True,
            )
        ]


def try_rows(board: Board, audit: Callable[[str], Compared], names: Sequence[str]) -> None:
    """Note what an audit of rows finds of each feature; those that raise are noted and left out."""
    for name in names:
        if name in board.errors:
            continue
        try:
            board.add(name, *audit(name))
        except Exception as error:  # noqa: BLE001 - a user's feature may raise anything, and is told of it
            board.errors[name] = f"{describe(error)} when it is computed from single rows and their history"


class _Table:
    """A table that features are computed over.

    Parameters
    ----------
    column
        From a name to its values.
    series
        Its unbroken series.
    read
        The row that each bar reads, -1 for none.
    """

    def __init__(self, column: Callable[[str], FloatArray], series: Series, read: IntArray) -> None:
        self.series, self.read = series, read
        self._columns: dict[str, FloatArray] = {}
        self._column = column
        self._dealt: dict[tuple[int, str], tuple[IntArray, FloatArray, FloatArray]] = {}
        self._later: dict[tuple[int, str, str], FloatArray] = {}

    def alone(self, feature: Feature, row: Row, future: int | None = None) -> float | None:
        """Return the value from the rows it declares; `future` is the seed of other rows after them."""
        declared = slice(row.place - feature.lookback + 1, row.place + 1)
        part = self._part(feature, declared)
        if future is not None:
            part = {
                name: readable(np.concatenate((values, self._future(name, row, future))))
                for name, values in part.items()
            }
        return _known(_values(feature, part)[feature.lookback - 1])

    def window(self, feature: Feature, row: Row) -> Window:
        """Return the rows that it declares, and the value from them."""
        inputs = self._part(feature, slice(row.place - feature.lookback + 1, row.place + 1))
        return Window(row.underlying, row.asof, inputs, _known(_values(feature, inputs)[-1]))

    def before(self, feature: Feature, row: Row) -> float | None:
        """Return the value from all rows up to it."""
        return _known(_values(feature, self._part(feature, slice(row.start, row.place + 1)))[-1])

    def whole(self, feature: Feature, rows: Sequence[Row]) -> Iterator[float | None]:
        """Yield the values from the whole series of each row: earlier and later ones too."""
        start, values = -1, np.empty(0)
        for row in rows:
            if row.start != start:
                start = row.start
                values = _values(feature, self._part(feature, slice(start, row.stop)))
            yield _known(values[row.place - start])

    def _part(self, feature: Feature, rows: slice) -> dict[str, FloatArray]:
        """Return some rows of the inputs: copies, from which no way leads to the others."""
        for name in feature.inputs:
            if name not in self._columns:
                self._columns[name] = self._column(name)
        return {name: readable(self._columns[name][rows].copy()) for name in feature.inputs}

    def _future(self, name: str, row: Row, seed: int) -> FloatArray:
        """Return other rows to come: some of its series, dealt anew and changed; calm, wild, or unknown."""
        kind = _FUTURES[seed % len(_FUTURES)]
        if name == "seconds":
            return np.asarray(self._columns[name][row.place] + _CLOCK)
        if kind == "still":
            return np.full(AHEAD, self._columns[name][row.place])
        key = (row.start, kind, name)
        if key not in self._later:
            self._later[key] = self._changed(name, row, kind, seed)
        return self._later[key]

    def _changed(self, name: str, row: Row, kind: str, seed: int) -> FloatArray:
        if (row.start, kind) not in self._dealt:
            rng = np.random.default_rng([seed, row.start])
            level, other = np.exp(rng.normal(0.0, 1.0, (2, AHEAD))) * _LEVELS.get(kind, 1.0)
            self._dealt[row.start, kind] = rng.integers(row.start, row.stop, AHEAD), level, other
        dealt, level, other = self._dealt[row.start, kind]
        if kind == "unknown" and name not in PRICES and name not in calendar.INPUTS:
            return np.full(AHEAD, np.nan)
        values = self._columns[name][dealt]
        if name in calendar.INPUTS:
            return values
        return np.asarray(values * (level if name in _TRADED else other))


_FUTURES = ("dealt", "surge", "still", "collapse", "unknown")
_LEVELS = {"surge": 1e3, "collapse": 1e-3}
_CLOCK = np.arange(1.0, AHEAD + 1.0) * 1800.0


def _values(feature: Feature, inputs: Mapping[str, FloatArray]) -> FloatArray:
    return computed(feature, inputs, len(next(iter(inputs.values()))))


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
