"""The journal against the broker."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.place import OrderDesk, place
from pipelines.reconcile import Differences, PositionDifference, reconcile
from strikelake.brokers.memory import MemoryBroker
from strikelake.calendar import et_ns
from strikelake.journal.intents import IntentJournal
from strikelake.journal.states import IntentState
from strikelake.orders import Effect, Leg, OrderIntent, Side
from strikelake.portfolio import Account
from strikelake.splits import Split

CALL = Leg("SPY250321C00590000", Side.BUY, Effect.OPEN)
SHORT = Leg("SPY250321C00595000", Side.SELL, Effect.OPEN)


class StepClock:
    def __init__(self) -> None:
        self.time = et_ns(date(2025, 3, 3), "10:00")

    def now(self) -> int:
        return self.time

    def sleep_until(self, moment: int) -> None:
        self.time = max(self.time, moment)


def intent(name: str, *legs: Leg) -> OrderIntent:
    return OrderIntent(
        asof=100,
        underlying="SPY",
        strategy="debit_call_spread",
        legs=legs or (CALL, SHORT),
        quantity=2,
        limit_price=Decimal("1.25"),
        reason="entry",
        max_loss=Decimal(100),
        client_order_id=name,
        exit_at=900,
        direction=1,
    )


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def broker(clock: StepClock) -> MemoryBroker:
    account = Account("A1", Decimal(25_000), Decimal(25_000), Decimal(25_000), 3)
    return MemoryBroker(account, clock, fill_at_limit=False)


@pytest.fixture
def desk(broker: MemoryBroker, clock: StepClock, tmp_path: Path) -> Iterator[OrderDesk]:
    with IntentJournal(tmp_path / "j.db") as journal:
        yield OrderDesk(broker, journal, clock)


def test_nothing_differs_from_nothing(desk: OrderDesk) -> None:
    assert reconcile("A1", desk) == Differences()
    assert Differences().lines() == ()


def test_fills_explain_positions(desk: OrderDesk, broker: MemoryBroker) -> None:
    place(intent("sl-1"), "A1", desk)
    broker.fill("sl-1", quantity=1)

    differences = reconcile("A1", desk)

    assert differences == Differences()
    (holding,) = desk.journal.trades("A1").holdings
    assert (holding.quantity, holding.entry_price) == (1, Decimal("1.25"))


def test_a_position_of_somebody_else_halts_entries(desk: OrderDesk, broker: MemoryBroker) -> None:
    broker.submit(intent("by-hand", SHORT))
    broker.fill("by-hand")

    differences = reconcile("A1", desk)

    assert differences.halts_entries
    assert differences.positions == (PositionDifference("SPY250321C00595000", 0, -2),)
    (line,) = differences.lines()
    assert line == (
        "position SPY250321C00595000 is -2 at the broker and 0 here: "
        "no entries until it is closed or explained"
    )


def test_a_split_explains_the_position_it_made(desk: OrderDesk, broker: MemoryBroker) -> None:
    place(intent("sl-1", CALL), "A1", desk)
    broker.fill("sl-1")
    held = broker._held.pop(CALL.occ_symbol)
    broker._held["SPY250321C00295000"] = replace(held, quantity=4)
    splits = [
        Split("SPY", date(2025, 3, 3), Fraction(2)),
        Split("QQQ", date(2025, 3, 3), Fraction(2)),
        Split("SPY", date(2025, 3, 4), Fraction(2)),
    ]
    assert reconcile("A1", desk).halts_entries

    differences = reconcile("A1", desk, splits)

    assert differences.lines() == ("SPY split 2 for 1 on 2025-03-03, held by sl-1: counted anew",)
    assert reconcile("A1", desk, splits) == Differences()


def test_a_position_that_vanished_halts_entries(desk: OrderDesk, broker: MemoryBroker) -> None:
    place(intent("sl-1", CALL), "A1", desk)
    broker.fill("sl-1")
    broker._held.clear()

    assert reconcile("A1", desk).positions == (PositionDifference("SPY250321C00590000", 2, 0),)


def test_an_order_of_somebody_else_is_reported_and_left(desk: OrderDesk, broker: MemoryBroker) -> None:
    broker.submit(intent("by-hand"))

    differences = reconcile("A1", desk)

    assert (differences.foreign_orders, differences.halts_entries) == (("by-hand",), False)
    assert [order.client_order_id for order in broker.open_orders()] == ["by-hand"]


@pytest.mark.parametrize("filled", [False, True])
def test_an_order_that_arrives_after_it_was_given_up_is_adopted(
    desk: OrderDesk, broker: MemoryBroker, *, filled: bool
) -> None:
    late = intent("sl-1")
    desk.journal.record([late], "A1", 1)
    assert reconcile("A1", desk).never_sent == ("sl-1",)
    broker.submit(late)
    if filled:
        broker.fill("sl-1")

    differences = reconcile("A1", desk)

    assert differences == Differences(adopted=("sl-1",))
    record = desk.journal.find("sl-1")
    assert record is not None
    assert record.state is (IntentState.FILLED if filled else IntentState.ACCEPTED)


def test_a_fill_between_the_looks_is_no_difference(
    desk: OrderDesk, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(intent("sl-1"), "A1", desk)
    positions = broker.positions

    def fill_first() -> object:
        if broker.open_orders():
            broker.fill("sl-1")
        return positions()

    monkeypatch.setattr(broker, "positions", fill_first)

    assert reconcile("A1", desk) == Differences()


def test_what_expired_and_is_gone_is_settled(desk: OrderDesk, broker: MemoryBroker, clock: StepClock) -> None:
    place(intent("sl-1"), "A1", desk)
    broker.fill("sl-1")
    clock.sleep_until(et_ns(date(2025, 3, 21), "16:00"))
    assert reconcile("A1", desk) == Differences()

    broker._held.clear()

    differences = reconcile("A1", desk)
    assert (differences.settled, differences.positions) == (("sl-1",), ())
    assert desk.journal.trades("A1").holdings == ()


def test_shares_from_an_assignment_halt_entries(desk: OrderDesk, broker: MemoryBroker) -> None:
    broker.submit(intent("by-hand", Leg("SPY", Side.BUY, Effect.OPEN)))
    broker.fill("by-hand")

    assert reconcile("A1", desk).positions == (PositionDifference("SPY", 0, 2),)
