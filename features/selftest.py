"""What the audit catches: it is run on planted leaks and on their honest twins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.feature import Feature
from features.label_audit import audit_label
from features.lookahead import audit_lookahead, draw
from features.planted import planted_features
from features.planted_labels import planted_labels
from features.planted_market import planted_market
from features.planted_rows import planted_rows
from features.row_audit import RowAudit, try_rows
from features.verdicts import Board
from features.worlds import FramesSubject

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import polars as pl

    from features.planted import Compute, Plant
    from features.verdicts import Verdict
    from features.worlds import Kind, Tables

_SAMPLES = 12


@dataclass(frozen=True, slots=True)
class Trial:
    """What the audit said of a planted leak and of its honest twin.

    Attributes
    ----------
    plant
        The two.
    leak, honest
        The verdicts.
    """

    plant: Plant
    leak: Verdict
    honest: Verdict

    @property
    def caught(self) -> bool:
        """Whether the leak was called one."""
        return self.leak.status == "failed"

    @property
    def false_alarm(self) -> bool:
        """Whether the honest twin was not passed."""
        return self.honest.status != "passed"

    @property
    def ways(self) -> tuple[str, ...]:
        """By which checks it was caught, in the order in which they were made."""
        return tuple(dict.fromkeys(finding.check for finding in self.leak.findings))


def selftest(
    *,
    samples: int = _SAMPLES,
    seed: int = 0,
    kinds: Sequence[Kind] = ("removed", "changed"),
    names: Collection[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Trial, ...]:
    """Run the audit on every planted leak and its honest twin.

    Parameters
    ----------
    samples
        Decision times for each.
    seed
        Of the market and of the times.
    kinds
        Worlds that features are held against.
    names
        Leaks to plant; None plants all.
    progress
        Called with the number of plants done and in all.

    Returns
    -------
    tuple of Trial
        One for each plant.
    """
    tables = planted_market(seed)
    moments = _moments(tables, samples, seed)
    labels = {plant.name for plant in planted_labels()}
    every = (*planted_features(), *planted_rows(), *planted_labels())
    plants = [plant for plant in every if names is None or plant.name in names]
    trials: list[Trial] = []
    for plant in plants:
        verdicts = [
            _verdict(plant.name, side, tables, moments, kinds, is_label=plant.name in labels)
            for side in (plant.leak, plant.honest)
        ]
        trials.append(Trial(plant, *verdicts))
        if progress is not None:
            progress(len(trials), len(plants))
    return tuple(trials)


def _verdict(
    name: str,
    side: Compute | Feature,
    tables: Tables,
    moments: Sequence[int],
    kinds: Sequence[Kind],
    *,
    is_label: bool,
) -> Verdict:
    if isinstance(side, Feature):
        return _tried(name, side, tables["bars"])
    if is_label:
        return audit_label(name, side, tables, moments)

    def values(world: Tables, names: Sequence[str]) -> pl.DataFrame:
        return side(world).rename({"value": names[0]})

    return audit_lookahead(FramesSubject(tables, values), [name], moments, kinds=kinds)[0]


def _tried(name: str, feature: Feature, bars: pl.DataFrame) -> Verdict:
    """Audit a function in every row, for look-ahead and for its history."""
    rows = bars.sort("asof").with_columns(segment=0)
    audit = RowAudit(rows, {}, {name: feature}, 0, rows["asof"][-1], rows=rows.height, seed=0)
    board = Board([name])
    for check in (audit.future, audit.past):
        try_rows(board, check, [name])
    return board.verdicts()[0]


def _moments(tables: Tables, samples: int, seed: int) -> tuple[int, ...]:
    """Return decision times: after the first third, when everything is warm, and before the last bars."""
    every = tables["bars"]["asof"].unique().sort().to_list()
    return draw(every[len(every) // 3 : -4], samples, seed)
