"""Flow: upkeep of the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import artifacts, progress, wiring
from flows.settings import load
from pipelines.maintain import compact
from strikelake.calendar import et_date

if TYPE_CHECKING:
    from datetime import date

    from pipelines.maintain import Compacted
    from strikelake.lake.store import Lake


@flow(name="maintain")
def maintain() -> list[Compacted]:
    """Give closed months copies that are sorted by contract; readers and versions notice nothing.

    Old versions are never removed on schedule: `strikelake lake vacuum` is for a person to run.
    """
    settings = load()
    done = _compact(wiring.lake(settings), et_date(wiring.clock(settings).now()))
    artifacts.compaction(done)
    return done


@task(name="copies of closed months", cache_policy=NO_CACHE)
def _compact(lake: Lake, today: date) -> list[Compacted]:
    return compact(lake, today, progress=progress.advance("closed months"))
