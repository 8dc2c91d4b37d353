"""American options: QuantLib's prices, properties, statuses, and rows beside one another."""

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - as its own examples do
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from strikelake.pricing import american, chain, european
from strikelake.pricing.options import Chain, Options
from strikelake.pricing.statuses import STATUSES
from strikelake.pricing.terms import Terms

GREEKS = ("delta", "gamma", "vega", "theta", "rho")
signs = st.sampled_from([1.0, -1.0])
TODAY = ql.Date(2, 1, 2026)
DAYS = ql.Actual365Fixed()


def _flat(level):
    return ql.YieldTermStructureHandle(ql.FlatForward(TODAY, level, DAYS))


def _quantlib(sign, strike, days, rate, vol, carry):
    """The price on a spot of 100 by QuantLib's accurate engine."""
    ql.Settings.instance().evaluationDate = TODAY
    flat_vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), vol, DAYS))
    spot = ql.QuoteHandle(ql.SimpleQuote(100.0))
    process = ql.BlackScholesMertonProcess(spot, _flat(carry), _flat(rate), flat_vol)
    side = ql.Option.Call if sign > 0 else ql.Option.Put
    option = ql.VanillaOption(ql.PlainVanillaPayoff(side, strike), ql.AmericanExercise(TODAY, TODAY + days))
    scheme = ql.QdFpAmericanEngine.highPrecisionScheme()
    option.setPricingEngine(ql.QdFpAmericanEngine(process, scheme))
    return option.NPV()


@pytest.mark.parametrize(
    ("sign", "rate", "carry", "days"),
    [
        (-1, 0.045, 0.015, 180),
        (-1, 0.045, 0.0, 30),
        (-1, 0.045, 0.0455, 365),
        (-1, 0.045, 0.08, 365),
        (-1, 0.05, 0.01, 2),
        (-1, 0.04, -0.02, 200),
        (1, 0.045, 0.06, 180),
        (1, 0.02, 0.0205, 90),
        (1, -0.01, 0.03, 400),
        (1, 0.04, 0.0, 90),
    ],
)
def test_quantlibs_prices_give_back_their_volatility(sign, rate, carry, days):
    rng = np.random.default_rng(1)
    vol = rng.uniform(0.12, 0.9, 40)
    strike = 100.0 * np.exp(rng.uniform(-1.5, 1.5, 40) * vol * np.sqrt(days / 365))
    paid = np.array([_quantlib(sign, k, days, rate, v, carry) for k, v in zip(strike, vol, strict=True)])
    worth = np.maximum(sign * (100.0 - strike), 0.0)
    found = american.analyse(paid, Options(sign, 100.0, strike, days / 365, rate, carry), tick=1e-4)
    telling = paid - worth > 0.01
    assert np.all(found.code[telling] == 0)
    assert np.max(np.abs(found.vol - vol)[telling]) < 3e-5
    value = american.price(Options(sign, 100.0, strike, days / 365, rate, carry), vol)
    assert np.max(np.abs(value - paid)) < 2e-3


markets = st.tuples(
    signs,
    st.floats(-0.6, 0.6),  # ln(strike / spot)
    st.floats(1e-3, 2.0),  # years
    st.floats(-0.02, 0.1),  # rate
    st.floats(-0.02, 0.1),  # yield
    st.floats(0.05, 3.0),  # vol
)


@given(markets)
@settings(deadline=None)
def test_worth_at_least_the_european_and_the_exercise(market):
    sign, log_moneyness, years, rate, carry, vol = market
    assume(min(rate, carry) >= 0.0 or max(rate, carry) > 0.0)  # two boundaries: see test_exercise_regions
    strike = 100.0 * np.exp(log_moneyness)
    options = Options(sign, 100.0, strike, years, rate, carry)
    values = american.price(options, [vol, 1.02 * vol])
    assert np.all(values >= european.price(options, [vol, 1.02 * vol]) - 1e-9)
    assert np.all(values >= sign * (100.0 - strike) - 1e-9)
    assert values[1] >= values[0] - 1e-5
    assert np.all(values <= (100.0 if sign > 0 else strike) * np.exp(max(0.0, -min(rate, carry)) * years))


