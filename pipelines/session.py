"""What a live session is made of: its adapters, its plan, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pipelines.place import OrderDesk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from decimal import Decimal

    import polars as pl

    from features.facts import Facts
    from pipelines.chain import SessionTerms
    from pipelines.latency import DecisionTiming
    from pipelines.predict import Forecaster
    from pipelines.reconcile import Differences
    from strikelake.brokers.base import Broker
    from strikelake.calendar import Clock
    from strikelake.journal.intents import IntentJournal
    from strikelake.risk.limits import Limits
    from strikelake.splits import Split


class MarketData(Protocol):
    """Today's market: the vendor's REST, or a replay."""

    def prepare(self, tickers: list[str], start_ns: int, asof: int) -> None:
        """Fetch what the decision at `asof` needs and is known before; it may take until a minute before."""
        ...

    def minute_bars(self, tickers: list[str], start_ns: int, end_ns: int) -> pl.DataFrame:
        """Return the minute bars that ended in (start_ns, end_ns], as `schemas.StockMinuteBars`."""
        ...

    def chain(self, underlying: str, *, expiration_from: date, expiration_to: date) -> pl.DataFrame:
        """Return the last quote of every contract, as `vendors.rest` describes."""
        ...


@dataclass(frozen=True, slots=True)
class TradingDesk:
    """The adapters of a session."""

    broker: Broker
    market_data: MarketData
    clock: Clock
    scorer: Forecaster
    journal: IntentJournal

    @property
    def orders(self) -> OrderDesk:
        """The part that orders pass through."""
        return OrderDesk(self.broker, self.journal, self.clock)


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What to trade, when and within which limits.

    Attributes
    ----------
    session
        The session's date.
    underlyings
        Tickers to forecast.
    limits
        What the account may do.
    history_bars
        Finished bars (`features.bars.COLUMNS`) of the sessions before this one, as many as the features look
        back and as wide as the model's.
    facts
        Tables of facts (`features.facts.FACTS`) from the sessions before; None where no feature needs one.
    terms
        Rates and dividends that chains are priced with.
    correlations
        Of daily returns by pair of underlyings, from the sessions before.
    splits
        That may touch what is held: those of the weeks before, up to the session's own date.
    """

    session: date
    underlyings: tuple[str, ...]
    limits: Limits
    history_bars: pl.DataFrame
    facts: Facts | None
    terms: SessionTerms
    correlations: Mapping[frozenset[str], float] = field(default_factory=dict)
    splits: tuple[Split, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionReport:
    """What happened in a session.

    Attributes
    ----------
    session, account_id
        Which.
    decisions, signals
        Decision times acted on, and forecasts strong enough to act on.
    orders
        Orders by their last status.
    fills
        Orders with a fill.
    denials
        Refused entries and exits by code.
    opening_equity, closing_equity
        Dollars, as the broker marks the account.
    realised
        Dollars made by trades closed in the session, before fees.
    marked
        Dollars by which the account changed, fees and open trades included.
    client_order_ids
        Of every order, in the order of the decisions.
    latency_ms
        Of every order: from the bars' arrival to the order's departure, waits for the vendor left out and
        the orders before it included.
    timings
        Of every decision: its parts, and how long its first order took.
    halted
        Why entries were stopped, or None.
    problems
        What went wrong on the way, one line each.
    differences
        Of the journal and the broker at the end.
    """

    session: date
    account_id: str
    decisions: int
    signals: int
    orders: Mapping[str, int]
    fills: int
    denials: Mapping[str, int]
    opening_equity: Decimal
    closing_equity: Decimal
    realised: Decimal
    marked: Decimal
    client_order_ids: tuple[str, ...]
    latency_ms: tuple[float, ...]
    timings: tuple[DecisionTiming, ...]
    halted: str | None
    problems: tuple[str, ...]
    differences: Differences

    def latency_percentile(self, share: float) -> float | None:
        """Return the latency, ms, that this share of the orders kept to; None without orders.

        Parameters
        ----------
        share
            0 to 1: 0.5 is the median.
        """
        ranked = sorted(self.latency_ms)
        return ranked[min(int(share * len(ranked)), len(ranked) - 1)] if ranked else None
