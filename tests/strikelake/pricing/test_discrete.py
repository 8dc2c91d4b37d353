"""Discrete dividends: schedules, forwards, European rows."""

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - as its own examples do
from scipy.interpolate import CubicSpline

from strikelake.pricing import chain, european
from strikelake.pricing.chain import Chain, Dividends, Terms
from strikelake.pricing.discrete import fractions
from strikelake.pricing.options import Options

TODAY = ql.Date(2, 1, 2026)
DAYS = ql.Actual365Fixed()
PAID = Dividends(np.array([1, 1, 0]), np.array([0.35, 0.1, 0.2]), np.array([0.01, 0.02, 0.03]))


def _terms(*, american=False, dividends=PAID):
    return Terms(np.array([0.04, 0.04]), np.array([0.0, 0.01]), np.full(2, american), dividends)


def test_the_forward_is_that_of_the_cash():
    cash, when, spot, rate = np.array([1.0, 0.5, 0.8]), np.array([0.4, 0.1, 0.7]), 60.0, 0.05
    shares = fractions(cash, when, spot, rate)
    terms = Terms(
        np.array([rate]), np.zeros(1), np.array([True]), Dividends(np.zeros(3, int), 1.0 - when, shares)
    )
    expected = (spot - np.sum(cash * np.exp(-rate * when))) * np.exp(rate)
    assert Chain(1, spot, spot, 1.0, [0], terms).forwards() == pytest.approx([expected], rel=1e-14)


def test_only_dividends_ahead_count():
    found = Chain(1, 100.0, 100.0, [0.5, 0.3, 0.05, 0.5], [1, 1, 1, 0], _terms()).forwards()
    growth = np.exp(np.array([0.03, 0.03, 0.03, 0.04]) * [0.5, 0.3, 0.05, 0.5])
    assert found == pytest.approx(100.0 * growth * [0.99 * 0.98, 0.98, 1.0, 0.97], rel=1e-14)


def test_european_rows_are_exact_and_lose_no_dividend_day_by_day():
    sign, strike, years = (
        np.array([1.0, -1.0, 1.0]),
        np.array([95.0, 105.0, 100.0]),
        np.array([0.5, 0.3, 0.05]),
    )
    vol, options = np.array([0.2, 0.3, 0.4]), Chain(sign, 100.0, strike, years, 1, _terms())
    value = chain.price(options, vol)
    spot = 100.0 * np.array([0.99 * 0.98, 0.98, 1.0])
    without = Options(sign, spot, strike, years, 0.04, 0.01)
    assert value == pytest.approx(european.price(without, vol), rel=1e-13)
    assert value == pytest.approx(european.price(options.options(), vol), rel=1e-13)
    found = chain.analyse(value, options)
    assert found.vol == pytest.approx(vol, abs=1e-10)
    later = chain.price(Chain(sign, 100.0, strike, years - 1e-5, 1, _terms()), vol)
    assert found.theta == pytest.approx((later - value) / 1e-5, rel=1e-3)
    assert chain.greeks(options, vol).theta == pytest.approx(found.theta)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0], [0.1, 0.2], [0.01]), "give three of one length"),
        (([0], [0.1], [1.0]), r"shares in \[0, 1\)"),
        (([0], [0.1], [-0.1]), r"shares in \[0, 1\)"),
        (([0], [np.nan], [0.1]), "leave the dividend out"),
    ],
)
def test_bad_dividends_are_named(columns, message):
    with pytest.raises(ValueError, match=message):
        Dividends(*map(np.array, columns))


def test_a_schedule_of_an_unknown_group_and_one_beyond_the_spot_are_refused():
    stray = _terms(dividends=Dividends(np.array([0, 5]), np.ones(2), np.zeros(2)))
    with pytest.raises(ValueError, match="dividends name groups 0 to 5, but there are 2 terms"):
        Chain(1, 1.0, 1.0, 1.0, [0], stray).forwards()
    with pytest.raises(ValueError, match="leave nothing of a spot of 10"):
        fractions([6.0, 6.0], [0.1, 0.2], 10.0, 0.0)
    with pytest.raises(ValueError, match="one date per dividend"):
        fractions([6.0], [0.1, 0.2], 10.0, 0.0)


def _flat(level):
    return ql.YieldTermStructureHandle(ql.FlatForward(TODAY, level, DAYS))


