"""Audit features and labels on a lake: look-ahead, and enough history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from features import labels
from features.bars import width_minutes
from features.catalog import catalog, null_reasons, sessions_of_history
from features.context import needs
from features.label_audit import audit_label
from features.lookahead import audit_lookahead, draw
from features.lookback import audit_lookback
from features.verdicts import failed, frame, merged
from features.worlds import World
from pipelines.audit_subject import LakeSubject, SubjectRows
from pipelines.elsewhere import audit_elsewhere
from pipelines.inputs import TABLES
from pipelines.recall import bar_table
from strikelake.calendar import NS_PER_MINUTE, session
from strikelake.errors import DatasetError, EmptyLakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    import polars as pl

    from features.feature import Feature
    from features.labels import Label
    from features.verdicts import Verdict
    from features.worlds import Tables
    from strikelake.lake.store import Lake

    Progress = Callable[[int, int], None]

_ROWS = 5_000
"""Rows that functions are tried in between two decisions, all features together."""

_LABEL_SESSIONS = 40
"""More than the bars that the barriers of a label are measured in, and its horizon."""

ADVICE = {
    "warm_up": "no series is as long as its lookback: audit later dates or a longer lake",
    "unknown_input": "what it reads is null or too old at every decision",
    "undefined": "its arithmetic has no answer at any decision",
}
"""What to do about a feature without a value, by the commonest reason of its nulls."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Outcome of an audit on a lake.

    Attributes
    ----------
    check
        "lookahead" or "lookback".
    bar
        Width of the bars.
    moments
        Decision times, ns UTC.
    verdicts
        Of the features.
    labels
        Of the labels; empty where they were not asked for.
    """

    check: str
    bar: str
    moments: tuple[int, ...]
    verdicts: tuple[Verdict, ...]
    labels: tuple[Verdict, ...] = ()

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the features and labels that failed or could not be computed."""
        return failed((*self.verdicts, *self.labels))

    @property
    def unproved(self) -> tuple[str, ...]:
        """Names of the features and labels that never had a value, so that nothing is shown about them."""
        every = (*self.verdicts, *self.labels)
        return tuple(verdict.name for verdict in every if verdict.status == "unseen")

    @property
    def frame(self) -> pl.DataFrame:
        """All verdicts as a table (`features.verdicts.frame`)."""
        return frame((*self.verdicts, *self.labels))

    @property
    def checked(self) -> int:
        """Values compared."""
        return sum(verdict.checked for verdict in (*self.verdicts, *self.labels))


