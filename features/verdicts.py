"""What an audit says of a feature or a label."""

from __future__ import annotations

import math
from dataclasses import dataclass
from traceback import extract_tb
from typing import TYPE_CHECKING, Literal, TypeAlias

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from features.worlds import World

RELATIVE, ABSOLUTE = 1e-9, 1e-12
"""How close two values must be; absolute because features are free of scale, and some are near zero."""

UNSTEADY = "computed twice from the same rows it gives two values: it is random, or keeps something in mind"
"""What to say of a feature that gives other values of the same rows."""

Status: TypeAlias = Literal["passed", "failed", "unseen", "error"]
Key: TypeAlias = tuple[str, str]
"""An underlying and a name."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A value that changed when it must not.

    Attributes
    ----------
    check
        Against what it was held: "removed" and "changed" are the worlds of `features.worlds`, "history" is
        the declared lookback, the others are checks of labels.
    underlying, asof
        Where.
    expected, found
        The recorded value and the one in the check; None where there is none.
    """

    check: str
    underlying: str
    asof: int
    expected: float | None
    found: float | None


@dataclass(frozen=True, slots=True)
class Source:
    """The later row that a value depends on.

    Attributes
    ----------
    table
        Where the row is.
    columns
        What of it is read; empty when it is enough that the row exists.
    symbol
        Whom the row is about; None when the table has no such column.
    known_at
        When the row could first be known, ns UTC.
    """

    table: str
    columns: tuple[str, ...]
    symbol: str | None
    known_at: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for one feature or label.

    Attributes
    ----------
    name
        Of the feature or label.
    checked, seen
        Values compared, and how many of them were not null: of a feature that was always null nothing is
        shown.
    findings
        Every value that changed.
    source
        The row behind the first finding, where one could be named.
    error
        What was raised, where the feature could not be computed.
    advice
        What to do, where the audit can tell.
    """

    name: str
    checked: int = 0
    seen: int = 0
    findings: tuple[Finding, ...] = ()
    source: Source | None = None
    error: str | None = None
    advice: str | None = None

    @property
    def status(self) -> Status:
        """Whether it passed; "unseen" where every value was null."""
        if self.error is not None:
            return "error"
        if self.findings:
            return "failed"
        return "passed" if self.seen else "unseen"


def failed(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """Return the names that failed or could not be computed, in order."""
    return tuple(verdict.name for verdict in verdicts if verdict.status in {"failed", "error"})


def frame(verdicts: Iterable[Verdict]) -> pl.DataFrame:
    """Return verdicts as a table: what was compared, what differed, and what was read too early.

    Returns
    -------
    pl.DataFrame
        name, status, checked, differing, reads (null where no later row could be named) and advice (what was
        raised, where something was; null where there is none), in the order of the verdicts.
    """
    kinds = {"name": pl.String, "status": pl.String, "checked": pl.Int64, "differing": pl.Int64}
    return pl.DataFrame(
        [
            (
                each.name,
                each.status,
                each.checked,
                len(each.findings),
                _reads(each),
                each.error or each.advice,
            )
            for each in verdicts
        ],
        schema=kinds | {"reads": pl.String, "advice": pl.String},
        orient="row",
    )


def _reads(verdict: Verdict) -> str | None:
    source = verdict.source
    if source is None:
        return None
    columns = ", ".join(source.columns) or "rows"
    return f"{columns} of {source.table}" + (f" ({source.symbol})" if source.symbol else "")


def merged(name: str, parts: Sequence[Verdict]) -> Verdict:
    """Return the verdicts on one feature or label, of several moments, as one."""
    return Verdict(
        name,
        sum(part.checked for part in parts),
        sum(part.seen for part in parts),
        tuple(finding for part in parts for finding in part.findings),
        next((part.source for part in parts if part.source), None),
        next((part.error for part in parts if part.error), None),
        next((part.advice for part in parts if part.advice), None),
    )


def values_at(frame: pl.DataFrame, asof: int, names: Sequence[str]) -> dict[Key, float | None]:
    """Return the values of one moment by underlying and name."""
    rows = frame.lazy().filter(asof=asof).select("underlying", *names).collect()
    return {(row["underlying"], name): row[name] for row in rows.iter_rows(named=True) for name in names}


class Board:
    """Collects comparisons and gives a verdict for each name.

    Parameters
    ----------
    names
        Of the features, in the order of the verdicts.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.errors: dict[str, str] = {}
        self._findings: dict[str, list[Finding]] = {name: [] for name in names}
        self._checked = dict.fromkeys(names, 0)
        self._seen = dict.fromkeys(names, 0)

    def compare(
        self,
        check: str,
        asof: int,
        expected: Mapping[Key, float | None],
        found: Mapping[Key, float | None],
    ) -> None:
        """Note every value that differs; a row that is not there counts as null."""
        for key in sorted(expected.keys() | found.keys()):
            wanted, got = expected.get(key), found.get(key)
            self._checked[key[1]] += 1
            self._seen[key[1]] += wanted is not None or got is not None
            if not same(wanted, got):
                self._findings[key[1]].append(Finding(check, key[0], asof, wanted, got))

    def add(self, name: str, checked: int, seen: int, findings: Iterable[Finding]) -> None:
        """Note what was compared elsewhere, and what differed."""
        self._checked[name] += checked
        self._seen[name] += seen
        self._findings[name] += findings

    def verdicts(
        self,
        *,
        source: Callable[[str, Sequence[Finding]], Source | None] = lambda _name, _findings: None,
        advice: Callable[[str, Sequence[Finding]], str | None] = lambda _name, _findings: None,
    ) -> tuple[Verdict, ...]:
        """Return the verdicts; `source` and `advice` are asked for those that failed."""
        return tuple(self._verdict(name, source, advice) for name in self._findings)

    def _verdict(
        self,
        name: str,
        source: Callable[[str, Sequence[Finding]], Source | None],
        advice: Callable[[str, Sequence[Finding]], str | None],
    ) -> Verdict:
        findings, counts = self._findings[name], (self._checked[name], self._seen[name])
        if name in self.errors:
            return Verdict(name, *counts, error=self.errors[name])
        if not findings:
            return Verdict(name, *counts)
        return Verdict(name, *counts, tuple(findings), source(name, findings), advice=advice(name, findings))


def same(first: float | None, second: float | None) -> bool:
    """Return whether two values are equal but for rounding; null equals null alone.

    Examples
    --------
    >>> same(0.1 + 0.2, 0.3), same(0.3, None), same(None, None)
    (True, False, True)
    """
    if first is None or second is None:
        return first is second
    return math.isclose(first, second, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def describe(error: Exception, world: World | None = None) -> str:
    """Return an exception in one line: what, where in the feature's own code, and in which world."""
    calls = [call for call in extract_tb(error.__traceback__) if "site-packages" not in call.filename]
    where = f" ({calls[-1].filename}:{calls[-1].lineno})" if calls else ""
    when = "" if world is None or world.kind == "recorded" else f" once later rows are {world.kind}"
    return f"{type(error).__name__}: {error}{where}{when}"
