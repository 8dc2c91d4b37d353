"""Exactly once: whatever is interrupted, and whatever the broker answers, one order per intent."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.place import OrderDesk, forgo, place, send, withdraw, write_down
from pipelines.reconcile import reconcile
from strikelake.brokers.memory import MemoryBroker
from strikelake.errors import BrokerError, BrokerUnavailableError, OrderRejectedError
from strikelake.journal.intents import IntentJournal
from strikelake.journal.states import IntentState
from strikelake.orders import Effect, Leg, OrderIntent, OrderState, OrderStatus, Side, client_order_id
from strikelake.portfolio import Account

CALL = Leg("SPY250321C00590000", Side.BUY, Effect.OPEN)
ACCOUNT = Account("A1", Decimal(25_000), Decimal(25_000), Decimal(25_000), 3)


def intent(asof: int = 100) -> OrderIntent:
    return OrderIntent(
        asof=asof,
        underlying="SPY",
        strategy="long_call",
        legs=(CALL,),
        quantity=2,
        limit_price=Decimal("1.25"),
        reason="entry",
        max_loss=Decimal(100),
        client_order_id=client_order_id("A1", "long_call", asof, (CALL,)),
        exit_at=900,
        direction=1,
    )


class StepClock:
    """A clock that jumps where it is told to."""

    def __init__(self) -> None:
        self.time = 1_000

    def now(self) -> int:
        return self.time

    def sleep_until(self, moment: int) -> None:
        self.time = max(self.time, moment)


class KilledError(BaseException):
    """The process is gone: nothing of ours catches this."""


class FaultyBroker(MemoryBroker):
    """The in-memory broker behind faults: each is raised before or after the call takes effect."""

    def __init__(self, clock: StepClock) -> None:
        super().__init__(ACCOUNT, clock, fill_at_limit=False)
        self.before_submit: list[BaseException | None] = []
        self.after_submit: list[BaseException | None] = []
        self.lookups: list[BaseException | None] = []
        self.submits = 0

    def submit(self, intent: OrderIntent) -> OrderState:
        self.submits += 1
        _play(self.before_submit)
        state = super().submit(intent)
        _play(self.after_submit)
        return state

    def order(self, client_order_id: str) -> OrderState | None:
        _play(self.lookups)
        return super().order(client_order_id)


def _play(faults: list[BaseException | None]) -> None:
    fault = faults.pop(0) if faults else None
    if fault is not None:
        raise fault


def down() -> BrokerUnavailableError:
    return BrokerUnavailableError("504")


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def broker(clock: StepClock) -> FaultyBroker:
    return FaultyBroker(clock)


@pytest.fixture
def desk(broker: FaultyBroker, clock: StepClock, tmp_path: Path) -> Iterator[OrderDesk]:
    with IntentJournal(tmp_path / "j.db") as journal:
        yield OrderDesk(broker, journal, clock)


def states(desk: OrderDesk, name: str | None = None) -> list[str]:
    return [str(state) for state, _ in desk.journal.history(name or intent().client_order_id)]


def test_an_order_is_written_down_before_it_is_sent(desk: OrderDesk, broker: FaultyBroker) -> None:
    broker.before_submit = [KilledError()]

    with pytest.raises(KilledError):
        place(intent(), "A1", desk)

    assert states(desk) == ["intended"]


def test_a_clean_order_is_sent_once(desk: OrderDesk, broker: FaultyBroker) -> None:
    state = place(intent(), "A1", desk)

    assert (state.status, broker.submits) == (OrderStatus.ACCEPTED, 1)
    assert states(desk) == ["intended", "accepted"]


def test_the_same_decision_again_places_nothing(desk: OrderDesk, broker: FaultyBroker) -> None:
    first = place(intent(), "A1", desk)

    assert place(intent(), "A1", desk).broker_id == first.broker_id
    assert broker.submits == 1


def test_accepted_then_504_is_found_and_not_sent_again(desk: OrderDesk, broker: FaultyBroker) -> None:
    broker.after_submit = [down()]

    state = place(intent(), "A1", desk)

    assert (state.status, broker.submits) == (OrderStatus.ACCEPTED, 1)
    assert states(desk) == ["intended", "unknown", "accepted"]


def test_only_a_definite_no_lets_it_be_sent_again(desk: OrderDesk, broker: FaultyBroker) -> None:
    broker.before_submit = [down(), down()]

    state = place(intent(), "A1", desk)

    assert (state.status, broker.submits, len(broker.open_orders())) == (OrderStatus.ACCEPTED, 3, 1)
    assert states(desk) == ["intended", "unknown", "never_sent", "unknown", "never_sent", "accepted"]


def test_a_broker_that_takes_nothing_is_given_up(desk: OrderDesk, broker: FaultyBroker) -> None:
    broker.before_submit = [down()] * 9

    with pytest.raises(BrokerUnavailableError, match="tried 3 times and is not there"):
        place(intent(), "A1", desk)

    assert (broker.submits, states(desk)[-1]) == (3, "never_sent")


def test_without_a_definite_answer_it_stays_unknown(desk: OrderDesk, broker: FaultyBroker) -> None:
    broker.after_submit, broker.lookups = [down()], [down()] * 3

    with pytest.raises(BrokerUnavailableError):
        place(intent(), "A1", desk)

    assert (broker.submits, states(desk)) == (1, ["intended", "unknown"])
    assert reconcile("A1", desk).adopted == (intent().client_order_id,)
    assert states(desk)[-1] == "accepted"


def test_one_failed_look_is_followed_by_another(desk: OrderDesk, broker: FaultyBroker) -> None:
    broker.after_submit, broker.lookups = [down()], [down(), down()]

    assert place(intent(), "A1", desk).status is OrderStatus.ACCEPTED
    assert broker.submits == 1


def test_a_rejection_is_final(desk: OrderDesk, broker: FaultyBroker) -> None:
    broker.before_submit = [OrderRejectedError("insufficient buying power")]

    assert place(intent(), "A1", desk).status is OrderStatus.REJECTED
    assert place(intent(), "A1", desk).status is OrderStatus.REJECTED
    assert (broker.submits, states(desk)) == (1, ["intended", "rejected"])
    record = desk.journal.find(intent().client_order_id)
    assert record is not None
    assert record.detail == "insufficient buying power"


def test_refused_keys_stop_the_session(desk: OrderDesk, broker: FaultyBroker) -> None:
    broker.before_submit = [BrokerError("check ALPACA_API_KEY")]

    with pytest.raises(BrokerError, match="ALPACA_API_KEY"):
        place(intent(), "A1", desk)


@pytest.mark.parametrize("step", ["before record", "before submit", "after submit"])
def test_killed_at_any_step_the_broker_has_the_order_once(
    step: str, broker: FaultyBroker, clock: StepClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KilledError

    broker.before_submit = [KilledError()] if step == "before submit" else []
    broker.after_submit = [KilledError()] if step == "after submit" else []
    with IntentJournal(tmp_path / "j.db") as journal:
        if step == "before record":
            monkeypatch.setattr(journal, "record", die)
        with pytest.raises(KilledError):
            place(intent(), "A1", OrderDesk(broker, journal, clock))

    with IntentJournal(tmp_path / "j.db") as journal:
        desk = OrderDesk(broker, journal, clock)
        differences = reconcile("A1", desk)
        place(intent(), "A1", desk)

        name = intent().client_order_id
        assert [order.client_order_id for order in broker.open_orders()] == [name]
        assert [record.state for record in journal.open_intents("A1")] == [IntentState.ACCEPTED]
        assert differences.adopted == ((name,) if step == "after submit" else ())
        assert differences.never_sent == ((name,) if step == "before submit" else ())


@pytest.mark.parametrize("step", ["before submit", "after submit"])
def test_killed_between_two_orders_each_is_looked_up(
    step: str, broker: FaultyBroker, clock: StepClock, tmp_path: Path
) -> None:
    first, second = intent(100), intent(101)
    broker.before_submit = [None, KilledError()] if step == "before submit" else []
    broker.after_submit = [None, KilledError()] if step == "after submit" else []
    with IntentJournal(tmp_path / "j.db") as journal:
        desk = OrderDesk(broker, journal, clock)
        sent, other = write_down([first, second], "A1", desk)
        send(sent, desk)
        with pytest.raises(KilledError):
            send(other, desk)

    with IntentJournal(tmp_path / "j.db") as journal:
        desk = OrderDesk(broker, journal, clock)
        assert [states(desk, i.client_order_id) for i in (first, second)] == [
            ["intended", "accepted"],
            ["intended"],
        ]
        differences = reconcile("A1", desk)
        for record in write_down([first, second], "A1", desk):
            send(record, desk)

        names = [first.client_order_id, second.client_order_id]
        assert sorted(order.client_order_id for order in broker.open_orders()) == sorted(names)
        assert differences.adopted == ((names[1],) if step == "after submit" else ())
        assert differences.never_sent == ((names[1],) if step == "before submit" else ())


def test_what_an_earlier_run_wrote_down_is_looked_up_before_it_is_sent(
    desk: OrderDesk, broker: FaultyBroker
) -> None:
    write_down([intent()], "A1", desk)
    MemoryBroker.submit(broker, intent())

    (record,) = write_down([intent()], "A1", desk)

    assert send(record, desk).status is OrderStatus.ACCEPTED
    assert broker.submits == 0


def test_an_order_that_is_forgone_is_noted_unless_it_may_have_been_sent(desk: OrderDesk) -> None:
    (record,) = write_down([intent()], "A1", desk)
    forgo(record, desk, "another is in doubt")
    assert states(desk) == ["intended", "never_sent"]
    assert desk.journal.open_intents("A1") == []

    place(intent(), "A1", desk)
    (again,) = write_down([intent()], "A1", desk)
    forgo(again, desk, "another is in doubt")
    assert states(desk)[-1] == "accepted"


def test_withdrawing_waits_for_the_end_and_keeps_fills(desk: OrderDesk, broker: FaultyBroker) -> None:
    place(intent(), "A1", desk)
    broker.fill(intent().client_order_id, quantity=1)
    (record,) = desk.journal.open_intents("A1")

    ended = withdraw(record, desk)

    assert (ended.state, ended.filled_quantity) == (IntentState.CANCELED, 1)
    assert [holding.quantity for holding in desk.journal.trades("A1").holdings] == [1]


def test_a_slow_cancel_leaves_the_order_working(
    desk: OrderDesk, broker: FaultyBroker, clock: StepClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(intent(), "A1", desk)
    monkeypatch.setattr(broker, "cancel", lambda _: None)
    (record,) = desk.journal.open_intents("A1")

    assert withdraw(record, desk).state is IntentState.ACCEPTED
    assert clock.now() > 1_000_000_000


def test_a_confirmed_order_that_vanishes_is_an_error(desk: OrderDesk, broker: FaultyBroker) -> None:
    place(intent(), "A1", desk)
    broker._orders.clear()

    with pytest.raises(BrokerError, match="was accepted and the broker now has no such order"):
        reconcile("A1", desk)
