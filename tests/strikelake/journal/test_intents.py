"""The order journal: durable, append-only, one writer, and only steps that can happen."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from strikelake.errors import JournalError
from strikelake.journal.intents import IntentJournal
from strikelake.journal.states import IntentState
from strikelake.orders import Effect, Leg, OrderIntent, OrderState, OrderStatus, Side
from strikelake.splits import Split

CALL = Leg("SPY250321C00590000", Side.BUY, Effect.OPEN)
SELL = Leg("SPY250321C00590000", Side.SELL, Effect.CLOSE)


def intent(name: str = "sl-1", *legs: Leg, asof: int = 100, quantity: int = 3) -> OrderIntent:
    legs = legs or (CALL,)
    entry = legs[0].effect is Effect.OPEN
    return OrderIntent(
        asof=asof,
        underlying="SPY",
        strategy="long_call",
        legs=legs,
        quantity=quantity,
        limit_price=Decimal("1.25") if entry else Decimal("-1.50"),
        reason="entry" if entry else "time",
        max_loss=Decimal(150) if entry else Decimal(0),
        client_order_id=name,
        exit_at=900 if entry else None,
        direction=1,
    )


def order(
    status: OrderStatus, filled: int = 0, name: str = "sl-1", price: str | None = None, quantity: int = 3
) -> OrderState:
    paid = Decimal(price) if price else (Decimal("1.20") if filled else None)
    return OrderState(name, "b-1", status, quantity, filled, paid, 500)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[IntentJournal]:
    with IntentJournal(tmp_path / "deep" / "journal.db") as opened:
        yield opened


def test_an_intent_comes_back_as_it_was_written(journal: IntentJournal) -> None:
    written = intent()

    (record,) = journal.record([written], "A1", 7)

    assert (record.intent, record.account_id, record.state, record.updated_at) == (
        written,
        "A1",
        IntentState.INTENDED,
        7,
    )
    assert record.order_state is None


def test_the_first_version_of_a_decision_counts(journal: IntentJournal) -> None:
    first = intent()
    journal.record([first], "A1", 7)

    (again,) = journal.record([replace(first, limit_price=Decimal("1.30"), quantity=2)], "A1", 8)

    assert (again.intent, again.is_new) == (first, False)
    assert journal.history("sl-1") == [(IntentState.INTENDED, 7)]


def test_the_orders_of_a_decision_share_one_transaction(journal: IntentJournal) -> None:
    journal.record([intent("old")], "A1", 7)
    statements: list[str] = []
    journal._db.set_trace_callback(statements.append)

    records = journal.record([intent("a"), intent("old"), intent("b"), intent("a")], "A1", 8)

    assert statements.count("BEGIN IMMEDIATE") == statements.count("COMMIT") == 1
    assert [record.intent.client_order_id for record in records] == ["a", "old", "b", "a"]
    assert [record.is_new for record in records] == [True, False, True, False]
    assert [journal.history(name) for name in ("a", "old", "b")] == [
        [(IntentState.INTENDED, 8)],
        [(IntentState.INTENDED, 7)],
        [(IntentState.INTENDED, 8)],
    ]


def test_a_decision_is_written_as_a_whole_or_not_at_all(journal: IntentJournal) -> None:
    journal.record([intent("b")], "A1", 7)

    with pytest.raises(JournalError, match="another decision named b"):
        journal.record([intent("a"), intent("b", asof=101), intent("c")], "A1", 8)

    assert [record.intent.client_order_id for record in journal.records("A1")] == ["b"]


def test_a_decision_without_orders_writes_nothing(journal: IntentJournal) -> None:
    journal._db.execute("PRAGMA query_only=ON")

    assert journal.record([], "A1", 7) == []


@pytest.mark.parametrize("other", [intent(asof=101), intent("sl-1", SELL)])
def test_a_name_belongs_to_one_decision(journal: IntentJournal, other: OrderIntent) -> None:
    journal.record([intent()], "A1", 7)

    with pytest.raises(JournalError, match="another decision named sl-1: raise its attempt"):
        journal.record([other], "A1", 8)


def test_history_is_kept_and_repetition_is_not(journal: IntentJournal) -> None:
    journal.record([intent()], "A1", 1)
    journal.mark("sl-1", IntentState.UNKNOWN, 2, "504")
    journal.mark("sl-1", IntentState.UNKNOWN, 3, "504")
    for at, told in enumerate(
        [order(OrderStatus.ACCEPTED), order(OrderStatus.NEW), order(OrderStatus.PARTIALLY_FILLED, 1)], 4
    ):
        journal.update(told, at)
        journal.update(told, at + 100)
    journal.update(order(OrderStatus.CANCELED, 1), 9)

    states = ["intended", "unknown", "accepted", "new", "partially_filled", "canceled"]
    assert [state for state, _ in journal.history("sl-1")] == states
    assert [at for _, at in journal.history("sl-1")] == [1, 2, 4, 5, 6, 9]
    found = journal.find("sl-1")
    assert found is not None
    assert found.order_state == replace(order(OrderStatus.CANCELED, 1), updated_at=9)


@pytest.mark.parametrize(
    ("first", "then", "named"),
    [
        (order(OrderStatus.FILLED, 3), order(OrderStatus.CANCELED, 3), "from filled to canceled"),
        (order(OrderStatus.CANCELED), order(OrderStatus.FILLED, 3), "from canceled to filled"),
        (order(OrderStatus.REJECTED), order(OrderStatus.ACCEPTED), "from rejected to accepted"),
        (
            order(OrderStatus.PARTIALLY_FILLED, 2),
            order(OrderStatus.PARTIALLY_FILLED, 1),
            "with 1 filled after 2",
        ),
        (order(OrderStatus.PARTIALLY_FILLED, 2), order(OrderStatus.REJECTED, 2), "to rejected"),
        (order(OrderStatus.ACCEPTED), order(OrderStatus.FILLED, 2), "filled with 2 filled"),
        (order(OrderStatus.ACCEPTED), order(OrderStatus.PARTIALLY_FILLED, 4), "with 4 filled"),
        (order(OrderStatus.ACCEPTED), order(OrderStatus.PARTIALLY_FILLED, 0), "with 0 filled"),
    ],
)
def test_steps_that_cannot_happen_are_refused(
    journal: IntentJournal, first: OrderState, then: OrderState, named: str
) -> None:
    journal.record([intent()], "A1", 1)
    journal.update(first, 2)

    with pytest.raises(JournalError, match=f"order sl-1.*{named}.*broker's list"):
        journal.update(then, 3)

    assert len(journal.history("sl-1")) == 2


def test_an_accepted_order_cannot_become_unsent(journal: IntentJournal) -> None:
    journal.record([intent()], "A1", 1)
    journal.update(order(OrderStatus.ACCEPTED), 2)

    with pytest.raises(JournalError, match="from accepted to never_sent"):
        journal.mark("sl-1", IntentState.NEVER_SENT, 3)


def test_an_order_that_was_not_recorded_is_named(journal: IntentJournal) -> None:
    with pytest.raises(JournalError, match="no intent named sl-1: record it before it is sent"):
        journal.update(order(OrderStatus.ACCEPTED), 2)


def test_open_intents_are_those_that_can_still_fill(journal: IntentJournal) -> None:
    ends = {"f": order(OrderStatus.FILLED, 3, "f"), "c": order(OrderStatus.CANCELED, 0, "c")}
    for name in ("i", "u", "n", "a", "f", "c"):
        journal.record([intent(name, asof=ord(name))], "A1", 1)
    journal.record([intent("other")], "A2", 1)
    journal.mark("u", IntentState.UNKNOWN, 2)
    journal.mark("n", IntentState.NEVER_SENT, 2)
    journal.update(order(OrderStatus.ACCEPTED, 0, "a"), 2)
    for told in ends.values():
        journal.update(told, 3)

    assert [r.intent.client_order_id for r in journal.open_intents("A1")] == ["a", "i", "u"]
    assert [r.intent.client_order_id for r in journal.records("A1", since=ord("f"))] == ["f", "i", "n", "u"]
    assert [r.intent.client_order_id for r in journal.records("A1", until=ord("c"))] == ["a"]


def test_a_restart_forgets_neither_the_opening_equity_nor_the_halt(tmp_path: Path) -> None:
    day = date(2025, 3, 3)
    with IntentJournal(tmp_path / "j.db") as journal:
        assert journal.open_session(day, "A1", Decimal("25000.10")) == (Decimal("25000.10"), False)
        journal.halt_session(day, "A1")
    with IntentJournal(tmp_path / "j.db") as journal:
        assert journal.open_session(day, "A1", Decimal(20000)) == (Decimal("25000.10"), True)
        assert journal.open_session(day, "A2", Decimal(9)) == (Decimal(9), False)


def test_a_settled_holding_is_gone(journal: IntentJournal) -> None:
    journal.record([intent()], "A1", 1)
    journal.update(order(OrderStatus.FILLED, 3), 2)
    assert [h.quantity for h in journal.trades("A1").holdings] == [3]

    journal.settle("sl-1", 3, "expired")

    assert journal.trades("A1").holdings == ()


def test_there_is_one_writer(tmp_path: Path) -> None:
    with IntentJournal(tmp_path / "j.db"), pytest.raises(JournalError, match=f"by process {os.getpid()}"):
        IntentJournal(tmp_path / "j.db")

    IntentJournal(tmp_path / "j.db").close()


def test_a_killed_writer_leaves_its_lines_and_no_lock(tmp_path: Path) -> None:
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_intents import IntentJournal, IntentState, intent
journal = IntentJournal({str(tmp_path / "j.db")!r})
journal.record([intent()], "A1", 1)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=600)

    assert ended.returncode == -signal.SIGKILL
    with IntentJournal(tmp_path / "j.db") as journal:
        assert [r.state for r in journal.open_intents("A1")] == [IntentState.INTENDED]


def test_the_file_is_durable_and_still_readable_by_others(tmp_path: Path) -> None:
    with IntentJournal(tmp_path / "j.db") as journal:
        journal.record([intent()], "A1", 1)
        reader = sqlite3.connect(f"file:{tmp_path / 'j.db'}?mode=ro", uri=True)
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
        reader.close()


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but long enough to look like one " * 4)
    with pytest.raises(JournalError, match="cannot be read as an order journal"):
        IntentJournal(tmp_path / "text.db")

    newer = sqlite3.connect(tmp_path / "newer.db")
    newer.execute("PRAGMA user_version=9")
    newer.close()
    with pytest.raises(JournalError, match="version 9, not 2: use the release"):
        IntentJournal(tmp_path / "newer.db")


def test_a_split_is_kept_and_known_again(tmp_path: Path) -> None:
    split = Split("SPY", date(2025, 3, 10), Fraction(3, 2))
    with IntentJournal(tmp_path / "j.db") as journal:
        journal.record([intent()], "A1", 1)
        journal.update(order(OrderStatus.FILLED, 3), 2)
        assert (journal.adopt(split, 3), journal.adopt(split, 4)) == (True, False)
        with pytest.raises(JournalError, match="SPY on 2025-03-10 as 3/2 new shares for one and now hears 2"):
            journal.adopt(replace(split, ratio=Fraction(2)), 5)

    with IntentJournal(tmp_path / "j.db") as journal:
        (holding,) = journal.trades("A1").holdings
    assert (holding.legs[0].occ_symbol, holding.shares) == ("SPY1250321C00590000", Decimal(150))


def test_a_journal_from_before_splits_is_read_on(tmp_path: Path) -> None:
    with IntentJournal(tmp_path / "j.db") as journal:
        journal.record([intent()], "A1", 1)
    with sqlite3.connect(tmp_path / "j.db") as old:
        old.executescript("DROP TABLE splits; PRAGMA user_version=1")
    old.close()

    with IntentJournal(tmp_path / "j.db") as journal:
        assert journal.adopt(Split("SPY", date(2025, 3, 10), Fraction(2)), 3)
        assert [record.intent for record in journal.records("A1")] == [intent()]


def test_a_journal_that_cannot_be_written_says_so(journal: IntentJournal) -> None:
    journal._db.execute("PRAGMA query_only=ON")

    with pytest.raises(JournalError, match=r"cannot be written .*nothing is sent without it"):
        journal.record([intent()], "A1", 1)


class JournalMachine(RuleBasedStateMachine):
    """Legal steps are kept exactly, illegal ones change nothing, and restarts forget nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.journal = IntentJournal(Path(self.folder.name) / "j.db")
        self.states: dict[str, list[IntentState]] = {}
        self.filled: dict[str, int] = {}
        self.answered: set[str] = set()

    def teardown(self) -> None:
        self.journal.close()
        self.folder.cleanup()

    names = st.sampled_from(["a", "b"])

    @rule(name=names)
    def record(self, name: str) -> None:
        self.journal.record([intent(name, asof=ord(name))], "A1", 1)
        self.states.setdefault(name, [IntentState.INTENDED])
        self.filled.setdefault(name, 0)

    @rule(name=names, status=st.sampled_from(list(OrderStatus)), filled=st.integers(0, 4))
    def update(self, name: str, status: OrderStatus, filled: int) -> None:
        self.attempt(
            name,
            IntentState(status.value),
            filled,
            lambda: self.journal.update(order(status, filled, name), 2),
            answers=True,
        )

    @rule(
        name=names, state=st.sampled_from([IntentState.UNKNOWN, IntentState.NEVER_SENT, IntentState.REJECTED])
    )
    def mark(self, name: str, state: IntentState) -> None:
        self.attempt(name, state, self.filled.get(name, 0), lambda: self.journal.mark(name, state, 3))

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = IntentJournal(Path(self.folder.name) / "j.db")

    def attempt(
        self, name: str, state: IntentState, filled: int, act: Callable[[], object], *, answers: bool = False
    ) -> None:
        if name in self.states and self.legal(name, state, filled):
            act()
            same = (self.states[name][-1], self.filled[name]) == (state, filled)
            # The broker's first answer brings its name for the order, which is news in any state.
            if not same or (answers and name not in self.answered):
                self.states[name].append(state)
            self.filled[name] = filled
            self.answered |= {name} if answers else set()
        else:
            with pytest.raises(JournalError):
                act()

    def legal(self, name: str, state: IntentState, filled: int) -> bool:
        now, before = self.states[name][-1], self.filled[name]
        ends = {"filled", "canceled", "expired", "rejected"}
        if now in ends:
            return (now, before) == (state, filled)
        if state in {"unknown", "never_sent"}:
            return now in {"intended", "unknown", "never_sent"}
        if state in {"new", "accepted", "rejected"}:
            return now != "partially_filled" and filled == 0
        if state == "partially_filled":
            return before <= filled and 0 < filled < 3
        return before <= filled <= 3 and (state != "filled" or filled == 3)

    @invariant()
    def the_journal_agrees(self) -> None:
        assert {name: [s for s, _ in self.journal.history(name)] for name in self.states} == self.states
        held = {h.client_order_id: h.quantity for h in self.journal.trades("A1").holdings}
        assert held == {name: filled for name, filled in self.filled.items() if filled}


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
