"""Faults of the broker's REST: what alpaca-py makes of each, and what `place` over our adapter does."""

from decimal import Decimal

import pytest

from pipelines.place import OrderDesk, place
from strikelake.brokers.alpaca import AlpacaBroker
from strikelake.journal.intents import IntentJournal
from strikelake.orders import Effect, Leg, OrderIntent, OrderStatus, Side, client_order_id

REPEATED = (429, 504)


@pytest.fixture
def order(alpaca, calls):
    """An order that never fills, as most programs send it: without a name."""
    return alpaca.requests.LimitOrderRequest(
        symbol=calls[3],
        qty=1,
        side=alpaca.enums.OrderSide.BUY,
        time_in_force=alpaca.enums.TimeInForce.DAY,
        limit_price="0.01",
    )


@pytest.fixture
def impatient(client):
    """The client as shipped, but for the three seconds between two attempts."""
    client._retry_wait = 0
    return client


@pytest.fixture
def desk(sandbox, clock, tmp_path):
    broker = AlpacaBroker(sandbox.broker_key, sandbox.broker_secret, url=sandbox.broker_url, timeout=1.0)
    with IntentJournal(tmp_path / "j.db") as journal:
        yield OrderDesk(broker, journal, clock)


@pytest.fixture
def intent(calls):
    legs = (Leg(calls[3], Side.BUY, Effect.OPEN),)
    return OrderIntent(
        asof=100,
        underlying="AAPL",
        strategy="long_call",
        legs=legs,
        quantity=1,
        limit_price=Decimal("0.01"),
        reason="entry",
        max_loss=Decimal(1),
        client_order_id=client_order_id("A1", "long_call", 100, legs),
        exit_at=900,
        direction=1,
    )


def names(client):
    return [order.client_order_id for order in client.get_orders()]


def states(desk, intent):
    return [str(state) for state, _ in desk.journal.history(intent.client_order_id)]


def place_once(desk, intent, client):
    """Place the order with our code, and show that the broker has it exactly once."""
    assert place(intent, "A1", desk).status is OrderStatus.ACCEPTED
    assert names(client) == [intent.client_order_id]


@pytest.mark.fault("broker.http_429")
@pytest.mark.fault("broker.http_504")
@pytest.mark.parametrize("status", REPEATED)
def test_alpaca_sends_an_order_again_unasked(impatient, order, fault, status):
    sent = []
    session = impatient._session.request
    impatient._session.request = lambda *args, **more: sent.append(args) or session(*args, **more)
    fault(f"broker.http_{status}", times=3)
    impatient.submit_order(order)
    assert len(sent) == 4
    assert len(names(impatient)) == 1


@pytest.mark.fault("broker.http_429_after")
@pytest.mark.fault("broker.http_504_after")
@pytest.mark.parametrize("status", REPEATED)
def test_alpaca_makes_two_orders_of_one(impatient, order, fault, status):
    fault(f"broker.http_{status}_after")
    impatient.submit_order(order)
    assert len(set(names(impatient))) == 2


@pytest.mark.fault("broker.http_500")
@pytest.mark.fault("broker.http_503")
@pytest.mark.fault("broker.http_500_after")
@pytest.mark.fault("broker.http_503_after")
@pytest.mark.parametrize("status", [500, 503])
def test_alpaca_says_the_same_whether_the_order_is_there_or_not(alpaca, client, order, fault, status):
    said = []
    for name, placed in ((f"broker.http_{status}", 0), (f"broker.http_{status}_after", 1)):
        fault(name)
        with pytest.raises(alpaca.APIError) as error:
            client.submit_order(order)
        said.append((error.value.status_code, str(error.value)))
        assert len(names(client)) == placed
    assert said[0] == said[1]
    assert said[0][0] == status


@pytest.mark.parametrize("status", [500, 503])
def test_alpacas_own_error_cannot_be_read(alpaca, client, order, fault, status):
    fault(f"broker.http_{status}")
    with pytest.raises(alpaca.APIError) as error:
        client.submit_order(order)
    with pytest.raises(ValueError, match="Expecting value"):
        _ = error.value.message


@pytest.mark.parametrize("when", ["", "_after"])
@pytest.mark.parametrize("status", [429, 500, 503, 504])
def test_ours_places_one_order_whatever_the_answer(client, desk, intent, fault, status, when):
    fault(f"broker.http_{status}{when}")
    place_once(desk, intent, client)
    assert "unknown" in states(desk, intent)