def _quantlib(sign, strike, days, vol, schedule):
    """The price on a spot of 100 at a rate of 4.3 %, by QuantLib's grid from ex-date to ex-date.

    Between them its solver, on them the price that is left, or exercise. As a yield of one day (its curves
    know no less) a dividend is paid too slowly: the call below is then worth 3 basis points more.
    """
    ql.Settings.instance().evaluationDate = TODAY
    surface = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), vol, DAYS))
    spot = ql.QuoteHandle(ql.SimpleQuote(100.0))
    process = ql.BlackScholesMertonProcess(spot, _flat(0.0), _flat(0.043), surface)
    mesher = ql.FdmMesherComposite(ql.FdmBlackScholesMesher(400, process, days / 365, strike))
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, strike)
    exercise = ql.FdmAmericanStepCondition(mesher, ql.FdmLogInnerValue(payoff, mesher, 0))
    conditions = ql.FdmStepConditionComposite([], [exercise])
    solver = ql.FdmBackwardSolver(
        ql.FdmBlackScholesOp(mesher, process, strike),
        ql.FdmBoundaryConditionSet(),
        conditions,
        ql.FdmSchemeDesc.CrankNicolson(),
    )
    at = np.array(mesher.locations(0))
    exercised = np.maximum(sign * (np.exp(at) - strike), 0.0)
    value, now = exercised, days
    for day, share in [*reversed(schedule), (0, 0.0)]:
        column = ql.Array(value.tolist())
        solver.rollback(column, now / 365, day / 365, 25 * (now - day), 4)
        left = CubicSpline(at, list(column))(np.maximum(at + np.log1p(-share), at[0]))
        value, now = np.maximum(left, exercised), day
    return float(CubicSpline(at, value)(np.log(100.0)))


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(
    ("days", "schedule"), [(45, [(20, 0.015)]), (45, [(40, 0.005)]), (182, [(30, 0.005), (121, 0.005)])]
)
def test_quantlibs_grid_gives_back_the_volatility(sign, days, schedule):
    years, vol = days / 365, np.array([0.2, 0.4, 0.2, 0.4, 0.3])
    strike = 100.0 * np.exp(np.array([-1.5, -0.5, 0.4, 1.5, 0.1]) * vol * np.sqrt(years))
    paid = np.array([_quantlib(sign, k, days, v, schedule) for k, v in zip(strike, vol, strict=True)])
    when, share = np.array(schedule).T
    owed = Dividends(np.zeros(len(when), int), years - when / 365, share)
    terms = Terms(np.array([0.043]), np.zeros(1), np.array([True]), owed)
    found = chain.analyse(paid, Chain(sign, 100.0, strike, years, np.zeros(5, int), terms))
    assert found.status.tolist() == ["solved"] * 5
    assert found.vol == pytest.approx(vol, abs=1.5e-4)


def test_a_put_far_in_the_money_knows_the_day_from_which_waiting_for_the_dividend_pays():
    days, schedule = 182, [(30, 0.005), (121, 0.005)]  # thirty days of interest on 135.80 cost what it pays
    strike, vol = np.array([135.8, 150.0, 167.84, 202.6]), np.array([0.2, 0.3, 0.4, 0.4])
    expected = [_quantlib(-1.0, k, days, v, schedule) for k, v in zip(strike, vol, strict=True)]
    owed = Dividends(np.zeros(2, int), (days - np.array([30, 121])) / 365, np.full(2, 0.005))
    terms = Terms(np.array([0.043]), np.zeros(1), np.array([True]), owed)
    found = chain.price(Chain(-1.0, 100.0, strike, days / 365, 0, terms), vol)
    assert found == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_american_rows_go_round_and_their_greeks_are_slopes(sign):
    terms = _terms(american=True)

    def value(spot=100.0, years=0.5, vol=0.3, terms=terms):
        return float(chain.price(Chain(sign, spot, 104.0, years, [1], terms), vol)[0])

    found = chain.analyse(value(), Chain(sign, 100.0, 104.0, 0.5, [1], terms))
    assert found.vol == pytest.approx([0.3], abs=1e-5)
    assert found.delta == pytest.approx([(value(spot=100.1) - value(spot=99.9)) / 0.2], abs=2e-3)
    assert found.vega == pytest.approx([(value(vol=0.31) - value(vol=0.29)) / 0.02], rel=5e-3)
    assert found.theta == pytest.approx([(value(years=0.499) - value(years=0.501)) / 0.002], rel=0.02)
    higher = Terms(np.array([0.04, 0.041]), terms.dividend_yield, terms.american, PAID)
    assert found.rho == pytest.approx([(value(terms=higher) - value()) / 0.001], rel=0.02)


