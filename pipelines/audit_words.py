"""What an audit found, in words: the same for the terminal and for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, iso

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.selftest import Trial
    from features.verdicts import Finding, Source, Verdict

STATUS = {
    "passed": "passed",
    "failed": "FAILED",
    "unseen": "NOT PROVED",
    "error": "cannot be computed",
}
"""Words for each status of a verdict."""

_WORLDS = {
    "removed": "once later rows are removed",
    "changed": "once later rows are changed",
    "history": "from its declared history alone",
    "elsewhere": "in a process of its own, on another day",
    "known too soon": "and its known_at is not after the decision",
    "known by asof": "from rows known at the decision alone",
    "later than known_at": "once rows known after its known_at are changed",
    "filled before asof": "although no price moves after the decision",
}
_HOURS, _DAY_HOURS = 60, 24


def unproved(verdicts: Iterable[Verdict]) -> dict[str, list[str]]:
    """Return the names of what never had a value, by what to do about it."""
    found: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.status == "unseen":
            found.setdefault(verdict.advice or "nothing says why", []).append(verdict.name)
    return found


def sentence(verdict: Verdict) -> str:
    """Return what happened in one or two sentences; empty for what passed."""
    if verdict.error is not None:
        return verdict.error
    if verdict.status == "unseen":
        said = "null at every decision, so that nothing is shown about it"
        return f"{said}; {verdict.advice}" if verdict.advice is not None else said
    if not verdict.findings:
        return ""
    first = verdict.findings[0]
    parts = [finding(first)]
    if verdict.source is not None:
        parts.append(source(verdict.source, first.asof))
    if verdict.advice is not None:
        parts.append(verdict.advice)
    return "; ".join(parts)


def finding(found: Finding) -> str:
    """Return one finding: where, what it was, and what it became."""
    where = f"{found.underlying} at {moment(found.asof)}"
    expected, other = pair(found.expected, found.found)
    before = f"is {expected}"
    if found.check == "filled before asof":
        return f"{where} pays {other} {_WORLDS[found.check]}"
    if found.check == "known too soon":
        return f"{where} {before}, {_WORLDS[found.check]}"
    return f"{where} {before}, but {other} {_WORLDS.get(found.check, found.check)}"


def source(found: Source, asof: int) -> str:
    """Return the row that a value depends on, and how late it was known."""
    what = ", ".join(found.columns) if found.columns else "whether a row is there"
    whom = f" of {found.symbol}" if found.symbol is not None else ""
    return (
        f"it reads {found.table}: {what}{whom}, known at {moment(found.known_at)}, "
        f"{later(found.known_at - asof)} after the decision"
    )


def later(span_ns: int) -> str:
    """Return a span of time as a reader wants it.

    Examples
    --------
    >>> later(30 * 60 * 10**9), later(26 * 3600 * 10**9), later(5 * 24 * 3600 * 10**9), later(10**9)
    ('30 min', '26 h', '5 days', '1 s')
    """
    minutes = span_ns // NS_PER_MINUTE
    if minutes == 0:
        return f"{span_ns // NS_PER_SECOND} s"
    if minutes < 2 * _HOURS:
        return f"{minutes} min"
    hours = minutes // _HOURS
    return f"{hours} h" if hours < 2 * _DAY_HOURS else f"{hours // _DAY_HOURS} days"


def moment(ns: int) -> str:
    """Return a moment to the minute, New York time."""
    return iso(ns)[: len("2025-01-02 09:30")] + " ET"


def pair(first: float | None, second: float | None) -> tuple[str, str]:
    """Return two values, null where there is none, with as many digits as tell them apart.

    Examples
    --------
    >>> pair(0.0123456789, None), pair(1.0000000001, 1.0000000002)
    (('0.0123457', 'null'), ('1.0000000001', '1.0000000002'))
    """
    for digits in (6, 9, 12, 17):
        texts = tuple("null" if value is None else f"{value:.{digits}g}" for value in (first, second))
        if texts[0] != texts[1] or first == second:
            break
    return texts[0], texts[1]


def caught_by(trial: Trial) -> str:
    """Return by what a planted leak was caught."""
    return ", ".join(trial.ways) if trial.caught else "MISSED"


def leaked(trial: Trial) -> str:
    """Return the table and columns that a planted leak was traced to; labels are not traced."""
    found = trial.leak.source
    return "" if found is None else f"{found.table}: {', '.join(found.columns) or 'rows'}"
