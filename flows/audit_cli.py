"""The command line of audits: `strikelake audit …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from flows.options import Bar, Day, Families, Module, Names, Root, Symbols, as_date, writable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.feature import Feature
    from features.selftest import Trial
    from pipelines.audit import AuditReport

audit_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Prove that features do not look ahead, and that they ask for enough history.",
)

Samples = Annotated[int, typer.Option(min=1, help="Decision times to draw.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the draw.")]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="DIR", callback=writable, help="Write a page of the audit there."),
]


Unproved = Annotated[
    bool, typer.Option("--allow-unproved", help="Exit 0 although some features never had a value.")
]

_NOT_PROVED = 3
"""Exit status where nothing failed, and something never had a value: nothing is shown about it."""

_SAMPLES = 6
"""Decision times at which planted leaks are looked for, for the page."""

_LOOKAHEAD = """Hold features against lakes whose later rows are missing or different; exit 1 on a difference.

Exit 3 where nothing differs and some features never had a value: nothing is shown about those.
Labels are audited too: none may be known at its decision.

[bold]Examples[/bold]

  strikelake audit lookahead

  strikelake audit lookahead --module my_features.py

  strikelake audit lookahead --family price --start 2025-02-03 --samples 50 --report data/reports/audit
"""
_LOOKBACK = """Compute features from exactly the bars they declare; exit 1 when more history changes a value.

Exit 3 where nothing differs and some features never had a value.

[bold]Examples[/bold]

  strikelake audit lookback

  strikelake audit lookback --feature rsi_7 --bar 1d
"""


@audit_app.command("lookback", help=_LOOKBACK)
@audit_app.command("lookahead", help=_LOOKAHEAD)
def audit(
    context: typer.Context,
    feature: Names = None,
    family: Families = None,
    module: Module = None,
    start: Day = None,
    end: Day = None,
    samples: Samples = 20,
    seed: Seed = 0,
    bar: Bar = None,
    symbol: Symbols = None,
    report: Report = None,
    lake: Root = None,
    allow_unproved: Unproved = False,
) -> None:
    """Audit features on the lake."""
    from flows import audit_tables, progress, ranges, wiring
    from flows.settings import load
    from pipelines.audit import audit_features
    from pipelines.own_features import wanted

    settings = load()
    opened = wiring.lake(settings, lake)
    span = ranges.in_lake(opened, as_date(start), as_date(end))
    names = ranges.symbols(opened, symbol, *span)
    width = ranges.bar(settings, opened, bar, *span)
    check = "lookback" if context.info_name == "lookback" else "lookahead"
    features = wanted(feature, family, module)
    research = settings.research
    horizon = research.horizon_1d if width == "1d" else research.horizon_30m
    with progress.bars():
        found = audit_features(
            opened,
            check,
            features,
            list(features),
            *span,
            bar=width,
            samples=samples,
            seed=seed,
            underlyings=names,
            horizon=horizon if check == "lookahead" else None,
            module=module,
            progress=progress.advance(check),
        )
    for shown in audit_tables.audit(found):
        Console().print(shown, highlight=False, soft_wrap=isinstance(shown, str))
    if report is not None:
        _write(found, report, features)
    if found.failed:
        raise typer.Exit(1)
    if found.unproved and not allow_unproved:
        raise typer.Exit(_NOT_PROVED)


@audit_app.command()
def selftest(samples: Samples = 12, seed: Seed = 0) -> None:
    """Plant known leaks on a small random market and show which the audit catches; exit 1 when it misses one.

    [bold]Examples[/bold]

      strikelake audit selftest

      strikelake audit selftest --samples 40 --seed 7
    """
    from features.selftest import selftest as run
    from flows import audit_tables, progress

    with progress.bars():
        trials = run(samples=samples, seed=seed, progress=progress.advance("planted leaks"))
    for shown in audit_tables.planted(trials):
        Console().print(shown, highlight=False)
    if any(not trial.caught or trial.false_alarm for trial in trials):
        raise typer.Exit(1)


def _write(found: AuditReport, folder: Path, features: Mapping[str, Feature]) -> None:
    """Write the page, with what the audit catches among planted leaks, and the verdicts beside it."""
    from pipelines.audit_page import write_audit
    from pipelines.audit_verdicts import write_verdicts

    page = write_audit(folder, found, _planted() if found.check == "lookahead" else ())
    write_verdicts(folder, found, features)
    Console().print(f"report {page}", highlight=False, soft_wrap=True)


def _planted() -> Sequence[Trial]:
    from features.selftest import selftest as run
    from flows import progress

    with progress.bars():
        return run(samples=_SAMPLES, progress=progress.advance("planted leaks"))
