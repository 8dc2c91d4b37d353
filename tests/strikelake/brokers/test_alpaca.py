"""The Alpaca adapter against a small HTTP server that misbehaves on purpose."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from strikelake.brokers.alpaca import AlpacaBroker
from strikelake.errors import BrokerError, BrokerUnavailableError, ConfigError, OrderRejectedError
from strikelake.orders import Effect, Leg, OrderIntent, OrderStatus, Side

CALL = Leg("SPY250321C00590000", Side.BUY, Effect.OPEN)
SHORT = Leg("SPY250321C00595000", Side.SELL, Effect.OPEN)
ACCOUNT = {
    "account_number": "PA1",
    "equity": "25000.10",
    "cash": "25000.10",
    "buying_power": "50000",
    "options_buying_power": "25000.10",
    "options_trading_level": 3,
}


def intent(*legs: Leg, limit: str = "1.25", quantity: int = 2, name: str = "sl-1") -> OrderIntent:
    return OrderIntent(
        asof=0,
        underlying="SPY",
        strategy="long_call",
        legs=legs or (CALL,),
        quantity=quantity,
        limit_price=Decimal(limit),
        reason="entry",
        max_loss=Decimal(100),
        client_order_id=name,
        exit_at=1,
        direction=1,
    )


@dataclass
class FakeAlpaca:
    """Orders by client_order_id, and faults to play before or after the real answer."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    posts: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    fault_after_acceptance: bool = False
    hangs: bool = False
    release: threading.Event = field(default_factory=threading.Event)
    on_cancel: Callable[[dict[str, Any]], None] | None = None
    url: str = ""

    def answer(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, str]:
        self.requests.append((method, path))
        fault = self.faults.pop(0) if self.faults else None
        if fault and not self.fault_after_acceptance:
            return fault
        answered = self.route(method, path, body)
        return fault or answered

    def route(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, str]:
        url = urlsplit(path)
        if method == "POST":
            return self.place(body or {})
        if method == "DELETE":
            return self.cancel(url.path.rsplit("/", 1)[1])
        if url.path == "/v2/account":
            return 200, json.dumps(ACCOUNT)
        if url.path == "/v2/orders:by_client_order_id":
            found = self.orders.get(parse_qs(url.query)["client_order_id"][0])
            return (200, json.dumps(found)) if found else (404, error_body(40410000, "order not found"))
        return 200, json.dumps(list(self.orders.values()))

    def place(self, body: dict[str, Any]) -> tuple[int, str]:
        self.posts.append(body)
        name = body["client_order_id"]
        if name in self.orders:
            return 422, error_body(40010001, "client_order_id must be unique")
        self.orders[name] = {
            "id": f"00000000-0000-0000-0000-{len(self.orders):012d}",
            "client_order_id": name,
            "status": "pending_new",
            "qty": str(body["qty"]),
            "filled_qty": "0",
            "filled_avg_price": None,
            "side": body.get("side", ""),
            "updated_at": "2025-03-03T15:00:00.123456789Z",
        }
        return 200, json.dumps(self.orders[name])

    def cancel(self, broker_id: str) -> tuple[int, str]:
        order = next(o for o in self.orders.values() if o["id"] == broker_id)
        if self.on_cancel:
            self.on_cancel(order)
            return 422, error_body(42210000, "order is not cancelable")
        order["status"] = "canceled"
        return 204, ""


def error_body(code: int, message: str) -> str:
    return json.dumps({"code": code, "message": message})