@given(
    signs,
    st.floats(-0.4, 0.4),
    st.floats(0.01, 2.0),
    st.floats(0.001, 0.1),
    st.floats(0.0, 0.1),
    st.floats(0.08, 2.0),
)
@settings(deadline=None)
def test_price_and_volatility_go_round(sign, log_moneyness, years, rate, carry, vol):
    strike = 100.0 * np.exp(log_moneyness)
    options = Options(sign, 100.0, strike, years, rate, carry)
    paid = american.price(options, vol)
    found = american.analyse(paid, options, tick=1e-6)
    worth = max(sign * (100.0 - strike), 0.0)
    if paid > worth + 0.01 and american.greeks(options, vol).vega > 0.5:
        assert found.status == "solved"
        again = american.price(options, found.vol)
        assert float(again) == pytest.approx(float(paid), abs=2e-4)


@given(
    signs,
    st.floats(-0.3, 0.3),
    st.floats(0.05, 2.0),
    st.floats(0.005, 0.1),
    st.floats(0.005, 0.1),
    st.floats(0.15, 1.0),
)
@settings(deadline=None)
def test_delta_gamma_and_vega_follow_the_price_everywhere(sign, log_moneyness, years, rate, carry, vol):
    strike, step = 100.0 * np.exp(log_moneyness), 0.2
    spots = 100.0 + step * np.array([-1.0, 0.0, 1.0])
    down, at, up = american.price(Options(sign, spots, strike, years, rate, carry), vol)
    assume(at - max(sign * (100.0 - strike), 0.0) > 0.05)
    found = american.greeks(Options(sign, 100.0, strike, years, rate, carry), vol)
    low, high = american.price(Options(sign, 100.0, strike, years, rate, carry), [vol - 1e-3, vol + 1e-3])
    assert found.delta == pytest.approx((up - down) / (2.0 * step), abs=5e-4)
    assert found.gamma == pytest.approx((up - 2.0 * at + down) / step**2, abs=2e-3)
    assert found.vega == pytest.approx((high - low) / 2e-3, rel=2e-3, abs=0.02)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("strike", "carry"), [(100.0, 0.06), (92.0, 0.03), (108.0, 0.07)])
def test_greeks_are_the_slopes_of_the_price(sign, strike, carry):
    at = {
        "sign": sign,
        "spot": 100.0,
        "strike": strike,
        "years": 0.6,
        "rate": 0.05,
        "dividend_yield": carry,
    }

    def slope(name, step, value=american.price):
        low, high = (
            value(Options(**{**at, name: at[name] + change}), 0.3)
            if name != "vol"
            else value(Options(**at), 0.3 + change)
            for change in (-step, step)
        )
        return float((high - low) / (2.0 * step))

    found = american.greeks(Options(**at), 0.3)
    assert found.delta == pytest.approx(slope("spot", 0.05), abs=1e-4)
    assert found.vega == pytest.approx(slope("vol", 1e-3), rel=1e-3)
    assert found.theta == pytest.approx(-slope("years", 1e-3), rel=5e-3)
    assert found.rho == pytest.approx(slope("rate", 1e-3), rel=0.02)
    change_of_delta = slope("spot", 0.05, lambda *market: american.greeks(*market).delta)
    assert found.gamma == pytest.approx(change_of_delta, rel=2e-3)


def test_exercised_options_have_the_slopes_of_the_exercise():
    found = american.greeks(Options([-1, 1], 100.0, [160.0, 40.0], 0.5, [0.05, 0.0], [0.0, 0.1]), 0.2)
    assert found.delta.tolist() == [-1.0, 1.0]
    assert [found.gamma.tolist(), found.vega.tolist(), found.theta.tolist()] == [[0.0, 0.0]] * 3


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "solved"),
        ({"price": 39.0, "strike": 140.0}, "below_intrinsic"),
        ({"price": 40.0, "strike": 140.0}, "at_american_intrinsic"),
        ({"price": 40.004, "strike": 140.0}, "at_american_intrinsic"),
        ({"price": 100.0}, "above_bound"),
        ({"price": 99.9}, "above_cap"),
        ({"sign": 1, "price": 100.0}, "above_bound"),
        ({"price": 1e-9, "strike": 40.0}, "below_tick_vega"),
        ({"price": 1e300}, "above_bound"),
        ({"price": -np.inf}, "missing_input"),
        ({"price": 0.0}, "non_positive_price"),
        ({"price": -1.0}, "non_positive_price"),
        ({"price": np.nan}, "missing_input"),
        ({"price": np.inf}, "missing_input"),
        ({"spot": 0.0}, "missing_input"),
        ({"strike": -1.0}, "missing_input"),
        ({"rate": np.nan}, "missing_input"),
        ({"dividend_yield": np.inf}, "missing_input"),
        ({"years": np.nan}, "missing_input"),
        ({"years": 0.0}, "expired"),
        ({"sign": np.nan}, "missing_input"),
    ],
)
def test_status(changed, expected):
    quote = {"price": 5.0, "sign": -1, "spot": 100.0, "strike": 100.0, "years": 0.25, "rate": 0.04}
    price, *market = {**quote, **changed}.values()
    found = american.analyse(price, Options(*market))
    assert found.status == expected
    assert bool(np.isnan(found.vol)) == (expected != "solved")


