"""Event replay: recorded quotes through the live decision function, one decision time after another."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

import numpy as np
import polars as pl

from backtests.fills import QuoteBook, execute, mark
from backtests.ledger import Ledger
from backtests.lifecycle import expires_by, intrinsic
from backtests.results import BacktestResult, curve_frame, denial_frame, mark_frame, order_frame
from strikelake.calendar import iso
from strikelake.contracts import occ_columns
from strikelake.decide import DayState, decide
from strikelake.errors import DatasetError
from strikelake.orders import Effect
from strikelake.strategy.prices import decimal_price
from strikelake.strategy.selection import entry_contracts
from strikelake.strategy.signals import WITHDRAWAL_NS, actionable, decision_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from backtests.results import Assumptions
    from strikelake.calendar import Session
    from strikelake.orders import OrderIntent
    from strikelake.portfolio import Account
    from strikelake.risk.limits import Denial, Limits
    from strikelake.splits import Split
    from strikelake.strategy.selection import Sides
    from strikelake.strategy.signals import Signal


class Market(Protocol):
    """Where the engine reads; one session at a time, so that a year of quotes is never in memory."""

    def quotes(self, session: Session) -> pl.DataFrame:
        """Return the session's option quotes, in the columns that `chain` needs."""
        ...

    def prices(self, session: Session) -> pl.DataFrame:
        """Return underlying prices: underlying, available_at (ns UTC), price (dollars)."""
        ...

    def chain(
        self, session: Session, quotes: pl.DataFrame, prices: pl.DataFrame, asof: int, solve: Sides
    ) -> pl.DataFrame:
        """Return the chain at `asof` from the session's quotes and prices, as `decide` wants it.

        `solve` says which contracts need a delta.
        """
        ...

    def correlations(self, session: Session) -> Mapping[frozenset[str], float]:
        """Return correlations of daily returns from the sessions before `session`."""
        ...

    def splits(self, after: date, session: Session) -> Sequence[Split]:
        """Return the splits with an ex-date later than `after`, up to that of the session."""
        ...


def replay(
    market: Market,
    sessions: Sequence[Session],
    signals: Iterable[Signal],
    account: Account,
    limits: Limits,
    assumptions: Assumptions,
    progress: Callable[[int, int], None] | None = None,
) -> BacktestResult:
    """Run signals through `strikelake.decide.decide` against recorded quotes.

    At every decision time orders sent earlier are executed against the quotes since then, up to
    `WITHDRAWAL_NS` before it, and the rest withdrawn; positions are marked, the decision is made on the chain
    as of then, and its orders wait for quotes later than the decision plus latency. The last ones of a
    session work until its close. What is held over a split is adjusted before the open of its ex-date. What
    is held to expiration settles at intrinsic value on the underlying's last price.

    Parameters
    ----------
    market
        Reads quotes, prices, chains and correlations.
    sessions
        In order.
    signals
        Acted on at their own `asof`, which has to be a decision time of one of the sessions.
    account
        Starting cash and options level; equity and buying power follow from the replay.
    limits
        As for the live trader.
    assumptions
        Latency and fees.
    progress
        Called with sessions done and sessions in all.

    Raises
    ------
    DatasetError
        When there is no session, a signal is not at a decision time, or an expiry has no price to settle at.
    """
    by_time = _by_time(sessions, signals)
    run = _Run(market, account, limits, assumptions, Ledger(account.cash, assumptions.costs))
    run.note(sessions[0], sessions[0].open_ns, "start")
    for number, session in enumerate(sessions, start=1):
        _session(run, session, by_time)
        if progress is not None:
            progress(number, len(sessions))
    return run.result()


def _by_time(sessions: Sequence[Session], signals: Iterable[Signal]) -> Mapping[int, list[Signal]]:
    if not sessions:
        raise DatasetError("the backtest's range holds no session: widen it")
    found: dict[int, list[Signal]] = defaultdict(list)
    for signal in signals:
        found[signal.asof].append(signal)
    stray = set(found).difference(*map(decision_times, sessions)) if found else set()
    if stray:
        raise DatasetError(
            f"{len(stray)} signal times, the first {iso(min(stray))}, are no decision times from "
            f"{sessions[0].date} to {sessions[-1].date}: move each signal to the decision that acts on it"
        )
    return found


