"""One flat file, read, parsed and checked: rows for lake and quarantine, or the reason for neither."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from pipelines.intake import take_in
from strikelake.errors import BadFileError, QualityError
from strikelake.lake.quality import count_rules, quarantine_rows
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date
    from pathlib import Path

    from strikelake.lake.staging import Staged
    from strikelake.lake.store import Lake
    from strikelake.vendors.flat_files import FlatFiles, SourceFile
    from strikelake.vendors.quote_filter import QuoteFilter


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one file ended.

    Attributes
    ----------
    file
        Which.
    rows, rejected, repaired
        Good rows, bad rows, and rows whose known-bad window start was mended.
    unwanted
        Quotes that the filter left aside; sampling comes after it and is not counted.
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
    unwanted: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Vetted:
    """A file's outcome and rows.

    Attributes
    ----------
    outcome
        What came of it.
    good
        Rows for its table; None after a fault.
    bad
        Rows for `quarantine`; none after a fault.
    """

    outcome: Outcome
    good: Staged | None
    bad: pl.DataFrame


def vet(source: FlatFiles, file: SourceFile, bad_share: float, folder: Path, quotes: QuoteFilter) -> Vetted:
    """Read, parse and check one file.

    Parameters
    ----------
    source, file
        The file and where it is.
    bad_share
        Share of bad rows above which the file is at fault.
    folder
        Where to stage its rows until they are committed.
    quotes
        Which quotes of options to keep.

    Returns
    -------
    Vetted
        What is wrong with the file itself is its outcome's `fault`.

    Raises
    ------
    VendorError
        When the source does not hand it out.
    LakeError
        When its rows cannot be staged.
    """
    nothing = pl.DataFrame(schema=table("quarantine").columns)
    try:
        taken = take_in(source, file, folder, quotes)
    except (BadFileError, QualityError) as error:
        return Vetted(Outcome(file, fault=error), None, nothing)
    bad, rules = taken.bad, count_rules(taken.bad)
    if bad.height > bad_share * taken.total:
        counts = ", ".join(f"{rule} {count}" for rule, count in rules.items())
        fault = QualityError(
            f"{file.key} was not published to the lake: {bad.height} of its {taken.total} rows are bad "
            f"({counts}), more than {bad_share:.1%}; the first is {taken.raw[bad['row_number'][0]]!r}; "
            "report it to the vendor"
        )
        taken.staged.path.unlink()
        return Vetted(Outcome(file, 0, bad.height, 0, rules, taken.ignored, fault), None, nothing)
    outcome = Outcome(
        file,
        taken.staged.rows,
        bad.height,
        taken.repaired,
        rules,
        taken.ignored,
        unwanted=taken.unwanted,
    )
    rejected = quarantine_rows(file.dataset, file.date, file.key, bad, taken.raw)
    return Vetted(outcome, taken.staged, rejected)


def raise_refusals(faults: list[BadFileError | QualityError]) -> None:
    """Raise the first fault of a run, if there is one, and say how many there are.

    Raises
    ------
    QualityError
        When a file had too many bad rows.
    BadFileError
        When all that were refused are damaged.
    """
    if not faults:
        return
    kind = QualityError if any(isinstance(fault, QualityError) for fault in faults) else BadFileError
    others = f" ({len(faults)} files in all: see state 'refused' in `ingestions`)" if len(faults) > 1 else ""
    raise kind(f"{faults[0]}{others}") from faults[0]


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