def audit_features(
    lake: Lake,
    check: str,
    features: Mapping[str, Feature],
    names: Sequence[str],
    start: date,
    end: date,
    *,
    bar: str,
    samples: int,
    seed: int = 0,
    underlyings: Collection[str] | None = None,
    horizon: int | None = None,
    module: Path | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Audit features at decision times drawn from a range of dates.

    Parameters
    ----------
    lake
        Reads what `features` need.
    check
        "lookahead": values from the whole lake equal those from a lake cut at `available_at <= asof`, and
        those from a lake whose later rows are different ones. "lookback": values from the declared history
        equal those from a longer one.
    features, names
        Definitions, and which of them to audit.
    start, end
        First and last date of the decisions; dates around them are read too.
    bar
        "1d", or a width such as "30m".
    samples, seed
        How many decision times, and the draw.
    underlyings
        Tickers; None takes all.
    horizon
        Bars ahead of the label that is audited too, at the same times; None audits none.
    module
        The user's file, whose features are computed in a process of its own too.
    progress
        Called with the number of decision times done and in all.

    Returns
    -------
    AuditReport

    Raises
    ------
    EmptyLakeError
        When there are no stock bars in the range.
    DatasetError
        When the range holds too few sessions.
    ValueError
        When `bar` is not a width inside a session.
    """
    wanted = {name: features[name] for name in names}
    days = _warm_sessions(lake, start, end, bar, sessions_of_history(bar, wanted.values()))
    moments = draw([moment for day in days for moment in _bar_ends(day, bar)], samples, seed)
    last = max(lake.sessions(bar_table(bar)))
    subject = LakeSubject(lake, bar, wanted, underlyings, last)
    own = () if module is None else [name for name in wanted if name not in catalog()]
    rows = SubjectRows(subject, own, -(-_ROWS // len(wanted)), seed)
    if check == "lookahead":
        verdicts = audit_lookahead(subject, names, moments, seed=seed, rows=rows, progress=progress)
    else:
        verdicts = audit_lookback(
            lambda asof: subject.inputs(World(asof)), wanted, moments, rows=rows, progress=progress
        )
    if module is not None and rows.kept:
        served = audit_elsewhere(module, rows.kept)
        verdicts = tuple(_with(verdict, served.get(verdict.name)) for verdict in verdicts)
    verdicts = tuple(_explained(verdict, wanted, subject, moments[-1]) for verdict in verdicts)
    of_labels = () if horizon is None else _labels(subject, moments, horizon)
    return AuditReport(check, bar, moments, verdicts, of_labels)


def _with(verdict: Verdict, served: Verdict | None) -> Verdict:
    """Return a verdict and the one of another process as one; of what failed before it may say why."""
    if served is None or verdict.status == "error":
        return verdict
    if verdict.findings:
        return replace(verdict, advice=served.advice) if served.findings and not verdict.source else verdict
    return merged(verdict.name, [verdict, served])


def _explained(verdict: Verdict, features: Mapping[str, Feature], subject: LakeSubject, asof: int) -> Verdict:
    """Return a verdict on what never had a value with the reason: an absent table, or the commonest."""
    if verdict.status != "unseen":
        return verdict
    feature = features[verdict.name]
    bars, facts = subject.inputs(World(asof))
    counts = null_reasons(bars, facts, [feature.name], features={feature.name: feature})
    reason = counts.sort("count")["reason"][-1] if counts.height else "no bars"
    absent = [name for name in needs([feature]) if name not in facts]
    advice = ADVICE.get(reason, f"the lake has {reason}")
    if absent:
        tables = ", ".join(dict.fromkeys(table for name in absent for table in TABLES[name]))
        advice = f"the lake has no rows of {tables} for these decisions: ingest or compute them"
    return replace(verdict, advice=advice)


def _labels(subject: LakeSubject, moments: Sequence[int], horizon: int) -> tuple[Verdict, ...]:
    """Audit a label of every kind: each is 0 where no price moves after the decision."""
    enough = replace(subject, features={}, least=_LABEL_SESSIONS, _held={}, _held_for=None)
    bars = {asof: enough.inputs(World(asof))[0] for asof in moments}

    def verdict(name: str, label: Label) -> Verdict:
        def of_bars(tables: Tables) -> pl.DataFrame:
            return label(tables["bars"])

        return merged(
            name, [audit_label(name, of_bars, {"bars": rows}, [asof]) for asof, rows in bars.items()]
        )

    return tuple(verdict(name, label) for name, label in labels.catalog(horizon).items())


def _warm_sessions(lake: Lake, start: date, end: date, bar: str, history: int) -> list[date]:
    """Return the sessions to draw from: with history before them and at least one session after them."""
    every = lake.sessions(bar_table(bar))
    if not every:
        raise EmptyLakeError(f"the lake has no {bar_table(bar)}: run `strikelake ingest`")
    warm = every[min(history, len(every) // 2) : -1]
    chosen = [day for day in warm if start <= day <= end]
    if not chosen:
        raise DatasetError(
            f"no session from {start} to {end} has history before it and a session after it: "
            f"{bar_table(bar)} goes from {every[0]} to {every[-1]}; {history} sessions of history are wanted"
        )
    return chosen


def _bar_ends(day: date, bar: str) -> list[int]:
    opened, closed = session(day).open_ns, session(day).close_ns
    width = width_minutes(bar) * NS_PER_MINUTE
    return [*range(opened + width, closed, width), closed]
