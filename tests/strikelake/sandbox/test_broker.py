"""The broker through the real client, alpaca-py."""

from datetime import date
from decimal import Decimal

import pytest

from strikelake.calendar import NS_PER_MINUTE, et_ns, from_datetime
from strikelake.sandbox import launch
from strikelake.sandbox.clock import SandboxClock
from strikelake.sandbox.config import SimulatorConfig


@pytest.fixture(scope="module")
def friday(tmp_path_factory):
    """A market whose live session is a Friday, on which weekly contracts expire."""
    config = SimulatorConfig(symbols=("AAPL",), sessions=5)
    with launch.start(config, tmp_path_factory.mktemp("friday")) as running:
        yield running


def limit_order(alpaca, symbol, side, price, quantity=1, **more):
    return alpaca.requests.LimitOrderRequest(
        symbol=symbol,
        qty=quantity,
        side=side,
        time_in_force=alpaca.enums.TimeInForce.DAY,
        limit_price=price,
        **more,
    )


def spread_order(alpaca, low, high, price, intents=("buy_to_open", "sell_to_open"), **more):
    legs = [
        alpaca.requests.OptionLegRequest(
            symbol=symbol, ratio_qty=1, side=intent.split("_")[0], position_intent=intent
        )
        for symbol, intent in zip((low, high), intents, strict=True)
    ]
    return alpaca.requests.LimitOrderRequest(
        qty=1,
        order_class=alpaca.enums.OrderClass.MLEG,
        time_in_force=alpaca.enums.TimeInForce.DAY,
        limit_price=price,
        legs=legs,
        **more,
    )


def test_the_account_and_its_clock(alpaca, client, sandbox):
    account = client.get_account()
    assert (account.status, account.options_trading_level) == (alpaca.enums.AccountStatus.ACTIVE, 3)
    assert {account.cash, account.equity, account.last_equity, account.options_buying_power} == {"25000"}
    clock = client.get_clock()
    assert (clock.is_open, clock.next_open.date()) == (False, sandbox.live_session)
    assert from_datetime(clock.next_open) - from_datetime(clock.timestamp) == NS_PER_MINUTE
    assert from_datetime(clock.next_close) == et_ns(sandbox.live_session, "16:00")


def test_the_clock_in_the_session(client, clock, sandbox):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    shown = client.get_clock()
    assert shown.is_open
    assert shown.next_open.date() == date(2025, 1, 8)


def test_the_calendar_is_naive_eastern(alpaca, client):
    request = alpaca.requests.GetCalendarRequest(start=date(2025, 7, 2), end=date(2025, 7, 6))
    days = client.get_calendar(request)
    assert [(str(day.date), f"{day.close:%H:%M}") for day in days] == [
        ("2025-07-02", "16:00"),
        ("2025-07-03", "13:00"),
    ]


@pytest.mark.parametrize(("key", "status"), [("wrong", 403), (None, 401)])
def test_keys_are_checked(alpaca, sandbox, client, key, status):
    client._session.headers.clear()
    client._get_auth_headers = lambda: (
        {"APCA-API-KEY-ID": key} | ({"APCA-API-SECRET-KEY": key} if key else {})
    )
    with pytest.raises(alpaca.APIError) as error:
        client.get_account()
    assert error.value.status_code == status


def test_contracts_come_in_pages(alpaca, client):
    wanted = alpaca.requests.GetOptionContractsRequest(
        underlying_symbols=["AAPL"], expiration_date_gte="2025-01-07", limit=25
    )
    seen, pages = [], 0
    while True:
        page = client.get_option_contracts(wanted)
        seen += [contract.symbol for contract in page.option_contracts]
        pages += 1
        if page.next_page_token is None:
            break
        wanted = wanted.model_copy(update={"page_token": page.next_page_token})
    assert pages > 1
    assert len(seen) == len(set(seen))
    assert {symbol[:4] for symbol in seen} == {"AAPL"}
    assert {symbol[4:10] for symbol in seen} >= {"250110", "250117", "250221"}


