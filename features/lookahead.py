"""Proof that features do not look ahead.

A feature is computed at the same decision time in three worlds (`features.worlds`): as recorded, with every
row cut off that became known later, and with every later row changed. What differs has looked ahead. The
audit sees nothing else:

- not inputs that are wrong in themselves, such as an option row whose `available_at` is too early;
- not numbers fitted on the whole sample outside the features, such as a table of target means, since no
  other future changes them: fit those inside each fold;
- not choices made with hindsight, of features, underlyings or dates;
- not a leak that shows at no sampled moment and in no row that is tried (`features.row_audit`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from features.row_audit import try_rows
from features.verdicts import UNSTEADY, Board, Source, describe, same, values_at
from features.worlds import World, changeable, clock_of, symbol_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from features.row_audit import RowSource
    from features.verdicts import Finding, Key, Verdict
    from features.worlds import Kind, Subject

_KINDS: tuple[Kind, ...] = ("removed", "changed")


def draw(moments: Sequence[int], samples: int, seed: int = 0) -> tuple[int, ...]:
    """Return decision times, one at random from each of `samples` equal stretches.

    Parameters
    ----------
    moments
        Decision times to choose from, ns UTC, in any order.
    samples
        How many; all when there are no more.
    seed
        Of the draw.
    """
    every = np.unique(np.asarray(moments, dtype=np.int64))
    if samples >= len(every):
        return tuple(every.tolist())
    edges = np.linspace(0, len(every), samples + 1).astype(np.int64)
    chosen = np.random.default_rng(seed).integers(edges[:-1], edges[1:])
    return tuple(every[chosen].tolist())


def audit_lookahead(
    subject: Subject,
    names: Sequence[str],
    moments: Sequence[int],
    *,
    kinds: Sequence[Kind] = _KINDS,
    seed: int = 0,
    rows: RowSource | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Verdict, ...]:
    """Compare features with those from worlds whose later rows are missing or different.

    Parameters
    ----------
    subject
        Features and their tables.
    names
        Features to audit.
    moments
        Decision times, ns UTC, as `draw` gives them.
    kinds
        Worlds to compare with.
    seed
        Of the changed worlds; each moment gets its own.
    rows
        From two times to the rows that became known after the one and by the other, in which the functions
        themselves are tried (`features.row_audit`); None tries none.
    progress
        Called with the number of moments done and in all.

    Returns
    -------
    tuple of Verdict
        One for each name, in order. A value passes when it equals the recorded one to 1e-9 relative or 1e-12
        absolute; nulls and missing rows must agree too.
    """
    board = Board(names)
    for done, asof in enumerate(moments, 1):
        expected = _values(subject, World(asof), names, board.errors)
        for kind in kinds:
            other = _values(subject, World(asof, kind, seed=seed + done), names, board.errors)
            board.compare(kind, asof, expected, other)
        if rows is not None:
            since = moments[done - 2] if done > 1 else 0
            try_rows(board, rows(since, asof).future, names)
        if progress is not None:
            progress(done, len(moments))
    return board.verdicts(
        source=lambda name, findings: _trace(subject, name, findings, moments, seed),
        advice=lambda name, findings: _unsteady(subject, name, findings),
    )


def _values(
    subject: Subject, world: World, names: Sequence[str], errors: dict[str, str]
) -> dict[Key, float | None]:
    """Return the values at the world's moment; features that raise are noted and left out."""
    wanted = [name for name in names if name not in errors]
    if not wanted:
        return {}
    try:
        return values_at(subject.values(world, wanted), world.asof, wanted)
    except Exception as error:  # noqa: BLE001 - a user's feature may raise anything, and is told of it
        if len(wanted) == 1:
            errors[wanted[0]] = describe(error, world)
            return {}
    return {key: value for name in wanted for key, value in _values(subject, world, [name], errors).items()}


def _unsteady(subject: Subject, name: str, findings: Sequence[Finding]) -> str | None:
    """Return what to say of a feature that gives other values of the same rows."""
    first = findings[0]
    again = [_values(subject, World(first.asof), [name], {}).get((first.underlying, name)) for _ in range(2)]
    if same(*again):
        return None
    return UNSTEADY


def _trace(
    subject: Subject, name: str, findings: Sequence[Finding], moments: Sequence[int], seed: int
) -> Source | None:
    """Return the later row that the first finding depends on: its table, columns, symbol and time."""
    first = findings[0]
    expected = _values(subject, World(first.asof), [name], {}).get((first.underlying, name))
    number = 1 + (moments.index(first.asof) if first.asof in moments else 0)

    def differs(world: World) -> bool:
        values = _values(subject, world, [name], {})
        return not same(values.get((first.underlying, name)), expected)

    if differs(World(first.asof)):
        return None  # it differs whatever the rows are

    # Changed rows tell which column is read; that a row exists at all shows only when it is removed.
    kinds: tuple[Kind, ...] = ("changed", "removed")
    for kind in kinds:
        for table, rows in subject.tables(first.asof).items():
            clock, world = clock_of(rows), World(first.asof, kind, table, seed=seed + number)
            if clock is not None and (rows[clock] > first.asof).any() and differs(world):
                return _trace_row(rows, clock, world, differs)
    return None


def _trace_row(
    rows: pl.DataFrame, clock: str, world: World, differs: Callable[[World], bool]
) -> Source | None:
    """Return the row of one table at which the value begins to differ, when rows are affected in order."""
    times = np.unique(rows[clock].drop_nulls().to_numpy())
    times = times[times > world.asof]
    low, high = 0, len(times) - 1  # affecting rows up to times[high] makes a difference
    while low < high:
        middle = (low + high) // 2
        if differs(replace(world, until=int(times[middle]))):
            high = middle
        else:
            low = middle + 1
    moment = int(times[low])
    at = replace(world, until=moment)
    only = replace(at, since=int(times[low - 1]) if low else world.asof)
    at = only if differs(only) else at
    symbol = symbol_of(rows)
    there = [] if symbol is None else sorted(rows.filter(rows[clock] == moment)[symbol].unique())
    whom = next((name for name in there if differs(replace(at, symbol=name))), None)
    at = replace(at, symbol=whom)
    columns = changeable(rows) if world.kind == "changed" else []
    read = tuple(name for name in columns if differs(replace(at, column=name)))
    return Source(str(world.table), read, whom, moment)
