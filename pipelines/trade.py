"""One live session: decide at every bar's end, send, keep the books, and leave a defined state behind."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from pipelines.latency import DecisionTiming, Stopwatch, undisturbed
from pipelines.observe import observe
from pipelines.place import forgo, send, withdraw, write_down
from pipelines.reconcile import reconcile
from pipelines.rehearse import rehearse
from pipelines.session import SessionPlan, SessionReport, TradingDesk
from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, Session, iso, session
from strikelake.decide import DayState, decide
from strikelake.decide.state import is_entry
from strikelake.errors import BrokerUnavailableError, CalendarError, ConfigError, StrikelakeError
from strikelake.orders import OrderStatus
from strikelake.strategy.signals import DECISION_MINUTES, WITHDRAWAL_NS, actionable, decision_times

if TYPE_CHECKING:
    from pipelines.reconcile import Differences
    from strikelake.orders import OrderIntent
    from strikelake.portfolio import Account, Holding
    from strikelake.splits import Split

__all__ = ["SessionPlan", "SessionReport", "TradingDesk", "run_session"]

MAX_LATENESS_NS = NS_PER_MINUTE
"""A decision time further back than this is skipped: its forecast is about a market that has moved on."""

_REHEARSAL_NS = NS_PER_SECOND
"""No rehearsal begins closer to its decision: it takes a tenth of this."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Books:
    """What a session accumulates."""

    day: Session
    account: Account
    opening_equity: Decimal
    halted: str | None
    splits: tuple[Split, ...] = ()
    unexplained: bool = False
    holdings: tuple[Holding, ...] = ()
    working: tuple[OrderIntent, ...] = ()
    decisions: int = 0
    signals: int = 0
    denials: Counter[str] = field(default_factory=Counter)
    latency_ms: list[float] = field(default_factory=list)
    timings: list[DecisionTiming] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    differences: set[str] = field(default_factory=set)

    def problem(self, text: str) -> None:
        logger.warning("%s", text)
        self.problems.append(text)

    def note(self, when: str, differences: Differences) -> None:
        """Report what is new among the differences, and stop entries while a position is not explained."""
        for line in differences.lines():
            if line not in self.differences:
                self.problem(f"{when}: {line}")
        self.differences.update(differences.lines())
        self.unexplained = differences.halts_entries


def run_session(desk: TradingDesk, plan: SessionPlan) -> SessionReport:
    """Trade one session, from reconciling at its start to reconciling after its close.

    Started late it joins at the next decision. Whatever ends it early (an error, an interrupt, a signal that
    the caller turns into an exception), working entries are canceled on the way out and exits keep working.

    Parameters
    ----------
    desk
        Broker, market data, clock, scorer and journal.
    plan
        What to trade.

    Returns
    -------
    SessionReport
        Counts, money, latencies, and everything that went wrong on the way.

    Raises
    ------
    CalendarError
        When the plan's date is no session, or its session is over.
    ConfigError
        When the model forecasts other bars than sessions are traded on.
    BrokerUnavailableError
        When the broker cannot be asked at the start, or at the end, when the books would stay open.
    """
    books = _open_books(desk, plan)
    moments = decision_times(books.day)
    try:
        rehearse(moments[0], books.day, books.account, desk.scorer, plan)
        for asof in moments:
            if desk.clock.now() > asof + MAX_LATENESS_NS:
                books.problem(f"the decision of {iso(asof)} is over: skipped")
                continue
            desk.market_data.prepare(list(plan.underlyings), books.day.open_ns, asof)
            desk.clock.sleep_until(asof - WITHDRAWAL_NS)
            if _prepare(asof, desk, books):
                _rehearse_again(asof, desk, plan, books)
                desk.clock.sleep_until(asof)
                with undisturbed():
                    _decide_and_send(asof, desk, plan, books)
        desk.clock.sleep_until(books.day.close_ns)
        return _close_books(desk, books)
    finally:
        _cancel_entries(desk, books)


def _open_books(desk: TradingDesk, plan: SessionPlan) -> _Books:
    day = session(plan.session)
    if desk.scorer.bar != f"{DECISION_MINUTES}m":
        raise ConfigError(
            f"the model forecasts {desk.scorer.bar} bars and a session is traded on {DECISION_MINUTES}m: set "
            f"research.bar to {DECISION_MINUTES}m and train again"
        )
    if desk.clock.now() >= day.close_ns:
        raise CalendarError(f"the session of {day.date} closed at {iso(day.close_ns)}: trade the next one")
    account = desk.broker.account()
    equity, halted = desk.journal.open_session(day.date, account.account_id, account.equity)
    reason = "the daily loss was reached before a restart" if halted else None
    books = _Books(day, account, equity, reason, plan.splits)
    books.note("at the start", reconcile(account.account_id, desk.orders, plan.splits))
    return books