def test_without_a_date_only_the_coming_week_is_listed(alpaca, client):
    request = alpaca.requests.GetOptionContractsRequest(underlying_symbols=["AAPL"], limit=1000)
    found = client.get_option_contracts(request).option_contracts
    assert {str(contract.expiration_date) for contract in found} == {"2025-01-10"}


def test_one_contract(alpaca, client, calls):
    contract = client.get_option_contract(calls[0])
    assert (contract.symbol, contract.style.value, contract.size) == (calls[0], "american", "100")
    with pytest.raises(alpaca.APIError) as error:
        client.get_option_contract("AAPL250117C00000001")
    assert error.value.status_code == 404


def test_a_single_leg_lives_and_dies(alpaca, client, clock, sandbox, calls):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    side = alpaca.enums.OrderSide
    placed = client.submit_order(
        limit_order(alpaca, calls[3], side.BUY, 60, client_order_id="sl-one", position_intent="buy_to_open")
    )
    assert (placed.status.value, placed.client_order_id, placed.filled_qty) == ("accepted", "sl-one", "0")
    assert Decimal(client.get_account().options_buying_power) == 25000 - 6000 - Decimal("0.65")
    clock.sleep_until(clock.now() + 5 * NS_PER_MINUTE)
    filled = client.get_order_by_client_id("sl-one")
    assert (filled.id, filled.status.value, filled.filled_qty) == (placed.id, "filled", "1")
    assert from_datetime(filled.filled_at) > from_datetime(placed.submitted_at)
    price = Decimal(filled.filled_avg_price)
    [position] = client.get_all_positions()
    assert (position.symbol, position.qty, Decimal(position.avg_entry_price)) == (calls[3], "1", price)
    account = client.get_account()
    assert Decimal(account.cash) == 25000 - 100 * price - Decimal("0.65")
    assert Decimal(account.equity) == Decimal(account.cash) + Decimal(position.market_value)
    assert Decimal(account.equity) < 25000
    client.submit_order(limit_order(alpaca, calls[3], side.SELL, "0.01", position_intent="sell_to_close"))
    clock.sleep_until(clock.now() + 5 * NS_PER_MINUTE)
    assert client.get_all_positions() == []
    sold, bought = client.get("/account/activities/FILL")
    assert [a["side"] for a in (bought, sold)] == ["buy", "sell"]
    assert (bought["order_id"], Decimal(bought["price"]), bought["qty"]) == (str(placed.id), price, "1")


def test_a_vertical_spread_fills_as_one(alpaca, client, clock, sandbox, calls):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    low, high = calls[2], calls[4]
    placed = client.submit_order(spread_order(alpaca, low, high, 5.0, client_order_id="sl-spread"))
    assert (placed.order_class.value, placed.symbol, len(placed.legs)) == ("mleg", None, 2)
    clock.sleep_until(clock.now() + 6 * NS_PER_MINUTE)
    filled = client.get_order_by_id(placed.id)
    paid, received = (Decimal(leg.filled_avg_price) for leg in filled.legs)
    assert filled.status.value == "filled"
    assert Decimal(filled.filled_avg_price) == paid - received
    assert Decimal(0) < paid - received <= 5
    held = {position.symbol: position.qty for position in client.get_all_positions()}
    assert held == {low: "1", high: "-1"}
    account = client.get_account()
    assert Decimal(account.cash) == 25000 - 100 * (paid - received) - Decimal("1.30")
    assert account.maintenance_margin == "0"
    fills = client.get("/account/activities/FILL")
    assert {fill["order_id"] for fill in fills} == {str(leg.id) for leg in filled.legs}
    client.submit_order(spread_order(alpaca, low, high, 0, ("sell_to_close", "buy_to_close")))
    clock.sleep_until(clock.now() + 6 * NS_PER_MINUTE)
    assert client.get_all_positions() == []


