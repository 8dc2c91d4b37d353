"""Inputs of a bar beyond its own columns: the clock, the other underlyings, and facts, joined point in time.

Every input is computed when a feature names it, from rows with the same or an earlier asof and from facts
with available_at <= asof.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from features import calendar, events, sectors, universe
from features.columns import readable
from features.facts import FACTS, FactSeries
from features.feature import BARS
from features.panel import PRICES, Panel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from features.facts import Facts
    from features.feature import Feature, FloatArray


@dataclass(frozen=True, slots=True)
class Provider:
    """How an input column comes about.

    Attributes
    ----------
    compute
        From the panel and the facts to one value a bar.
    facts
        Tables of facts it reads, with the rows (or days, of events) it needs.
    """

    compute: Callable[[Panel, Facts], FloatArray]
    facts: Mapping[str, int] = field(default_factory=dict)


PROVIDERS: Mapping[str, Provider] = {
    **{name: Provider(compute) for name, compute in calendar.INPUTS.items()},
    **{name: Provider(compute) for name, compute in universe.INPUTS.items()},
    **{
        name: Provider(compute, needs)
        for name, (compute, needs) in {**events.INPUTS, **sectors.INPUTS}.items()
    },
}
"""Inputs that are computed; the others are columns of bars or of facts."""


class Context:
    """Bars with everything that features may read.

    Parameters
    ----------
    panel
        The bars.
    facts
        Tables of facts that are there.
    """

    def __init__(self, panel: Panel, facts: Facts | None) -> None:
        self.panel = panel
        self.facts: Facts = dict(facts or {})
        self._columns = {name: readable(values) for name, values in panel.columns.items()}
        self._tables: dict[str, FactSeries] = {}

    def column(self, name: str) -> FloatArray:
        """Return an input, one value a bar, that cannot be written to.

        It is NaN throughout where its table is not there.

        Raises
        ------
        ValueError
            When there is no such input.
        """
        if name not in self._columns:
            self._columns[name] = readable(self._made(name))
        return self._columns[name]

    def table(self, name: str) -> FactSeries | None:
        """Return a table of facts, or None where it is not there."""
        if name not in self.facts:
            return None
        if name not in self._tables:
            self._tables[name] = FactSeries(name, self.facts[name], self.panel)
        return self._tables[name]

    def _made(self, name: str) -> FloatArray:
        if name in PROVIDERS:
            provider = PROVIDERS[name]
            if any(table not in self.facts for table in provider.facts):
                return np.full(len(self.panel), np.nan)
            return provider.compute(self.panel, self.facts)
        source = self.table(table_of(name))
        return np.full(len(self.panel), np.nan) if source is None else source.joined(source.column(name))


def table_of(column: str) -> str:
    """Return the table of facts that a column belongs to.

    Raises
    ------
    ValueError
        When no table has it; the message lists what there is.
    """
    for name, spec in FACTS.items():
        if column in spec.columns:
            return name
    known = sorted({*PRICES, *PROVIDERS, *(each for spec in FACTS.values() for each in spec.columns)})
    raise ValueError(f"there is no input {column!r}: features can read {', '.join(known)}")


def needs(features: Iterable[Feature]) -> dict[str, int]:
    """Return the tables of facts that features read, with the newest rows (days, of events) they need.

    Examples
    --------
    >>> from features.catalog import catalog
    >>> needs([catalog()["atm_iv_change"], catalog()["return_1"]])
    {'options': 2}
    """
    found: dict[str, int] = {}
    for feature in features:
        for table, rows in _needs(feature).items():
            found[table] = max(found.get(table, 0), rows)
    return found


def _needs(feature: Feature) -> Mapping[str, int]:
    if feature.on != BARS:
        return {feature.on: feature.lookback}
    own: dict[str, int] = {}
    for column in feature.inputs:
        if column in PRICES:
            continue
        own |= PROVIDERS[column].facts if column in PROVIDERS else {table_of(column): 1}
    return own
