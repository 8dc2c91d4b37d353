"""Yields that a few days' options imply: far from 0, for a misprint of half a percent is 70 % a year."""

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - as its own examples do

from strikelake.pricing import american
from strikelake.pricing.options import Options

TODAY, DAYS = ql.Date(2, 1, 2026), ql.Actual365Fixed()
LENGTH = 1_000  # days: QuantLib counts whole ones, and only rate, yield and variance times years matter


def _flat(level):
    return ql.YieldTermStructureHandle(ql.FlatForward(TODAY, level, DAYS))


def _quantlib(options, vol):
    """Prices by QuantLib's accurate engine, of puts with one rate and one yield."""
    ql.Settings.instance().evaluationDate = TODAY
    prices = []
    for _, spot, strike, years, rate, carry, own in np.broadcast(*options.columns(), vol):
        scale = years * 365 / LENGTH
        deviation = ql.BlackConstantVol(TODAY, ql.NullCalendar(), own * np.sqrt(scale), DAYS)
        process = ql.BlackScholesMertonProcess(
            ql.QuoteHandle(ql.SimpleQuote(spot)),
            _flat(carry * scale),
            _flat(rate * scale),
            ql.BlackVolTermStructureHandle(deviation),
        )
        exercise = ql.AmericanExercise(TODAY, TODAY + LENGTH)
        option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Put, strike), exercise)
        scheme = ql.QdFpAmericanEngine.highPrecisionScheme()
        option.setPricingEngine(ql.QdFpAmericanEngine(process, scheme))
        prices.append(option.NPV())
    return np.array(prices)


@pytest.mark.parametrize(
    ("price", "spot", "strike", "minutes", "carry"),
    [
        (2.74, 202.62, 205.0, 4_320, -0.7202),
        (5.44, 202.62, 207.5, 4_320, -0.7202),
        (10.09, 202.62, 212.5, 4_320, -0.7202),
        (1.42, 196.37, 197.5, 70, -0.6960),
        (1.45, 196.2, 197.5, 65, -0.6960),
        (3.74, 196.27, 200.0, 86, -0.6960),
    ],
)
def test_puts_of_the_simulated_market_that_had_no_volatility(price, spot, strike, minutes, carry):
    put = Options(-1, spot, strike, minutes / 525_600, 0.0439, carry)
    found = american.analyse(price, put)
    assert found.status == "solved"
    assert _quantlib(put, found.vol) == pytest.approx([price], abs=2e-4)


@pytest.mark.parametrize("drift", [-0.07, -0.4, -1.5, -2.5])
@pytest.mark.parametrize(("minutes", "rate"), [(200, 0.02), (400, 1e-4), (4_000, 0.045), (40_000, 0.09)])
def test_a_yield_far_below_0_gives_quantlibs_prices_and_volatilities(drift, minutes, rate):
    """`drift` is the yield until expiration in standard deviations, of which errors are shares."""
    vol, years = np.repeat([0.15, 0.3, 1.2], 3), minutes / 525_600
    deviation = 100.0 * vol * np.sqrt(years)
    strike = 100.0 + deviation * np.tile([-0.8, 0.1, 0.6], 3)
    puts = Options(-1, 100.0, strike, years, rate, drift * vol / np.sqrt(years))
    expected = _quantlib(puts, vol)
    assert np.max(np.abs(american.price(puts, vol) - expected) / deviation) < 1e-4
    found = american.analyse(expected, puts, tick=1e-4)
    telling = expected - np.maximum(strike - 100.0, 0.0) > 0.01 * deviation
    assert telling.any()
    assert np.all(found.code[telling] == 0)
    assert found.vol[telling] == pytest.approx(vol[telling], rel=2e-3)


def test_a_price_that_tells_no_volatility_is_below_tick_vega():
    puts = Options(-1, 100.0, [99.64142, 100.91127], [1.05651e-4, 4.20736e-4], 0.02, [-485.53, 82.444])
    paid = american.price(puts, [0.1778, 0.325])
    assert american.analyse(paid, puts).status.tolist() == ["below_tick_vega"] * 2
