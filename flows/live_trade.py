"""Flow: one live session with the champion."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import accounts, artifacts, wiring
from flows.settings import load
from pipelines.live_features import history
from pipelines.market import LakeMarket
from pipelines.session import SessionPlan, TradingDesk
from pipelines.trade import run_session
from strikelake.calendar import et_date
from strikelake.calendar import session as session_of
from strikelake.errors import BrokerUnavailableError, VendorUnavailableError

if TYPE_CHECKING:
    from flows.settings import Settings
    from pipelines.session import SessionReport
    from strikelake.brokers.base import Broker
    from strikelake.lake.store import Lake
    from strikelake.portfolio import Account
    from strikelake.vendors.live import LiveMarketData

_BAR = "30m"
_LONGEST_HOLD = timedelta(days=100)
"""Longer than any contract is held: splits from before it are of no concern."""


@flow(name="live-trade")
def live_trade(session: date | None = None) -> SessionReport:
    """Trade one session on the account that the keys name, within the limits of its size.

    Asks broker and vendor before it begins, waits for the session's first decision, decides at every half
    hour, and leaves working exits in place and working entries cancelled however it ends.

    Parameters
    ----------
    session
        The session's date; today in New York by default.
    """
    settings = load()
    report = _trade(settings, session)
    artifacts.session(report)
    return report


@task(name="session", cache_policy=NO_CACHE)
def _trade(settings: Settings, wanted: date | None) -> SessionReport:
    clock = wiring.clock(settings)
    day = session_of(wanted or et_date(clock.now())).date
    broker = wiring.broker(settings)
    market_data = wiring.live_market_data(settings)
    account = _reached(broker, market_data)
    scorer = wiring.registry(settings, _BAR).champion()
    plan = _plan(settings, wiring.lake(settings), account, day, scorer.features)
    with wiring.journal(settings) as journal:
        return run_session(TradingDesk(broker, market_data, clock, scorer, journal), plan)


def _reached(broker: Broker, market_data: LiveMarketData) -> Account:
    """Return the account, once the vendor has answered too; both are asked before anything is begun."""
    try:
        account = broker.account()
        market_data.check()
    except (BrokerUnavailableError, VendorUnavailableError) as error:
        raise type(error)(
            f"no session was begun and nothing was sent: {error}. `strikelake doctor` says which endpoints "
            "answer; started again it joins at the next decision"
        ) from error
    return account


def _plan(
    settings: Settings, lake: Lake, account: Account, day: date, features: tuple[str, ...]
) -> SessionPlan:
    """Return what to trade: the broker's balance picks the tier; rate and correlations are the backtest's."""
    limits = accounts.limits(settings, account.equity)
    names = tuple(sorted(limits.universe))
    before = history(lake, day, bar=_BAR, names=features, underlyings=names)
    session = session_of(day)
    market = LakeMarket(lake, names, [session], settings.trading.default_rate)
    return SessionPlan(
        session=day,
        underlyings=tuple(sorted(before.bars["underlying"].unique())),
        limits=limits,
        history_bars=before.bars,
        facts=before.facts,
        terms=market.terms(session),
        correlations=market.correlations(session),
        splits=market.splits(day - _LONGEST_HOLD, session),
    )
