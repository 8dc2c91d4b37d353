"""Rates and yields of every sign: no boundary, one that starts at 0, and two, against QuantLib's grid."""

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - as its own examples do

from strikelake.pricing import american, european
from strikelake.pricing.options import Options

TODAY, DAYS = ql.Date(2, 1, 2026), ql.Actual365Fixed()
SPOT = 100.0


def _flat(level):
    return ql.YieldTermStructureHandle(ql.FlatForward(TODAY, level, DAYS))


def _grid(sign, strike, days, rate, vol, carry):
    ql.Settings.instance().evaluationDate = TODAY
    flat_vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), vol, DAYS))
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(SPOT)), _flat(carry), _flat(rate), flat_vol
    )
    side = ql.Option.Call if sign > 0 else ql.Option.Put
    option = ql.VanillaOption(ql.PlainVanillaPayoff(side, strike), ql.AmericanExercise(TODAY, TODAY + days))
    option.setPricingEngine(ql.FdBlackScholesVanillaEngine(process, 800, 800, 2))
    return option.NPV()


@pytest.mark.parametrize(
    ("sign", "rate", "carry"),
    [
        (-1, 0.0, 0.0),
        (-1, 0.0, 0.03),
        (-1, -0.01, 0.0),
        (-1, -0.02, -0.01),
        (1, 0.03, 0.0),
        (1, -0.01, -0.02),
    ],
)
def test_where_exercising_early_never_pays_the_value_is_european(sign, rate, carry):
    strike = np.linspace(60.0, 160.0, 21)
    options = Options(sign, SPOT, strike, 0.7, rate, carry)
    assert american.price(options, 0.3) == pytest.approx(european.price(options, 0.3), rel=1e-12)


@pytest.mark.parametrize(
    ("sign", "rate", "carry", "days", "vol"),
    [
        (-1, 0.0, -0.03, 180, 0.25),  # one boundary, everything below it is exercised
        (-1, 0.0, -0.01, 30, 0.4),
        (1, -0.02, 0.0, 180, 0.25),
        (-1, -0.01, -0.05, 365, 0.15),  # two
        (-1, -0.005, -0.03, 90, 0.3),
        (1, -0.06, -0.02, 365, 0.2),
    ],
)
def test_one_boundary_at_a_rate_of_0_and_two_below(sign, rate, carry, days, vol):
    strike = np.array([70.0, 85.0, 95.0, 100.0, 105.0, 115.0, 130.0])
    expected = np.array([_grid(sign, k, days, rate, vol, carry) for k in strike])
    options = Options(sign, SPOT, strike, days / 365, rate, carry)
    value = american.price(options, vol)
    assert value == pytest.approx(expected, abs=2e-3)
    assert np.max(value - european.price(options, vol)) > 0.01
    telling = value - np.maximum(sign * (SPOT - strike), 0.0) > 0.05
    found = american.analyse(value, options, tick=1e-4)
    assert np.all(found.code[telling] == 0)
    assert found.vol[telling] == pytest.approx(vol, abs=1e-5)


def test_a_rate_that_falls_to_0_changes_nothing_abruptly():
    strike = np.array([90.0, 100.0, 110.0])
    near, at = (american.price(Options(-1, SPOT, strike, 0.5, rate, -0.02), 0.3) for rate in (1e-7, 0.0))
    assert near == pytest.approx(at, abs=1e-5)
