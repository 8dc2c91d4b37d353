"""Proof that labels are of the future, and that features cannot know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from features.verdicts import Finding, Verdict, describe, same
from features.worlds import OtherTables, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from features.worlds import Tables


_ROW = ["asof", "underlying"]


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
        become known after `known_at`) and "filled before asof" (it moves although no price does). All but the
        last are looked for in every row of which the worlds of these moments tell.
    """
    try:
        recorded = _sorted(label(tables)).drop_nulls("value")
        soon = recorded.filter(pl.col("known_at") <= pl.col("asof")).with_columns(value_right="value")
        found = list(_pairs("known too soon", soon))
        for asof in moments:
            found += _findings(label, tables, recorded, asof, still)
    except Exception as error:  # noqa: BLE001 - a user's label may raise anything, and is told of it
        return Verdict(name, error=describe(error, World(0)))
    findings = tuple({(each.check, each.underlying, each.asof): each for each in found}.values())
    seen = recorded.filter(pl.col("asof").is_in(list(moments))).height
    checks = 3 if still is None else 4
    return Verdict(name, checks * seen, checks * seen, findings)


def _findings(
    label: Callable[[Tables], pl.DataFrame],
    tables: Tables,
    recorded: pl.DataFrame,
    asof: int,
    still: float | None,
) -> Iterator[Finding]:
    def other(world: World) -> pl.DataFrame:
        return _sorted(label(OtherTables(tables, world)))

    later = pl.col("known_at") > asof
    here = recorded.filter(asof=asof)
    known = other(World(asof, "removed")).drop_nulls("value")
    yield from _pairs("known by asof", recorded.filter(later).join(known, on=_ROW, how="inner"))
    for known_at in here["known_at"].unique().sort():
        changed = other(World(known_at, "changed"))
        settled = recorded.filter(pl.col("known_at") <= known_at)
        found = _pairs("later than known_at", settled.join(changed, on=_ROW, how="left"))
        yield from (finding for finding in found if not same(finding.expected, finding.found))
    if still is not None:
        yield from _paid_before(_at(other(World(asof, "still")), asof), asof, still)


def _pairs(check: str, rows: pl.DataFrame) -> Iterator[Finding]:
    """Yield a finding for each row: its value, and the one that was joined to it."""
    columns = ("underlying", "asof", "value", "value_right")
    for row in rows.sort("asof", "underlying").select(columns).iter_rows():
        yield Finding(check, *row)


def _paid_before(unmoved: Mapping[str, float | None], asof: int, still: float) -> Iterator[Finding]:
    """Yield what a label gains or loses although no price moves after the decision."""
    for name, value in sorted(unmoved.items()):
        if value is not None and not same(value, still):
            yield Finding("filled before asof", name, asof, still, value)


def _at(frame: pl.DataFrame, asof: int) -> dict[str, float | None]:
    return dict(frame.filter(asof=asof).select("underlying", "value").iter_rows())


def _sorted(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(*_ROW, pl.col("value").cast(pl.Float64), "known_at").sort(_ROW)
