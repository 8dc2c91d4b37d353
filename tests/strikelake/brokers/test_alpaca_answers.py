"""Alpaca's JSON, read from the vendor's published fixtures and from what they do not cover."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from strikelake.brokers import alpaca_answers
from strikelake.errors import BrokerUnavailableError
from strikelake.orders import OrderStatus
from strikelake.portfolio import Account, Position


def fixture(real_data: Path, name: str) -> Any:
    return json.loads((real_data / "fixtures" / "alpaca" / name).read_text())["response"]


@pytest.mark.real
def test_the_published_account_reads(real_data: Path) -> None:
    raw = fixture(real_data, "test_account_routes/test_get_account.json")

    expected = Account("010203ABCD", Decimal("103820.56"), Decimal("-23140.2"), Decimal("262113.632"), 1)
    assert expected == alpaca_answers.account(raw)


@pytest.mark.real
def test_the_published_positions_and_orders_read(real_data: Path) -> None:
    positions = fixture(real_data, "test_position_routes/test_get_all_positions.json")
    order = fixture(real_data, "test_order_routes/test_get_order_by_client_id.json")

    assert [Position("AAPL", 5, Decimal("100.0"))] == [alpaca_answers.position(row) for row in positions]
    state = alpaca_answers.order_state(order)
    assert (state.status, state.quantity) == (OrderStatus.ACCEPTED, 1)


def test_a_general_account_falls_back() -> None:
    raw = {"id": "x", "equity": 1, "cash": "2", "buying_power": "3", "options_approved_level": "2"}

    assert Account("x", Decimal(1), Decimal(2), Decimal(3), 2) == alpaca_answers.account(raw)


@pytest.mark.parametrize(
    ("quantity", "side", "expected"),
    [("-5", "short", -5), ("5", "short", -5), ("3", "long", 3), ("0.02", "long", 1)],
)
def test_positions_are_signed_and_never_vanish(quantity: str, side: str, expected: int) -> None:
    raw = {"symbol": "A", "qty": quantity, "side": side, "avg_entry_price": "1"}

    assert expected == alpaca_answers.position(raw).quantity


@pytest.mark.parametrize("equity", [None, "NaN", "Infinity", "", "a lot"])
def test_a_number_that_is_none_is_refused(equity: str | None) -> None:
    raw = {"id": "x", "equity": equity, "cash": "2", "buying_power": "3"}

    with pytest.raises(BrokerUnavailableError, match="equity = "):
        alpaca_answers.account(raw)


def test_a_naive_time_is_refused() -> None:
    raw = {
        "client_order_id": "a",
        "id": "b",
        "status": "new",
        "qty": "1",
        "updated_at": "2025-01-02T10:00:00",
    }

    with pytest.raises(BrokerUnavailableError, match="updated_at"):
        alpaca_answers.order_state(raw)


def test_done_for_day_with_fills_has_ended_and_keeps_them() -> None:
    raw = {
        "client_order_id": "a",
        "id": "b",
        "status": "done_for_day",
        "qty": "3",
        "filled_qty": "1",
        "filled_avg_price": "2",
        "side": "buy",
        "updated_at": "2025-01-02T10:00:00Z",
    }

    state = alpaca_answers.order_state(raw)

    assert (OrderStatus.EXPIRED, 1, Decimal(2)) == (state.status, state.filled_quantity, state.average_price)


def test_lists_and_objects_are_told_apart() -> None:
    with pytest.raises(BrokerUnavailableError, match="the positions with dict, not a list"):
        alpaca_answers.rows({}, "the positions")
    with pytest.raises(BrokerUnavailableError, match="the account with list, not an object"):
        alpaca_answers.account([])
