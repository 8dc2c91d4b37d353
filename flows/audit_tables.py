"""Audits as rich tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from flows.tables import empty
from pipelines.audit_words import STATUS, caught_by, leaked, sentence, unproved

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from features.selftest import Trial
    from features.verdicts import Verdict
    from pipelines.audit import AuditReport

_COLOURS = {"passed": "green", "failed": "red", "unseen": "yellow", "error": "red"}


def audit(report: AuditReport) -> Iterator[RenderableType]:
    """Show every verdict, what is wrong below, and one line that sums it up."""
    yield _verdicts("feature", report.verdicts)
    if report.labels:
        yield _verdicts("label", report.labels)
    every = (*report.verdicts, *report.labels)
    for verdict in every:
        if verdict.status in {"failed", "error"}:
            yield f"[red]{escape(verdict.name)}[/] {escape(sentence(verdict))}"
    for why, names in unproved(every).items():
        yield f"[bold yellow]NOT PROVED[/] {escape(', '.join(names))}: never a value; {escape(why)}"
    colour, word = ("red", ", ".join(report.failed)) if report.failed else ("green", "none")
    never = len(report.unproved)
    proved = len(every) - len(report.failed) - never
    yield (
        f"{report.checked:,} values compared, at {len(report.moments)} decisions and in rows before them, "
        f"on {report.bar} bars; "
        f"proved: {proved} of {len(every)}; not proved: {never}; failed: [{colour}]{escape(word)}[/]"
    )


def planted(trials: Sequence[Trial]) -> Iterator[RenderableType]:
    """Show which planted leaks were caught, and by what."""
    table = empty("planted leak", "caught by", "traced to", "honest twin")
    for trial in trials:
        twin = "[red]FALSE ALARM[/]" if trial.false_alarm else "passed"
        way = caught_by(trial) if trial.caught else f"[red]{caught_by(trial)}[/]"
        table.add_row(trial.plant.name, way, leaked(trial), twin)
    yield table
    caught, alarms = (sum(flags) for flags in zip(*((t.caught, t.false_alarm) for t in trials), strict=True))
    yield f"{caught} of {len(trials)} planted leaks caught, {alarms} false alarms on their honest twins"


def _verdicts(kind: str, verdicts: Sequence[Verdict]) -> Table:
    table = empty(kind, "verdict", ">compared", ">not null", ">changed")
    for verdict in verdicts:
        numbers = (verdict.checked, verdict.seen, len(verdict.findings))
        word = f"[{_COLOURS[verdict.status]}]{STATUS[verdict.status]}[/]"
        table.add_row(escape(verdict.name), word, *(f"{n:,}" for n in numbers))
    return table
