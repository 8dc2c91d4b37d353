"""`trade_updates` through the real client, alpaca-py's TradingStream."""

import json

from strikelake.calendar import NS_PER_MINUTE, et_ns


def buy(alpaca, symbol, price, **more):
    return alpaca.requests.LimitOrderRequest(
        symbol=symbol, qty=1, side="buy", time_in_force="day", limit_price=price, **more
    )


def test_an_orders_life_is_told(alpaca, client, clock, sandbox, calls, listener):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    placed = client.submit_order(buy(alpaca, calls[3], 60))
    clock.sleep_until(clock.now() + 6 * NS_PER_MINUTE)
    assert listener.wait_for(3) == ["accepted", "new", "fill"]
    fill = listener.updates[-1]
    assert fill.order.id == placed.id
    assert fill.order.status.value == "filled"
    assert (fill.qty, fill.position_qty) == (1.0, 1.0)
    assert str(fill.price) == client.get_order_by_id(placed.id).filled_avg_price
    assert len({update.execution_id for update in listener.updates}) == 3


def test_changes_and_ends_are_told(alpaca, client, clock, sandbox, calls, listener):
    clock.sleep_until(et_ns(sandbox.live_session, "15:50"))
    placed = client.submit_order(buy(alpaca, calls[3], "0.01"))
    new = client.replace_order_by_id(placed.id, alpaca.requests.ReplaceOrderRequest(limit_price="0.02"))
    client.cancel_order_by_id(new.id)
    client.submit_order(buy(alpaca, calls[3], "0.03"))
    clock.sleep_until(et_ns(sandbox.live_session, "16:00"))
    assert listener.wait_for(7) == [
        "accepted",
        "accepted",
        "replaced",
        "canceled",
        "accepted",
        "new",
        "expired",
    ]
    assert listener.updates[2].order.replaced_by == new.id


def test_a_spreads_legs_are_told_inside(alpaca, client, clock, sandbox, calls, listener):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    legs = [
        alpaca.requests.OptionLegRequest(symbol=symbol, ratio_qty=1, side=side, position_intent=intent)
        for symbol, side, intent in (
            (calls[2], "buy", "buy_to_open"),
            (calls[4], "sell", "sell_to_open"),
        )
    ]
    order = alpaca.requests.LimitOrderRequest(
        qty=1, order_class="mleg", time_in_force="day", limit_price=5, legs=legs
    )
    client.submit_order(order)
    clock.sleep_until(clock.now() + 6 * NS_PER_MINUTE)
    assert listener.wait_for(3)[-1] == "fill"
    data = listener.streams("trade_updates")[-1]["data"]
    assert [(leg["symbol"], leg["position_qty"]) for leg in data["legs"]] == [
        (calls[2], "1"),
        (calls[4], "-1"),
    ]
    assert len(listener.updates[-1].order.legs) == 2


def test_wrong_keys_are_not_authorized(alpaca, sandbox):
    from websockets.sync.client import connect

    with connect(sandbox.broker_url.replace("http", "ws") + "/stream", proxy=None, open_timeout=120) as raw:
        raw.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        assert json.loads(raw.recv())["data"]["error"] == "not authorized"
        raw.send(json.dumps({"action": "auth", "key": "wrong", "secret": "wrong"}))
        assert json.loads(raw.recv())["data"] == {"action": "auth", "status": "unauthorized"}
        raw.send("{")
        assert json.loads(raw.recv())["stream"] == "error"
        keys = {"key_id": sandbox.broker_key, "secret_key": sandbox.broker_secret}
        raw.send(json.dumps({"action": "authenticate", "data": keys}))
        answer = raw.recv()
        assert isinstance(answer, bytes)
        assert json.loads(answer)["data"]["status"] == "authorized"
        raw.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates", "account"]}}))
        assert json.loads(raw.recv()) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
