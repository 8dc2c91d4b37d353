"""Faults of the broker's REST: what alpaca-py makes of each, and what `place` over our adapter does."""

import threading
from contextlib import suppress
from decimal import Decimal

import pytest
from requests.exceptions import ChunkedEncodingError, JSONDecodeError

from pipelines.place import OrderDesk, place
from pipelines.reconcile import reconcile
from strikelake.brokers.alpaca import AlpacaBroker
from strikelake.calendar import NS_PER_MINUTE, et_ns, from_datetime
from strikelake.journal.intents import IntentJournal
from strikelake.orders import Effect, Leg, OrderIntent, OrderStatus, Side, client_order_id

REPEATED = (429, 504)
SILENCE = 0.4


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
def desk(sandbox, clock, tmp_path, patience):
    broker = AlpacaBroker(sandbox.broker_key, sandbox.broker_secret, url=sandbox.broker_url)
    session = broker._client._session
    send = session.request
    session.request = lambda *args, **options: send(*args, **options, timeout=patience())
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


@pytest.mark.fault("broker.hang")
@pytest.mark.fault("broker.hang_after")
@pytest.mark.parametrize(("kind", "placed"), [("hang", 0), ("hang_after", 1)])
def test_alpaca_waits_for_ever(alpaca, sandbox, client, order, fault, pending, until, kind, placed):
    hanging = alpaca.TradingClient(sandbox.broker_key, sandbox.broker_secret, url_override=sandbox.broker_url)
    fault(f"broker.{kind}")

    def send():
        with suppress(Exception):
            hanging.submit_order(order)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    until(lambda: not pending() and len(names(client)) == placed)
    thread.join(SILENCE)
    assert (thread.is_alive(), len(names(client))) == (True, placed)


@pytest.mark.fault("broker.reset")
@pytest.mark.fault("broker.broken_json")
@pytest.mark.parametrize(
    ("kind", "error"), [("reset", ChunkedEncodingError), ("broken_json", JSONDecodeError)]
)
def test_alpaca_loses_the_order_that_it_placed(client, order, fault, kind, error):
    fault(f"broker.{kind}")
    with pytest.raises(error):
        client.submit_order(order)
    assert len(names(client)) == 1


@pytest.mark.fault("broker.html")
def test_alpaca_cannot_read_a_proxys_page(alpaca, client, order, fault):
    fault("broker.html")
    with pytest.raises(alpaca.APIError) as error:
        client.submit_order(order)
    assert error.value.status_code == 502
    with pytest.raises(ValueError, match="Expecting value"):
        _ = error.value.code
    assert names(client) == []


@pytest.mark.parametrize("kind", ["html", "hang", "hang_after", "reset", "broken_json"])
def test_ours_places_one_order_whatever_is_lost(client, desk, intent, fault, kind):
    fault(f"broker.{kind}")
    place_once(desk, intent, client)
    assert "unknown" in states(desk, intent)


@pytest.mark.fault("broker.reject")
def test_alpaca_returns_an_order_that_is_rejected(client, clock, sandbox, order, desk, intent, fault):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    fault("broker.reject", times=2)
    placed = client.submit_order(order)
    assert placed.status.value == "accepted"
    place(intent, "A1", desk)
    clock.sleep_until(clock.now() + NS_PER_MINUTE)
    assert client.get_order_by_id(placed.id).status.value == "rejected"
    reconcile("A1", desk)
    assert states(desk, intent)[-1] == "rejected"


@pytest.mark.fault("broker.partial_fill")
def test_a_cancelled_order_may_have_bought(alpaca, client, clock, sandbox, calls, desk, fault):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    fault("broker.partial_fill")
    order = alpaca.requests.LimitOrderRequest(
        symbol=calls[6], qty=2, side="buy", time_in_force="day", limit_price=60, client_order_id="sl-part"
    )
    placed = client.submit_order(order)
    clock.sleep_until(clock.now() + 30 * NS_PER_MINUTE)
    assert client.get_order_by_id(placed.id).status.value == "partially_filled"
    client.cancel_order_by_id(placed.id)
    cancelled = client.get_order_by_id(placed.id)
    assert (cancelled.status.value, client.get_open_position(calls[6]).qty) == ("canceled", "1")
    state = desk.broker.order("sl-part")
    assert (state.status, state.filled_quantity) == (OrderStatus.CANCELED, 1)
    [position] = desk.broker.positions()
    assert (position.occ_symbol, position.quantity) == (calls[6], 1)


@pytest.mark.fault("broker.wrong_clock")
def test_alpaca_believes_its_clock(client, clock, sandbox, desk, intent, fault):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    assert client.get_clock().is_open
    fault("broker.wrong_clock", times=2)
    wrong = client.get_clock()
    assert not wrong.is_open
    assert from_datetime(wrong.next_open) < clock.now()
    place_once(desk, intent, client)
    # Ours has not asked: the second wrong answer is still to come.
    assert not client.get_clock().is_open


@pytest.mark.fault("broker.stale_quotes")
def test_alpaca_hands_old_quotes_on(sandbox, clock, calls, fault):
    from alpaca.data.historical.option import OptionHistoricalDataClient
    from alpaca.data.requests import OptionLatestQuoteRequest

    clock.sleep_until(et_ns(sandbox.live_session, "11:00"))
    data = OptionHistoricalDataClient(
        sandbox.broker_key, sandbox.broker_secret, url_override=sandbox.broker_url
    )
    fault("broker.stale_quotes")
    old, now = (
        data.get_option_latest_quote(OptionLatestQuoteRequest(symbol_or_symbols=calls[3]))[calls[3]]
        for _ in range(2)
    )
    assert from_datetime(old.timestamp) <= clock.now() - 30 * NS_PER_MINUTE < from_datetime(now.timestamp)
    assert old.bid_price > 0
