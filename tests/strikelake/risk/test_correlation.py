from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from strikelake.risk.correlation import check_correlation, correlations, daily_returns
from strikelake.risk.limits import DenialCode, RiskRules, limits_for
from strikelake.risk.tiers import Tier, TrainingPlan

TIER = Tier("micro", Decimal(0), ("SPY",), 2, Decimal("0.02"), 5, 1_000, TrainingPlan(30, ("forest",), 0))
LIMITS = limits_for(TIER, "low", RiskRules())
PAIRS = {
    frozenset(("SPY", "QQQ")): 0.9,
    frozenset(("SPY", "GLD")): 0.1,
    frozenset(("SPY", "VXX")): -0.8,
    frozenset(("SPY", "IWM")): 0.7,
}


def test_daily_returns_start_with_the_second_close_of_each_ticker():
    bars = pl.DataFrame(
        {
            "date": [date(2025, 1, 3), date(2025, 1, 2), date(2025, 1, 3)],
            "ticker": ["A", "A", "B"],
            "close": [110.0, 100.0, 7.0],
        }
    )
    expected = [(date(2025, 1, 3), "A", pytest.approx(0.1))]
    assert expected == daily_returns(bars).rows()


def test_correlations_are_of_the_last_sessions_only():
    rng = np.random.default_rng(7)
    a = rng.normal(size=80)
    b = np.where(np.arange(80) < 20, -50 * a, a + 0.1 * rng.normal(size=80))
    found = correlations(frame(A=a, B=b), sessions=60)
    assert pytest.approx(np.corrcoef(a[-60:], b[-60:])[0, 1]) == found[frozenset(("A", "B"))]


def test_a_pair_with_too_little_in_common_is_left_out():
    a = np.arange(30.0)
    assert (
        correlations(frame(A=a, B=a).filter((pl.col("underlying") == "A") | (pl.col("daily_return") < 19)))
        == {}
    )
    assert {frozenset(("A", "B"))} == set(correlations(frame(A=a, B=a)))


def test_returns_without_variance_have_no_correlation():
    assert correlations(frame(A=np.arange(30.0), B=np.zeros(30))) == {}
    assert correlations(frame(A=np.zeros(0))) == {}


@pytest.mark.parametrize(
    ("direction", "held", "denied"),
    [
        (1, [("QQQ", 1)], True),
        (-1, [("QQQ", -1)], True),
        (1, [("QQQ", -1)], False),
        (1, [("GLD", 1)], False),
        (1, [("IWM", 1)], False),
        (1, [("VXX", -1)], True),
        (1, [("VXX", 1)], False),
        (1, [("TLT", 1)], True),
        (1, [("TLT", -1)], False),
        (1, [("SPY", 1)], False),
        (1, [], False),
        (1, [("GLD", 1), ("QQQ", 1)], True),
    ],
)
def test_correlation(direction, held, denied):
    denial = check_correlation("SPY", direction, held, PAIRS, LIMITS)
    assert (DenialCode.CORRELATION if denied else None) == (None if denial is None else denial.code)


def test_a_denial_names_the_other_underlying():
    denial = check_correlation("SPY", 1, [("QQQ", 1)], PAIRS, LIMITS)
    assert denial is not None
    assert denial.detail == "its correlation with QQQ, held +1, is 0.90"


def frame(**columns):
    parts = [
        pl.DataFrame(
            {
                "date": [date(2025, 1, 1) + timedelta(days=i) for i in range(len(values))],
                "underlying": [name] * len(values),
                "daily_return": values,
            },
            schema={"date": pl.Date, "underlying": pl.String, "daily_return": pl.Float64},
        )
        for name, values in columns.items()
    ]
    return pl.concat(parts)
