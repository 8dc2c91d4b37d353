"""What a decision sees of the market: signals from today's bars, and the chains it needs."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from pipelines.chain import chain_at
from pipelines.live_features import live_features
from pipelines.predict import predict
from strikelake.contracts import OptionContract
from strikelake.decide.state import is_entry
from strikelake.errors import VendorUnavailableError
from strikelake.orders import OrderIntent
from strikelake.strategy.selection import entry_contracts
from strikelake.strategy.signals import actionable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from pipelines.latency import Stopwatch
    from pipelines.session import SessionPlan, TradingDesk
    from strikelake.calendar import Session
    from strikelake.portfolio import Holding
    from strikelake.strategy.signals import Signal

QUOTE_COLUMNS = {
    "occ_symbol": pl.String,
    "underlying": pl.String,
    "expiration": pl.Date,
    "option_type": pl.String,
    "strike": pl.Float64,
    "ts_ns": pl.Int64,
    "bid_price": pl.Float64,
    "ask_price": pl.Float64,
}
"""What `chain_at` reads of the vendor's chains."""

_KEPT = tuple(name for name in QUOTE_COLUMNS if name != "ts_ns")

logger = logging.getLogger(__name__)

_THREADS = 2  # that solve the last chain, when nothing else is left to do


@dataclass(frozen=True, slots=True)
class Observation:
    """The market as a decision sees it.

    Attributes
    ----------
    signals
        Every forecast for this decision.
    chain
        As `pipelines.chain.chain_at` returns it, one after the other, of the underlyings that can be entered
        or are held.
    problems
        What the vendor did not answer.
    """

    signals: tuple[Signal, ...]
    chain: pl.DataFrame
    problems: tuple[str, ...]


def observe(
    asof: int,
    session: Session,
    trades: Sequence[Holding | OrderIntent],
    desk: TradingDesk,
    plan: SessionPlan,
    *,
    halted: bool,
    watch: Stopwatch,
) -> Observation:
    """Look at the market at a decision time.

    What the vendor does not answer in time is left out and reported: without bars there are no signals,
    without a chain an underlying is not traded. Point in time: bars that ended by `asof`, and the quotes that
    the vendor has when it is asked, right after it; those given in between count as given at `asof`.

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
    watch
        Gets the laps of the parts.
    """
    problems: list[str] = []
    minutes = _minutes(asof, session, desk, plan, problems)
    watch.lap("bars")
    signals = () if minutes is None else _signals(asof, minutes, desk, plan, problems, watch)
    strong = () if halted or _is_full(trades, plan) else actionable(signals, plan.limits.min_edge)
    tradable = [signal for signal in strong if signal.underlying in plan.limits.universe]
    wanted = _expirations(session.date, tradable, trades, plan)
    watch.lap("score")
    prices = traded_prices(minutes)
    solve = entry_contracts(tradable, session.date, (plan.limits.min_dte, plan.limits.max_dte))
    # A chain is solved while the next one is on its way: only the last of them is waited for.
    with ThreadPoolExecutor(1) as solver:
        parts = []
        for name, days in wanted.items():
            quotes = _quotes(asof, name, days, desk, problems)
            parts.append(solver.submit(chain_at, quotes, prices, asof, plan.terms, solve, _THREADS))
        watch.lap("quotes")
        chains = [part.result() for part in parts]
    none = pl.DataFrame(schema=QUOTE_COLUMNS)
    chain = pl.concat(chains or [chain_at(none, prices, asof, plan.terms)])
    watch.lap("chain")
    return Observation(signals, chain, tuple(problems))


def _is_full(trades: Sequence[Holding | OrderIntent], plan: SessionPlan) -> bool:
    """Return whether every place is taken: signals are then refused before a chain is looked at."""
    taken = [trade for trade in trades if not isinstance(trade, OrderIntent) or is_entry(trade)]
    return len(taken) >= plan.limits.max_positions


def _minutes(
    asof: int, session: Session, desk: TradingDesk, plan: SessionPlan, problems: list[str]
) -> pl.DataFrame | None:
    try:
        return desk.market_data.minute_bars(list(plan.underlyings), session.open_ns, asof)
    except VendorUnavailableError as error:
        problems.append(f"no bars, so no signals: {error}")
        return None


def _signals(
    asof: int,
    minutes: pl.DataFrame,
    desk: TradingDesk,
    plan: SessionPlan,
    problems: list[str],
    watch: Stopwatch,
) -> tuple[Signal, ...]:
    scorer = desk.scorer
    features = live_features(
        plan.history_bars, minutes, plan.facts, asof, bar=scorer.bar, names=scorer.features
    )
    watch.lap("features")
    prediction = predict(scorer, features)
    if prediction.refused.height:
        names = ", ".join(prediction.refused["underlying"])
        problems.append(f"no forecast of {names}: no feature of theirs is known")
    return prediction.signals()


def _expirations(
    day: date, signals: Iterable[Signal], trades: Iterable[Holding | OrderIntent], plan: SessionPlan
) -> dict[str, tuple[date, date]]:
    """Return the first and last expiration to ask for, by underlying.

    What is held comes first and the weakest signal last: the vendor's budget may end before the list does.
    """
    entry_days = [day + timedelta(days=days) for days in (plan.limits.min_dte, plan.limits.max_dte)]
    days: dict[str, list[date]] = {}
    for trade in trades:
        held = [OptionContract.parse(leg.occ_symbol).expiration for leg in trade.legs]
        days.setdefault(trade.underlying, []).extend(held)
    for signal in signals:
        days.setdefault(signal.underlying, []).extend(entry_days)
    return {underlying: (min(found), max(found)) for underlying, found in days.items()}


def _quotes(
    asof: int, underlying: str, expirations: tuple[date, date], desk: TradingDesk, problems: list[str]
) -> pl.DataFrame:
    first, last = expirations
    try:
        found = desk.market_data.chain(underlying, expiration_from=first, expiration_to=last)
    except VendorUnavailableError as error:
        problems.append(f"no chain of {underlying}, so it is not traded: {error}")
        return pl.DataFrame(schema=QUOTE_COLUMNS)
    # An order cannot leave before its quotes are here, so none of these is from the future; one stamped later
    # than now is left as it is, and not used.
    quoted = found["quote_ts_ns"].alias("ts_ns")
    between = (quoted >= asof) & (quoted <= max(asof, desk.clock.now()))
    return pl.DataFrame([quoted.set(between, asof), *(found[name] for name in _KEPT)])


def traded_prices(minutes: pl.DataFrame | None) -> pl.DataFrame:
    """Return the closes of today's minute bars as `chain_at` reads them; None gives no rows."""
    if minutes is None:
        return pl.DataFrame(schema={"underlying": pl.String, "available_at": pl.Int64, "price": pl.Float64})
    columns = {"underlying": minutes["ticker"], "available_at": minutes["available_at"]}
    return pl.DataFrame({**columns, "price": minutes["close"]})