@dataclass(slots=True)
class _Run:
    """A replay under way."""

    market: Market
    account: Account
    limits: Limits
    assumptions: Assumptions
    ledger: Ledger
    working: tuple[OrderIntent, ...] = ()
    before: Session | None = None
    carried: pl.DataFrame | None = None
    curve: list[tuple[object, ...]] = field(default_factory=list)
    marks: list[tuple[int, str, float]] = field(default_factory=list)
    denials: list[tuple[int, Denial]] = field(default_factory=list)
    orders: list[tuple[OrderIntent, bool]] = field(default_factory=list)
    unquoted: list[tuple[date, str]] = field(default_factory=list)

    def equity(self) -> Decimal:
        return self.ledger.cash + self.ledger.open_value()

    def note(self, session: Session, ts_ns: int, kind: str) -> None:
        ledger = self.ledger
        value = ledger.open_value()
        row = (ledger.cash + value, ledger.cash, value)
        self.curve.append((ts_ns, session.date, kind, *map(float, row), len(ledger.holdings)))
        self.marks += [(ts_ns, symbol, float(ledger.marks[symbol])) for symbol in ledger.positions()]

    def match(self, book: QuoteBook, until: int) -> None:
        """Execute what can be executed by `until`, in time order, and withdraw the rest."""
        latency = self.assumptions.latency_ns
        found = [(intent, execute(intent, book, intent.asof + latency, until)) for intent in self.working]
        executed = [(execution, intent) for intent, execution in found if execution is not None]
        for execution, intent in sorted(executed, key=lambda pair: (pair[0].ts_ns, not _closes(pair[1]))):
            if _closes(intent):
                self.ledger.close(intent, execution)
            else:
                self.ledger.open(intent, execution)
        self.orders += [(intent, execution is not None) for intent, execution in found]
        self.working = ()

    def adjust(self, session: Session) -> None:
        """Bring what is held, and its last quotes, to the contracts that trade after the night's splits."""
        if self.before is None or self.carried is None:
            return
        for split in self.market.splits(self.before.date, session):
            adjusted = self.ledger.adjust(split, session.open_ns)
            self.carried = _as_adjusted(self.carried, adjusted) if adjusted else self.carried

    def remark(self, book: QuoteBook, at: int) -> None:
        self.ledger.marks = mark(book, self.ledger.positions(), at, self.ledger.marks)

    def result(self) -> BacktestResult:
        return BacktestResult(
            initial_cash=self.account.cash,
            fills=tuple(self.ledger.fills),
            trades=tuple(self.ledger.trades),
            holdings=tuple(self.ledger.holdings.values()),
            curve=curve_frame(self.curve),
            marks=mark_frame(self.marks),
            denials=denial_frame(self.denials),
            orders=order_frame(self.orders),
            unquoted=tuple(self.unquoted),
            assumptions=self.assumptions,
        )


def _session(run: _Run, session: Session, by_time: Mapping[int, list[Signal]]) -> None:
    run.adjust(session)
    quotes = run.market.quotes(session)
    if run.carried is not None:
        # A contract held overnight keeps its last quote until the session quotes it again, as at a broker.
        quotes = pl.concat([run.carried, quotes], how="diagonal")
    book = QuoteBook(quotes)
    traded = run.market.prices(session)
    prices = _Prices(traded)
    day = DayState(session, run.equity(), correlations=run.market.correlations(session))
    for asof in decision_times(session):
        run.match(book, asof - WITHDRAWAL_NS)
        run.remark(book, asof)
        run.note(session, asof, "decision")
        wanted = by_time.get(asof, [])
        if wanted or run.ledger.holdings:
            acted_on = actionable(wanted, run.limits.min_edge)
            solve = entry_contracts(acted_on, session.date, (run.limits.min_dte, run.limits.max_dte))
            chain = run.market.chain(session, quotes, traded, asof, solve)
            day = _decide(run, day, asof, wanted, chain)
    run.match(book, session.close_ns)
    run.unquoted += [
        (session.date, name) for name in run.ledger.positions() if not book.quotes(name, session)
    ]
    _settle(run, session, prices)
    run.remark(book, session.close_ns)
    run.note(session, session.close_ns, "close")
    held = list(run.ledger.positions())
    last = quotes.filter(pl.col("occ_symbol").is_in(held), pl.col("ts_ns") <= session.close_ns)
    run.carried = last.sort("occ_symbol", "ts_ns").unique("occ_symbol", keep="last") if held else None
    run.before = session


def _decide(run: _Run, day: DayState, asof: int, signals: list[Signal], chain: pl.DataFrame) -> DayState:
    account = replace(
        run.account,
        equity=run.equity(),
        cash=run.ledger.cash,
        buying_power=max(run.ledger.cash, Decimal(0)),
    )
    decision = decide(asof, account, tuple(run.ledger.holdings.values()), signals, chain, run.limits, day)
    run.working = decision.intents
    run.denials += [(asof, denial) for denial in decision.denials]
    return replace(day, halted=decision.halted)


def _settle(run: _Run, session: Session, prices: _Prices) -> None:
    last = prices.at(session.close_ns)
    for holding in tuple(run.ledger.holdings.values()):
        if not expires_by(holding, session.close_ns):
            continue
        close = decimal_price(last.get(holding.underlying))
        if close is None:
            raise DatasetError(
                f"{holding.underlying} has no price by {iso(session.close_ns)} to settle its "
                f"{holding.strategy}: ingest stock_minute_bars for {session.date}"
            )
        worth = tuple(intrinsic(leg.occ_symbol, close, holding.shares) for leg in holding.legs)
        run.ledger.settle(holding, worth, session.close_ns)


def _as_adjusted(quotes: pl.DataFrame, adjusted: Mapping[str, tuple[str, int]]) -> pl.DataFrame:
    """Return quotes under the symbols, strikes and prices that a split has given their contracts."""
    symbol = pl.col("occ_symbol")
    more = symbol.replace_strict({old: n for old, (_, n) in adjusted.items()}, default=1)
    return quotes.with_columns(
        pl.col("bid_price", "ask_price") / more,
        symbol.replace({old: new for old, (new, _) in adjusted.items()}),
    ).with_columns(*occ_columns("occ_symbol"))


class _Prices:
    """A session's underlying prices, looked up by time."""

    def __init__(self, prices: pl.DataFrame) -> None:
        ordered = prices.sort("underlying", "available_at")
        self._series = {
            str(key[0]): (part["available_at"].to_numpy(), part["price"].to_numpy())
            for key, part in ordered.partition_by("underlying", as_dict=True).items()
        }

    def at(self, moment: int) -> dict[str, float]:
        """Return each underlying's last price known at `moment`; underlyings without one are left out."""
        found: dict[str, float] = {}
        for name, (times, values) in self._series.items():
            position = int(np.searchsorted(times, moment, side="right")) - 1
            if position >= 0:
                found[name] = float(values[position])
        return found


def _closes(intent: OrderIntent) -> bool:
    return all(leg.effect is Effect.CLOSE for leg in intent.legs)
