from decimal import Decimal

import pytest

from strikelake.risk.halt import check_halt, daily_loss_reached, marked_equity
from strikelake.risk.limits import DenialCode, RiskRules, limits_for
from strikelake.risk.tiers import Tier, TrainingPlan

TIER = Tier("micro", Decimal(0), ("SPY",), 2, Decimal("0.02"), 5, 1_000, TrainingPlan(30, ("forest",), 0))
LIMITS = limits_for(TIER, "low", RiskRules())


def test_equity_counts_pending_entries_at_their_worst():
    pending = [(Decimal(200), Decimal(180)), (Decimal(100), Decimal(130)), (Decimal(50), Decimal(0))]
    assert Decimal(1_000 + 300 - 40 - 20 - 50) == marked_equity(
        Decimal(1_000), [Decimal(300), Decimal(-40)], pending
    )


@pytest.mark.parametrize(("equity", "reached"), [("9500.01", False), ("9500", True), ("0", True)])
def test_the_daily_loss_is_reached_at_five_per_cent(equity, reached):
    assert reached == daily_loss_reached(Decimal(equity), Decimal(10_000), LIMITS)


@pytest.mark.parametrize(
    ("equity", "halted", "code"),
    [
        ("10000", False, None),
        ("10000", True, DenialCode.HALTED),
        ("9500", False, DenialCode.DAILY_LOSS),
        ("9500", True, DenialCode.DAILY_LOSS),
    ],
)
def test_halt(equity, halted, code):
    denial = check_halt("SPY", Decimal(equity), Decimal(10_000), LIMITS, halted=halted)
    assert code == (None if denial is None else denial.code)


def test_the_daily_loss_says_how_much():
    denial = check_halt("SPY", Decimal(9_400), Decimal(10_000), LIMITS, halted=False)
    assert denial is not None
    assert "equity 9400.00 of 10000.00 at the open: 5.0% is the limit" in denial.detail
