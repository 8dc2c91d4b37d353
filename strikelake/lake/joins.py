"""Joining rows to the newest of others that were known by then."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from strikelake.lake.join_kernels import newest

if TYPE_CHECKING:
    from collections.abc import Sequence

_THREADS = 2


def newest_known(
    rows: pl.DataFrame, known: pl.DataFrame, *, by: Sequence[str], on: str, oldest: int | None = None
) -> pl.Series:
    """Return, for each row, which row of `known` is the newest of its group at or before it.

    polars' `join_asof` with groups needs both sides sorted by (group, time), which bars sorted by contract
    are not, and cannot check it. Here only `known` is sorted; rows may come in any order, and are found
    fastest where those of a group are neighbours, as in the files of the lake.

    Parameters
    ----------
    rows, known
        Frames with the columns `by` and `on`; `known` sorted by (`by`, `on`).
    by, on
        The group, without nulls, and the time (Int64).
    oldest
        How far back a row of `known` may lie, in units of `on`; None is as far as it goes.

    Returns
    -------
    pl.Series
        Row numbers of `known` (Int64), null where there is none: `known.select(pl.all().gather(numbers))`.

    Examples
    --------
    >>> known = pl.DataFrame({"ticker": ["A", "A", "B"], "ts": [1, 5, 3]})
    >>> rows = pl.DataFrame({"ticker": ["B", "A", "A"], "ts": [2, 5, 4]})
    >>> newest_known(rows, known, by=["ticker"], on="ts").to_list()
    [None, 1, 0]
    """
    held = _runs(known, by).rename({"first": "held_first", "stop": "held_stop"})
    runs = _runs(rows, by).join(held, on=list(by), how="left", maintain_order="left", nulls_equal=True)
    spans = runs.drop_nulls("held_first").select("first", "stop", "held_first", "held_stop").to_numpy()
    times, moments = rows[on].to_numpy(), known[on].to_numpy()
    found = np.full(rows.height, -1, dtype=np.int64)
    reach = -1 if oldest is None else oldest

    def search(part: int) -> None:
        begin, end = (len(spans) * edge // _THREADS for edge in (part, part + 1))
        newest(times, moments, spans, begin, end, reach, found)

    # The search lets go of the interpreter.
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(search, range(_THREADS)))
    return pl.select(pl.when(pl.Series(found) >= 0).then(pl.Series("row", found))).to_series()


def _runs(frame: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return the group, the first row and the row after the last of each run of neighbours."""
    changes = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in by)
    firsts = frame.select(changes.arg_true().cast(pl.Int64)).to_series()
    # The first row begins a run even where it is null, as what lies before it is.
    firsts = (
        firsts
        if frame.is_empty() or (len(firsts) and firsts[0] == 0)
        else pl.concat([pl.Series([0]), firsts])
    )
    stops = pl.concat([firsts.slice(1), pl.Series([frame.height])]) if len(firsts) else firsts
    return frame.select(by)[firsts].with_columns(first=firsts, stop=stops)