def test_a_credit_spread_has_a_negative_limit(alpaca, client, clock, sandbox, calls):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    intents = ("sell_to_open", "buy_to_open")
    placed = client.submit_order(spread_order(alpaca, calls[2], calls[4], -0.05, intents))
    clock.sleep_until(clock.now() + 6 * NS_PER_MINUTE)
    filled = client.get_order_by_id(placed.id)
    assert Decimal(filled.filled_avg_price) < 0
    assert Decimal(client.get_account().maintenance_margin) > 0


def test_orders_are_listed_nested_or_flat(alpaca, client, clock, sandbox, calls):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    placed = client.submit_order(spread_order(alpaca, calls[2], calls[4], 0.01))
    request = alpaca.requests.GetOrdersRequest
    [nested] = client.get_orders(request(status="open", nested=True))
    assert [leg.symbol for leg in nested.legs] == [calls[2], calls[4]]
    assert len(client.get_orders(request(status="open", nested=False))) == 3
    assert client.get_order_by_id(nested.legs[0].id).symbol == calls[2]
    client.cancel_order_by_id(placed.id)
    assert client.get_orders(request(status="open")) == []
    [closed] = client.get_orders(request(status="closed", nested=True))
    assert closed.status.value == "canceled"


def test_a_duplicate_client_order_id_is_refused(alpaca, client, calls):
    order = limit_order(alpaca, calls[3], alpaca.enums.OrderSide.BUY, 1, client_order_id="sl-twice")
    client.submit_order(order)
    with pytest.raises(alpaca.APIError) as error:
        client.submit_order(order)
    assert (error.value.status_code, error.value.message) == (422, "client_order_id must be unique")


def test_refusals_have_the_brokers_bodies(alpaca, client, calls):
    side = alpaca.enums.OrderSide
    with pytest.raises(alpaca.APIError) as unknown:
        client.submit_order(limit_order(alpaca, "AAPL250117C99999000", side.BUY, 1))
    assert (unknown.value.status_code, unknown.value.code) == (422, 42210000)
    with pytest.raises(alpaca.APIError) as poor:
        client.submit_order(limit_order(alpaca, calls[0], side.BUY, 60, quantity=10))
    assert poor.value.status_code == 403
    assert poor.value.message == "insufficient options buying power (required: 60006.5, available: 25000)"
    with pytest.raises(alpaca.APIError) as naked:
        client.submit_order(limit_order(alpaca, calls[0], side.SELL, 1, position_intent="sell_to_open"))
    assert naked.value.status_code == 403
    with pytest.raises(alpaca.APIError) as missing:
        client.get_order_by_client_id("sl-never")
    assert missing.value.status_code == 404


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/orders", {"limit": "many"}),
        ("/orders", {"after": "noon"}),
        ("/options/contracts", {"page_token": "!"}),
        ("/options/contracts", {"strike_price_gte": "low"}),
        ("/options/contracts", {"expiration_date": "soon"}),
        ("/account/activities/FILL", {"page_size": "0"}),
    ],
)
def test_a_query_that_cannot_be_read_is_refused(alpaca, client, path, query):
    with pytest.raises(alpaca.APIError) as error:
        client.get(path, query)
    assert (error.value.status_code, error.value.code) == (422, 42210000)


def test_day_orders_expire_at_the_close(alpaca, client, clock, sandbox, calls):
    placed = client.submit_order(limit_order(alpaca, calls[0], alpaca.enums.OrderSide.BUY, "0.01"))
    clock.sleep_until(et_ns(sandbox.live_session, "16:00"))
    found = client.get_order_by_id(placed.id)
    assert found.status.value == "expired"
    assert from_datetime(found.expired_at) == et_ns(sandbox.live_session, "16:00")


