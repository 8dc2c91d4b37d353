"""Reports about the lake as rich tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from flows.tables import empty
from strikelake.calendar import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl
    from rich.console import RenderableType
    from rich.table import Table

    from pipelines.maintain import Compacted
    from strikelake.lake.diffs import Diff
    from strikelake.lake.inspection import Fault, Status
    from strikelake.lake.vacuum import Removal

_KILO = 1_000
_TIMES = {"ts_ns", "asof", "available_at"}
_A_YEAR_NS = 365 * 86_400_000_000_000  # a column of nanoseconds below it is a duration
_GUTTER = 3  # characters between two columns
_MANY = 3
_WIDE = 100  # characters, for every column of a lake's tables


def statuses(found: Sequence[Status]) -> Iterator[RenderableType]:
    """Show what each table holds, then which sessions are missing; bytes and versions where there is room."""
    wide = Console().width >= _WIDE
    more = (">bytes", ">version") if wide else ()
    table = empty("table", ">sessions", "first", "last", ">rows", ">gaps", *more)
    for column in table.columns:
        column.no_wrap = True
    for each in found:
        days = (str(each.first or ""), str(each.last or ""))
        counts = (f"{each.rows:,}", f"{len(each.missing):,}")
        rest = (size(each.size), str(each.version)) if wide else ()
        table.add_row(each.table, f"{each.sessions:,}", *days, *counts, *rest)
    yield table
    for each in found:
        if each.missing:
            yield f"{each.table} misses {_listed([str(day) for day in each.missing])}"
        if each.copies:
            yield f"{each.table} has copies of {each.copies:,} months ({size(each.copies_size)})"


def faults(found: Sequence[Fault]) -> Table:
    """Show what is wrong."""
    table = empty("table", "date", "file", "[red]what is wrong[/]")
    for fault in found:
        table.add_row(fault.table, str(fault.date or ""), fault.path, escape(fault.found))
    return table


def difference(found: Diff, limit: int) -> Iterator[RenderableType]:
    """Show what changed: counts, then rows of each kind."""
    day = found.date or "all dates"
    table = empty(f"{found.table}, {day}", f">versions {found.before} to {found.after}")
    for kind, count in found.counts.items():
        table.add_row(kind, f"{count:,}")
    yield table
    for kind, rows in (("added", found.added), ("removed", found.removed), ("changed", found.changed)):
        if not rows.is_empty() and limit:
            yield from _rows(rows, limit, kind)


def quarantine(rows: pl.DataFrame, limit: int) -> Iterator[RenderableType]:
    """Show how many rows broke each rule, and the rows."""
    import polars as pl

    table = empty("table", "rule", ">rows", "first", "last")
    rules = rows.with_columns(pl.col("rule").str.split("; ")).explode("rule")
    counted = rules.group_by("table_name", "rule").agg(
        pl.len(), pl.col("date").min().alias("first"), pl.col("date").max().alias("last")
    )
    for name, rule, count, first, last in counted.sort("table_name", "rule").iter_rows():
        table.add_row(name, rule, f"{count:,}", str(first), str(last))
    yield table
    if limit:
        yield from _rows(rows.select("date", "source_key", "row_number", "rule", "raw"), limit, "rows")


def compacted(done: Sequence[Compacted]) -> Table:
    """Show which months were copied."""
    table = empty("table", ">copied", ">unchanged", ">rows", "months")
    for each in done:
        numbers = (f"{n:,}" for n in (len(each.written), each.unchanged, each.rows))
        table.add_row(each.table, *numbers, _listed(each.written))
    return table


def removals(done: Sequence[Removal], *, deleted: bool) -> Iterator[RenderableType]:
    """Show what was removed, or would be."""
    table = empty("table", ">versions kept", ">versions removed", ">files", ">bytes")
    for each in done:
        counts = (len(each.kept), len(each.versions), each.files)
        table.add_row(each.table, *(f"{n:,}" for n in counts), size(each.size))
    if not deleted:
        table.caption = "nothing was removed: --delete removes it"
    yield table
    for each in done:
        if each.unknown:
            versions = _listed([str(version) for version in each.unknown])
            yield f"runs refer to versions of {each.table} that this lake does not have: {versions}"


def size(count: int) -> str:
    """Return bytes as a reader wants them.

    Examples
    --------
    >>> size(999), size(1_500), size(2_500_000)
    ('999 B', '1.5 kB', '2.5 MB')
    """
    value, unit = float(count), 0
    units = ("B", "kB", "MB", "GB", "TB", "PB")
    while value >= _KILO and unit < len(units) - 1:
        value, unit = value / _KILO, unit + 1
    return f"{count} B" if unit == 0 else f"{value:.1f} {units[unit]}"


def _rows(rows: pl.DataFrame, limit: int, kind: str) -> Iterator[RenderableType]:
    """Show rows: a line each where that fits the terminal, else a few beside each other, a column a line."""
    records = [_record(row) for row in rows.head(limit).iter_rows(named=True)]
    caption = f"{kind}: {len(records):,} of {rows.height:,}"
    names = list(dict.fromkeys(name for record in records for name in record))
    widths = [max(len(name), *(len(record.get(name, "")) for record in records)) for name in names]
    if sum(widths) + _GUTTER * (len(names) + 1) <= Console().width:
        table = empty(*names)
        for record in records:
            table.add_row(*(escape(record.get(name, "")) for name in names))
        table.caption = caption
        yield table
        return
    room = Console().width - max(map(len, names)) - 2 * _GUTTER
    beside = max(1, room // (max(widths) + _GUTTER))
    for first in range(0, len(records), beside):
        block = records[first : first + beside]
        table = empty("", *(f"{first + place:,}" for place in range(1, len(block) + 1)))
        for name in names:
            if any(name in record for record in block):
                table.add_row(f"[dim]{name}[/]", *(escape(record.get(name, "")) for record in block))
        yield table
    yield caption


def _record(row: dict[str, Any]) -> dict[str, str]:
    """Return a row's values as text, without nulls; a changed value as what it was and is."""
    texts = {}
    for name, value in row.items():
        if name.endswith("_before"):
            column = name.removesuffix("_before")
            later = row[f"{column}_after"]
            if value != later:
                was, is_ = _text(column, value), _text(column, later)
                texts[column] = f"{was} → {is_}" if was != is_ else f"{value!r} → {later!r}"
        elif not name.endswith("_after") and value is not None:
            texts[name] = _text(name, value)
    return texts


def _text(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.10g}"
    return iso(value) if name in _TIMES or (name.endswith("_ns") and value > _A_YEAR_NS) else str(value)


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _MANY:
        return ", ".join(names)
    return f"{len(names):,}: {names[0]}, {names[1]} … {names[-1]}"
