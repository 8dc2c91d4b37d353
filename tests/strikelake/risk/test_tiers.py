from dataclasses import replace
from decimal import Decimal

import pytest

from strikelake.errors import ConfigError
from strikelake.risk.tiers import Tier, TrainingPlan, tier_for, tier_ladder

PLAN = TrainingPlan(history_days=30, kinds=("forest",), trials=0)
RUNGS = (
    Tier("micro", Decimal(0), ("SPY", "QQQ", "IWM"), 2, Decimal("0.02"), 5, 1_000, PLAN),
    Tier("small", Decimal(1_000), ("AAPL", "MSFT", "TSLA"), 3, Decimal("0.025"), 7, 1_500, PLAN),
    Tier("medium", Decimal(10_000), ("NVDA", "AMZN", "GOOGL", "META"), 5, Decimal("0.03"), 10, 2_000, PLAN),
    Tier("large", Decimal(50_000), ("NFLX", "ADBE"), 8, Decimal("0.035"), 15, 3_000, PLAN),
    Tier("institutional", Decimal(250_000), ("JPM", "JNJ"), 12, Decimal("0.04"), 25, 5_000, PLAN),
)


@pytest.mark.parametrize(
    ("balance", "name"),
    [
        ("0", "micro"),
        ("999.99", "micro"),
        ("1000", "small"),
        ("9999.99", "small"),
        ("10000.00", "medium"),
        ("50000", "large"),
        ("249999.99", "large"),
        ("250000", "institutional"),
        ("1e9", "institutional"),
    ],
)
def test_a_tier_holds_from_its_lower_bound_on(balance, name):
    assert name == tier_for(Decimal(balance), tier_ladder(RUNGS)).name


@pytest.mark.parametrize("balance", ["-0.01", "NaN", "Infinity"])
def test_a_balance_that_is_no_amount_of_money_names_the_setting(balance):
    with pytest.raises(ConfigError, match=f"{balance} has no tier: set ACCOUNT_BALANCE"):
        tier_for(Decimal(balance), RUNGS)


def test_a_balance_below_every_tier_says_so():
    with pytest.raises(ConfigError, match="no tier starts at or below 5"):
        tier_for(Decimal(5), RUNGS[1:])


def test_symbols_are_cumulative_whatever_the_order_of_the_rungs():
    ladder = tier_ladder(reversed(RUNGS))
    assert [len(tier.symbols) for tier in ladder] == [3, 6, 10, 12, 14]
    assert ladder[1].symbols == ("SPY", "QQQ", "IWM", "AAPL", "MSFT", "TSLA")


def test_a_symbol_named_twice_counts_once():
    twice = replace(RUNGS[1], symbols=("SPY", "AAPL"))
    assert tier_ladder((RUNGS[0], twice))[1].symbols == ("SPY", "QQQ", "IWM", "AAPL")


@pytest.mark.parametrize(
    ("rungs", "message"),
    [
        ((), "must start at an equity of 0"),
        (RUNGS[1:], "must start at an equity of 0"),
        ((RUNGS[0], replace(RUNGS[1], min_equity=Decimal(0))), "both start at 0: raise one"),
        ((RUNGS[0], replace(RUNGS[1], name="micro")), "must differ in name"),
        ((replace(RUNGS[0], max_positions=0),), "tier micro has max_positions 0"),
        ((replace(RUNGS[0], risk_per_trade=Decimal(2)),), "a fraction between 0 and 1"),
    ],
)
def test_a_ladder_that_cannot_be_climbed_is_refused(rungs, message):
    with pytest.raises(ConfigError, match=message):
        tier_ladder(rungs)