def test_an_order_is_replaced(alpaca, client, calls):
    side, change = alpaca.enums.OrderSide, alpaca.requests.ReplaceOrderRequest
    placed = client.submit_order(limit_order(alpaca, calls[3], side.BUY, "0.01"))
    new = client.replace_order_by_id(placed.id, change(limit_price="0.02", client_order_id="sl-new"))
    assert (new.replaces, new.limit_price, new.client_order_id) == (placed.id, "0.02", "sl-new")
    old = client.get_order_by_id(placed.id)
    assert (old.status.value, old.replaced_by) == ("replaced", new.id)
    with pytest.raises(alpaca.APIError) as same:
        client.replace_order_by_id(new.id, change(limit_price="0.02"))
    assert (same.value.status_code, same.value.message) == (422, "order parameters are not changed")
    with pytest.raises(alpaca.APIError) as gone:
        client.replace_order_by_id(placed.id, change(limit_price="0.03"))
    assert gone.value.message == "order already replaced"


def test_orders_are_cancelled_once(alpaca, client, calls):
    side = alpaca.enums.OrderSide
    placed = [client.submit_order(limit_order(alpaca, calls[n], side.BUY, "0.01")) for n in (2, 3)]
    answers = client.cancel_orders()
    assert {answer.id for answer in answers} == {order.id for order in placed}
    assert {answer.status for answer in answers} == {200}
    with pytest.raises(alpaca.APIError) as again:
        client.cancel_order_by_id(placed[0].id)
    assert (again.value.status_code, again.value.message) == (422, 'order is already in "canceled" state')


def test_options_take_stops_and_no_brackets(alpaca, client, clock, sandbox, calls):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    side, day = alpaca.enums.OrderSide, alpaca.enums.TimeInForce.DAY
    client.submit_order(limit_order(alpaca, calls[3], side.BUY, 60))
    clock.sleep_until(clock.now() + 5 * NS_PER_MINUTE)
    stop = alpaca.requests.StopOrderRequest(
        symbol=calls[3], qty=1, side=side.SELL, time_in_force=day, stop_price="59"
    )
    placed = client.submit_order(stop)
    assert (placed.type.value, placed.stop_price, placed.limit_price) == ("stop", "59", None)
    clock.sleep_until(clock.now() + 6 * NS_PER_MINUTE)
    assert client.get_order_by_id(placed.id).status.value == "filled"
    bracket = limit_order(
        alpaca,
        calls[3],
        side.BUY,
        5,
        order_class="bracket",
        take_profit=alpaca.requests.TakeProfitRequest(limit_price=9),
        stop_loss=alpaca.requests.StopLossRequest(stop_price=2),
    )
    with pytest.raises(alpaca.APIError) as refused:
        client.submit_order(bracket)
    assert refused.value.message == "complex orders not supported for options trading"


def test_shares_take_brackets(alpaca, client, clock, sandbox):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    order = alpaca.requests.MarketOrderRequest(
        symbol="AAPL",
        qty=10,
        side="buy",
        time_in_force="day",
        order_class="bracket",
        take_profit=alpaca.requests.TakeProfitRequest(limit_price=900),
        stop_loss=alpaca.requests.StopLossRequest(stop_price=100),
    )
    placed = client.submit_order(order)
    assert [leg.status.value for leg in placed.legs] == ["held", "held"]
    clock.sleep_until(clock.now() + 2 * NS_PER_MINUTE)
    request = alpaca.requests.GetOrdersRequest
    assert len(client.get_orders(request(status="open", nested=False))) == 2
    assert [o.status.value for o in client.get_orders(request(status="all", nested=True))] == ["filled"]
    [position] = client.get_all_positions()
    assert (position.symbol, position.qty, position.qty_available) == ("AAPL", "10", "0")
    assert position.asset_class.value == "us_equity"


