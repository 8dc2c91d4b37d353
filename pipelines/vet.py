"""One flat file, read, parsed and checked: rows for lake and quarantine, or the reason for neither."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from strikelake.errors import BadFileError, QualityError
from strikelake.lake.quality import check, count_rules, quarantine_rows
from strikelake.schemas import table
from strikelake.vendors.flat_rows import parse

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from strikelake.lake.store import Lake
    from strikelake.vendors.flat_files import FlatFiles, SourceFile


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one file ended.

    Attributes
    ----------
    file
        Which.
    rows, rejected, repaired
        Good rows, bad rows, and rows whose known-bad window start was mended.
    rules
        How many rows broke each rule.
    ignored
        Columns that have no place in the table.
    fault
        Why the file is not to be published; None when it is.
    """

    file: SourceFile
    rows: int = 0
    rejected: int = 0
    repaired: int = 0
    rules: dict[str, int] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    fault: BadFileError | QualityError | None = None


@dataclass(frozen=True, slots=True)
class Vetted:
    """A file's outcome and rows: `good` for its table, `bad` for `quarantine`; both empty after a fault."""

    outcome: Outcome
    good: pl.DataFrame
    bad: pl.DataFrame


def vet(source: FlatFiles, file: SourceFile, bad_share: float) -> Vetted:
    """Read, parse and check one file.

    Parameters
    ----------
    source, file
        The file and where it is.
    bad_share
        Share of bad rows above which the file is at fault.

    Returns
    -------
    Vetted
        What is wrong with the file itself is its outcome's `fault`.

    Raises
    ------
    VendorError
        When the source does not hand it out.
    """
    content = source.read(file)
    spec = table(file.dataset)
    nothing = pl.DataFrame(schema=spec.columns), pl.DataFrame(schema=table("quarantine").columns)
    try:
        parsed = parse(file, content)
    except BadFileError as error:
        return Vetted(Outcome(file, fault=error), *nothing)
    checked = check(spec, parsed.rows)
    bad = pl.concat([parsed.broken, checked.bad]).sort("row_number")
    rules = count_rules(bad)
    raw = parsed.raw(bad["row_number"])
    if bad.height > bad_share * parsed.total:
        counts = ", ".join(f"{rule} {count}" for rule, count in rules.items())
        fault = QualityError(
            f"{file.key} was not published to the lake: {bad.height} of its {parsed.total} rows are bad "
            f"({counts}), more than {bad_share:.1%}; the first is {raw[bad['row_number'][0]]!r}; "
            "report it to the vendor"
        )
        return Vetted(Outcome(file, 0, bad.height, 0, rules, parsed.ignored, fault), *nothing)
    outcome = Outcome(file, checked.good.height, bad.height, parsed.repaired, rules, parsed.ignored)
    return Vetted(outcome, checked.good, quarantine_rows(file.dataset, file.date, file.key, bad, raw))


def quarantine(
    lake: Lake,
    bad: pl.DataFrame,
    *,
    replaces: pl.Expr,
    days: Collection[date] | None = None,
    source: str = "",
) -> None:
    """Put rows into `quarantine` in place of those that earlier reading of the same files left there.

    Parameters
    ----------
    lake, bad
        Where to, and rows of the table `quarantine`.
    replaces
        Which of the present rows to remove.
    days
        Dates to look at; None is all. Dates of `bad` are always among them.
    source
        Where the rows come from, kept in the table's log.
    """
    held = set(lake.sessions("quarantine"))
    touched = (held if days is None else held & set(days)) | set(bad["date"])
    if touched:
        lake.update(
            "quarantine",
            lambda present: pl.concat([present.filter(~replaces), bad]),
            days=touched,
            source=source,
        )
