"""The commands of the line's steps: each runs a flow in this process, with progress bars."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from flows.options import Bar, Day, Root, Verbose, as_date

if TYPE_CHECKING:
    from collections.abc import Iterator

FlatFilesOption = Annotated[
    Path | None,
    typer.Option("--flat-files", metavar="DIR", help="Read a folder in the vendor's layout instead of S3."),
]
ReferenceOption = Annotated[
    Path | None,
    typer.Option(
        "--reference",
        metavar="DIR",
        help="splits, dividends, curves, earnings, news, open interest, SIC codes.",
    ),
]
Symbols = Annotated[
    list[str] | None,
    typer.Option("--symbol", "-s", help="An underlying; repeat it. All with enough history otherwise."),
]


def run(
    start: Day = None,
    end: Day = None,
    flat_files: FlatFilesOption = None,
    reference: ReferenceOption = None,
    bar: Bar = None,
    symbol: Symbols = None,
    lake: Root = None,
    verbose: Verbose = False,
) -> None:
    """Ingest, compute features, train, register and backtest, one after the other.

    [bold]Examples[/bold]

      strikelake run --start 2025-01-02 --end 2025-03-31

      strikelake run --flat-files ../flatfiles --start 2003-09-10 --end 2014-12-31
    """
    with _running(lake, verbose=verbose):
        from flows import tables
        from flows.research import research

        done = research(
            start=as_date(start),
            end=as_date(end),
            flat_files=flat_files,
            reference=reference,
            bar=bar,
            symbols=symbol,
        )
        for table in tables.research(done):
            Console().print(table)


def ingest(
    start: Day = None,
    end: Day = None,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", "-d", help="A dataset such as option_quotes; repeat it.")
    ] = None,
    flat_files: FlatFilesOption = None,
    reference: ReferenceOption = None,
    lake: Root = None,
    verbose: Verbose = False,
) -> None:
    """Bring flat files into the lake; files already there unchanged are skipped.

    [bold]Examples[/bold]

      strikelake ingest --start 2025-01-02 --end 2025-01-31

      strikelake ingest --dataset option_day_bars --flat-files ../flatfiles
    """
    with _running(lake, verbose=verbose):
        from flows import tables
        from flows.ingest import ingest as flow

        report = flow(
            start=as_date(start),
            end=as_date(end),
            datasets=dataset,
            flat_files=flat_files,
            reference=reference,
        )
        Console().print(tables.ingestion(report))


def featurize(
    start: Day = None,
    end: Day = None,
    bar: Bar = None,
    symbol: Symbols = None,
    lake: Root = None,
    verbose: Verbose = False,
) -> None:
    """Compute implied volatilities, Greeks and features of the sessions in the lake.

    [bold]Examples[/bold]

      strikelake featurize

      strikelake featurize --start 2025-01-02 --end 2025-03-31 --bar 30m --symbol SPY --symbol AAPL
    """
    with _running(lake, verbose=verbose):
        from flows import tables
        from flows.featurize import featurize as flow

        Console().print(
            tables.features(flow(start=as_date(start), end=as_date(end), bar=bar, symbols=symbol))
        )


def train(
    session: Day = None,
    start: Day = None,
    bar: Bar = None,
    lake: Root = None,
    verbose: Verbose = False,
) -> None:
    """Train, evaluate and register the models; the best out of sample becomes champion.

    Trains up to the last session in the lake unless told otherwise.

    [bold]Examples[/bold]

      strikelake train

      strikelake train --session 2025-03-31 --bar 30m
    """
    with _running(lake, verbose=verbose):
        from flows import ranges, tables, wiring
        from flows.settings import load
        from flows.train import train as flow

        last = as_date(session) or ranges.in_lake(wiring.lake(load()), None, None)[1]
        report = flow(session=last, start=as_date(start), bar=bar)
        Console().print(tables.training(report))


def backtest(
    start: Day = None,
    end: Day = None,
    bar: Bar = None,
    lake: Root = None,
    verbose: Verbose = False,
) -> None:
    """Replay the champion's out-of-sample forecasts: options on recorded quotes, or the underlyings.

    [bold]Examples[/bold]

      strikelake backtest

      strikelake backtest --start 2025-02-03 --end 2025-03-31
    """
    with _running(lake, verbose=verbose):
        from flows import tables
        from flows.backtest import backtest as flow

        Console().print(tables.backtest(flow(start=as_date(start), end=as_date(end), bar=bar)))


def trade(
    session: Day = None,
    lake: Root = None,
    verbose: Verbose = False,
) -> None:
    """Trade one session with the champion, on the broker account that the keys name.

    TRADING_MODE=paper is the default. `prefect deployment run live-trade` does the same through Prefect.

    [bold]Examples[/bold]

      strikelake trade

      strikelake trade --session 2025-04-01
    """
    with _running(lake, verbose=verbose):
        from flows import tables
        from flows.live_trade import live_trade as flow

        Console().print(tables.session(flow(session=as_date(session))))


@contextmanager
def _running(lake: str | None, *, verbose: bool) -> Iterator[None]:
    """Give flows an API to report to, draw progress bars, and keep Prefect quiet unless asked."""
    from flows import progress
    from flows.runtime import prefect_api
    from flows.settings import load

    if lake is not None:
        os.environ["STRIKELAKE_LAKE__ROOT"] = lake if "://" in lake else str(Path(lake).resolve())
    with prefect_api(load(), home="data/prefect/private", verbose=verbose) as ready, progress.bars():
        ready()
        yield
