"""The report of an audit as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backtests import pages
from pipelines.audit_verdicts import ANCHOR
from pipelines.audit_words import (
    STATUS,
    caught_by,
    finding,
    leaked,
    moment,
    pair,
    sentence,
    source,
    unproved,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from features.selftest import Trial
    from features.verdicts import Status, Verdict
    from pipelines.audit import AuditReport

_TITLES = {"lookahead": "Look-ahead audit", "lookback": "Lookback audit"}
_SHOWN = 12
_TROUBLED = ("failed", "error")
_TROUBLE = "trouble-"
_MARKS: dict[Status, str] = {"failed": "✗", "error": "!", "unseen": "?", "passed": "✓"}  # the worst first
_COLOURS = {"good": "#15803d", "bad": "#b91c1c", "doubt": "#92400e"}
_KINDS = {"passed": "good", "failed": "bad", "error": "bad", "unseen": "doubt"}
_HOW = {
    "lookahead": (
        "Each feature is computed three times for the same decision: from the whole lake, from a lake "
        "without the rows that became known later, and from a lake whose later rows have other numbers. "
        "All three must agree."
    ),
    "lookback": (
        "Each feature is computed from all of its history and from exactly as many bars as it declares. "
        "Both must agree to nine digits."
    ),
}


def write_audit(folder: Path, report: AuditReport, trials: Sequence[Trial] = ()) -> Path:
    """Write the report of an audit as one folder; see `pages.write_page`.

    Parameters
    ----------
    folder
        Made when missing; an earlier report in it is replaced.
    report
        What was audited.
    trials
        What the audit said of planted leaks; shown where there are any.

    Returns
    -------
    Path
        Of the `index.html`.
    """
    every = (*report.verdicts, *report.labels)
    troubled = [verdict for verdict in every if verdict.status in _TROUBLED]
    facts = (
        f"{report.bar} bars",
        f"{len(report.moments)} decisions from {moment(report.moments[0])} to {moment(report.moments[-1])}",
        f"{report.checked:,} values compared",
    )
    parts = [
        _tiles(report, trials),
        pages.section("At a glance", pages.note(_HOW[report.check]) + _glance(every)),
        *(_trouble(verdict) for verdict in troubled),
        *_unproved(every),
        pages.section(f"Features ({len(report.verdicts)})", _table(report.verdicts)),
    ]
    if report.labels:
        parts.append(pages.section("Labels", _table(report.labels)))
    if trials:
        parts.append(pages.section("What this audit catches", _planted(trials)))
    return pages.write_page(folder, _TITLES[report.check], facts, parts)


def _tiles(report: AuditReport, trials: Sequence[Trial]) -> str:
    def count(status: str) -> int:
        return sum(verdict.status == status for verdict in (*report.verdicts, *report.labels))

    tiles = {
        "passed": f"{count('passed')}",
        "failed": f"{count('failed')}",
        "cannot be computed": f"{count('error')}",
        "NOT PROVED (never a value)": f"{count('unseen')}",
    }
    if trials:
        alarms = sum(trial.false_alarm for trial in trials)
        told = f"planted leaks caught; false alarms: {alarms}"
        tiles[told] = f"{sum(trial.caught for trial in trials)} of {len(trials)}"
    return pages.tiles(tiles)


def _glance(verdicts: Sequence[Verdict]) -> str:
    """Return every name with a sign of its verdict, which leads to its row."""
    said = {status: (mark, STATUS[status], _KINDS[status]) for status, mark in _MARKS.items()}
    legend = pages.legend([(mark, _COLOURS[kind], words) for mark, words, kind in said.values()])
    chips = [
        pages.marked(
            pages.link(f"{_MARKS[each.status]} {each.name}", f"#{ANCHOR}{each.name}"), _KINDS[each.status]
        )
        for each in _worst_first(verdicts)
    ]
    return legend + pages.chips(chips)


def _unproved(verdicts: Sequence[Verdict]) -> list[str]:
    """Return what is not proved, where there is something."""
    reasons = unproved(verdicts)
    if not reasons:
        return []
    count = sum(map(len, reasons.values()))
    rows = [(", ".join(names), why) for why, names in reasons.items()]
    said = "Null at every decision, so that this audit shows nothing about them. They did not pass."
    listed = pages.table(("Names", "Why"), ("wrap", "wrap"), rows)
    return [pages.section(f"Not proved ({count})", pages.paragraph(said) + listed)]


def _trouble(verdict: Verdict) -> str:
    """Return all that is known of a feature that failed."""
    if verdict.error is not None:
        title = f"{verdict.name} {STATUS['error']}"
        return pages.section(title, pages.paragraph(verdict.error), anchor=f"{_TROUBLE}{verdict.name}")
    first = verdict.findings[0]
    lines = [finding(first)]
    if verdict.source is not None:
        lines.append(source(verdict.source, first.asof))
    if verdict.advice is not None:
        lines.append(verdict.advice)
    rows = [
        (moment(each.asof), each.underlying, each.check, *pair(each.expected, each.found))
        for each in verdict.findings[:_SHOWN]
    ]
    heads = ("Decision", "Underlying", "Held against", "As recorded", "There")
    kinds = ("", "", "", "n", "n")
    title = f"{verdict.name}: {len(verdict.findings):,} of {verdict.checked:,} values changed"
    words = "".join(pages.paragraph(line[:1].upper() + line[1:] + ".") for line in lines)
    body = words + pages.table(heads, kinds, rows)
    return pages.section(title, body, anchor=f"{_TROUBLE}{verdict.name}")


def _worst_first(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return sorted(verdicts, key=lambda each: list(_MARKS).index(each.status))


def _table(verdicts: Sequence[Verdict]) -> str:
    rows = [
        (
            _named(verdict),
            pages.marked(STATUS[verdict.status], _KINDS[verdict.status]),
            f"{verdict.checked:,}",
            f"{verdict.seen:,}",
            f"{len(verdict.findings):,}",
            sentence(verdict),
        )
        for verdict in _worst_first(verdicts)
    ]
    heads = ("Name", "Verdict", "Compared", "Not null", "Changed", "What happened")
    return pages.table(heads, ("", "", "n", "n", "n", "wrap"), rows)


def _named(verdict: Verdict) -> pages.Html:
    """Return a name that other pages lead to, and that leads to what is known of a failure."""
    anchor = f"{ANCHOR}{verdict.name}"
    if verdict.status in _TROUBLED:
        return pages.link(verdict.name, f"#{_TROUBLE}{verdict.name}", anchor=anchor)
    return pages.target(verdict.name, anchor)


def _planted(trials: Sequence[Trial]) -> str:
    note = (
        "Leaks planted on purpose on a small random market, each beside an honest twin that must pass. "
        "Features are held against worlds whose later rows are removed or changed, labels against the "
        "checks named."
    )
    rows = [
        (
            trial.plant.name.replace("_", " "),
            trial.plant.what,
            caught_by(trial),
            leaked(trial),
            "FALSE ALARM" if trial.false_alarm else "passed",
        )
        for trial in trials
    ]
    heads = ("Leak", "What it does", "Caught by", "Traced to", "Honest twin")
    return pages.note(note) + pages.table(heads, ("", "wrap", "wrap", "", ""), rows)
