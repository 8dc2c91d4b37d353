"""SIGKILL at every step of placing, with and without the broker failing too: one order, the intended one."""

import json
import signal
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from pipelines.place import OrderDesk, place, send, write_down
from pipelines.reconcile import reconcile
from strikelake.brokers.alpaca import AlpacaBroker
from strikelake.calendar import et_ns
from strikelake.journal.intents import IntentJournal
from strikelake.journal.states import IntentState
from strikelake.orders import Effect, Leg, OrderIntent, OrderStatus, Side, client_order_id
from strikelake.sandbox.clock import SandboxClock
from strikelake.sandbox.launch import RunningSandbox
from strikelake.vendors.rest import RestMarketData

STEPS = [
    ("before record", None),
    ("before submit", None),
    ("after submit", None),
    ("before update", None),
    ("after update", None),
    # The restart, and then the first run, meets a broker that takes the order and answers 500.
    ("before submit", "broker.http_500_after"),
    ("after submit", "broker.http_500_after"),
    ("before update", "broker.http_500_after"),
]


@pytest.fixture
def symbol(sandbox: RunningSandbox) -> str:
    SandboxClock(sandbox.clock_url).sleep_until(et_ns(sandbox.live_session, "10:00"))
    return symbols(sandbox)[0]


def symbols(sandbox: RunningSandbox) -> list[str]:
    market = RestMarketData(sandbox.api_key, sandbox.rest_url)
    chain = market.chain("SPY", expiration_from=date(2025, 1, 10), expiration_to=date(2025, 1, 17))
    return chain.drop_nulls()["occ_symbol"].to_list()


def tell(sandbox: RunningSandbox, path: str, body: dict[str, object]) -> None:
    request = Request(
        sandbox.control_url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    urlopen(request).close()


def intent(symbol: str) -> OrderIntent:
    legs = (Leg(symbol, Side.BUY, Effect.OPEN),)
    return OrderIntent(
        asof=100,
        underlying="SPY",
        strategy="long_call",
        legs=legs,
        quantity=2,
        limit_price=Decimal("0.01"),
        reason="entry",
        max_loss=Decimal(2),
        client_order_id=client_order_id("A1", "long_call", 100, legs),
        exit_at=900,
        direction=1,
    )


def desk(sandbox: RunningSandbox, journal: IntentJournal) -> OrderDesk:
    broker = AlpacaBroker(sandbox.broker_key, sandbox.broker_secret, url=sandbox.broker_url)
    return OrderDesk(broker, journal, SandboxClock(sandbox.clock_url))


def addresses(sandbox: RunningSandbox) -> dict[str, str]:
    return {
        "key": sandbox.broker_key,
        "secret": sandbox.broker_secret,
        "broker": sandbox.broker_url,
        "clock": sandbox.clock_url,
    }


def run_and_die(call: str) -> None:
    folder = str(Path(__file__).parent)
    program = f"import sys; sys.path.insert(0, {folder!r}); import test_place_killed as t; t.{call}"
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=600)
    assert ended.returncode == -signal.SIGKILL


def place_and_die(step: str, path: str, symbol: str, addresses: dict[str, str]) -> None:
    """Run in the child: place one order and die by SIGKILL at the step."""
    when, what = step.split()
    broker = AlpacaBroker(addresses["key"], addresses["secret"], url=addresses["broker"])
    journal = IntentJournal(path)
    target = broker if what == "submit" else journal
    original = getattr(target, what)

    def deadly(*arguments: object) -> None:
        try:
            if when == "after":
                original(*arguments)
        finally:
            signal.raise_signal(signal.SIGKILL)

    setattr(target, what, deadly)
    place(intent(symbol), "A1", OrderDesk(broker, journal, SandboxClock(addresses["clock"])))


@pytest.mark.parametrize(("step", "fault"), STEPS)
def test_the_broker_has_exactly_the_intended_order(
    sandbox: RunningSandbox, symbol: str, tmp_path: Path, step: str, fault: str | None
) -> None:
    if fault:
        tell(sandbox, "/sandbox/fault", {"name": fault, "times": 1})
    run_and_die(f"place_and_die({step!r}, {str(tmp_path / 'j.db')!r}, {symbol!r}, {addresses(sandbox)!r})")

    with IntentJournal(tmp_path / "j.db") as journal:
        restarted = desk(sandbox, journal)
        reconcile("A1", restarted)
        state = place(intent(symbol), "A1", restarted)

        assert state.status is OrderStatus.ACCEPTED
        assert [o.client_order_id for o in restarted.broker.open_orders()] == [intent(symbol).client_order_id]
        assert [record.state for record in journal.open_intents("A1")] == [IntentState.ACCEPTED]


def send_one_of_two_and_die(path: str, first: str, second: str, addresses: dict[str, str]) -> None:
    """Run in the child: write two orders down, send one, and die by SIGKILL as the other is to be sent."""
    broker = AlpacaBroker(addresses["key"], addresses["secret"], url=addresses["broker"])
    desk = OrderDesk(broker, IntentJournal(path), SandboxClock(addresses["clock"]))
    sent, other = write_down([intent(first), intent(second)], "A1", desk)
    send(sent, desk)
    broker.submit = lambda _: signal.raise_signal(signal.SIGKILL)
    send(other, desk)


def test_killed_between_two_orders_of_a_decision_the_broker_gets_both(
    sandbox: RunningSandbox, symbol: str, tmp_path: Path
) -> None:
    first, second = intent(symbol), intent(symbols(sandbox)[1])
    names = [first.client_order_id, second.client_order_id]
    legs = [order.legs[0].occ_symbol for order in (first, second)]
    run_and_die(f"send_one_of_two_and_die({str(tmp_path / 'j.db')!r}, *{legs!r}, {addresses(sandbox)!r})")

    with IntentJournal(tmp_path / "j.db") as journal:
        restarted = desk(sandbox, journal)
        assert [r.state for r in journal.records("A1")] == [IntentState.ACCEPTED, IntentState.INTENDED]
        assert reconcile("A1", restarted).never_sent == (names[1],)
        assert [order.client_order_id for order in restarted.broker.open_orders()] == names[:1]

        for record in write_down([first, second], "A1", restarted):
            send(record, restarted)

        assert sorted(o.client_order_id for o in restarted.broker.open_orders()) == sorted(names)
        assert [r.state for r in journal.open_intents("A1")] == [IntentState.ACCEPTED] * 2