def test_positions_are_closed_by_part_and_altogether(alpaca, client, clock, sandbox, calls):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    client.submit_order(limit_order(alpaca, calls[5], alpaca.enums.OrderSide.BUY, 20, quantity=4))
    clock.sleep_until(clock.now() + 30 * NS_PER_MINUTE)
    assert client.get_open_position(calls[5]).qty == "4"
    part = client.close_position(calls[5], alpaca.requests.ClosePositionRequest(percentage="25"))
    assert (part.qty, part.side.value, part.type.value) == ("1", "sell", "market")
    refused = client.close_position(calls[5], alpaca.requests.ClosePositionRequest(qty="3"))
    assert refused.qty == "3"
    with pytest.raises(alpaca.APIError) as none_left:
        client.close_position(calls[5])
    assert none_left.value.status_code == 403
    [closed] = client.close_all_positions(cancel_orders=True)
    assert (closed.status, closed.symbol, closed.body.qty) == (200, calls[5], "4")
    clock.sleep_until(clock.now() + 30 * NS_PER_MINUTE)
    assert client.get_all_positions() == []
    with pytest.raises(alpaca.APIError) as missing:
        client.get_open_position(calls[5])
    assert missing.value.status_code == 404


def test_exercise_gives_shares_that_are_sold(alpaca, client, clock, sandbox, calls):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    client.submit_order(limit_order(alpaca, calls[0], alpaca.enums.OrderSide.BUY, 15))
    clock.sleep_until(clock.now() + 6 * NS_PER_MINUTE)
    before = Decimal(client.get_account().cash)
    client.exercise_options_position(calls[0])
    [position] = client.get_all_positions()
    assert (position.symbol, position.qty, position.avg_entry_price) == ("AAPL", "100", "235")
    assert Decimal(client.get_account().cash) == before - 23_500
    trade, exercise = client.get("/account/activities", {"activity_types": "OPEXC,OPTRD"})
    assert (exercise["symbol"], exercise["qty"], exercise["net_amount"]) == (calls[0], "-1", "0")
    assert (trade["symbol"], trade["qty"], trade["price"]) == ("AAPL", "100", "235")
    assert trade["group_id"] == exercise["group_id"]
    alpaca.NonTradeActivity(**trade)
    sold = client.close_position("AAPL")
    clock.sleep_until(clock.now() + 2 * NS_PER_MINUTE)
    assert client.get_order_by_id(sold.id).status.value == "filled"
    assert client.get_all_positions() == []
    with pytest.raises(alpaca.APIError) as gone:
        client.exercise_options_position(calls[0])
    assert gone.value.message == f"long position not found: {calls[0]}"


def test_a_friday_settles_what_expires(alpaca, friday):
    client = alpaca.TradingClient(friday.broker_key, friday.broker_secret, url_override=friday.broker_url)
    clock, day = SandboxClock(friday.clock_url), friday.live_session
    clock.sleep_until(et_ns(day, "10:00"))
    request = alpaca.requests.GetOptionContractsRequest(
        underlying_symbols=["AAPL"], expiration_date=str(day), type="call"
    )
    strikes = [contract.symbol for contract in client.get_option_contracts(request).option_contracts]
    client.submit_order(spread_order(alpaca, strikes[0], strikes[1], 20))
    client.submit_order(limit_order(alpaca, strikes[-1], alpaca.enums.OrderSide.BUY, 5))
    clock.sleep_until(et_ns(day, "15:29"))
    assert {p.symbol: p.qty for p in client.get_all_positions()} == {
        strikes[0]: "1",
        strikes[1]: "-1",
        strikes[-1]: "1",
    }
    clock.sleep_until(et_ns(day, "15:31"))
    with pytest.raises(alpaca.APIError, match="expires soon, unable to open new positions"):
        client.submit_order(limit_order(alpaca, strikes[2], alpaca.enums.OrderSide.BUY, 1))
    before = Decimal(client.get_account().cash)
    clock.sleep_until(et_ns(day, "16:00"))
    assert client.get_all_positions() == []
    width = Decimal(int(strikes[1][-8:]) - int(strikes[0][-8:])) / 10
    assert Decimal(client.get_account().cash) == before + width
    events = client.get("/account/activities", {"activity_types": "OPEXC,OPASN,OPEXP,OPTRD"})
    assert {event["activity_type"]: event["symbol"] for event in events} == {
        "OPEXC": strikes[0],
        "OPASN": strikes[1],
        "OPEXP": strikes[-1],
        "OPTRD": "AAPL",
    }
    for event in events:
        alpaca.NonTradeActivity(**event)


