"""Flow: the vendor's volatilities and Greeks against ours."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import artifacts, wiring
from flows.settings import load
from pipelines.crosscheck import TOLERANCE_BP, CrossCheck, cross_check
from pipelines.crosscheck_page import write_crosscheck
from pipelines.snapshot_chain import read_snapshot
from strikelake.errors import EmptyLakeError

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from flows.settings import Settings
    from strikelake.lake.store import Lake

logger = logging.getLogger(__name__)


@flow(name="crosscheck")
def crosscheck() -> CrossCheck | None:
    """Compare the last session's chain snapshots with ours, and write the page.

    A lake without snapshots has nothing to compare, and the flow says so.
    """
    settings = load()
    try:
        found = _compare(wiring.lake(settings), settings)
    except EmptyLakeError as error:
        logger.warning("%s", error)
        return None
    page = write_crosscheck(settings.path("data/reports") / f"crosscheck-{found.session.date}", found)
    logger.info("differences from the vendor by cause: %s", found.causes())
    artifacts.crosscheck(found, page)
    return found


@task(name="compare with the vendor", cache_policy=NO_CACHE)
def _compare(lake: Lake, settings: Settings) -> CrossCheck:
    return compare(lake, rates_default=settings.trading.default_rate)


def compare(
    lake: Lake,
    day: date | None = None,
    underlyings: Collection[str] | None = None,
    *,
    rates_default: float = 0.0,
    tolerance_bp: float = TOLERANCE_BP,
) -> CrossCheck:
    """Compare the snapshots of a session, the last one by default.

    Raises
    ------
    EmptyLakeError
        When there are no snapshots; says what stores them.
    """
    held = lake.sessions("chain_snapshots")
    if not held:
        raise EmptyLakeError(
            "the lake has no chain snapshots, and the vendor tells only the present ones: run the deployment "
            "`after-close` (`prefect deployment run after-close`) after a session's close, then this"
        )
    chain = read_snapshot(lake, day or held[-1], underlyings, rates_default)
    return cross_check(chain, tolerance_bp=tolerance_bp)
