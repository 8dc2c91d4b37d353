from decimal import Decimal

import pytest

from strikelake.strategy.prices import decimal_price, limit_price


@pytest.mark.parametrize(
    ("net", "n_legs", "expected"),
    [
        ("1.00", 1, "1.02"),
        ("1.01", 1, "1.04"),
        ("2.99", 1, "3.05"),
        ("3.01", 2, "3.08"),
        ("-1.00", 1, "-0.98"),
        ("-5.00", 1, "-4.90"),
        ("-5.00", 2, "-4.90"),
        ("-0.01", 1, "-0.01"),
        ("-0.02", 2, "-0.01"),
        ("0.05", 2, "0.06"),
    ],
)
def test_limits_give_way_and_round_towards_a_fill(net, n_legs, expected):
    assert Decimal(expected) == limit_price(Decimal(net), Decimal("0.02"), n_legs)


def test_quotes_keep_their_cents():
    assert Decimal("0.07") == decimal_price(0.07)
    assert Decimal("0.3") == decimal_price(0.1 + 0.2)
