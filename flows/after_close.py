"""Flow: what only the day itself can give, from REST after the close."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import accounts, wiring
from flows.settings import load
from pipelines.listings import load_contracts, load_market_calendar, load_news
from pipelines.snapshots import snap_chains
from pipelines.top_up import top_up
from strikelake.calendar import et_date, is_session
from strikelake.calendar import session as session_of
from strikelake.errors import VendorError

if TYPE_CHECKING:
    from datetime import date

    from flows.settings import Settings
    from pipelines.snapshots import SnapshotReport
    from pipelines.top_up import TopUpReport

logger = logging.getLogger(__name__)


@flow(name="after-close")
def after_close() -> SnapshotReport | None:
    """Store today's bars until their flat files appear, and today's chains, which are told only today.

    Of the symbols of the account's tier; their contracts and news, and the market's calendar, too. On a day
    without a session nothing is asked.
    """
    settings = load()
    day = et_date(wiring.clock(settings).now())
    if not is_session(day):
        logger.info("%s is no session: nothing to store", day)
        return None
    topped_up = _top_up(settings, day)
    logger.info("bars of %s from REST: %s", day, topped_up.rows or "their flat files are there already")
    report = _snap(settings)
    for problem in report.problems:
        logger.warning("no chain of %s", problem)
    logger.info("chains of %s: %s", day, report.contracts)
    for problem in _list(settings, day):
        logger.warning("%s", problem)
    return report


@task(name="top up bars", retries=2, retry_delay_seconds=[60, 300], cache_policy=NO_CACHE)
def _top_up(settings: Settings, day: date) -> TopUpReport:
    rest, symbols = wiring.market_data(settings), accounts.tier(settings).symbols
    try:
        return top_up(wiring.lake(settings), rest, session_of(day), symbols, wiring.clock(settings))
    finally:
        rest.close()


@task(name="snap chains", cache_policy=NO_CACHE)
def _snap(settings: Settings) -> SnapshotReport:
    rest, symbols = wiring.market_data(settings), accounts.tier(settings).symbols
    try:
        return snap_chains(wiring.lake(settings), rest, symbols, wiring.clock(settings))
    finally:
        rest.close()


@task(name="listings and news", cache_policy=NO_CACHE)
def _list(settings: Settings, day: date) -> tuple[str, ...]:
    """Store what can wait for another day, and return what the vendor did not answer."""
    lake, rest, clock = wiring.lake(settings), wiring.market_data(settings), wiring.clock(settings)
    connection, symbols = rest.connection, accounts.tier(settings).symbols
    problems = []
    for name, store in (
        ("contracts", lambda: load_contracts(lake, connection, symbols, day)),
        ("exchanges and holidays", lambda: load_market_calendar(lake, connection, clock)),
        ("news", lambda: load_news(lake, connection, symbols, day, day)),
    ):
        try:
            logger.info("%s: %s", name, store())
        except VendorError as error:
            problems.append(f"no {name}: {error}")
    rest.close()
    return tuple(problems)
