"""Faults of `trade_updates`: what alpaca-py's TradingStream makes of each.

Strikelake does not listen: each test ends with what our adapter is told over REST, which is the truth.
"""

import logging

import pytest

from strikelake.brokers.alpaca import AlpacaBroker
from strikelake.calendar import NS_PER_MINUTE, et_ns
from strikelake.orders import OrderStatus


@pytest.fixture
def buy(alpaca, client, clock, sandbox, calls):
    """Buy one contract: it is accepted, new, and filled six minutes later."""
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))

    def order(name):
        request = alpaca.requests.LimitOrderRequest(
            symbol=calls[3], qty=1, side="buy", time_in_force="day", limit_price=60, client_order_id=name
        )
        client.submit_order(request)
        clock.sleep_until(clock.now() + 6 * NS_PER_MINUTE)

    return order


@pytest.fixture(autouse=True)
def truth(sandbox):
    """Over REST the order is filled, whatever the stream has said."""
    yield
    broker = AlpacaBroker(sandbox.broker_key, sandbox.broker_secret, url=sandbox.broker_url)
    state = broker.order("sl-one")
    assert (state.status, state.filled_quantity) == (OrderStatus.FILLED, 1)


@pytest.mark.fault("updates.duplicate")
def test_a_fill_that_is_told_twice_is_counted_twice(buy, listener, fault):
    fault("updates.duplicate", on="fill")
    buy("sl-one")
    assert listener.wait_for(4) == ["accepted", "new", "fill", "fill"]
    assert sum(update.qty for update in listener.updates if update.qty) == 2.0
    assert len({update.execution_id for update in listener.updates}) == 3


@pytest.mark.fault("updates.out_of_order")
def test_the_last_word_is_an_old_one(buy, listener, fault):
    fault("updates.out_of_order", on="new")
    buy("sl-one")
    assert listener.wait_for(3) == ["accepted", "fill", "new"]
    assert listener.updates[-1].order.status.value == "new"


@pytest.mark.fault("updates.mute")
def test_nothing_says_that_nothing_is_said(buy, listener, fault):
    fault("updates.mute", times=None)
    buy("sl-one")
    assert listener.events_after_a_silence() == []
    assert listener.stream._running


@pytest.mark.fault("updates.mute_auth")
def test_an_unanswered_authentication_is_waited_for(alpaca, sandbox, buy, fault, make_listener):
    fault("updates.mute_auth")
    deaf = make_listener()
    deaf.thread.start()
    deaf.until(lambda: deaf.stream._ws)
    buy("sl-one")
    assert deaf.events_after_a_silence() == []
    assert (deaf.stream._running, deaf.thread.is_alive()) == (False, True)


@pytest.mark.fault("updates.broken_json")
def test_a_broken_event_is_logged_and_lost(buy, listener, fault, caplog):
    fault("updates.broken_json", on="fill")
    with caplog.at_level(logging.ERROR, "alpaca.trading.stream"):
        buy("sl-one")
        listener.until(lambda: "error during websocket communication" in caplog.text)
    assert listener.events_after_a_silence() == ["accepted", "new"]


@pytest.mark.fault("updates.close")
@pytest.mark.fault("updates.abort")
@pytest.mark.parametrize("kind", ["close", "abort"])
def test_what_happens_in_a_gap_is_never_told(buy, listener, fault, kind):
    fault(f"updates.{kind}", on="new")
    buy("sl-one")
    # Both the event in whose place the connection ended and the fill after it are gone.
    listener.until(lambda: len(listener.streams("listening")) == 2)
    assert listener.events_after_a_silence() == ["accepted"]
    buy("sl-two")
    assert listener.wait_for(4) == ["accepted", "accepted", "new", "fill"]