@given(
    *[st.floats(allow_nan=True, allow_infinity=True)] * 2,
    st.floats(0.0, 1e6),
    st.floats(-1.0, 20.0),
    st.floats(-0.5, 0.5),
    st.floats(-0.5, 0.5),
)
@settings(deadline=None, max_examples=60)
def test_every_row_has_a_number_or_a_reason(paid, spot, strike, years, rate, carry):
    found = american.analyse([paid, paid], Options([1, -1], spot, strike, years, rate, carry))
    assert set(found.status) <= set(STATUSES)
    solved = found.code == 0
    assert np.array_equal(np.isfinite(found.vol), solved)
    assert np.all(found.vol[solved] > 0.0)
    for name in GREEKS:
        assert np.all(np.isnan(getattr(found, name)[~solved]))


def _chain(rows=6_000):
    rng = np.random.default_rng(5)
    group = rng.integers(0, 7, rows)
    sign, strike = rng.choice([1.0, -1.0], rows), rng.uniform(70.0, 140.0, rows)
    years, vol = (
        rng.choice([0.02, 0.3, 1.0], rows) * rng.uniform(0.97, 1.0, rows),
        rng.uniform(0.15, 0.8, rows),
    )
    terms = Terms(
        np.array([0.04, 0.04, 0.05, 0.0, 0.03, -0.01, np.nan]),
        np.array([0.0, 0.02, 0.06, 0.0, 0.0301, 0.01, 0.0]),
        np.array([True, True, True, True, True, False, True]),
    )
    return Chain(sign, 100.0, strike, years, group, terms), vol


def test_a_chain_of_many_groups_goes_round_whatever_the_threads():
    options, vol = _chain()
    paid = chain.price(options, vol)
    alone, many = (chain.analyse(paid, options, tick=1e-4, threads=n) for n in (1, 3))
    for one, other in zip(alone.columns(), many.columns(), strict=True):
        assert np.array_equal(one, other, equal_nan=True)
    known = options.group != 6
    telling = paid - np.maximum(options.sign * (options.spot - options.strike), 0.0) > 0.02
    telling &= chain.greeks(options, vol).vega > 0.1
    assert np.all(alone.code[~known] == STATUSES.index("missing_input"))
    assert np.all(alone.code[known & telling] == 0)
    assert np.max(np.abs(alone.vol - vol)[known & telling]) < 3e-5


def test_the_order_of_rows_does_not_matter():
    options, vol = _chain(2_000)
    paid = chain.price(options, vol)
    mixed = np.random.default_rng(1).permutation(2_000)
    found = chain.analyse(paid, options)
    again = chain.analyse(paid[mixed], options[mixed])
    assert np.array_equal(found.code[mixed], again.code)
    assert found.vol[mixed] == pytest.approx(again.vol, abs=1e-9, nan_ok=True)


def test_empty_in_empty_out_and_expired_is_exercise():
    assert american.analyse([], Options([], [], [], [], [])).vol.shape == (0,)
    expired = Options([1, -1], 100.0, [90.0, 110.0], 0.0, 0.05, 0.1)
    assert american.price(expired, 0.2).tolist() == [10.0, 10.0]


def test_bad_calls_say_what_to_do():
    terms = Terms(np.array([0.04]), np.array([0.0]), np.array([True]))
    with pytest.raises(ValueError, match="group holds 0 to 1, but there are 1 terms"):
        chain.analyse([1.0, 1.0], Chain(1, 100.0, 100.0, 0.5, [0, 1], terms))
    with pytest.raises(ValueError, match="pass whole numbers"):
        chain.analyse([1.0], Chain(1, 100.0, 100.0, 0.5, [0.5], terms))
    with pytest.raises(ValueError, match=r"terms differ in length.*one value per group"):
        Terms(np.array([0.04, 0.04]), np.array([0.0]), np.array([True]))
    with pytest.raises(ValueError, match=r"price \(2,\) and the options \(3,\) differ in length"):
        american.analyse([1.0, 2.0], Options(1, 100.0, [90.0, 100.0, 110.0], 0.5, 0.0))
