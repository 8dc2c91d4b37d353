"""What an audit of a lake looks at: bars and facts around each decision, and rows between decisions."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from features.catalog import build, sessions_of_history
from features.context import needs
from features.row_audit import RowAudit
from features.worlds import World
from pipelines.inputs import read_facts
from pipelines.other_lake import Held, OtherLake
from pipelines.recall import read_bars, sessions_before
from strikelake.calendar import NS_PER_MINUTE, et_date, next_session

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    import polars as pl

    from features.facts import Facts
    from features.feature import Feature
    from features.row_table import Window
    from features.worlds import Tables
    from strikelake.lake.store import Lake

_SERVED = 5
"""Rows between two decisions that another process computes, of each feature of the user's."""


@dataclass(slots=True)
class LakeSubject:
    """Features computed from a lake, for decisions between two dates; a `features.worlds.Subject`.

    Attributes
    ----------
    lake, bar, features, underlyings
        What is read, and what is computed from it.
    last
        Last date to read. A decision sees as many sessions after it as before it, up to this one.
    least
        Sessions to read before a decision at least, whatever the features need.
    """

    lake: Lake
    bar: str
    features: Mapping[str, Feature]
    underlyings: Collection[str] | None
    last: date
    least: int = 0
    _held: Held = field(default_factory=dict)
    _held_for: int | None = None

    def tables(self, asof: int) -> Tables:
        """Return the rows that were read for a decision, by table."""
        self.inputs(World(asof))
        largest: dict[str, pl.DataFrame] = {}
        for (table, *_), rows in self._held.items():
            if table not in largest or rows.height > largest[table].height:
                largest[table] = rows
        return largest

    def values(self, world: World, names: Sequence[str]) -> pl.DataFrame:
        """Return the features in a world."""
        bars, facts = self.inputs(world)
        return build(bars, facts, names, features=self.features)

    def inputs(self, world: World) -> tuple[pl.DataFrame, Facts]:
        """Return bars and facts around a decision, in a world."""
        if self._held_for != world.asof:
            self._held, self._held_for = {}, world.asof
        lake = OtherLake(self.lake, world, self._held)
        day = et_date(world.asof)
        span = max(self.least, sessions_of_history(self.bar, self.features.values()))
        end = min(_sessions_after(day, span), self.last)
        bars = read_bars(lake, sessions_before(day, span), end, bar=self.bar, underlyings=self.underlyings)
        return bars, read_facts(lake, day, end, needs(self.features.values()), self.underlyings)


@dataclass(slots=True)
class SubjectRows:
    """Rows between two decisions, to try functions in (`features.row_audit.RowSource`).

    Attributes
    ----------
    subject
        Whose rows.
    own
        Features of the user's.
    count
        Rows to try of each feature between two decisions.
    seed
        Of the draw; each decision gets its own.
    kept
        A few rows of the user's features, for another process to compute (`pipelines.elsewhere`).
    """

    subject: LakeSubject
    own: Collection[str]
    count: int
    seed: int
    kept: dict[str, list[Window]] = field(default_factory=dict)

    def __call__(self, since: int, asof: int) -> RowAudit:
        """Return the audit of rows that bars with `since < asof' <= asof` read."""
        inputs = self.subject.inputs(World(asof))
        seed = self.seed + asof // NS_PER_MINUTE
        audit = RowAudit(*inputs, self.subject.features, since, asof, rows=self.count, seed=seed)
        for name in self.own:
            with suppress(Exception):  # a feature that raises is told of where it is audited
                self.kept.setdefault(name, []).extend(audit.windows(name, _SERVED))
        return audit


def _sessions_after(day: date, count: int) -> date:
    for _ in range(count):
        day = next_session(day).date
    return day
