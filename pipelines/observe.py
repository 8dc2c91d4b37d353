"""What a decision sees of the market: signals from today's bars, and the chains it needs."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING

import polars as pl

from pipelines.chain import chain_at
from pipelines.featurize import live_features
from pipelines.predict import predict
from strikelake.calendar import previous_session
from strikelake.contracts import OptionContract
from strikelake.errors import VendorUnavailableError
from strikelake.strategy.signals import actionable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from pipelines.session import SessionPlan, TradingDesk
    from strikelake.calendar import Session
    from strikelake.orders import OrderIntent
    from strikelake.portfolio import Holding
    from strikelake.strategy.signals import Signal

_NO_QUOTES = pl.DataFrame(
    schema={
        "occ_symbol": pl.String,
        "underlying": pl.String,
        "expiration": pl.Date,
        "option_type": pl.String,
        "strike": pl.Float64,
        "ts_ns": pl.Int64,
        "bid_price": pl.Float64,
        "ask_price": pl.Float64,
    }
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Observation:
    """The market as a decision sees it.

    Attributes
    ----------
    signals
        Every forecast for this decision.
    chain
        As `pipelines.chain.chain_at` returns it, of the underlyings that can be entered or are held.
    received
        `perf_counter` seconds when the bars had arrived.
    waited
        Seconds spent since then on the vendor's answers.
    problems
        What the vendor did not answer.
    """

    signals: tuple[Signal, ...]
    chain: pl.DataFrame
    received: float
    waited: float
    problems: tuple[str, ...]


def observe(
    asof: int,
    session: Session,
    trades: Iterable[Holding | OrderIntent],
    desk: TradingDesk,
    plan: SessionPlan,
    *,
    halted: bool,
) -> Observation:
    """Look at the market at a decision time.

    What the vendor does not answer in time is left out and reported: without bars there are no signals,
    without a chain an underlying is not traded. Point in time: bars that ended and quotes given by `asof`.

    Parameters
    ----------
    asof
        Decision time, ns UTC.
    session
        Its session.
    trades
        Holdings and working orders, whose chains are needed whatever the signals say.
    desk, plan
        Adapters and plan.
    halted
        Whether entries are stopped, so that chains for signals would be of no use.
    """
    problems: list[str] = []
    minutes = _minutes(asof, session, desk, plan, problems)
    received = perf_counter()
    signals = () if minutes is None else _signals(asof, minutes, desk, plan, problems)
    strong = () if halted else actionable(signals, plan.limits.min_edge)
    tradable = [signal for signal in strong if signal.underlying in plan.limits.universe]
    wanted = _expirations(session.date, tradable, trades, plan)
    asked = perf_counter()
    quotes = [_quotes(name, days, desk, problems) for name, days in sorted(wanted.items())]
    waited = perf_counter() - asked
    prices = {} if minutes is None else _last_prices(minutes)
    chain = chain_at(pl.concat([_NO_QUOTES, *quotes]), prices, asof, plan.rate)
    return Observation(signals, chain, received, waited, tuple(problems))


def warm_up(session: Session, desk: TradingDesk, plan: SessionPlan) -> None:
    """Do once what a decision does, on the last bar before the session, so that the first pays no imports."""
    before = previous_session(session.date).close_ns
    _signals(before, plan.history_minutes.clear(), desk, plan, [])
    expiration = session.date + timedelta(days=plan.limits.max_dte)
    contract = ("WARM", "WARM", expiration, "C", 100.0, before, 2.0, 2.1)
    quotes = pl.DataFrame([contract], schema=_NO_QUOTES.schema, orient="row")
    chain_at(quotes, {"WARM": 100.0}, before, plan.rate)


def _minutes(
    asof: int, session: Session, desk: TradingDesk, plan: SessionPlan, problems: list[str]
) -> pl.DataFrame | None:
    try:
        return desk.market_data.minute_bars(list(plan.underlyings), session.open_ns, asof)
    except VendorUnavailableError as error:
        problems.append(f"no bars, so no signals: {error}")
        return None


def _signals(
    asof: int, minutes: pl.DataFrame, desk: TradingDesk, plan: SessionPlan, problems: list[str]
) -> tuple[Signal, ...]:
    scorer = desk.scorer
    features = live_features(
        plan.history_minutes, minutes, plan.options, asof, bar=scorer.bar, names=scorer.features
    )
    prediction = predict(scorer, features)
    if prediction.refused.height:
        names = ", ".join(prediction.refused["underlying"])
        problems.append(f"no forecast of {names}: no feature of theirs is known")
    return prediction.signals()


def _expirations(
    day: date, signals: Iterable[Signal], trades: Iterable[Holding | OrderIntent], plan: SessionPlan
) -> dict[str, tuple[date, date]]:
    """Return the first and last expiration to ask for, by underlying."""
    entry_days = [day + timedelta(days=days) for days in (plan.limits.min_dte, plan.limits.max_dte)]
    days: dict[str, list[date]] = {signal.underlying: list(entry_days) for signal in signals}
    for trade in trades:
        held = [OptionContract.parse(leg.occ_symbol).expiration for leg in trade.legs]
        days.setdefault(trade.underlying, []).extend(held)
    return {underlying: (min(found), max(found)) for underlying, found in days.items()}


def _quotes(
    underlying: str, expirations: tuple[date, date], desk: TradingDesk, problems: list[str]
) -> pl.DataFrame:
    first, last = expirations
    try:
        found = desk.market_data.chain(underlying, expiration_from=first, expiration_to=last)
    except VendorUnavailableError as error:
        problems.append(f"no chain of {underlying}, so it is not traded: {error}")
        return _NO_QUOTES
    return found.rename({"quote_ts_ns": "ts_ns"}).select(_NO_QUOTES.columns)


def _last_prices(minutes: pl.DataFrame) -> dict[str, float]:
    last = minutes.sort("ts_ns", maintain_order=True).group_by("ticker").agg(pl.col("close").last())
    return dict(last.iter_rows())