@pytest.mark.parametrize(
    ("sign", "rate", "carry", "dividends"),
    [
        (1.0, 0.04, 0.01, PAID),
        (-1.0, 0.04, 0.01, PAID),
        (1.0, -0.06, -0.02, None),
        (-1.0, -0.02, -0.06, None),
    ],
)
def test_rho_is_the_slope_in_the_rate(sign, rate, carry, dividends):
    """Dividends keep their shares of the price; the last two have two boundaries."""
    step, strike = 0.002, np.linspace(75.0, 130.0, 12)

    def rows(moved):
        terms = Terms(np.full(2, rate + moved), np.full(2, carry), np.ones(2, np.bool_), dividends)
        return Chain(sign, 100.0, strike, 0.5, 1, terms)

    up, down = (chain.price(rows(moved), 0.3) for moved in (step, -step))
    assert chain.greeks(rows(0.0), 0.3).rho == pytest.approx((up - down) / (2.0 * step), abs=0.05)


def test_american_is_worth_at_least_the_european_and_the_exercise():
    rng = np.random.default_rng(4)
    sign, strike = rng.choice([1.0, -1.0], 200), rng.uniform(70.0, 140.0, 200)
    years, vol, group = (
        rng.choice([0.15, 0.49, 0.5], 200),
        rng.uniform(0.1, 0.9, 200),
        rng.integers(0, 2, 200),
    )
    options = Chain(sign, 100.0, strike, years, group, _terms(american=True))
    value = chain.price(options, vol)
    assert np.all(value >= chain.price(Chain(sign, 100.0, strike, years, group, _terms()), vol) - 5e-4)
    assert np.all(value >= sign * (100.0 - strike) - 1e-9)
    found = chain.analyse(value, options, tick=1e-4)
    telling = value - np.maximum(sign * (100.0 - strike), 0.0) > 0.02
    assert np.all(found.code[telling] == 0)
    assert np.max(np.abs(found.vol - vol)[telling]) < 5e-4


def test_bad_rows_beside_good_ones_have_a_reason():
    paid = [5.0, 0.0, np.nan, 40.0, 200.0, 5.0]
    strike, years = [100.0, 100.0, 100.0, 140.0, 100.0, 100.0], [0.5, 0.5, 0.5, 0.5, 0.5, 0.0]
    found = chain.analyse(paid, Chain(-1, 100.0, strike, years, [1] * 6, _terms(american=True)))
    expected = ["solved", "non_positive_price", "missing_input", "below_intrinsic", "above_bound", "expired"]
    assert found.status.tolist() == expected


def test_a_call_is_worth_its_exercise_before_an_ex_date_whatever_its_volatility():
    """Deep in the money: now it pays 36.00, just before the ex-date 36 and the interest until then."""
    owed = Dividends(np.zeros(1, int), np.array([0.02]), np.array([0.01]))
    terms = Terms(np.array([0.05]), np.zeros(1), np.array([True]), owed)
    sure = 100.0 - 64.0 * np.exp(-0.05 * 0.08)
    paid = sure + np.array([-0.01, 0.04])
    rows = Chain(1.0, 100.0, 64.0, 0.1, [0, 0], terms)
    found = chain.analyse(paid, rows)
    assert found.status.tolist() == ["below_intrinsic", "solved"]
    assert chain.price(rows[1:], found.vol[1:]) == pytest.approx(paid[1:], abs=1e-4)


def test_no_row_depends_on_which_others_there_are():
    rng = np.random.default_rng(6)
    sign, group, size = rng.choice([1.0, -1.0], 300), rng.integers(0, 2, 300), 300
    vol = np.array([0.14, 0.5])[group] * np.exp(rng.normal(0.0, 0.4, size))
    years = np.array([0.21, 0.36])[group] - rng.uniform(0.0, 0.0007, size)
    strike = 100.0 * np.exp(rng.normal(0.0, 1.2, size) * vol * np.sqrt(years))
    options = Chain(sign, 100.0, strike, years, group, _terms(american=True))
    paid = chain.price(options, vol)
    paid = np.round(paid, 2) + rng.choice([0.0, 0.0, 0.02, 0.3], size)
    whole = chain.analyse(paid, options)
    for share in (0.03, 0.3, 1.0):
        some = rng.permutation(size)[: int(share * size)]
        part = chain.analyse(paid[some], options[some])
        assert np.array_equal(part.code, whole.code[some])
        for ours, theirs in zip(part.columns()[1:], whole.columns()[1:], strict=True):
            np.testing.assert_allclose(ours, theirs[some], rtol=1e-12, atol=0.0)
