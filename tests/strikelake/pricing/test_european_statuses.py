"""Implied volatility: round trips, statuses, bad inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.pricing.statuses import STATUSES


@given(
    st.sampled_from([1.0, -1.0]),
    st.floats(-1.0, 1.0),
    st.floats(1e-4, 3.0),
    st.floats(-0.02, 0.1),
    st.floats(0.01, 5.0),
    st.floats(0.0, 0.1),
)
def test_round_trip(sign, log_moneyness, years, rate, vol, q):
    strike = 100.0 * np.exp(log_moneyness)
    paid = european.price(Options(sign, 100.0, strike, years, rate, q), vol)
    found = european.analyse(paid, Options(sign, 100.0, strike, years, rate, q))
    vega = european.greeks(Options(sign, 100.0, strike, years, rate, q), vol).vega
    if vega > 0.0101:
        assert found.status == "solved"
        assert float(found.vol) == pytest.approx(vol, abs=1e-10)
        # The slope of the last step but one serves for it: five digits of a resolution.
        assert float(found.error) == pytest.approx(0.005 / vega, rel=1e-5)
    else:
        assert found.status != "not_converged"


@given(
    *[st.floats(allow_nan=True, allow_infinity=True)] * 2,
    st.floats(0.0, 1e6),
    st.floats(-1.0, 100.0),
    st.floats(-5.0, 5.0),
)
def test_every_row_has_a_number_or_a_reason(paid, spot, strike, years, rate):
    found = european.analyse([paid, paid], Options([1, -1], spot, strike, years, rate))
    solved = found.code == STATUSES.index("solved")
    assert np.array_equal(np.isfinite(found.vol), solved)
    assert np.array_equal(np.isfinite(found.error), solved)
    assert np.all(found.vol[solved] > 0.0)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "solved"),
        ({"price": 5.0, "strike": 90.0}, "below_intrinsic"),
        ({"price": 100.0}, "above_bound"),
        ({"sign": -1, "price": 100.0}, "above_bound"),
        ({"price": 0.0}, "non_positive_price"),
        ({"price": -1.0}, "non_positive_price"),
        ({"price": np.nan}, "missing_input"),
        ({"price": np.inf}, "missing_input"),
        ({"sign": np.nan}, "missing_input"),
        ({"spot": np.nan}, "missing_input"),
        ({"spot": 0.0}, "missing_input"),
        ({"strike": -1.0}, "missing_input"),
        ({"rate": np.nan}, "missing_input"),
        ({"years": np.nan}, "missing_input"),
        ({"years": 0.0}, "expired"),
        ({"years": -0.1}, "expired"),
        ({"price": 99.999_999_9, "years": 0.01}, "above_cap"),
        ({"price": 20.01, "strike": 80.0, "years": 0.001, "tick": 1.0}, "below_tick_vega"),
    ],
)
def test_status(changed, expected):
    quote = {"price": 4.0, "tick": 0.01}
    market = {"sign": 1, "spot": 100.0, "strike": 100.0, "years": 0.25, "rate": 0.0}
    price, tick, *columns = {**quote, **market, **changed}.values()
    found = european.analyse(price, Options(*columns), tick)
    assert found.status == expected
    assert bool(np.isnan(found.vol)) == (expected != "solved")


def test_far_tails_keep_their_digits():
    strikes = np.array([200.0, 150.0, 50.0, 40.0])
    signs = np.array([1.0, 1.0, -1.0, -1.0])
    paid = european.price(Options(signs, 100.0, strikes, 0.05, 0.02), 0.3)
    found = european.analyse(paid, Options(signs, 100.0, strikes, 0.05, 0.02), tick=1e-300)
    assert found.vol == pytest.approx(np.full(4, 0.3), abs=1e-9)


def test_shapes_are_kept_and_empty_is_fine():
    assert european.analyse([], Options([], [], [], [], [])).vol.shape == (0,)
    assert european.analyse(np.full((2, 3), 4.0), Options(1, 100.0, 100.0, 0.25, 0.0)).vol.shape == (2, 3)


def test_rows_do_not_depend_on_their_neighbours():
    strikes = np.linspace(50.0, 150.0, 40_001)
    paid = european.price(Options(1, 100.0, strikes, 0.5, 0.03), 0.25)
    whole = european.analyse(paid, Options(1, 100.0, strikes, 0.5, 0.03))
    part = european.analyse(paid[7::1000], Options(1, 100.0, strikes[7::1000], 0.5, 0.03))
    assert np.array_equal(whole.vol[7::1000], part.vol, equal_nan=True)


def test_bad_calls_say_what_to_do():
    with pytest.raises(ValueError, match=r"price \(2,\) and the options \(3,\) differ in length"):
        european.analyse([1.0, 2.0], Options(1, 100.0, [90.0, 100.0, 110.0], 0.5, 0.0))
    with pytest.raises(ValueError, match=r"use \+1 for a call"):
        european.analyse(1.0, Options(2, 100.0, 100.0, 0.5, 0.0))
    with pytest.raises(ValueError, match=r"tick is 0\.0.*must be positive"):
        european.analyse(1.0, Options(1, 100.0, 100.0, 0.5, 0.0), tick=0.0)
