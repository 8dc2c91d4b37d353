"""Proof row by row: a feature's function, called with the rows it declares and nothing else.

The worlds of `features.worlds` change the tables that everything is read from, and features are held against
them at some decisions. What a user writes is a function of arrays, which costs microseconds and can be called
at every row: a leak that shows in one row of five hundred, or at the first bar after a holiday, is found too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from features.context import Context
from features.feature import BARS
from features.panel import Panel
from features.row_table import Row, RowTable
from features.verdicts import Finding, describe, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import polars as pl

    from features.facts import Facts
    from features.feature import Feature
    from features.row_table import Window
    from features.verdicts import Board

    RowSource = Callable[[int, int], "RowAudit"]
    Compared = tuple[int, int, list[Finding]]

_SPECIAL = 4.0
"""How much likelier a session's first and last bar are drawn than others: that is where rules differ."""

_QUIET = np.errstate(all="ignore")
"""Undefined arithmetic is part of the job."""


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
        self._tables: dict[str, RowTable | None] = {}

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

    def _trials(self, name: str) -> Iterator[tuple[RowTable, Row, float | None, float | None]]:
        """Yield rows with the value from the rows that the feature declares, and the one from all rows."""
        feature = self._features[name]
        table = self._table(feature.on)
        if table is None:
            return
        rows = self._drawn(feature, table)
        alone = [table.alone(feature, row) for row in rows]
        for row, mine, whole in zip(rows, alone, table.whole(feature, rows), strict=True):
            yield table, row, mine, whole

    def _table(self, on: str) -> RowTable | None:
        if on not in self._tables:
            facts = None if on == BARS else self._context.table(on)
            if facts is not None:
                self._tables[on] = RowTable(facts.column, facts.series, facts.newest)
            elif on == BARS:
                every = np.arange(len(self._panel))
                self._tables[on] = RowTable(self._context.column, self._panel.series, every)
            else:
                self._tables[on] = None
        return self._tables[on]

    def _drawn(self, feature: Feature, table: RowTable) -> list[Row]:
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
