"""The command line of the embedded local market: `strikelake sandbox …`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from pathlib import Path

    from strikelake.sandbox.addresses import Addresses

sandbox_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="The embedded local market: vendors and broker on loopback, its clock, and faults on demand.",
)


@sandbox_app.command()
def up(
    seed: Annotated[int, typer.Option(min=0, help="The simulated market's seed.")] = 7,
    sessions: Annotated[
        int, typer.Option(min=5, help="Sessions of history, or up to four less: the live one follows a gap.")
    ] = 60,
    symbol: Annotated[
        list[str] | None, typer.Option("--symbol", "-s", help="An underlying; repeat it. All ten otherwise.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Loopback port; 0 is any free one.")] = 0,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Go on in the background until `down`.")
    ] = False,
) -> None:
    """Serve the local market: flat files on S3, REST, stream, and an Alpaca-compatible broker.

    Prints the variables that point Strikelake at it. Runs until Ctrl-C, or until `strikelake sandbox down`.

    [bold]Examples[/bold]

      strikelake sandbox up

      strikelake sandbox up --seed 11 --sessions 10 --port 8700

      strikelake sandbox up --symbol SPY --symbol AAPL --sessions 5

      eval "$(strikelake sandbox up --detach)"
    """
    from flows import local_market
    from flows.progress import bars

    state = _state_file()
    _refuse_a_second(state)
    folder = state.parent
    with bars():
        sandbox = local_market.started(
            folder / "market", seed=seed, sessions=sessions, symbols=symbol, port=port, detached=detach
        )
    with ExitStack() as at_the_end:
        if not detach:
            # Before anybody is told of the market: a signal may come at once.
            at_the_end.callback(state.unlink, missing_ok=True)
            at_the_end.callback(sandbox.stop)
        sandbox.save(state)
        _print_variables(sandbox)
        if not detach:
            words = "# paste these into another shell; Ctrl-C here stops the market"
            Console(stderr=True).print(words, style="dim")
            sandbox.process.wait()


@sandbox_app.command()
def status(
    export: Annotated[bool, typer.Option("--export", help="Print the variables that point at it.")] = False,
) -> None:
    """Show the running market: its time, addresses, orders, streams and faults.

    [bold]Examples[/bold]

      strikelake sandbox status

      eval "$(strikelake sandbox status --export)"
    """
    from flows.sandbox_tables import state
    from strikelake.sandbox.console import ask

    running = _running()
    if export:
        _print_variables(running)
    else:
        Console().print(state(running, ask(f"{running.control_url}/sandbox")))


@sandbox_app.command()
def clock(
    to: Annotated[
        str | None, typer.Option(metavar="TIME", help="Move on to HH:MM of the live session, or an ISO time.")
    ] = None,
    advance: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Move on by so much: 90s, 5m, 2h, 1d.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Let the time run: simulated seconds a second; 0 stops it.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Start the live session over.")] = False,
) -> None:
    """Show the simulated time, move it on, let it run, or start the session over.

    The time stands still unless it is told to move; orders fill on the way.

    [bold]Examples[/bold]

      strikelake sandbox clock

      strikelake sandbox clock --to 10:30

      strikelake sandbox clock --advance 5m

      strikelake sandbox clock --speed 60
    """
    from strikelake.calendar import iso
    from strikelake.sandbox.clock import SandboxClock
    from strikelake.sandbox.console import ask

    running = _running()
    time = SandboxClock(running.clock_url)
    if reset:
        ask(f"{running.control_url}/sandbox/reset", "POST")
    if to is not None:
        time.sleep_until(_moment(to, running))
    if advance is not None:
        time.sleep_until(time.now() + _span_ns(advance))
    if speed is not None:
        ask(f"{running.clock_url}/speed", "POST", {"factor": speed})
    found = ask(running.clock_url)
    rate = f", running {found['speed']:g} times as fast" if found["speed"] else ""
    Console().print(f"{iso(found['now_ns'])}{rate}", highlight=False)


@sandbox_app.command()
def fault(
    name: Annotated[
        str | None, typer.Argument(help="Such as rest.http_429; all are listed without one.")
    ] = None,
    times: Annotated[int, typer.Option(min=0, help="How often it happens; 0 is until taken back.")] = 1,
    after: Annotated[int, typer.Option(min=0, help="Opportunities that pass before the first.")] = 0,
    on: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Which opportunities count, such as 'GET /v3/*'.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take the fault back, or all of them.")] = False,
) -> None:
    """Let something go wrong: the next requests or events meet the fault.

    Every fault, and what clients make of it, is in docs/sandbox_faults.md.

    [bold]Examples[/bold]

      strikelake sandbox fault

      strikelake sandbox fault broker.http_504_after

      strikelake sandbox fault s3.late --times 0 --on '*2025-03-28*'

      strikelake sandbox fault --clear
    """
    from flows.sandbox_tables import faults, often
    from strikelake.sandbox import console

    running = _running()
    if clear:
        console.clear(running, name)
    elif name is not None:
        asked = console.fault(running, name, times=times or None, after=after, on=on)
        Console().print(f"{asked['name']}: {often(asked)}", highlight=False)
    else:
        Console().print(faults(console.ask(f"{running.control_url}/sandbox/fault")))


@sandbox_app.command()
def down() -> None:
    """End the market that `up` started.

    [bold]Examples[/bold]

      strikelake sandbox down
    """
    from strikelake.sandbox.console import stop

    running = _running()
    stop(running)
    _state_file().unlink(missing_ok=True)
    Console().print(f"the sandbox at {running.control_url} has ended", highlight=False)


def _state_file() -> Path:
    from flows.settings import load

    return load().path("data/sandbox/state.json")


def _refuse_a_second(state: Path) -> None:
    from strikelake.errors import SandboxError
    from strikelake.sandbox.console import find

    try:
        running = find(state)
    except SandboxError:
        return
    raise SandboxError(f"a sandbox is running already at {running.control_url}: end it with `down` first")


def _running() -> Addresses:
    from strikelake.sandbox.console import find

    return find(_state_file())


def _print_variables(sandbox: Addresses) -> None:
    from flows.local_market import variables

    lines = [f"export {name}={value}" for name, value in variables(sandbox, _state_file().parent).items()]
    lines.append(f"export SANDBOX={sandbox.control_url}")
    Console().print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def _moment(text: str, sandbox: Addresses) -> int:
    """Return a time of the live session, or an ISO time, in New York where it names no zone; ns UTC."""
    from datetime import datetime

    from strikelake.calendar import NEW_YORK, from_datetime

    try:
        found = datetime.fromisoformat(
            text if len(text) > len("HH:MM:SS") else f"{sandbox.live_session}T{text}"
        )
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time: use 10:30 or 2025-03-31T10:30") from None
    return from_datetime(found if found.tzinfo else found.replace(tzinfo=NEW_YORK))


def _span_ns(text: str) -> int:
    from strikelake.calendar import NS_PER_SECOND

    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not number.isdecimal():
        raise typer.BadParameter(f"{text!r} is no span: use 90s, 5m, 2h or 1d")
    return int(number) * units[unit] * NS_PER_SECOND
