"""Proof that features ask for as much history as they need."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from features.catalog import build
from features.context import needs
from features.facts import known_at, newest
from features.feature import BARS
from features.row_audit import try_rows
from features.verdicts import UNSTEADY, Board, Finding, Verdict, describe, same, values_at
from features.worlds import World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from features.facts import Facts
    from features.feature import Feature
    from features.row_audit import RowSource
    from features.verdicts import Key

    Rows = tuple[pl.DataFrame, Facts]
    _Need = tuple[int, tuple[tuple[str, int], ...]]


def audit_lookback(
    inputs: Callable[[int], Rows],
    features: Mapping[str, Feature],
    moments: Sequence[int],
    *,
    rows: RowSource | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Verdict, ...]:
    """Compare features from exactly the history they declare with those from all of it.

    Parameters
    ----------
    inputs
        From a decision time to what `features.catalog.build` takes: bars and facts.
    features
        Features to audit, by name.
    moments
        Decision times, ns UTC; those with a longer history than any lookback say the most.
    rows
        From two times to the rows that became known after the one and by the other, in which the functions
        themselves are tried (`features.row_audit`); None tries none.
    progress
        Called with the number of moments done and in all.

    Returns
    -------
    tuple of Verdict
        One for each feature, in order. A value passes when it equals the one from all rows known at the
        moment to 1e-9 relative or 1e-12 absolute. The advice of a failure is the history that was enough.
    """
    board = Board(list(features))
    for done, asof in enumerate(moments, 1):
        known = _known(*inputs(asof), asof)
        expected = _at(*known, features, asof, board.errors)
        groups: dict[_Need, dict[str, Feature]] = {}
        for name, feature in features.items():
            groups.setdefault(_need(feature), {})[name] = feature
        recent: dict[Key, float | None] = {}
        for need, group in groups.items():
            recent |= _at(*_newest(*known, need, asof), group, asof, board.errors)
        board.compare("history", asof, expected, recent)
        if rows is not None:
            try_rows(board, rows(moments[done - 2] if done > 1 else 0, asof).past, list(features))
        if progress is not None:
            progress(done, len(moments))
    return board.verdicts(advice=lambda name, found: _enough(inputs, features[name], found))


def _enough(inputs: Callable[[int], Rows], feature: Feature, findings: Sequence[Finding]) -> str:
    """Return in words how many rows would have been enough at the first finding."""
    first = findings[0]
    known = _known(*inputs(first.asof), first.asof)
    series = known[0] if feature.on == BARS else known[1][feature.on]
    own = series.filter(underlying=first.underlying) if "underlying" in series.columns else series
    longest = own.height
    twice = [_at(*known, {feature.name: feature}, first.asof, {}) for _ in range(2)]

    def suffices(lookback: int) -> bool:
        wider = replace(feature, lookback=lookback)
        rows = _newest(*known, _need(wider), first.asof)
        values = _at(*rows, {feature.name: wider}, first.asof, {})
        return same(values.get((first.underlying, feature.name)), first.expected)

    low, high = feature.lookback, min(2 * feature.lookback, longest)
    while high < longest and not suffices(high):
        low, high = high, min(2 * high, longest)
    if not same(*(values.get((first.underlying, feature.name)) for values in twice)):
        return UNSTEADY
    if not suffices(high):
        return f"not even {longest} bars give this value: it depends on where the history starts"
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    if high == longest:
        return (
            f"only all {longest} bars that were read give this value: declare a lookback beyond that and "
            "audit again; where none is enough, it depends on where the history starts"
        )
    return f"declare a lookback of {high} or more: {feature.lookback} is too short"


def _need(feature: Feature) -> _Need:
    """Return the bars that a feature needs, and the rows of each table of facts."""
    return feature.lookback if feature.on == BARS else 1, tuple(sorted(needs([feature]).items()))


def _known(bars: pl.DataFrame, facts: Facts, asof: int) -> Rows:
    """Return what was known at a moment, bars in order."""
    return bars.filter(pl.col("asof") <= asof).sort("underlying", "asof"), known_at(facts, asof)


def _newest(bars: pl.DataFrame, facts: Facts, need: _Need, asof: int) -> Rows:
    """Return the last rows of each underlying."""
    recent = bars.group_by("underlying", maintain_order=True).tail(need[0])
    return recent, newest(facts, dict(need[1]), asof)


def _at(
    bars: pl.DataFrame,
    facts: Facts,
    features: Mapping[str, Feature],
    asof: int,
    errors: dict[str, str],
) -> dict[Key, float | None]:
    """Return the values at a moment; features that raise are noted and left out."""
    wanted = {name: feature for name, feature in features.items() if name not in errors}
    if not wanted:
        return {}
    try:
        return values_at(build(bars, facts, list(wanted), features=wanted), asof, list(wanted))
    except Exception as error:  # noqa: BLE001 - a user's feature may raise anything, and is told of it
        if len(wanted) == 1:
            errors[next(iter(wanted))] = describe(error, World(asof))
            return {}
    parts = [_at(bars, facts, {name: feature}, asof, errors) for name, feature in wanted.items()]
    return {key: value for part in parts for key, value in part.items()}