def test_activities_come_in_pages(alpaca, client, clock, sandbox, calls):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    for symbol in calls[2:5]:
        client.submit_order(limit_order(alpaca, symbol, alpaca.enums.OrderSide.BUY, 30))
    clock.sleep_until(clock.now() + 30 * NS_PER_MINUTE)
    every = [fill["id"] for fill in client.get("/account/activities")]
    seen, token = [], None
    while page := client.get("/account/activities/FILL", {"page_size": "2", "page_token": token}):
        seen += [fill["id"] for fill in page]
        token = seen[-1]
    assert seen == every
    assert len(set(seen)) == 3
    oldest = client.get("/account/activities/FILL", {"direction": "asc"})
    assert [fill["id"] for fill in oldest] == every[::-1]
    assert client.get("/account/activities", {"date": "2025-01-06"}) == []


def test_the_portfolio_has_a_history(alpaca, client, clock, sandbox, calls):
    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    client.submit_order(limit_order(alpaca, calls[5], alpaca.enums.OrderSide.BUY, 30))
    clock.sleep_until(et_ns(sandbox.live_session, "11:00"))
    asked = alpaca.requests.GetPortfolioHistoryRequest
    minutes = client.get_portfolio_history(asked(period="1D", timeframe="15Min"))
    assert (len(minutes.equity), minutes.base_value) == (6, 25000.0)
    assert minutes.equity[:2] == [25000.0, 25000.0]
    assert minutes.equity[-1] == float(client.get_account().equity) != 25000.0
    days = client.get_portfolio_history()
    assert (days.timeframe, days.equity) == ("1D", [25000.0, minutes.equity[-1]])
    with pytest.raises(alpaca.APIError, match="invalid timeframe"):
        client.get_portfolio_history(asked(timeframe="2Min"))


def test_shares_are_assets(alpaca, client):
    assert [asset.symbol for asset in client.get_all_assets()] == ["AAPL", "SPY"]
    asset = client.get_asset("SPY")
    assert (asset.exchange.value, asset.tradable, asset.attributes) == ("ARCA", True, ["has_options"])
    with pytest.raises(alpaca.APIError) as missing:
        client.get_asset("GME")
    assert missing.value.status_code == 404
    assert client.get_account_configurations().max_options_trading_level == 3


def test_option_data(alpaca, client, clock, sandbox, calls):
    from alpaca.data.historical.option import OptionHistoricalDataClient
    from alpaca.data.requests import OptionChainRequest, OptionLatestQuoteRequest, OptionSnapshotRequest

    clock.sleep_until(et_ns(sandbox.live_session, "10:00"))
    data = OptionHistoricalDataClient(
        sandbox.broker_key, sandbox.broker_secret, url_override=sandbox.broker_url
    )
    [quote] = data.get_option_latest_quote(OptionLatestQuoteRequest(symbol_or_symbols=calls[3])).values()
    assert 0 < quote.bid_price < quote.ask_price
    assert from_datetime(quote.timestamp) <= clock.now()
    both = data.get_option_snapshot(OptionSnapshotRequest(symbol_or_symbols=calls[3:5]))
    assert set(both) == set(calls[3:5])
    assert both[calls[3]].latest_quote == quote
    assert 0 < both[calls[3]].greeks.delta < 1
    chain = data.get_option_chain(OptionChainRequest(underlying_symbol="AAPL", type="call"))
    listed = {symbol for symbol in chain if symbol.startswith("AAPL250117C")}
    assert set(calls) <= listed
    assert all(symbol[:4] == "AAPL" and symbol[10] == "C" for symbol in chain)
