"""The command line of the lake: `strikelake lake …`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from flows.options import Day, Root, as_date

if TYPE_CHECKING:
    from strikelake.lake.store import Lake

lake_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="What the lake holds, whether it is sound, what changed, and housekeeping.",
)

Tables = Annotated[
    list[str] | None, typer.Option("--table", "-t", help="A table; repeat it. All there are otherwise.")
]
Limit = Annotated[int, typer.Option(min=0, help="Rows to show.")]
_SHOWN_FAULTS = 100


@lake_app.command()
def status(table: Tables = None, lake: Root = None) -> None:
    """Show each table's sessions, rows, bytes, version, and the sessions missing in between.

    [bold]Examples[/bold]

      strikelake lake status

      strikelake lake status --table option_minute_bars --lake /mnt/lake
    """
    from flows import lake_tables
    from strikelake.lake.inspection import status as describe

    opened = _open(lake)
    found = [describe(opened, name) for name in _names(opened, table)]
    for shown in lake_tables.statuses(found):
        Console().print(shown, highlight=False)


@lake_app.command()
def verify(table: Tables = None, start: Day = None, end: Day = None, lake: Root = None) -> None:
    """Read every file again: hash, schema, order, keys, rules, and rows against the log and the ingestions.

    Exits 1 when anything is wrong, and names it.

    [bold]Examples[/bold]

      strikelake lake verify

      strikelake lake verify --table stock_day_bars --start 2025-01-02 --end 2025-01-31
    """
    from itertools import islice

    from flows import lake_tables, ranges
    from strikelake.lake.inspection import verify as examine

    ranges.in_order(as_date(start), as_date(end))
    opened = _open(lake)
    names = _names(opened, table)
    all_faults = (fault for name in names for fault in examine(opened, name, as_date(start), as_date(end)))
    faults = list(islice(all_faults, _SHOWN_FAULTS))
    if faults:
        Console().print(lake_tables.faults(faults))
        raise typer.Exit(1)
    Console().print(f"{len(names)} tables are as they were written: {', '.join(names)}", highlight=False)


@lake_app.command()
def diff(
    table: Annotated[str, typer.Argument(help="The table.")],
    before: Annotated[str, typer.Option(help="A version, or a moment such as 2025-01-31T18:00-05:00.")],
    after: Annotated[str | None, typer.Option(help="As --before; the latest version otherwise.")] = None,
    day: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="The date; all dates otherwise.")
    ] = None,
    limit: Limit = 20,
    lake: Root = None,
) -> None:
    """Show the rows that were added, removed and changed between two versions of a table.

    [bold]Examples[/bold]

      strikelake lake diff stock_day_bars --date 2025-01-06 --before 3

      strikelake lake diff stock_day_bars --before 2025-01-31T18:00-05:00 --after 7
    """
    from flows import lake_tables

    found = _open(lake).diff(table, as_date(day), _as_of(before), None if after is None else _as_of(after))
    console = Console()
    for shown in lake_tables.difference(found, limit):
        console.print(shown)


@lake_app.command()
def quarantine(
    table: Annotated[str | None, typer.Option("--table", "-t", help="The table the rows were for.")] = None,
    day: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="The date of the file.")
    ] = None,
    limit: Limit = 20,
    lake: Root = None,
) -> None:
    """Show the rows that were not let in: how many broke each rule, and their raw text.

    [bold]Examples[/bold]

      strikelake lake quarantine

      strikelake lake quarantine --table option_quotes --date 2025-01-06 --limit 100
    """
    from flows import lake_tables
    from strikelake.lake.quality import quarantined

    found = quarantined(_open(lake), table, as_date(day))
    console = Console()
    for shown in lake_tables.quarantine(found, limit):
        console.print(shown)


@lake_app.command()
def compact(table: Tables = None, lake: Root = None) -> None:
    """Give closed months of bars a copy sorted by symbol, which reads one contract's months in milliseconds.

    Rows and versions stay as they are; readers and writers need not stop.

    [bold]Examples[/bold]

      strikelake lake compact

      strikelake lake compact --table option_minute_bars
    """
    from flows import lake_tables, progress, wiring
    from flows.settings import load
    from pipelines.maintain import compact as pipeline
    from strikelake.calendar import et_date

    today = et_date(wiring.clock(load()).now())
    with progress.bars():
        opened = _open(lake)
        _names(opened, table)
        done = pipeline(opened, today, table, progress=progress.advance("months"))
    Console().print(lake_tables.compacted(done))


@lake_app.command()
def vacuum(
    keep_days: Annotated[
        float, typer.Option(min=0, help="Keep every version that was current within these days.")
    ] = 30,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove; otherwise only say what would be.")
    ] = False,
    lake: Root = None,
) -> None:
    """Remove old versions and left-over files; the latest version and those MLflow runs refer to stay.

    [bold]Examples[/bold]

      strikelake lake vacuum

      strikelake lake vacuum --keep-days 90 --delete
    """
    from datetime import timedelta

    from flows import lake_tables, wiring
    from flows.settings import load
    from pipelines.maintain import vacuum as pipeline

    settings = load()
    opened = _open(lake)
    _names(opened, None)
    protected = wiring.registry(settings, "30m").referenced_versions()
    # The log's own times are the machine's, not those of a simulated market.
    now = datetime.now().astimezone().timestamp()
    keep = timedelta(days=keep_days)
    done = pipeline(opened, int(now * 1e9), keep, protected, delete=delete)
    for shown in lake_tables.removals(done, deleted=delete):
        Console().print(shown, highlight=False)


def _open(root: str | None) -> Lake:
    from flows import wiring
    from flows.settings import load

    return wiring.lake(load(), root)


def _names(lake: Lake, wanted: list[str] | None) -> list[str]:
    """Return the tables to look at; a lake without any is told to the user."""
    from strikelake.errors import EmptyLakeError

    names = wanted or lake.tables()
    if not names:
        raise EmptyLakeError(f"the lake {lake.root} has no tables: run `strikelake ingest`")
    return names


def _as_of(text: str) -> int | datetime:
    """Return a version or a moment."""
    from strikelake.errors import LakeError

    if text.isdigit():
        return int(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise LakeError(
            f"{text!r} is neither a version nor a moment: give 3, or 2025-01-31T18:00-05:00"
        ) from None
