"""Proof that labels are of the future, and that features cannot know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from features.verdicts import Finding, Verdict, describe, same
from features.worlds import OtherTables, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from features.worlds import Tables


def audit_label(
    name: str,
    label: Callable[[Tables], pl.DataFrame],
    tables: Tables,
    moments: Sequence[int],
    *,
    still: float | None = 0.0,
) -> Verdict:
    """Check when a label is known, and that it pays nothing that was known before.

    Parameters
    ----------
    name
        Of the label.
    label
        From tables to asof, underlying, value and known_at.
    tables
        Rows by table.
    moments
        Decision times, ns UTC.
    still
        The value when no price moves after the decision; None where that is not known. A fill at a price from
        before the decision gains or loses even then.

    Returns
    -------
    Verdict
        Findings have the checks "known too soon" (`known_at` is not after `asof`), "known by asof" (rows
        known at the decision give the label), "later than known_at" (it changes with rows that
        become known after `known_at`) and "filled before asof" (it moves although no price does).
    """
    try:
        recorded = label(tables)
        findings = tuple(
            finding for asof in moments for finding in _findings(label, tables, recorded, asof, still)
        )
    except Exception as error:  # noqa: BLE001 - a user's label may raise anything, and is told of it
        return Verdict(name, error=describe(error, World(0)))
    rows = recorded.filter(pl.col("asof").is_in(list(moments)))
    checks = 3 if still is None else 4
    return Verdict(name, checks * rows.height, checks * (rows.height - rows["value"].null_count()), findings)


def _findings(
    label: Callable[[Tables], pl.DataFrame],
    tables: Tables,
    recorded: pl.DataFrame,
    asof: int,
    still: float | None,
) -> Iterator[Finding]:
    def values(world: World) -> dict[str, float | None]:
        return _at(label(OtherTables(tables, world)), asof)

    rows = recorded.filter(asof=asof).drop_nulls("value").sort("underlying")
    expected = _at(rows, asof)
    for name in rows.filter(pl.col("known_at") <= asof)["underlying"]:
        yield Finding("known too soon", name, asof, expected[name], expected[name])
    for name, value in values(World(asof, "removed")).items():
        if value is not None and name in expected:
            yield Finding("known by asof", name, asof, expected[name], value)
    for known_at in rows["known_at"].unique().sort():
        then = values(World(known_at, "changed"))
        for name in rows.filter(known_at=known_at)["underlying"]:
            if not same(expected[name], then.get(name)):
                yield Finding("later than known_at", name, asof, expected[name], then.get(name))
    if still is not None:
        yield from _paid_before(values(World(asof, "still")), asof, still)


def _paid_before(unmoved: Mapping[str, float | None], asof: int, still: float) -> Iterator[Finding]:
    """Yield what a label gains or loses although no price moves after the decision."""
    for name, value in sorted(unmoved.items()):
        if value is not None and not same(value, still):
            yield Finding("filled before asof", name, asof, still, value)


def _at(frame: pl.DataFrame, asof: int) -> dict[str, float | None]:
    rows = frame.lazy().filter(asof=asof).select("underlying", pl.col("value").cast(pl.Float64)).collect()
    return dict(rows.iter_rows())
