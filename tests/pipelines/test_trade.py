"""One session over the in-memory broker and a market of two underlyings."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.bars import resample
from pipelines.chain import SessionTerms
from pipelines.rates import rate_for
from pipelines.reconcile import Differences
from pipelines.trade import SessionPlan, SessionReport, TradingDesk, run_session
from strikelake.brokers.memory import MemoryBroker
from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_date, et_ns, previous_session, session
from strikelake.contracts import OptionContract, expiry_ns
from strikelake.errors import (
    BrokerUnavailableError,
    CalendarError,
    ConfigError,
    OrderRejectedError,
    VendorError,
    VendorUnavailableError,
)
from strikelake.journal.intents import IntentJournal
from strikelake.journal.states import IntentState
from strikelake.orders import Effect, Leg, OrderIntent, OrderState, Side
from strikelake.portfolio import Account
from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.risk.limits import Limits
from strikelake.splits import Split
from strikelake.strategy.signals import WITHDRAWAL_NS, decision_times

DAY = date(2025, 3, 3)
SPOTS = {"SPY": 590.0, "IWM": 210.0}
LIMITS = Limits(
    universe=frozenset(SPOTS),
    max_positions=3,
    risk_per_trade=Decimal("0.03"),
    max_daily_loss=Decimal("0.05"),
    max_portfolio_risk=Decimal("0.15"),
    position_limit=Decimal("0.20"),
    stop_loss=Decimal("0.40"),
    profit_target=Decimal("0.60"),
    max_correlation=0.70,
    max_spread=Decimal("0.15"),
    max_quote_age_ns=600 * NS_PER_SECOND,
    min_edge=0.02,
    delta_target=0.45,
    delta_tolerance=0.20,
    min_dte=5,
    max_dte=45,
    limit_slippage=Decimal("0.02"),
    fee_per_contract=Decimal("0.65"),
)


def at(clock_time: str) -> int:
    return et_ns(DAY, clock_time)


class StepClock:
    """Jumps to where it is told, and lets a test act on the way."""

    def __init__(self, start: int) -> None:
        self.time = start
        self.slept: list[int] = []
        self.on_sleep: Callable[[int], None] | None = None

    def now(self) -> int:
        return self.time

    def sleep_until(self, moment: int) -> None:
        self.slept.append(moment)
        if self.on_sleep is not None:
            self.on_sleep(moment)
        self.time = max(self.time, moment)


@dataclass
class FakeMarket:
    """Flat prices and a fair chain with a spread of two cents around `spot`, moved by `scale`."""

    scale: float = 1.0
    bars_fail: set[int] = field(default_factory=set)
    chains_fail: set[str] = field(default_factory=set)
    error: VendorError = field(default_factory=lambda: VendorUnavailableError("503"))
    asked: list[tuple[str, date, date]] = field(default_factory=list)
    asof: int = 0
    waits: Callable[[], None] = lambda: None
    quote_age_ns: int = NS_PER_SECOND

    def prepare(self, tickers: list[str], start_ns: int, asof: int) -> None:
        """Nothing: flat prices take no time."""

    def minute_bars(self, tickers: list[str], start_ns: int, end_ns: int) -> pl.DataFrame:
        self.asof = end_ns
        if end_ns in self.bars_fail:
            raise self.error
        starts = list(range(start_ns, end_ns, NS_PER_MINUTE))
        rows = [
            {
                "date": et_date(ts),
                "ticker": name,
                "ts_ns": ts,
                "close": SPOTS[name],
                "available_at": ts + NS_PER_MINUTE,
            }
            for name in tickers
            for ts in starts
        ]
        prices = [pl.col("close").alias(name) for name in ("open", "high", "low")]
        return pl.DataFrame(rows).with_columns(
            *prices, volume=pl.lit(100.0), transactions=pl.lit(3, dtype=pl.Int64)
        )

    def chain(self, underlying: str, *, expiration_from: date, expiration_to: date) -> pl.DataFrame:
        self.asked.append((underlying, expiration_from, expiration_to))
        self.waits()
        if underlying in self.chains_fail:
            raise self.error
        expiration, spot = date(2025, 3, 28), SPOTS[underlying]
        rows = [
            quote_row(underlying, expiration, kind, round(spot) + step, spot, self.asof, self.scale)
            for kind in ("C", "P")
            for step in range(-10, 11)
        ]
        return pl.DataFrame(rows).with_columns(quote_ts_ns=pl.lit(self.asof - self.quote_age_ns))


def quote_row(
    underlying: str, expiration: date, kind: str, strike: int, spot: float, asof: int, scale: float
) -> dict[str, object]:
    contract = OptionContract(underlying, expiration, "C" if kind == "C" else "P", Decimal(strike))
    years = (expiry_ns(expiration) - asof) / (365.25 * 86_400 * NS_PER_SECOND)
    option = Options(1.0 if kind == "C" else -1.0, spot, float(strike), years, 0.04)
    fair = float(european.price(option, 0.2)) * scale
    return {
        "occ_symbol": contract.occ_symbol,
        "underlying": underlying,
        "expiration": expiration,
        "option_type": kind,
        "strike": float(strike),
        "quote_ts_ns": asof - NS_PER_SECOND,
        "bid_price": round(fair - 0.01, 2),
        "ask_price": round(fair + 0.01, 2),
        "underlying_price": spot,
        "open_interest": 10,
    }


@dataclass
class StubScorer:
    """A coin flip except where told."""

    told: dict[tuple[int, str], float] = field(default_factory=dict)
    features: tuple[str, ...] = ("minute_of_session",)
    bar: str = "30m"
    horizon: int = 2

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        keys = frame.select("asof", "underlying").iter_rows()
        probabilities = np.array([self.told.get(key, 0.5) for key in keys], dtype=float)
        return frame.select("asof", "underlying").with_columns(probability=probabilities)


class FaultyBroker(MemoryBroker):
    """The in-memory broker with something to raise."""

    def __init__(self, clock: StepClock, *, fill_at_limit: bool = True) -> None:
        account = Account("A1", Decimal(100_000), Decimal(100_000), Decimal(100_000), 3)
        super().__init__(account, clock, fill_at_limit=fill_at_limit)
        self.refusals: list[BaseException] = []
        self.lookups: list[BaseException] = []
        self.accounts: list[BaseException] = []
        self.sent: list[OrderIntent] = []
        self.on_submit: Callable[[], None] = lambda: None

    def account(self) -> Account:
        if self.accounts:
            raise self.accounts.pop(0)
        return super().account()

    def submit(self, intent: OrderIntent) -> OrderState:
        self.sent.append(intent)
        self.on_submit()
        if self.refusals:
            raise self.refusals.pop(0)
        return super().submit(intent)

    def order(self, client_order_id: str) -> OrderState | None:
        if self.lookups:
            raise self.lookups.pop(0)
        return super().order(client_order_id)


@dataclass
class Floor:
    """Everything a test turns its knobs on."""

    clock: StepClock
    broker: FaultyBroker
    market: FakeMarket
    scorer: StubScorer
    journal: IntentJournal
    plan: SessionPlan

    def run(self) -> SessionReport:
        return run_session(
            TradingDesk(self.broker, self.market, self.clock, self.scorer, self.journal), self.plan
        )


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    clock = StepClock(at("09:00"))
    market = FakeMarket()
    before = previous_session(DAY)
    history = resample(market.minute_bars(list(SPOTS), before.open_ns, before.close_ns))
    plan = SessionPlan(
        session=DAY,
        underlyings=tuple(SPOTS),
        limits=LIMITS,
        history_bars=history,
        facts=None,
        terms=SessionTerms(session(DAY), rate_for(None, 0.04)),
        correlations={frozenset(SPOTS): 0.1},
    )
    with IntentJournal(tmp_path / "j.db") as journal:
        yield Floor(clock, FaultyBroker(clock), market, StubScorer(), journal, plan)


def test_a_session_without_signals_trades_nothing(floor: Floor) -> None:
    report = floor.run()

    assert (report.decisions, report.signals, report.orders, report.client_order_ids) == (12, 0, {}, ())
    assert (report.marked, report.realised) == (Decimal(0), Decimal(0))
    assert (report.problems, report.halted) == ((), None)
    assert floor.market.asked == []
    assert floor.clock.slept[:3] == [
        at("10:00") - 5 * NS_PER_SECOND,
        at("10:00"),
        at("10:30") - 5 * NS_PER_SECOND,
    ]
    assert floor.clock.slept[-1] == at("16:00")


def test_every_decision_is_rehearsed_between_its_books_and_its_moment(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsed = []
    monkeypatch.setattr(
        "pipelines.trade.rehearse", lambda asof, *_: rehearsed.append((floor.clock.now(), asof))
    )
    floor.run()

    moments = decision_times(session(DAY))
    before_each = [(moment - WITHDRAWAL_NS, moment) for moment in moments]
    assert rehearsed == [(at("09:00"), at("10:00")), *before_each]


def test_a_rehearsal_that_fails_before_a_decision_is_told_and_stops_nothing(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rehearse(asof: int, *_: object) -> None:
        if floor.clock.now() == at("10:30") - WITHDRAWAL_NS:
            raise ZeroDivisionError("made-up prices")

    monkeypatch.setattr("pipelines.trade.rehearse", rehearse)
    floor.scorer.told[at("10:30"), "SPY"] = 0.7

    report = floor.run()

    assert report.decisions == len(decision_times(session(DAY)))
    assert len(report.client_order_ids) == 2
    [problem] = report.problems
    assert problem.endswith("was not rehearsed (ZeroDivisionError: made-up prices)")


def test_no_rehearsal_makes_a_decision_late(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsed: list[int] = []
    monkeypatch.setattr("pipelines.trade.rehearse", lambda asof, *_: rehearsed.append(asof))
    slept = floor.clock.sleep_until

    def late(moment: int) -> None:  # the broker's answers about the last orders took long
        slept(moment + (4_500_000_000 if moment == at("10:30") - WITHDRAWAL_NS else 0))

    monkeypatch.setattr(floor.clock, "sleep_until", late)
    floor.run()

    moments = decision_times(session(DAY))
    assert rehearsed == [moments[0], moments[0], *moments[2:]]


@pytest.mark.parametrize(("age_seconds", "orders"), [(-1, 2), (-2, 2), (-3, 0)])
def test_a_quote_that_came_while_the_vendor_was_waited_for_counts(
    floor: Floor, age_seconds: int, orders: int
) -> None:
    floor.scorer.told[at("10:00"), "SPY"] = 0.7

    def wait() -> None:
        floor.clock.time = floor.market.asof + 2 * NS_PER_SECOND

    floor.market.waits = wait
    floor.market.quote_age_ns = age_seconds * NS_PER_SECOND
    assert len(floor.run().client_order_ids) == orders


@pytest.mark.parametrize(("places", "asked"), [(1, ["SPY"]), (2, ["SPY", "IWM"])])
def test_no_chain_is_asked_for_where_no_place_is_left(floor: Floor, places: int, asked: list[str]) -> None:
    floor.plan = replace(floor.plan, limits=replace(LIMITS, max_positions=places))
    floor.scorer.told = {(at("10:00"), "SPY"): 0.7, (at("10:30"), "IWM"): 0.7}

    report = floor.run()

    assert report.denials == ({"MAX_POSITIONS": 1} if places == 1 else {})
    assert {name for name, *_ in floor.market.asked} == set(asked)


def test_a_signal_is_entered_and_closed_at_its_horizon(floor: Floor) -> None:
    floor.scorer.told[at("10:00"), "SPY"] = 0.7

    report = floor.run()

    entry, exit_ = floor.broker.sent
    assert (entry.underlying, entry.direction, entry.legs[0].effect, entry.reason) == (
        "SPY",
        1,
        Effect.OPEN,
        "entry",
    )
    assert (entry.asof, exit_.asof, exit_.reason) == (at("10:00"), at("11:00"), "time")
    assert exit_.quantity == entry.quantity
    assert report.orders == {"filled": 2}
    assert (report.signals, report.fills, len(report.latency_ms)) == (1, 2, 2)
    assert report.client_order_ids == (entry.client_order_id, exit_.client_order_id)
    assert report.realised == -(entry.limit_price + exit_.limit_price) * 100 * entry.quantity
    assert report.marked == report.realised
    assert floor.journal.trades("A1").holdings == ()
    asked = [(name, first, last) for name, first, last in floor.market.asked if name == "SPY"]
    assert asked[0] == ("SPY", DAY + timedelta(days=5), DAY + timedelta(days=45))
    assert asked[1] == ("SPY", date(2025, 3, 28), date(2025, 3, 28))


def test_what_was_bought_before_a_split_is_closed_after_it(floor: Floor) -> None:
    yesterday = previous_session(DAY)
    old, new = (OptionContract("SPY", date(2025, 3, 28), "C", Decimal(k)).occ_symbol for k in (1180, 590))
    legs = (Leg(old, Side.BUY, Effect.OPEN),)
    entry = OrderIntent(
        asof=yesterday.close_ns - NS_PER_MINUTE,
        underlying="SPY",
        strategy="long_call",
        legs=legs,
        quantity=1,
        limit_price=Decimal("26.00"),
        reason="entry",
        max_loss=Decimal(1_000),
        client_order_id="sl-before",
        exit_at=at("11:00"),
        direction=1,
    )
    floor.journal.record([entry], "A1", entry.asof)
    floor.journal.update(floor.broker.submit(entry), entry.asof)
    held = floor.broker._held.pop(old)
    floor.broker._held[new] = replace(held, quantity=2)
    floor.plan = replace(floor.plan, splits=(Split("SPY", DAY, Fraction(2)),))

    report = floor.run()

    (_, exit_) = floor.broker.sent
    assert (exit_.legs[0].occ_symbol, exit_.quantity, exit_.reason) == (new, 2, "time")
    assert report.problems == (
        "at the start: SPY split 2 for 1 on 2025-03-03, held by sl-before: counted anew",
    )
    assert (report.halted, report.differences, floor.broker.positions()) == (None, Differences(), [])
    assert report.realised == -(entry.limit_price / 2 + exit_.limit_price) * 200


def test_an_entry_that_does_not_fill_is_canceled_before_the_next_decision(floor: Floor) -> None:
    floor.broker._fill_at_limit = False
    floor.scorer.told[at("10:00"), "SPY"] = 0.7

    report = floor.run()

    assert report.orders == {"canceled": 1}
    (name,) = report.client_order_ids
    assert floor.journal.history(name)[-1] == (IntentState.CANCELED, at("10:30") - 5 * NS_PER_SECOND)


@pytest.mark.parametrize(("clock_time", "fills"), [("10:29:54", 1), ("10:29:57", 0)])
def test_an_order_can_fill_until_five_seconds_before_the_next_decision(
    floor: Floor, clock_time: str, fills: int
) -> None:
    floor.broker._fill_at_limit = False
    floor.scorer.told[at("10:00"), "SPY"] = 0.7
    quoted = at(clock_time)

    def fill_at_the_quote(moment: int) -> None:
        if floor.clock.time < quoted <= moment:
            for order in floor.broker.open_orders():
                floor.broker.fill(order.client_order_id)

    floor.clock.on_sleep = fill_at_the_quote

    assert floor.run().fills == fills


def test_an_exit_that_does_not_fill_is_sent_again(floor: Floor) -> None:
    floor.scorer.told[at("10:00"), "SPY"] = 0.7

    def stop_filling(moment: int) -> None:
        floor.broker._fill_at_limit = not at("10:10") < moment < at("12:00")

    floor.clock.on_sleep = stop_filling

    report = floor.run()

    assert report.orders == {"filled": 2, "canceled": 2}
    assert [(i.reason, i.asof) for i in floor.broker.sent[1:]] == [
        ("time", at("11:00")),
        ("time", at("11:30")),
        ("time", at("12:00")),
    ]
    assert floor.broker.positions() == []


def test_a_rejected_order_is_reported_in_the_brokers_words(floor: Floor) -> None:
    floor.scorer.told[at("10:00"), "SPY"] = 0.7
    floor.broker.refusals = [OrderRejectedError("insufficient options buying power")]

    report = floor.run()

    assert (report.orders, report.problems) == ({"rejected": 1}, ("insufficient options buying power",))


def test_after_an_order_in_doubt_no_entry_follows(floor: Floor) -> None:
    floor.scorer.told = {(at("10:00"), "SPY"): 0.8, (at("10:00"), "IWM"): 0.3}
    floor.broker.refusals = [BrokerUnavailableError("504")]
    floor.broker.lookups = [BrokerUnavailableError("500")] * 3

    report = floor.run()

    assert [intent.underlying for intent in floor.broker.sent] == ["SPY"]
    assert report.orders == {"never_sent": 2}
    assert "500" in report.problems[0]
    assert "was not sent: an order before it is in doubt" in report.problems[1]
    assert "never reached the broker" in report.problems[2]
    assert len(report.problems) == 3


def test_an_unexplained_position_stops_entries_and_no_exits(floor: Floor) -> None:
    floor.scorer.told = {(at("10:00"), "SPY"): 0.8, (at("10:30"), "IWM"): 0.8}

    def by_hand(moment: int) -> None:
        if moment == at("10:30") - 5 * NS_PER_SECOND and not floor.broker.order("by-hand"):
            odd = replace(
                floor.broker.sent[0],
                client_order_id="by-hand",
                limit_price=Decimal("0.10"),
                legs=(Leg("TSLA250328C00300000", Side.BUY, Effect.OPEN),),
            )
            MemoryBroker.submit(floor.broker, odd)

    floor.clock.on_sleep = by_hand

    report = floor.run()

    assert report.denials == {"HALTED": 1}
    assert [intent.reason for intent in floor.broker.sent] == ["entry", "time"]
    assert report.halted == "a position is not explained"
    assert report.differences.halts_entries
    assert "TSLA250328C00300000" in report.problems[0]


def test_the_daily_loss_halts_the_session_and_its_restart(floor: Floor) -> None:
    floor.scorer.told = {(at("10:00"), "SPY"): 0.8, (at("11:00"), "IWM"): 0.8}
    floor.plan = replace(floor.plan, limits=replace(LIMITS, max_daily_loss=Decimal("0.01")))

    def crash_market(moment: int) -> None:
        floor.market.scale = 0.3 if moment > at("10:00") else 1.0

    floor.clock.on_sleep = crash_market
    report = floor.run()

    assert report.halted == "the daily loss was reached at 2025-03-03 10:30:00 ET"
    assert report.denials["DAILY_LOSS"] == 1
    assert [intent.reason for intent in floor.broker.sent] == ["entry", "stop"]
    assert floor.journal.open_session(DAY, "A1", Decimal(1)) == (Decimal(100_000), True)


def test_without_bars_there_are_no_signals_but_exits(floor: Floor) -> None:
    floor.scorer.told = {(at("10:00"), "SPY"): 0.8, (at("11:00"), "IWM"): 0.8}
    floor.market.bars_fail = {at("11:00")}

    report = floor.run()

    assert [(intent.reason, intent.asof) for intent in floor.broker.sent] == [
        ("entry", at("10:00")),
        ("time", at("11:00")),
    ]
    assert report.problems == ("2025-03-03 11:00:00 ET: no bars, so no signals: 503",)


def test_without_a_chain_its_underlying_is_not_traded(floor: Floor) -> None:
    floor.scorer.told = {(at("10:00"), "SPY"): 0.8, (at("10:00"), "IWM"): 0.8}
    floor.market.chains_fail = {"SPY"}

    report = floor.run()

    assert {intent.underlying for intent in floor.broker.sent} == {"IWM"}
    assert report.denials == {"NO_CONTRACT": 1}
    assert report.problems == ("2025-03-03 10:00:00 ET: no chain of SPY, so it is not traded: 503",)


def test_a_broker_that_is_down_skips_the_decision(floor: Floor) -> None:
    floor.scorer.told[at("10:30"), "SPY"] = 0.8

    def outage(moment: int) -> None:
        if moment == at("10:30") - 5 * NS_PER_SECOND:
            floor.broker.accounts = [BrokerUnavailableError("Alpaca answered 503")]

    floor.clock.on_sleep = outage

    report = floor.run()

    assert (report.decisions, floor.broker.sent) == (11, [])
    assert report.problems == ("no decision at 2025-03-03 10:30:00 ET: Alpaca answered 503",)


def test_a_broker_that_is_down_at_the_start_ends_it(floor: Floor) -> None:
    floor.broker.accounts = [BrokerUnavailableError("Alpaca answered 500 about the account")]

    with pytest.raises(BrokerUnavailableError, match="500 about the account"):
        floor.run()

    assert floor.clock.slept == []


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), SystemExit(143), RuntimeError("bug")])
def test_an_early_end_cancels_entries_and_keeps_exits(floor: Floor, ending: BaseException) -> None:
    floor.scorer.told = {(at("10:00"), "SPY"): 0.8, (at("11:00"), "IWM"): 0.8}

    def act(moment: int) -> None:
        floor.broker._fill_at_limit = moment < at("10:10")
        if moment == at("11:30") - 5 * NS_PER_SECOND:
            raise ending

    floor.clock.on_sleep = act

    with pytest.raises(type(ending)):
        floor.run()

    states = {r.intent.reason: r.state for r in floor.journal.records("A1")[1:]}
    assert states == {"time": IntentState.ACCEPTED, "entry": IntentState.CANCELED}
    assert len(floor.broker.open_orders()) == 1


def test_an_early_end_is_told_even_when_the_broker_is_down(
    floor: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    floor.broker._fill_at_limit = False
    floor.scorer.told[at("10:00"), "SPY"] = 0.8

    def act(moment: int) -> None:
        if moment == at("10:30") - 5 * NS_PER_SECOND:
            floor.broker.lookups = [BrokerUnavailableError("503")] * 9
            raise KeyboardInterrupt

    floor.clock.on_sleep = act

    with pytest.raises(KeyboardInterrupt):
        floor.run()

    (record,) = floor.journal.records("A1")
    assert record.state is IntentState.ACCEPTED
    assert f"entry {record.intent.client_order_id} may still be working: 503" in caplog.messages


def test_a_decision_is_timed_by_part_with_the_collector_waiting(floor: Floor) -> None:
    floor.scorer.told[at("10:00"), "SPY"] = 0.8
    collecting: list[bool] = []
    floor.broker.on_submit = lambda: collecting.append(gc.isenabled())

    report = floor.run()

    first, second = report.timings[:2]
    assert collecting == [False, False]
    assert gc.isenabled()
    assert list(first.parts) == [
        "bars",
        "features",
        "score",
        "quotes",
        "chain",
        "decide",
        "write",
        "send",
    ]
    ours = sum(first.parts[part] for part in ("features", "score", "chain", "decide", "write"))
    assert first.first_order == pytest.approx(ours)
    assert report.latency_ms[0] == first.first_order
    assert (second.asof, second.first_order) == (at("10:30"), None)
    assert list(second.parts)[-1] == "decide"


def test_the_orders_of_a_decision_are_written_down_before_any_is_sent(floor: Floor) -> None:
    floor.scorer.told = {(at("10:00"), "SPY"): 0.8, (at("10:00"), "IWM"): 0.8}
    written: list[int] = []
    floor.broker.on_submit = lambda: written.append(len(floor.journal.records("A1")))

    floor.run()

    assert written[:2] == [2, 2]


def test_a_feature_that_does_not_exist_ends_the_session_before_its_first_decision(floor: Floor) -> None:
    floor.scorer.features = ("minute_of_sesion",)

    with pytest.raises(ValueError, match="minute_of_session"):
        floor.run()

    assert floor.clock.slept == []


def test_a_first_day_without_history_trades(floor: Floor) -> None:
    floor.plan = replace(floor.plan, history_bars=floor.plan.history_bars.clear())
    floor.scorer.told[at("10:00"), "SPY"] = 0.8

    assert floor.run().orders == {"filled": 2}


def test_a_restart_joins_and_counts_the_whole_session(floor: Floor) -> None:
    floor.scorer.told = {(at("10:00"), "SPY"): 0.8, (at("11:00"), "IWM"): 0.8}

    def die(moment: int) -> None:
        if moment == at("10:30"):
            raise SystemExit

    floor.clock.on_sleep = die
    with pytest.raises(SystemExit):
        floor.run()
    floor.clock.on_sleep = None
    floor.clock.time = at("10:45")

    report = floor.run()

    skipped = [f"the decision of 2025-03-03 {t}:00 ET is over: skipped" for t in ("10:00", "10:30")]
    assert list(report.problems) == skipped
    assert (report.orders, report.decisions) == ({"filled": 4}, 10)
    assert floor.broker.positions() == []


def test_a_day_without_a_session_names_its_neighbours(floor: Floor) -> None:
    floor.plan = replace(floor.plan, session=date(2025, 3, 1))

    with pytest.raises(
        CalendarError, match="2025-03-01 is not a trading session: use 2025-02-28 or 2025-03-03"
    ):
        floor.run()


def test_a_session_that_is_over_is_refused(floor: Floor) -> None:
    floor.clock.time = at("16:00")

    with pytest.raises(
        CalendarError, match="2025-03-03 closed at 2025-03-03 16:00:00 ET: trade the next one"
    ):
        floor.run()


def test_a_model_of_other_bars_is_refused(floor: Floor) -> None:
    floor.scorer.bar = "1d"

    with pytest.raises(ConfigError, match=r"forecasts 1d bars.*set research.bar"):
        floor.run()


def test_latency_percentiles_are_ranked(floor: Floor) -> None:
    report = replace(floor.run(), latency_ms=(5.0, 1.0, 3.0, 2.0))

    assert (report.latency_percentile(0.5), report.latency_percentile(0.99)) == (3.0, 5.0)
    assert replace(report, latency_ms=()).latency_percentile(0.5) is None
