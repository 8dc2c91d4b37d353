"""What computed rows were made from: enough to say so, and to skip what would come out the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from strikelake.errors import EmptyLakeError
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from strikelake.lake.store import Lake


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one session's rows are made from.

    Attributes
    ----------
    fingerprint
        Changes when anything does that the rows depend on.
    curve_date
        Date of the treasury curve; None where the default rate stood in.
    dividends
        Where the dividends come from, in words.
    method
        Names and versions of the methods.
    """

    fingerprint: str
    method: str
    curve_date: date | None = None
    dividends: str = "none"


def fingerprint(lake: Lake, day: date, tables: Iterable[str], *others: pl.DataFrame | pl.Series | str) -> str:
    """Return a hash of a date's files in some tables and of whatever else the rows depend on.

    Files are named by their content: the same rows stored again give the same fingerprint. A table that does
    not exist is one without files.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in tables:
        held = lake.table(name)
        files = held.files().filter(pl.col("date") == day)["path"].to_list() if held.exists() else []
        digest.update(f"{name}:{sorted(files)};".encode())
    for other in others:
        text = (
            other
            if isinstance(other, str)
            else other.hash_rows().to_numpy().tobytes()
            if isinstance(other, pl.DataFrame)
            else other.hash().to_numpy().tobytes()
        )
        digest.update(text.encode() if isinstance(text, str) else text)
    return digest.hexdigest()


def unchanged(lake: Lake, step: str, bar: str, inputs: Mapping[date, Inputs]) -> set[date]:
    """Return the dates whose rows were made from the same inputs before."""
    try:
        known = lake.scan("computations").filter(pl.col("step") == step, pl.col("bar") == bar).collect()
    except EmptyLakeError:
        return set()
    made = dict(known.select("date", "fingerprint").iter_rows())
    return {day for day, each in inputs.items() if made.get(day) == each.fingerprint}


def record(
    lake: Lake, step: str, bar: str, made: Sequence[tuple[date, Inputs, int]], table_version: int
) -> None:
    """Keep what some sessions' rows were made from; call it after the rows are committed.

    Parameters
    ----------
    made
        Date, inputs and number of rows.
    table_version
        The version of the step's first table that holds them.
    """
    columns = table("computations").columns
    rows: list[dict[str, Any]] = [
        {
            "step": step,
            "bar": bar,
            "date": day,
            "fingerprint": inputs.fingerprint,
            "rows": count,
            "curve_date": inputs.curve_date,
            "dividends": inputs.dividends,
            "method": inputs.method,
            "table_version": table_version,
        }
        for day, inputs, count in made
    ]
    new = pl.DataFrame(rows, schema=columns)
    key = ["step", "bar", "date"]
    lake.update(
        "computations",
        lambda present: pl.concat([present.join(new, on=key, how="anti"), new]),
        source=f"{step} {bar}",
    )
