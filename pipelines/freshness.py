"""Which features of which sessions are stored as they would be computed now."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from features.catalog import sessions_of_history
from features.context import needs
from features.definitions import definition
from pipelines.inputs import EARNINGS_AHEAD, TABLES, first_date
from pipelines.recall import bar_table, sessions_before
from strikelake.errors import EmptyLakeError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from features.feature import Feature
    from strikelake.lake.store import Lake

_Reach: TypeAlias = tuple[int, tuple[tuple[str, int], ...]]
"""Sessions of bars, and rows of each table of facts, that a feature reads."""

_KEYS = {"date": pl.Date, "feature": pl.String, "definition": pl.String, "inputs": pl.String}


@dataclass(frozen=True, slots=True)
class _Dated:
    """The content of a table by date: sums of hashes, so that a range costs two look-ups."""

    dates: Sequence[date]
    sums: Sequence[int]

    def between(self, first: date, last: date) -> int:
        return self.sums[bisect_right(self.dates, last)] - self.sums[bisect_left(self.dates, first)]


@dataclass(frozen=True, slots=True)
class Freshness:
    """Hashes of what features are computed from.

    Parameters
    ----------
    lake
        The lake, as it is now.
    bar
        Width of the bars.
    underlyings
        Tickers; None is all.
    """

    lake: Lake
    bar: str
    underlyings: Collection[str] | None
    _tables: dict[str, _Dated] = field(default_factory=dict)
    _definitions: dict[str, str] = field(default_factory=dict)

    def wanted(self, days: Sequence[date], features: Mapping[str, Feature]) -> pl.DataFrame:
        """Return the key of each session and feature: date, feature, definition, inputs.

        `inputs` is a hash of the files that hold the rows a feature of that session may read, of the splits
        between them, and of the universe. A file's name is a hash of its rows, so a file published again with
        the same rows changes nothing.
        """
        alike: dict[_Reach, list[tuple[str, str]]] = {}
        for name, feature in features.items():
            alike.setdefault(self._reach(feature), []).append((name, self._definition(feature)))
        rows = [
            (day, name, told, inputs)
            for reach, members in alike.items()
            for day in days
            for inputs in [self._inputs(day, reach)]
            for name, told in members
        ]
        return pl.DataFrame(rows, schema=_KEYS, orient="row")

    def stale(self, days: Sequence[date], features: Mapping[str, Feature]) -> pl.DataFrame:
        """Return the keys that are not stored."""
        wanted = self.wanted(days, features)
        return wanted.join(self._stored(days), on=list(_KEYS), how="anti")

    def _stored(self, days: Sequence[date]) -> pl.DataFrame:
        try:
            rows = self.lake.scan("features", days[0], days[-1])
        except EmptyLakeError:
            return pl.DataFrame(schema=_KEYS)
        return rows.filter(pl.col("bar") == self.bar).select(*_KEYS).unique().collect()

    def _definition(self, feature: Feature) -> str:
        if feature.name not in self._definitions:
            self._definitions[feature.name] = definition(feature)
        return self._definitions[feature.name]

    def _reach(self, feature: Feature) -> _Reach:
        return sessions_of_history(self.bar, [feature]), tuple(sorted(needs([feature]).items()))

    def _inputs(self, day: date, reach: _Reach) -> str:
        sessions, facts = reach
        warm_up = sessions_before(day, sessions)
        found = [
            self._dated(bar_table(self.bar)).between(warm_up, day),
            self._splits().between(warm_up + timedelta(days=1), day),
        ]
        for name, count in facts:
            ahead = EARNINGS_AHEAD if name == "earnings" else timedelta(0)
            first = first_date(name, day, count)
            found += [self._dated(table).between(first, day + ahead) for table in TABLES[name]]
        universe = "*" if self.underlyings is None else ",".join(sorted(self.underlyings))
        return _digest(f"{universe} {found}".encode())

    def _dated(self, table: str) -> _Dated:
        if table not in self._tables:
            self._tables[table] = _summed(self._content(table) if table in self.lake.tables() else [])
        return self._tables[table]

    def _content(self, table: str) -> list[tuple[date, str]]:
        """Return the dates of a table, each with a name for rows of it: a file, or a row of a small table."""
        held = self.lake.table(table)
        if held.spec.partition_by:
            return list(held.files().filter(pl.col("rows") > 0).select("date", "path").iter_rows())
        rows = self.lake.scan(table).select("date", pl.struct(pl.all()).struct.json_encode().alias("row"))
        return list(rows.collect().iter_rows())

    def _splits(self) -> _Dated:
        if "corporate_actions" not in self._tables:
            try:
                actions = self.lake.scan("corporate_actions").filter(pl.col("action") == "split").collect()
            except EmptyLakeError:
                actions = pl.DataFrame()
            rows = [] if actions.is_empty() else actions.sort("ticker", "ex_date").to_dicts()
            kept = [
                (row["ex_date"], f"{row['ticker']} {row['split_from']} {row['split_to']}")
                for row in rows
                if self.underlyings is None or row["ticker"] in self.underlyings
            ]
            self._tables["corporate_actions"] = _summed(kept)
        return self._tables["corporate_actions"]


def _summed(rows: Sequence[tuple[date, str]]) -> _Dated:
    by_date: dict[date, int] = {}
    for day, text in rows:
        by_date[day] = by_date.get(day, 0) + int(_digest(f"{day} {text}".encode()), 16)
    dates = sorted(by_date)
    return _Dated(dates, [0, *accumulate(by_date[day] for day in dates)])


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