def _prepare(asof: int, desk: TradingDesk, books: _Books) -> bool:
    """Cancel what did not fill since the last decision, then bring the books up to date."""
    account_id = books.account.account_id
    try:
        books.note(iso(asof), reconcile(account_id, desk.orders, books.splits))
        if working := desk.journal.open_intents(account_id):
            for record in working:
                withdraw(record, desk.orders)
            books.note(iso(asof), reconcile(account_id, desk.orders))
        books.account = desk.broker.account()
        books.holdings = desk.journal.trades(account_id).holdings
        books.working = tuple(record.intent for record in desk.journal.open_intents(account_id))
    except BrokerUnavailableError as error:
        books.problem(f"no decision at {iso(asof)}: {error}")
        return False
    return True


def _rehearse_again(asof: int, desk: TradingDesk, plan: SessionPlan, books: _Books) -> None:
    """Rehearse a decision where there is time before it; what goes wrong is told, and stops nothing."""
    if desk.clock.now() > asof - _REHEARSAL_NS:
        return
    try:
        rehearse(asof, books.day, books.account, desk.scorer, plan)
    except Exception as error:  # noqa: BLE001 - made-up prices must not end a session that holds positions
        books.problem(f"{iso(asof)} was not rehearsed ({type(error).__name__}: {error})")


def _decide_and_send(asof: int, desk: TradingDesk, plan: SessionPlan, books: _Books) -> None:
    watch = Stopwatch()
    holdings, working = books.holdings, books.working
    halted = books.halted is not None or books.unexplained
    seen = observe(asof, books.day, (*holdings, *working), desk, plan, halted=halted, watch=watch)
    state = DayState(books.day, books.opening_equity, halted, working, plan.correlations)
    decision = decide(asof, books.account, holdings, seen.signals, seen.chain, plan.limits, state)
    watch.lap("decide")
    for problem in seen.problems:
        books.problem(f"{iso(asof)}: {problem}")
    if decision.halted and not halted:
        desk.journal.halt_session(plan.session, books.account.account_id)
        books.halted = f"the daily loss was reached at {iso(asof)}"
        books.problem(books.halted)
    first = _send_all(decision.intents, desk, books, watch)
    books.timings.append(DecisionTiming(asof, watch.parts, first))
    books.decisions += 1
    books.signals += len(actionable(seen.signals, plan.limits.min_edge))
    books.denials.update(str(denial.code) for denial in decision.denials)
    logger.info(
        "%s: %d signals, %d orders, %d denials",
        iso(asof),
        len(seen.signals),
        len(decision.intents),
        len(decision.denials),
    )


def _send_all(
    intents: tuple[OrderIntent, ...], desk: TradingDesk, books: _Books, watch: Stopwatch
) -> float | None:
    """Write all orders down, then send exits and then entries; return the first one's latency, ms.

    Once an order is in doubt no entry follows, and exits still do.
    """
    if not intents:
        return None
    records = write_down(intents, books.account.account_id, desk.orders)
    watch.lap("write")
    first, doubt = watch.own_ms, False
    for record in records:
        name = record.intent.client_order_id
        if doubt and is_entry(record.intent):
            reason = "an order before it is in doubt"
            forgo(record, desk.orders, reason)
            books.problem(f"entry {name} was not sent: {reason}")
            continue
        books.latency_ms.append(watch.own_ms)
        try:
            order = send(record, desk.orders)
        except BrokerUnavailableError as error:
            books.problem(str(error))
            doubt = True
            continue
        finally:
            watch.lap("send")
        refused = desk.journal.find(name)
        if order.status is OrderStatus.REJECTED and refused is not None:
            books.problem(refused.detail)
    return first


def _close_books(desk: TradingDesk, books: _Books) -> SessionReport:
    day, account_id = books.day, books.account.account_id
    for record in desk.journal.open_intents(account_id):
        withdraw(record, desk.orders)
    differences = reconcile(account_id, desk.orders)
    books.note("at the end", differences)
    account = desk.broker.account()
    records = desk.journal.records(account_id, day.open_ns, day.close_ns)
    names = tuple(record.intent.client_order_id for record in records)
    closed = [trade for trade in desk.journal.trades(account_id).closed if trade.exit_id in names]
    return SessionReport(
        session=day.date,
        account_id=account_id,
        decisions=books.decisions,
        signals=books.signals,
        orders=dict(Counter(str(record.state) for record in records)),
        fills=sum(record.filled_quantity > 0 for record in records),
        denials=dict(books.denials),
        opening_equity=books.opening_equity,
        closing_equity=account.equity,
        realised=sum((trade.realised for trade in closed), Decimal(0)),
        marked=account.equity - books.opening_equity,
        client_order_ids=names,
        latency_ms=tuple(books.latency_ms),
        timings=tuple(books.timings),
        halted=books.halted or ("a position is not explained" if books.unexplained else None),
        problems=tuple(books.problems),
        differences=differences,
    )


def _cancel_entries(desk: TradingDesk, books: _Books) -> None:
    """Cancel working entries on the way out, whatever the reason for leaving; exits keep protecting."""
    for record in desk.journal.open_intents(books.account.account_id):
        if record.is_entry:
            try:
                withdraw(record, desk.orders)
            except StrikelakeError as error:
                logger.error("entry %s may still be working: %s", record.intent.client_order_id, error)  # noqa: TRY400 - one line
