"""What every broker promises, asked of each: the in-memory one, and Alpaca's as the sandbox serves it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pytest

from strikelake.brokers.alpaca import AlpacaBroker
from strikelake.brokers.base import Broker
from strikelake.brokers.memory import MemoryBroker
from strikelake.calendar import NS_PER_MINUTE, et_ns
from strikelake.errors import BrokerError
from strikelake.orders import Effect, Leg, OrderIntent, OrderStatus, Side
from strikelake.portfolio import Account
from strikelake.sandbox.clock import SandboxClock
from strikelake.sandbox.launch import RunningSandbox
from strikelake.vendors.rest import RestMarketData


class StepClock:
    def __init__(self) -> None:
        self.time = et_ns(date(2025, 1, 3), "10:00")

    def now(self) -> int:
        return self.time

    def sleep_until(self, moment: int) -> None:
        self.time = moment


@dataclass
class Venue:
    """A broker, two contracts it trades with the price of the first, and how to let resting orders fill."""

    broker: Broker
    symbols: tuple[str, str]
    ask: Decimal
    trade: Callable[[], None]


def memory_venue() -> Venue:
    account = Account("A1", Decimal(25_000), Decimal(25_000), Decimal(25_000), 3)
    memory = MemoryBroker(account, StepClock(), fill_at_limit=False)

    def trade() -> None:
        for order in memory.open_orders():
            memory.fill(order.client_order_id)

    return Venue(memory, ("SPY250117C00590000", "SPY250117C00600000"), Decimal("5.00"), trade)


@pytest.fixture(params=["memory", "alpaca"])
def venue(request: pytest.FixtureRequest) -> Venue:
    if request.param == "memory":
        return memory_venue()
    sandbox: RunningSandbox = request.getfixturevalue("sandbox")
    clock = SandboxClock(sandbox.clock_url)
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    chain = RestMarketData(sandbox.api_key, sandbox.rest_url).chain(
        "SPY", expiration_from=date(2025, 1, 10), expiration_to=date(2025, 1, 17)
    )
    calls = chain.filter(option_type="C").drop_nulls(["bid_price", "ask_price"])
    rows = calls.filter((calls["strike"] - calls["underlying_price"]).is_between(0, 8)).sort(
        "expiration", "strike"
    )
    first, second = rows.row(0, named=True), rows.row(1, named=True)
    return Venue(
        AlpacaBroker(sandbox.broker_key, sandbox.broker_secret, url=sandbox.broker_url),
        (first["occ_symbol"], second["occ_symbol"]),
        Decimal(str(first["ask_price"])),
        lambda: clock.sleep_until(clock.now() + 15 * NS_PER_MINUTE),
    )


def intent(name: str, limit: Decimal, *legs: Leg, quantity: int = 1) -> OrderIntent:
    return OrderIntent(
        asof=0,
        underlying="SPY",
        strategy="test",
        legs=legs,
        quantity=quantity,
        limit_price=limit.quantize(Decimal("0.01")),
        reason="entry",
        max_loss=Decimal(0),
        client_order_id=name,
        exit_at=None,
        direction=1,
    )


def test_a_new_account_is_empty(venue: Venue) -> None:
    account = venue.broker.account()

    assert account.equity == account.cash == account.buying_power == Decimal(25_000)
    assert account.options_level == 3
    assert venue.broker.positions() == []
    assert venue.broker.open_orders() == []
    assert venue.broker.order("sl-none") is None


def test_a_resting_order_is_one_order_and_can_be_canceled(venue: Venue) -> None:
    resting = intent("sl-rest", Decimal("0.01"), Leg(venue.symbols[0], Side.BUY, Effect.OPEN))

    first = venue.broker.submit(resting)

    assert (first.status.is_open, first.quantity, first.filled_quantity) == (True, 1, 0)
    assert venue.broker.submit(resting) == first
    assert venue.broker.open_orders() == [first]
    venue.broker.cancel("sl-rest")
    venue.broker.cancel("sl-rest")
    venue.broker.cancel("sl-none")
    ended = venue.broker.order("sl-rest")
    assert ended is not None
    assert (ended.status, ended.average_price) == (OrderStatus.CANCELED, None)
    assert venue.broker.open_orders() == []


def test_a_position_is_opened_and_closed(venue: Venue) -> None:
    limit = venue.ask * 2
    venue.broker.submit(intent("sl-in", limit, Leg(venue.symbols[0], Side.BUY, Effect.OPEN), quantity=2))
    venue.trade()

    opened = venue.broker.order("sl-in")
    assert opened is not None
    assert (opened.status, opened.filled_quantity) == (OrderStatus.FILLED, 2)
    assert opened.average_price is not None
    assert 0 < opened.average_price <= limit
    assert [(p.occ_symbol, p.quantity) for p in venue.broker.positions()] == [(venue.symbols[0], 2)]

    closing = Leg(venue.symbols[0], Side.SELL, Effect.CLOSE)
    venue.broker.submit(intent("sl-out", Decimal("-0.01"), closing, quantity=2))
    venue.trade()

    closed = venue.broker.order("sl-out")
    assert closed is not None
    assert closed.average_price is not None
    assert closed.average_price <= Decimal("-0.01")
    assert venue.broker.positions() == []


def test_a_spread_is_one_order_with_a_net_price(venue: Venue) -> None:
    legs = Leg(venue.symbols[0], Side.BUY, Effect.OPEN), Leg(venue.symbols[1], Side.SELL, Effect.OPEN)
    venue.broker.submit(intent("sl-spread", venue.ask, *legs))
    venue.trade()

    filled = venue.broker.order("sl-spread")
    assert filled is not None
    assert filled.status is OrderStatus.FILLED
    assert filled.average_price is not None
    assert 0 < filled.average_price <= venue.ask
    assert {p.occ_symbol: p.quantity for p in venue.broker.positions()} == {
        venue.symbols[0]: 1,
        venue.symbols[1]: -1,
    }


def test_alpaca_names_the_keys_it_refuses(sandbox: RunningSandbox) -> None:
    with pytest.raises(BrokerError, match="ALPACA_API_KEY and ALPACA_SECRET_KEY"):
        AlpacaBroker("wrong", "wrong", url=sandbox.broker_url).account()
