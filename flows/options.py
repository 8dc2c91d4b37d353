"""Options that several commands share, each with one meaning and one help text."""

from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

Names = Annotated[
    list[str] | None, typer.Option("--feature", "-f", help="A feature; repeat it. All of them otherwise.")
]
Families = Annotated[list[str] | None, typer.Option("--family", help="A family such as price; repeat it.")]
Module = Annotated[
    Path | None, typer.Option("--module", "-m", metavar="FILE", help="A Python file of your own features.")
]
Bar = Annotated[
    str | None, typer.Option("--bar", help="30m, 1d, or auto: 30m where the lake has minute bars.")
]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD")]
Symbols = Annotated[list[str] | None, typer.Option("--symbol", "-s", help="An underlying; repeat it.")]
Root = Annotated[
    str | None,
    typer.Option("--lake", metavar="DIR", help="A folder or s3://…; data/lake unless configured otherwise."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print Prefect's own log too.")]


def writable(folder: Path | None) -> Path | None:
    """Refuse a folder that nothing can be written to, before the work whose result it is for."""
    if folder is not None:
        whole = folder.absolute()
        there = next(path for path in (whole, *whole.parents) if path.exists())
        if not there.is_dir() or not os.access(there, os.W_OK):
            raise typer.BadParameter(f"{there} is no folder that may be written to: name another")
    return folder


def as_date(moment: datetime | None) -> date | None:
    """Return the date of what was given as a `Day`."""
    return moment.date() if moment else None
