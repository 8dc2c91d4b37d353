from dataclasses import fields, replace
from datetime import date
from decimal import Decimal

import pytest

from strikelake.calendar import NS_PER_SECOND, session
from strikelake.errors import ConfigError
from strikelake.risk.limits import (
    Appetite,
    Denial,
    DenialCode,
    RiskRules,
    Tolerance,
    check_options_level,
    check_positions,
    check_quote,
    check_session,
    check_universe,
    limits_for,
)
from strikelake.risk.tiers import Tier, TrainingPlan

TIER = Tier(
    "micro", Decimal(0), ("SPY", "QQQ"), 2, Decimal("0.02"), 5, 1_000, TrainingPlan(30, ("forest",), 0)
)
LIMITS = limits_for(TIER, "medium", RiskRules())


@pytest.mark.parametrize(
    ("tolerance", "position_limit", "stop_loss"),
    [("low", "0.10", "0.30"), ("medium", "0.20", "0.40"), (Tolerance.HIGH, "0.30", "0.50")],
)
def test_tolerance_picks_position_limit_and_stop(tolerance, position_limit, stop_loss):
    limits = limits_for(TIER, tolerance, RiskRules())
    assert (Decimal(position_limit), Decimal(stop_loss)) == (limits.position_limit, limits.stop_loss)


def test_the_tier_gives_universe_places_and_risk():
    assert frozenset({"SPY", "QQQ"}) == LIMITS.universe
    assert (2, Decimal("0.02")) == (LIMITS.max_positions, LIMITS.risk_per_trade)


def test_every_rule_that_limits_share_is_handed_on():
    rules = RiskRules()
    shared = {field.name for field in fields(LIMITS)} & {field.name for field in fields(rules)}
    assert {name: getattr(rules, name) for name in shared} == {name: getattr(LIMITS, name) for name in shared}


def test_an_unknown_tolerance_names_the_known_ones():
    with pytest.raises(ConfigError, match="RISK_TOLERANCE 'bold' is unknown: use one of low, medium, high"):
        limits_for(TIER, "bold", RiskRules())


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (RiskRules(max_daily_loss=Decimal("0.06")), "max_daily_loss is 0.06: set it to 0.001 to 0.05"),
        (RiskRules(max_portfolio_risk=Decimal("0.2")), "max_portfolio_risk is 0.2"),
        (RiskRules(max_correlation=0.9), "max_correlation is 0.9"),
        (RiskRules(min_dte=50), "min_dte is 50: set it to 1 to 45"),
        (
            RiskRules(appetites={Tolerance.MEDIUM: Appetite(Decimal("0.4"), Decimal("0.4"))}),
            "position_limit is 0.4: set it to 0.10 to 0.30",
        ),
        (
            RiskRules(appetites={Tolerance.MEDIUM: Appetite(Decimal("0.2"), Decimal("0.6"))}),
            "stop_loss is 0.6: set it to 0.30 to 0.50",
        ),
    ],
)
def test_a_rule_outside_what_is_allowed_is_named(rules, message):
    with pytest.raises(ConfigError, match=message):
        limits_for(TIER, "medium", rules)


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        ("open", None),
        ("before", DenialCode.SESSION_CLOSED),
        ("last", None),
        ("close", DenialCode.SESSION_CLOSED),
    ],
)
def test_session_closed(moment, code):
    day = session(date(2025, 1, 2))
    times = {
        "open": day.open_ns,
        "before": day.open_ns - 1,
        "last": day.close_ns - 1,
        "close": day.close_ns,
    }
    assert code == code_of(check_session("SPY", times[moment], day))


@pytest.mark.parametrize(("name", "code"), [("SPY", None), ("TSLA", DenialCode.UNIVERSE)])
def test_universe(name, code):
    assert code == code_of(check_universe(name, LIMITS))


@pytest.mark.parametrize(("level", "code"), [(1, DenialCode.OPTIONS_LEVEL), (2, None), (3, None)])
def test_options_level(level, code):
    assert code == code_of(check_options_level("SPY", level, 2))


@pytest.mark.parametrize(
    ("taken", "code"), [(1, None), (2, DenialCode.MAX_POSITIONS), (3, DenialCode.MAX_POSITIONS)]
)
def test_max_positions(taken, code):
    assert code == code_of(check_positions("SPY", taken, LIMITS))


@pytest.mark.parametrize(
    ("bid", "ask", "code"),
    [
        ("1.00", "1.05", None),
        ("1.00", "1.16", None),
        ("1.00", "1.17", DenialCode.WIDE_SPREAD),
        (None, "1.05", DenialCode.NO_QUOTE),
        ("1.00", None, DenialCode.NO_QUOTE),
        ("0", "0.05", DenialCode.NO_QUOTE),
        ("1.10", "1.05", DenialCode.NO_QUOTE),
    ],
)
def test_no_quote_and_wide_spread(bid, ask, code):
    sides = [None if side is None else Decimal(side) for side in (bid, ask)]
    assert code == code_of(check_quote("SPY", "SPY250117C00500000", *sides, 0, LIMITS))


@pytest.mark.parametrize(
    ("age_s", "code"), [(600, None), (601, DenialCode.STALE_QUOTE), (-1, DenialCode.STALE_QUOTE)]
)
def test_stale_quote(age_s, code):
    checked = check_quote("SPY", "X", Decimal(1), Decimal("1.01"), age_s * NS_PER_SECOND, LIMITS)
    assert code == code_of(checked)


def test_a_denial_says_what_was_found():
    expected = Denial("SPY", DenialCode.WIDE_SPREAD, "X is quoted 1 at 2")
    assert expected == check_quote("SPY", "X", Decimal(1), Decimal(2), 0, replace(LIMITS))


def code_of(denial):
    return None if denial is None else denial.code