@pytest.fixture
def alpaca() -> Iterator[FakeAlpaca]:
    fake = FakeAlpaca()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            if fake.hangs:
                self.close_connection = fake.release.wait(120)
                return
            status, text = fake.answer(self.command, self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_DELETE = respond  # noqa: N815 - the names http.server looks for

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    yield fake
    fake.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def broker(alpaca: FakeAlpaca) -> AlpacaBroker:
    return AlpacaBroker("K", "S", url=alpaca.url, timeout=120)


def test_one_leg_is_a_named_day_limit_order(alpaca: FakeAlpaca, broker: AlpacaBroker) -> None:
    state = broker.submit(intent())

    assert alpaca.posts == [
        {
            "symbol": "SPY250321C00590000",
            "qty": 2.0,
            "side": "buy",
            "type": "limit",
            "time_in_force": "day",
            "client_order_id": "sl-1",
            "position_intent": "buy_to_open",
            "limit_price": 1.25,
        }
    ]
    assert (
        state.status,
        state.quantity,
        state.filled_quantity,
        state.average_price,
    ) == (OrderStatus.ACCEPTED, 2, 0, None)
    assert state.updated_at == 1741014000123456000


def test_a_closing_sale_asks_for_a_positive_price(alpaca: FakeAlpaca, broker: AlpacaBroker) -> None:
    broker.submit(intent(Leg("SPY250321C00590000", Side.SELL, Effect.CLOSE), limit="-0.85"))

    (sent,) = alpaca.posts
    assert (sent["limit_price"], sent["side"], sent["position_intent"]) == (0.85, "sell", "sell_to_close")


def test_two_legs_keep_ratio_and_quantity_apart(alpaca: FakeAlpaca, broker: AlpacaBroker) -> None:
    broker.submit(intent(CALL, SHORT, limit="-0.40", quantity=3))

    (sent,) = alpaca.posts
    assert (sent["order_class"], sent["qty"], sent["limit_price"]) == ("mleg", 3.0, -0.4)
    assert [
        {"symbol": CALL.occ_symbol, "ratio_qty": 1.0, "side": "buy", "position_intent": "buy_to_open"},
        {"symbol": SHORT.occ_symbol, "ratio_qty": 1.0, "side": "sell", "position_intent": "sell_to_open"},
    ] == sent["legs"]
    assert "symbol" not in sent


def test_accepted_then_504_makes_one_order(alpaca: FakeAlpaca, broker: AlpacaBroker) -> None:
    alpaca.faults, alpaca.fault_after_acceptance = [(504, "Gateway Timeout")], True

    with pytest.raises(BrokerUnavailableError, match=r"504 about order sl-1.*unknown, look it up"):
        broker.submit(intent())

    assert len(alpaca.posts) == 1
    found = broker.order("sl-1")
    assert found is not None
    assert found.status == OrderStatus.ACCEPTED


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_no_answer_is_sent_twice(alpaca: FakeAlpaca, broker: AlpacaBroker, status: int) -> None:
    alpaca.faults = [(status, error_body(1, "busy"))] * 2

    for _ in range(2):
        with pytest.raises(BrokerUnavailableError, match=f"answered {status} about the account .busy"):
            broker.account()

    assert alpaca.requests == [("GET", "/v2/account")] * 2


def test_a_duplicate_is_the_order_that_is_there(alpaca: FakeAlpaca, broker: AlpacaBroker) -> None:
    first = broker.submit(intent())

    assert first == broker.submit(intent())
    assert list(alpaca.orders) == ["sl-1"]


def test_a_duplicate_that_cannot_be_found_is_unknown(alpaca: FakeAlpaca, broker: AlpacaBroker) -> None:
    alpaca.faults = [(422, error_body(40010001, "client_order_id must be unique"))]

    with pytest.raises(BrokerUnavailableError, match="placed before, and cannot find it"):
        broker.submit(intent())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, error_body(40010001, "qty must be > 0")),
        (403, error_body(40310000, "insufficient options buying power")),
    ],
)
def test_a_refused_order_carries_the_brokers_words(
    alpaca: FakeAlpaca, broker: AlpacaBroker, status: int, body: str
) -> None:
    alpaca.faults = [(status, body)]

    with pytest.raises(OrderRejectedError) as caught:
        broker.submit(intent())

    assert f"Alpaca refused order sl-1 ({status}): {json.loads(body)['message']}" == str(caught.value)


@pytest.mark.parametrize(
    ("status", "body"),
    [(401, error_body(40110000, "request is not authorized")), (403, '{"message": "forbidden."}')],
)
def test_wrong_keys_name_their_variables(
    alpaca: FakeAlpaca, broker: AlpacaBroker, status: int, body: str
) -> None:
    alpaca.faults = [(status, body)]

    with pytest.raises(BrokerError, match="check ALPACA_API_KEY and ALPACA_SECRET_KEY") as caught:
        broker.submit(intent())

    assert not isinstance(caught.value, OrderRejectedError | BrokerUnavailableError)


def test_a_refusal_that_is_no_order_is_a_broker_error(alpaca: FakeAlpaca, broker: AlpacaBroker) -> None:
    alpaca.faults = [(403, error_body(40310000, "account is closed"))]

    with pytest.raises(BrokerError, match="account is closed") as caught:
        broker.account()

    assert BrokerError is type(caught.value)


@pytest.mark.parametrize(
    "body", ["<html><body>Bad gateway</body></html>", "[1]", "null", '{"code": 1}', "", '{"message": null}']
)
@pytest.mark.parametrize("status", [500, 422])
def test_odd_error_bodies_are_survived(
    alpaca: FakeAlpaca, broker: AlpacaBroker, status: int, body: str
) -> None:
    alpaca.faults = [(status, body)]

    with pytest.raises(BrokerError, match=str(status)) as caught:
        broker.submit(intent())

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", ["<html>hello</html>", "", "[]", '"ok"'])
def test_an_unreadable_answer_to_an_order_is_unknown(
    alpaca: FakeAlpaca, broker: AlpacaBroker, body: str
) -> None:
    alpaca.faults, alpaca.fault_after_acceptance = [(200, body)], True

    with pytest.raises(BrokerUnavailableError):
        broker.submit(intent())

    assert broker.order("sl-1") is not None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"status": "melted"}, "melted"),
        ({"filled_qty": "many"}, "filled_qty = 'many'"),
        ({"updated_at": None}, "updated_at"),
    ],
)
def test_an_answer_with_a_strange_field_is_unknown(
    alpaca: FakeAlpaca, broker: AlpacaBroker, change: dict[str, Any], named: str
) -> None:
    broker.submit(intent())
    alpaca.orders["sl-1"] |= change

    with pytest.raises(BrokerUnavailableError, match=named):
        broker.order("sl-1")


