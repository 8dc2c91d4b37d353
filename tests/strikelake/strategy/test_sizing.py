from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strikelake.strategy.sizing import Binding, Budgets, Sizing, UnitCost, size, unit_cost

ENOUGH = Decimal(1_000_000)
UNIT = UnitCost(cost=Decimal(200), loss_at_stop=Decimal(80))
money = st.decimals(min_value=-1_000, max_value=1_000_000, places=2)
positive = st.decimals(min_value="0.01", max_value=50_000, places=2)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"risk_per_trade": Decimal(239)}, Sizing(2, Binding.RISK_PER_TRADE)),
        ({"position_limit": Decimal(600)}, Sizing(3, Binding.POSITION_LIMIT)),
        ({"portfolio_risk": Decimal("79.99")}, Sizing(0, Binding.PORTFOLIO_RISK)),
        ({"portfolio_risk": Decimal(-5)}, Sizing(0, Binding.PORTFOLIO_RISK)),
        ({"buying_power": Decimal(200)}, Sizing(1, Binding.BUYING_POWER)),
    ],
)
def test_the_least_budget_binds_and_is_named(changed, expected):
    budgets = {
        "risk_per_trade": ENOUGH,
        "position_limit": ENOUGH,
        "portfolio_risk": ENOUGH,
        "buying_power": ENOUGH,
    }
    assert expected == size(UNIT, Budgets(**budgets | changed))


def test_a_unit_counts_the_fees_of_both_ways_as_loss():
    assert UnitCost(Decimal("101.30"), Decimal("42.60")) == unit_cost(
        Decimal("1.00"), 2, Decimal("0.40"), Decimal("0.65")
    )


@given(positive, positive, money, money, money, money)
def test_no_budget_is_ever_exceeded_and_one_more_unit_would_exceed_one(
    cost, loss, risk, position, portfolio, power
):
    budgets = Budgets(risk, position, portfolio, power)
    quantity = size(UnitCost(cost, loss), budgets).quantity

    def keeps(n):
        return n * loss <= min(risk, portfolio) and n * cost <= min(position, power)

    assert quantity == 0 or keeps(quantity)
    assert not keeps(quantity + 1)
