"""The command line: `strikelake …`.

Commands run the flows in this process. Only typer and rich are imported before a command starts, so that
`--help` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from flows.audit_cli import audit_app
from flows.features_cli import features_app
from flows.lake_cli import lake_app
from flows.options import Day, as_date
from flows.sandbox_cli import sandbox_app
from flows.volatility_cli import analytics_app, surface
from strikelake.errors import StrikelakeError

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(
    name="strikelake",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Research, backtest and trade US equity options, with proof of no look-ahead.\n\n"
    "Start with [bold]strikelake demo[/bold]: it needs no keys and no network.",
)
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(lake_app, name="lake")
app.add_typer(features_app, name="features")
app.add_typer(analytics_app, name="analytics")
app.command()(surface)
app.add_typer(audit_app, name="audit")

_LEAST_SESSIONS = 40  # of a demo: the first 17 warm features up, and no tree splits the rows of a few days
_INTERRUPTED = 130  # what a shell makes of SIGINT
_MIB_A_SESSION = 8  # of a demo: its files, twice
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
LakeOption = Annotated[
    str | None,
    typer.Option("--lake", metavar="DIR", help="A folder or s3://…; data/lake unless configured otherwise."),
]
BarOption = Annotated[
    str | None, typer.Option("--bar", help="30m, 1d, or auto: 30m where the lake has minute bars.")
]
Symbols = Annotated[
    list[str] | None,
    typer.Option("--symbol", "-s", help="An underlying; repeat it. All with enough history otherwise."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print Prefect's own log too.")]


def main() -> None:
    """Run the command line; an error of ours is one line and exit code 1."""
    # Python would die of SIGTERM without a word: as an exception it lets a session cancel its entries.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        app()
    except StrikelakeError as error:
        _say(str(error))
        sys.exit(1)
    except Exception as error:
        from flows.trouble import advice

        if (told := advice(error)) is None:
            raise
        _say(told)
        sys.exit(1)
    except KeyboardInterrupt:
        _stopped()
        sys.exit(_INTERRUPTED)
    except SystemExit as ended:  # typer makes this of Ctrl-C while a command runs, without a word
        if ended.code == _INTERRUPTED:
            _stopped()
        raise


@app.command()
def demo(
    seed: Annotated[int, typer.Option(min=0, help="The simulated market's seed.")] = 7,
    sessions: Annotated[
        int,
        typer.Option(
            min=_LEAST_SESSIONS, help="Sessions of history, or up to four less: the live one follows a gap."
        ),
    ] = 60,
    verbose: Verbose = False,
) -> None:
    """Run the whole line on the embedded local market: no keys, no network.

    Simulates ten underlyings with option chains, serves them as the vendor and the broker would, then
    ingests, computes IV, Greeks and features, trains three models, backtests the champion and trades one
    session.

    [bold]Examples[/bold]

      strikelake demo

      strikelake demo --seed 11
    """
    from flows import kernels, local_market, room
    from flows.runtime import prefect_api
    from flows.settings import load

    settings = load()
    market, began = settings.path("data/demo/market"), time.perf_counter()
    # A second demo takes the place of the first; one that was broken off has no manifest.
    room.demand(
        market.parent, 0 if (market / "manifest.json").exists() else sessions * _MIB_A_SESSION * room.MIB
    )
    with (
        kernels.compiled_aside(settings, "data/demo/kernels.log"),
        prefect_api(settings, home="data/demo/prefect", verbose=verbose) as ready,
        _bars(),
        # Prefect's server starts meanwhile.
        local_market.served(market, seed=seed, sessions=sessions) as sandbox,
    ):
        from flows.demo import run_demo

        ready()
        run_demo(sandbox, began, Console())


@app.command()
def run(
    start: Day = None,
    end: Day = None,
    flat_files: FlatFilesOption = None,
    reference: ReferenceOption = None,
    bar: BarOption = None,
    symbol: Symbols = None,
    lake: LakeOption = None,
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


@app.command()
def ingest(
    start: Day = None,
    end: Day = None,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", "-d", help="A dataset such as option_quotes; repeat it.")
    ] = None,
    flat_files: FlatFilesOption = None,
    reference: ReferenceOption = None,
    lake: LakeOption = None,
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


@app.command()
def featurize(
    start: Day = None,
    end: Day = None,
    bar: BarOption = None,
    symbol: Symbols = None,
    lake: LakeOption = None,
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


@app.command()
def train(
    session: Day = None,
    start: Day = None,
    bar: BarOption = None,
    lake: LakeOption = None,
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


@app.command()
def backtest(
    start: Day = None,
    end: Day = None,
    bar: BarOption = None,
    lake: LakeOption = None,
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


@app.command()
def trade(
    session: Day = None,
    lake: LakeOption = None,
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


@app.command()
def doctor() -> None:
    """Check Python, versions, configuration, keys, endpoints and disk, and say how to mend each.

    [bold]Examples[/bold]

      strikelake doctor
    """
    from flows import tables
    from flows.doctor import Status, examine

    checks = examine()
    Console().print(tables.checks(checks))
    if any(check.status is Status.FAILURE for check in checks):
        raise typer.Exit(1)


@app.command()
def up(
    prefect_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Prefect server.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the MLflow UI.")] = 5000,
) -> None:
    """Serve Prefect (server, worker, deployments) and the MLflow UI on loopback until Ctrl-C.

    [bold]Examples[/bold]

      strikelake up

      strikelake up --prefect-port 4201 --mlflow-port 5001
    """
    from flows import services
    from flows.settings import load

    settings = load()
    console = Console()
    home = settings.path("data/prefect")
    services.up(settings, home, prefect_port=prefect_port, mlflow_port=mlflow_port, say=console.print)


@contextmanager
def _running(lake: str | None, *, verbose: bool) -> Iterator[None]:
    """Give flows an API to report to, draw progress bars, and keep Prefect quiet unless asked."""
    from flows.runtime import prefect_api
    from flows.settings import load

    if lake is not None:
        os.environ["STRIKELAKE_LAKE__ROOT"] = lake if "://" in lake else str(Path(lake).resolve())
    with prefect_api(load(), home="data/prefect/private", verbose=verbose) as ready, _bars():
        ready()
        yield


@contextmanager
def _bars() -> Iterator[None]:
    from flows.progress import bars

    with bars():
        yield


def _stopped() -> None:
    Console(stderr=True).print("stopped by Ctrl-C")


def _terminated(*_: object) -> None:
    sys.exit(143)


def _say(problem: str) -> None:
    from rich.markup import escape

    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]error:[/red] {escape(problem)}")
