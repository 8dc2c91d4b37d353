"""Volatility and Greeks in one pass: digits, statuses, blocks and threads."""

import mpmath
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strikelake.pricing import european
from strikelake.pricing.arrays import BLOCK
from strikelake.pricing.options import Options
from strikelake.pricing.statuses import STATUSES

GREEKS = ("delta", "gamma", "vega", "theta", "rho")


def _black(sign, spot, strike, years, rate, vol, carry):
    """The price to 40 digits."""
    with mpmath.workdps(40):
        spot, strike, years, rate, vol, carry = map(mpmath.mpf, (spot, strike, years, rate, vol, carry))
        held, owed, s = (
            spot * mpmath.exp(-carry * years),
            strike * mpmath.exp(-rate * years),
            vol * mpmath.sqrt(years),
        )
        d1 = mpmath.log(held / owed) / s + s / 2
        return sign * (held * mpmath.ncdf(sign * d1) - owed * mpmath.ncdf(sign * (d1 - s)))


@pytest.mark.parametrize(
    "market",
    [
        (1, 100.0, 100.0, 0.25, 0.04, 0.3, 0.01),
        (-1, 100.0, 160.0, 0.5, 0.04, 0.3, 0.0),
        (1, 100.0, 180.0, 0.25, 0.02, 0.3, 0.0),
        (-1, 5000.0, 3000.0, 0.1, 0.05, 0.4, 0.013),
        (1, 100.0, 101.0, 1.0 / 365.0 / 390.0, 0.04, 1.0, 0.0),
        (1, 100.0, 100.0, 2.0, -0.02, 3.0, -0.01),
        (-1, 20.0, 15.0, 2.0, 0.04, 1.5, 0.1),
        (1, 700.0, 300.0, 0.5, 0.043, 0.3, 0.02),
    ],
)
def test_forty_digits_agree(market):
    exact = _black(*market)
    *inputs, vol, carry = market
    options = Options(*inputs, carry)
    assert float(european.price(options, vol)) == pytest.approx(float(exact), rel=2e-13)
    found = european.analyse(float(exact), options, tick=1e-12)
    assert found.status == "solved"
    assert float(found.vol) == pytest.approx(vol, abs=1e-11)


@given(
    st.sampled_from([1.0, -1.0]),
    st.floats(-1.0, 1.0),
    st.floats(1e-4, 3.0),
    st.floats(-0.02, 0.1),
    st.floats(0.01, 5.0),
    st.floats(-0.05, 0.1),
)
def test_greeks_are_those_at_the_volatility_found(sign, log_moneyness, years, rate, vol, carry):
    options = Options(sign, 100.0, 100.0 * np.exp(log_moneyness), years, rate, carry)
    found = european.analyse(european.price(options, vol), options)
    at = european.greeks(options, found.vol)
    for name in GREEKS:
        assert float(getattr(found, name)) == pytest.approx(
            float(getattr(at, name)), rel=1e-7, abs=1e-9, nan_ok=True
        )


@given(*[st.floats(allow_nan=True, allow_infinity=True)] * 7)
def test_any_numbers_at_all_give_one_status_and_no_number_without_it(
    paid, spot, strike, years, rate, carry, tick
):
    tick = abs(tick) if np.isfinite(tick) and tick else 0.01
    found = european.analyse([paid, paid], Options([1, -1], spot, strike, years, rate, carry), tick=tick)
    assert set(found.status) <= set(STATUSES) - {"at_american_intrinsic"}
    solved = found.code == 0
    for column in (found.vol, found.error):
        assert np.array_equal(np.isfinite(column), solved) or tick > 1e100
    for name in GREEKS:
        assert np.all(np.isnan(getattr(found, name)[~solved]))


def test_threads_and_blocks_change_nothing():
    rows = 3 * BLOCK + 17
    rng = np.random.default_rng(3)
    strike, sign = rng.uniform(50.0, 150.0, rows), rng.choice([1.0, -1.0], rows)
    paid = european.price(Options(sign, 100.0, strike, 0.5, 0.03), 0.25)
    alone, many = (european.analyse(paid, Options(sign, 100.0, strike, 0.5, 0.03), threads=n) for n in (1, 3))
    part = european.analyse(paid[5::777], Options(sign[5::777], 100.0, strike[5::777], 0.5, 0.03))
    for one, other, some in zip(alone.columns(), many.columns(), part.columns(), strict=True):
        assert np.array_equal(one, other, equal_nan=True)
        assert np.array_equal(one[5::777], some, equal_nan=True)


@pytest.mark.parametrize("column", [pl.Series, pa.array])
def test_columns_of_polars_and_arrow_are_taken_as_they_are(column):
    paid = column([4.0, None, 5.0])
    options = Options(column([1, -1, -1]), 100.0, column([100.0, 100.0, 100.0]), 0.25, 0.0)
    found = european.analyse(paid, options)
    assert found.status.tolist() == ["solved", "missing_input", "solved"]


def test_black_of_1976_is_the_forward_with_its_rate_as_yield():
    paid = np.exp(-0.05 * 0.5) * european.price(Options(1, 105.0, 100.0, 0.5, 0.0), 0.2)
    black = Options(sign=1, spot=105.0, strike=100.0, years=0.5, rate=0.05, dividend_yield=0.05)
    assert european.price(black, 0.2) == pytest.approx(float(paid), rel=1e-14)


def test_no_threads_is_refused():
    with pytest.raises(ValueError, match="threads is 0"):
        european.analyse(1.0, Options(1, 100.0, 100.0, 0.5, 0.0), threads=0)
