"""`strikelake features stats`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from flows.options import Bar, Day, Families, Module, Names, Root, Symbols, as_date, writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from pipelines.statistics import StatisticsReport

_STRONG = 2.0


def stats(
    feature: Names = None,
    family: Families = None,
    module: Module = None,
    start: Day = None,
    end: Day = None,
    horizon: Annotated[
        list[int] | None, typer.Option("--horizon", min=1, help="Bars ahead of the returns; repeat it.")
    ] = None,
    bar: Bar = None,
    symbol: Symbols = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="DIR", callback=writable, help="Write a page with plots there."),
    ] = None,
    audit: Annotated[
        list[Path] | None,
        typer.Option(
            "--audit",
            metavar="DIR",
            help="A page of `strikelake audit`, whose verdicts are shown; repeat it.",
        ),
    ] = None,
    lake: Root = None,
) -> None:
    """Show coverage, distribution, memory, information coefficients and drift of stored features.

    [bold]Examples[/bold]

      strikelake features stats

      strikelake features stats --family price --horizon 1 --horizon 5 --report data/reports/features

      strikelake features stats --report data/reports/features --audit data/reports/audit

      strikelake features stats --module my_features.py
    """
    from flows import progress, ranges, wiring
    from flows.settings import load
    from pipelines.audit_verdicts import read_verdicts
    from pipelines.own_features import wanted
    from pipelines.statistics import feature_statistics
    from pipelines.statistics_page import write_statistics

    if audit and report is None:
        raise typer.BadParameter("--audit goes with --report: the verdicts are shown on the page")
    audits = [read_verdicts(folder) for folder in audit or ()]
    settings = load()
    chosen = wanted(feature, family, module)
    opened = wiring.lake(settings, lake)
    span = ranges.in_lake(opened, as_date(start), as_date(end))
    names = ranges.symbols(opened, symbol, *span)
    width = ranges.bar(settings, opened, bar, *span)
    with progress.bars():
        found = feature_statistics(
            opened,
            chosen,
            *span,
            bar=width,
            horizons=horizon,
            underlyings=names,
            progress=progress.advance("statistics"),
        )
    for shown in _shown(found):
        Console().print(shown, highlight=False)
    if report is not None:
        Console().print(
            f"report {write_statistics(report, found, chosen, audits)}", highlight=False, soft_wrap=True
        )


def _shown(found: StatisticsReport) -> Iterator[RenderableType]:
    """Show what fits 80 columns; distribution and nulls by reason are on the page."""
    from flows.tables import empty
    from pipelines.statistics_page import SUSPECT, decimal

    shown = [f">{name}{horizon}" for horizon in found.horizons for name in ("IC", "t")]
    table = empty("feature", ">known", ">AC", *shown, ">PSI")
    for each in found.known:
        said = []
        for info in each.information:
            strong = info.t_value is not None and abs(info.t_value) > _STRONG
            text = decimal(info.t_value, 1)
            said += [_short(info.coefficient), f"[bold]{text}[/]" if strong else text]
        memory = next(iter(each.autocorrelation.values()), None)
        table.add_row(
            each.name,
            f"{each.coverage:.0%}",
            _short(memory),
            *said,
            _short(each.psi),
        )
    for column in table.columns:
        column.no_wrap = True
    table.padding = 0  # the names of the catalogue and three horizons just fit
    yield table
    if found.suspect:
        yield f"[bold]{SUSPECT}[/]: {', '.join(found.suspect)}"
    for why, names in found.never_known.items():
        yield f"never known ({why}): {', '.join(names)}"
    yield (
        f"{found.bar} bars, {found.start} to {found.end}, {found.underlyings} underlyings. "
        "AC: autocorrelation from bar to bar; IC: rank correlation with the return so many bars ahead; "
        "t: adjusted for overlap, bold beyond 2; PSI: drift from the first to the last third, much above 0.25"
    )


def _short(value: float | None) -> str:
    """Return two places without the zero before the point: ten columns of it must fit."""
    from pipelines.statistics_page import decimal

    text = decimal(value)
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
