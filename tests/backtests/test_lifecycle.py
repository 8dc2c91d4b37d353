from datetime import date
from decimal import Decimal

import pytest

from backtests.lifecycle import expires_by, intrinsic
from strikelake.calendar import session
from strikelake.orders import Effect, Leg, Side
from strikelake.portfolio import Holding


@pytest.mark.parametrize(
    ("kind", "close", "expected"),
    [("C", "105.5", "5.5"), ("C", "95", "0"), ("P", "95", "5"), ("P", "105", "0"), ("C", "100", "0")],
)
def test_intrinsic(kind, close, expected):
    assert Decimal(expected) == intrinsic(f"AAA250117{kind}00100000", Decimal(close))


def test_a_holding_expires_with_its_first_leg():
    legs = tuple(Leg(f"AAA250{day}C00100000", Side.BUY, Effect.OPEN) for day in ("124", "117"))
    holding = Holding("sl-1", "AAA", "made", legs, 1, Decimal(1), 0, 1, 1, Decimal(1))
    close = session(date(2025, 1, 17)).close_ns
    assert [expires_by(holding, close - 1), expires_by(holding, close)] == [False, True]
