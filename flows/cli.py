"""The command line: `strikelake …`.

Commands run the flows in this process. Only typer and rich are imported before a command starts, so that
`--help` answers at once.
"""

from __future__ import annotations

import signal
import sys
import time
from typing import Annotated

import typer
from rich.console import Console

from flows.audit_cli import audit_app
from flows.features_cli import features_app
from flows.lake_cli import lake_app
from flows.options import Verbose
from flows.sandbox_cli import sandbox_app
from flows.step_cli import backtest, featurize, ingest, run, trade, train
from flows.volatility_cli import analytics_app, surface
from strikelake.errors import StrikelakeError

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
    from flows import kernels, local_market, progress, room
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
        progress.bars(),
        # Prefect's server starts meanwhile.
        local_market.served(market, seed=seed, sessions=sessions) as sandbox,
    ):
        from flows.demo import run_demo

        ready()
        run_demo(sandbox, began, Console())


for step in (run, ingest, featurize, train, backtest, trade):
    app.command()(step)


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


def _stopped() -> None:
    Console(stderr=True).print("stopped by Ctrl-C")


def _terminated(*_: object) -> None:
    sys.exit(143)


def _say(problem: str) -> None:
    from rich.markup import escape

    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]error:[/red] {escape(problem)}")