def test_a_hanging_broker_is_given_up(alpaca: FakeAlpaca) -> None:
    alpaca.hangs = True
    broker = AlpacaBroker("K", "S", url=alpaca.url, timeout=0.1)

    with pytest.raises(BrokerUnavailableError, match=r"ReadTimeout.*ALPACA_ENDPOINT"):
        broker.submit(intent())

    assert not alpaca.release.is_set()


def test_a_closed_port_is_unavailable(alpaca: FakeAlpaca) -> None:
    broker = AlpacaBroker("K", "S", url="http://127.0.0.1:1", timeout=120)

    with pytest.raises(
        BrokerUnavailableError, match=r"http://127.0.0.1:1 about the account \(ConnectionError\)"
    ):
        broker.account()


def test_only_alpacas_own_404_means_no_such_order(alpaca: FakeAlpaca, broker: AlpacaBroker) -> None:
    assert broker.order("sl-none") is None

    alpaca.faults = [(404, "<html>Not Found</html>")]
    with pytest.raises(BrokerError, match=r"without Alpaca's words.*ALPACA_ENDPOINT"):
        broker.order("sl-none")


def test_cancel_leaves_ended_and_missing_orders_alone(alpaca: FakeAlpaca, broker: AlpacaBroker) -> None:
    broker.submit(intent())
    broker.cancel("sl-1")
    broker.cancel("sl-1")
    broker.cancel("sl-none")

    assert alpaca.orders["sl-1"]["status"] == "canceled"
    assert [method for method, _ in alpaca.requests if method == "DELETE"] == ["DELETE"]


def test_a_fill_that_beats_the_cancel_is_kept(alpaca: FakeAlpaca, broker: AlpacaBroker) -> None:
    broker.submit(intent())
    alpaca.on_cancel = lambda order: order.update(status="filled", filled_qty="2", filled_avg_price="1.20")

    broker.cancel("sl-1")

    found = broker.order("sl-1")
    assert found is not None
    assert (OrderStatus.FILLED, 2, Decimal("1.20")) == (
        found.status,
        found.filled_quantity,
        found.average_price,
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"side": "sell", "filled_avg_price": "1.10"}, "-1.10"),
        ({"side": "", "filled_avg_price": "-0.35"}, "-0.35"),
        (
            {
                "filled_avg_price": "9",
                "legs": [
                    {"side": "buy", "ratio_qty": "1", "filled_avg_price": "2.00"},
                    {"side": "sell", "ratio_qty": "2", "filled_avg_price": "1.15"},
                ],
            },
            "-0.30",
        ),
        (
            {
                "filled_avg_price": "0.85",
                "legs": [{"side": "buy", "ratio_qty": "1", "filled_avg_price": None}],
            },
            "0.85",
        ),
    ],
)
def test_fill_prices_are_net_and_signed(
    alpaca: FakeAlpaca, broker: AlpacaBroker, fields: dict[str, Any], expected: str
) -> None:
    broker.submit(intent())
    alpaca.orders["sl-1"] |= {"status": "accepted", "filled_qty": "1"} | fields

    (found,) = broker.open_orders()

    assert (OrderStatus.PARTIALLY_FILLED, Decimal(expected)) == (found.status, found.average_price)


def test_too_many_open_orders_are_not_cut_silently(alpaca: FakeAlpaca, broker: AlpacaBroker) -> None:
    broker.submit(intent())
    alpaca.orders |= {str(i): alpaca.orders["sl-1"] for i in range(500)}

    with pytest.raises(BrokerError, match="may have more"):
        broker.open_orders()


@pytest.mark.parametrize(
    ("key", "secret", "named"),
    [
        (None, "S", "ALPACA_API_KEY not set"),
        ("K", "", "ALPACA_SECRET_KEY not set"),
        ("", None, "ALPACA_API_KEY and ALPACA_SECRET_KEY not set"),
    ],
)
def test_missing_keys_are_named(key: str | None, secret: str | None, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        AlpacaBroker(key, secret)


def test_the_account_has_option_buying_power(broker: AlpacaBroker) -> None:
    account = broker.account()

    assert ("PA1", Decimal("25000.10"), 3) == (
        account.account_id,
        account.buying_power,
        account.options_level,
    )
