"""The broker of dry runs keeps the protocol's promises."""

from decimal import Decimal

import pytest

from strikelake.brokers.memory import MemoryBroker
from strikelake.errors import BrokerError
from strikelake.orders import Effect, Leg, OrderIntent, OrderStatus, Side
from strikelake.portfolio import Account, Position

LONG = Leg("SPY250321C00590000", Side.BUY, Effect.OPEN)
SHORT = Leg("SPY250321C00595000", Side.SELL, Effect.OPEN)


class StillClock:
    def now(self) -> int:
        return 5

    def sleep_until(self, moment: int) -> None:
        raise NotImplementedError


def broker(*, fill_at_limit: bool = True) -> MemoryBroker:
    account = Account("A1", Decimal(10_000), Decimal(10_000), Decimal(9_000), 3)
    return MemoryBroker(account, StillClock(), fill_at_limit=fill_at_limit)


def intent(name: str, price: str, *legs: Leg) -> OrderIntent:
    return OrderIntent(
        asof=1,
        underlying="SPY",
        strategy="s",
        legs=legs,
        quantity=2,
        limit_price=Decimal(price),
        reason="entry",
        max_loss=Decimal(0),
        client_order_id=name,
        exit_at=None,
        direction=1,
    )


def test_a_dry_run_fills_at_the_limit() -> None:
    dry = broker()

    state = dry.submit(intent("a", "0.80", LONG, SHORT))

    assert (state.status, state.average_price, state.updated_at) == (OrderStatus.FILLED, Decimal("0.80"), 5)
    assert dry.positions() == [
        Position("SPY250321C00590000", 2, Decimal("0.80")),
        Position("SPY250321C00595000", -2, Decimal(0)),
    ]
    account = dry.account()
    assert (account.equity, account.cash, account.buying_power) == (
        Decimal(10_000),
        Decimal(9_840),
        Decimal(8_840),
    )


def test_a_gain_is_booked_when_the_position_is_flat() -> None:
    dry = broker()
    dry.submit(intent("a", "0.80", LONG))
    dry.submit(intent("b", "-1.00", Leg(LONG.occ_symbol, Side.SELL, Effect.CLOSE)))

    assert dry.positions() == []
    assert dry.account().equity == Decimal(10_040)


def test_a_name_is_one_order() -> None:
    dry = broker()

    assert dry.submit(intent("a", "0.80", LONG)) == dry.submit(intent("a", "0.80", LONG))
    assert len(dry.positions()) == 1
    assert dry.order("b") is None


def test_partial_fills_average_and_survive_a_cancel() -> None:
    resting = broker(fill_at_limit=False)
    resting.submit(intent("a", "0.80", LONG))
    resting.fill("a", quantity=1, price=Decimal("0.70"))
    assert [order.status for order in resting.open_orders()] == [OrderStatus.PARTIALLY_FILLED]

    resting.cancel("a")
    resting.cancel("a")
    resting.cancel("missing")

    order = resting.order("a")
    assert order is not None
    assert (order.status, order.filled_quantity, order.average_price) == (
        OrderStatus.CANCELED,
        1,
        Decimal("0.70"),
    )


def test_more_than_is_left_cannot_fill() -> None:
    with pytest.raises(BrokerError, match="order a has 0 left to fill, not 1"):
        broker().fill("a", quantity=1)
