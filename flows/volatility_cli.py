"""The command line of volatilities: `strikelake analytics …`, `strikelake surface`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.options import Day, Root, Symbols, as_date, writable

Bars = Annotated[
    list[str] | None,
    typer.Option("--bar", help="1d, 1m or quote; repeat it. All that the lake has otherwise."),
]


analytics_app = typer.Typer(invoke_without_command=True, rich_markup_mode="rich")

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", callback=writable, help="Write pages with plots there."),
]


@analytics_app.callback()
def analytics(
    context: typer.Context,
    start: Day = None,
    end: Day = None,
    bar: Bars = None,
    again: Annotated[bool, typer.Option("--again", help="Sessions whose inputs did not change too.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads that solve rows.")] = 2,
    lake: Root = None,
) -> None:
    """Price option bars and quotes, and fit surfaces: IV, Greeks, forwards, smiles, 30-day indices.

    Sessions whose inputs are those of their last run are skipped. `report` shows what came of it, `check`
    compares with the vendor.

    [bold]Examples[/bold]

      strikelake analytics

      strikelake analytics --start 2025-01-02 --end 2025-01-31 --bar quote

      strikelake analytics --again --threads 4

      strikelake analytics report

      strikelake analytics check
    """
    if context.invoked_subcommand:
        return
    from flows import ranges, volatility_tables, wiring
    from flows.progress import advance, bars
    from flows.settings import load
    from pipelines.analytics import TABLES, analyse
    from pipelines.surfaces import build_surfaces
    from strikelake.errors import ConfigError

    settings = load()
    opened = wiring.lake(settings, lake)
    if unknown := set(bar or ()) - set(TABLES):
        raise ConfigError(f"--bar {unknown.pop()}: it is one of {', '.join(TABLES)}")
    span = ranges.in_lake(opened, as_date(start), as_date(end))
    found = []
    with bars():
        for kind, table in TABLES.items():
            if (bar and kind not in bar) or not ranges.sessions_of(opened, table, *span):
                continue
            rate = settings.trading.default_rate
            priced = analyse(
                opened,
                *span,
                bar=kind,
                rates_default=rate,
                again=again,
                threads=threads,
                progress=advance(f"IV and Greeks, {kind}"),
            )
            fitted = build_surfaces(
                opened,
                *span,
                bar=kind,
                rates_default=rate,
                again=again,
                threads=threads,
                progress=advance(f"surfaces, {kind}"),
            )
            found.append((priced, fitted))
    Console().print(volatility_tables.analytics(found))


@analytics_app.command()
def report(
    start: Day = None,
    end: Day = None,
    symbol: Symbols = None,
    output: Output = None,
    lake: Root = None,
) -> None:
    """Show what came of priced rows: shares by status, and how far calls and puts of one strike disagree.

    [bold]Examples[/bold]

      strikelake analytics report

      strikelake analytics report --start 2014-06-05 --end 2014-06-06 --symbol AAPL -o data/reports/analytics
    """
    from flows import ranges, volatility_tables, wiring
    from flows.settings import load
    from pipelines.analytics_page import write_analytics_page
    from pipelines.analytics_report import summarise

    ranges.in_order(as_date(start), as_date(end))
    opened = wiring.lake(load(), lake)
    found = summarise(opened, as_date(start), as_date(end), underlyings=symbol)
    console = Console()
    for shown in volatility_tables.report(found):
        console.print(shown, highlight=False)
    if output is not None:
        console.print(f"page {write_analytics_page(opened, found, output)}", highlight=False, soft_wrap=True)
    if any(each.without_status for each in found):
        raise typer.Exit(1)


@analytics_app.command()
def check(
    date: Day = None,
    symbol: Symbols = None,
    tolerance: Annotated[
        float, typer.Option(min=0.01, help="How near is the same, in hundredths of a vol point.")
    ] = 5.0,
    output: Output = None,
    lake: Root = None,
) -> None:
    """Compare the vendor's volatilities and Greeks with ours, and find what makes them differ.

    Reads the chain snapshots of a session (`after-close` stores them), the last one unless told otherwise,
    solves the same quotes, and names the way of valuing that reproduces the vendor's numbers.

    [bold]Examples[/bold]

      strikelake analytics check

      strikelake analytics check --date 2025-01-08 --symbol SPY --tolerance 2 -o data/reports/check
    """
    from flows import volatility_tables, wiring
    from flows.crosscheck import compare
    from flows.settings import load
    from pipelines.crosscheck_page import write_crosscheck

    settings = load()
    opened = wiring.lake(settings, lake)
    rate = settings.trading.default_rate
    found = compare(opened, as_date(date), symbol, rates_default=rate, tolerance_bp=tolerance)
    console = Console()
    for shown in volatility_tables.check(found):
        console.print(shown, highlight=False)
    if output is not None:
        console.print(f"page {write_crosscheck(output, found)}", highlight=False, soft_wrap=True)


def surface(
    symbol: Annotated[str, typer.Argument(help="An underlying, such as AAPL or SPX.")],
    date: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The session.")],
    bar: Annotated[
        str | None, typer.Option("--bar", help="1d, 1m or quote; the best there is otherwise.")
    ] = None,
    time: Annotated[
        str | None, typer.Option(metavar="HH:MM", help="New York time; the close otherwise.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", callback=writable, help="Where the page goes."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    lake: Root = None,
) -> None:
    """Show an underlying's volatility at one moment, and write a page with smiles, term structure, surface.

    Says where the surface has calendar or butterfly arbitrage.

    [bold]Examples[/bold]

      strikelake surface AAPL --date 2025-01-08

      strikelake surface SPX --date 2025-01-08 --time 10:30 --bar quote --open
    """
    from flows import volatility_tables, wiring
    from flows.settings import load
    from pipelines.surface_page import read_surface, write_surface_page
    from strikelake.calendar import et_ns

    settings = load()
    day = date.date()
    path = output or settings.path("data/reports") / f"surface-{symbol}-{day}"
    try:
        asof = et_ns(day, time) if time else None
    except ValueError as error:
        raise typer.BadParameter(
            f"{time!r} is no time such as 10:30 ({error})", param_hint="'--time'"
        ) from None
    view = read_surface(wiring.lake(settings, lake), symbol, day, bar=bar, asof=asof)
    written = write_surface_page(view, path)
    console = Console()
    for shown in volatility_tables.surface(view):
        console.print(shown, highlight=False)
    console.print(f"page {written}", highlight=False, soft_wrap=True)
    if open_:
        typer.launch(written.resolve().as_uri())
