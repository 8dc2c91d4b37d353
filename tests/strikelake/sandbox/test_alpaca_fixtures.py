"""The broker's answers beside Alpaca's published ones: the same models, the same fields."""

import json
import re

import pytest

from strikelake.calendar import NS_PER_MINUTE, et_ns
from strikelake.contracts import OptionContract

pytestmark = pytest.mark.real

# Alpaca took the day-trade fields away on 2026-07-06; some fixtures are older.
OLD = {"daytrade_count", "daytrading_buying_power", "pattern_day_trader", "dtbp_check", "pdt_check"}
# Alpaca documents and sends strings; these fixtures were written by hand, with numbers.
BY_HAND = {"qty", "filled_qty", "filled_avg_price", "limit_price", "commission"}
# Of accounts in another currency.
FOREIGN = {"usd"}


@pytest.fixture
def published(real_data):
    def read(name):
        text = (real_data / "fixtures" / "alpaca" / f"{name}.json").read_text()
        return json.loads(text)["response"]

    return read


@pytest.fixture
def raw(alpaca, clock, sandbox):
    """A client that hands on what was answered, in the session."""
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    return alpaca.TradingClient(
        sandbox.broker_key, sandbox.broker_secret, raw_data=True, url_override=sandbox.broker_url
    )


@pytest.fixture
def market_order(calls):
    return {"symbol": calls[6], "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


@pytest.fixture
def limit(market_order):
    return market_order | {"type": "limit", "limit_price": "0.01"}


def same(theirs, ours, model, missing=frozenset(), by_hand=frozenset()):
    """Both parse to the model; ours lacks none of their fields, and is text where theirs is."""
    parsed = model(**theirs), model(**ours)
    assert type(parsed[0]) is type(parsed[1])
    assert set(theirs) - set(ours) <= missing
    both = [name for name in theirs if theirs[name] is not None and ours.get(name) is not None]
    kinds = {name for name in both if isinstance(theirs[name], str) is not isinstance(ours[name], str)}
    assert kinds <= by_hand


def test_account_and_configuration(published, raw):
    from alpaca.trading.models import AccountConfiguration, TradeAccount

    same(published("test_account_routes/test_get_account"), raw.get_account(), TradeAccount, OLD)
    for name in ("", "_without_deprecated_pdt_fields"):
        theirs = published(f"test_account_routes/test_get_account_configurations{name}")
        same(theirs, raw.get_account_configurations(), AccountConfiguration, OLD)


@pytest.mark.parametrize(
    "name",
    [
        "market_order",
        "limit_order",
        "order_position_intent",
        "order_position_intent_1",
        "get_order_by_id",
        "get_order_by_client_id",
        "replace_order",
        "get_orders",
    ],
)
def test_orders(published, raw, market_order, limit, name):
    from alpaca.trading.models import Order

    theirs = published(f"test_order_routes/test_{name}")
    placed = raw.post("/orders", market_order if "market" in name else limit)
    if name == "get_order_by_id":
        ours = raw.get_order_by_id(placed["id"])
    elif name == "get_order_by_client_id":
        ours = raw.get_order_by_client_id(placed["client_order_id"])
    elif name == "replace_order":
        ours = raw.patch(f"/orders/{placed['id']}", {"limit_price": "0.02"})
    elif name == "get_orders":
        [theirs], [ours] = theirs, raw.get_orders()
    else:
        ours = placed
    same(theirs, ours, Order, by_hand=BY_HAND)


def test_cancelled_orders(published, raw, limit):
    from alpaca.trading.models import Order
    from alpaca.trading.requests import CancelOrderResponse

    raw.post("/orders", limit)
    done, failed = published("test_order_routes/test_cancel_orders")
    [ours] = raw.cancel_orders()
    same(done, ours, CancelOrderResponse)
    same(failed, ours, CancelOrderResponse, {"body"})
    assert Order(**raw.get("/orders", {"status": "closed"})[0]).status.value == "canceled"


def test_positions(published, raw, clock, market_order):
    from alpaca.trading.models import ClosePositionResponse, Order, Position

    raw.post("/orders", market_order | {"qty": "2"})
    clock.sleep_until(clock.now() + 30 * NS_PER_MINUTE)
    [theirs] = published("test_position_routes/test_get_all_positions")
    [ours] = raw.get_all_positions()
    same(theirs, ours, Position, FOREIGN)
    part = raw.delete(f"/positions/{market_order['symbol']}", {"qty": "1"})
    for name in ("qty", "percentage"):
        same(published(f"test_position_routes/test_close_position_with_{name}"), part, Order, by_hand=BY_HAND)
    closed, short_of, not_allowed = published("test_position_routes/test_close_all_positions")
    [refused] = raw.close_all_positions()
    assert refused["status"] == 403
    same(short_of, refused, ClosePositionResponse)
    assert set(short_of["body"]) <= set(refused["body"])
    assert re.sub(r"\d+", "n", refused["body"]["message"]) == re.sub(r"\d+", "n", short_of["body"]["message"])
    [ours] = raw.close_all_positions(cancel_orders=True)
    same(closed, ours, ClosePositionResponse)
    assert set(closed["body"]) <= set(ours["body"])
    share = {"symbol": "SPY", "qty": "1", "side": "sell", "type": "market", "time_in_force": "day"}
    with pytest.raises(Exception, match=not_allowed["body"]["message"]):
        raw.post("/orders", share)


def test_contracts(published, raw, calls):
    from alpaca.trading.models import OptionContract, OptionContractsResponse

    same(
        published("test_option_routes/test_get_option_contract"),
        raw.get_option_contract(calls[0]),
        OptionContract,
    )
    for name in ("contracts", "contracts_with_multiple_symbols"):
        theirs = published(f"test_option_routes/test_get_option_{name}")
        ours = raw.get("/options/contracts", {"underlying_symbols": "AAPL,SPY", "limit": 1})
        same(theirs, ours, OptionContractsResponse)
        same(theirs["option_contracts"][0], ours["option_contracts"][0], OptionContract)


def test_option_data(published, raw, calls):
    from alpaca.data.models import OptionsSnapshot, Quote

    def ask(path, **query):
        return raw._request("GET", path, query, api_version="v1beta1")

    data = "test_historical_option_data/test_get"
    [(symbol, theirs)] = published(f"{data}_latest_quote")["quotes"].items()
    ours = ask("/options/quotes/latest", symbols=calls[3])["quotes"][calls[3]]
    assert Quote(symbol, theirs).model_fields_set == Quote(calls[3], ours).model_fields_set
    assert set(theirs) == set(ours)
    for path, name in (
        ("/options/snapshots", "snapshot"),
        ("/options/snapshots", "snapshot_latest_quote_only"),
        ("/options/snapshots/AAPL", "option_chain"),
    ):
        page = published(f"{data}_{name}")
        [(symbol, theirs)] = page["snapshots"].items()
        strike = OptionContract.parse(calls[3]).strike
        answer = ask(path, symbols=calls[3], strike_price_gte=strike, strike_price_lte=strike)
        assert set(page) <= set(answer)
        ours = answer["snapshots"][calls[3]]
        # The live session's trades are not shown here.
        assert set(theirs) - set(ours) <= {"latestTrade"}
        for part in set(theirs) & {"latestQuote", "greeks"}:
            assert set(theirs[part]) == set(ours[part])
        assert OptionsSnapshot(symbol, theirs).latest_quote.ask_price > 0
        assert OptionsSnapshot(calls[3], ours).latest_quote.ask_price > 0
