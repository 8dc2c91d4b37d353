"""European prices: known values, parity, monotonicity, bad inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strikelake.pricing import european
from strikelake.pricing.options import Options

spots = st.floats(1.0, 1_000.0)
moneyness = st.floats(-1.0, 1.0)
years = st.floats(1e-5, 3.0)
rates = st.floats(-0.02, 0.1)
vols = st.floats(0.01, 3.0)
yields = st.floats(0.0, 0.1)
signs = st.sampled_from([1.0, -1.0])


@given(spots, moneyness, years, rates, vols, yields)
def test_put_call_parity(spot, log_moneyness, years, rate, vol, dividend_yield):
    strike = spot * np.exp(log_moneyness)
    call, put = european.price(Options([1, -1], spot, strike, years, rate, dividend_yield), vol)
    forward = spot * np.exp(-dividend_yield * years) - strike * np.exp(-rate * years)
    assert call - put == pytest.approx(forward, abs=1e-11 * spot)


@given(signs, spots, moneyness, years, rates, vols, yields)
def test_price_rises_with_vol_and_stays_inside_its_bounds(sign, spot, log_moneyness, years, rate, vol, q):
    strike = spot * np.exp(log_moneyness)
    values = european.price(Options(sign, spot, strike, years, rate, q), [0.0, vol, 1.1 * vol])
    held, owed = spot * np.exp(-q * years), strike * np.exp(-rate * years)
    rounding = 1e-12 * spot
    assert np.all(np.diff(values) >= -rounding)
    assert values[0] == pytest.approx(max(sign * (held - owed), 0.0), abs=rounding)
    assert values[-1] <= (held if sign > 0 else owed) + rounding


@given(signs, spots, moneyness, years, rates, vols)
def test_call_falls_and_put_rises_with_strike(sign, spot, log_moneyness, years, rate, vol):
    strike = spot * np.exp(log_moneyness)
    values = european.price(Options(sign, spot, [strike, 1.05 * strike], years, rate), vol)
    assert sign * np.diff(values)[0] <= 1e-12 * spot


def test_known_values_of_hull():
    both = Options([1, -1], 42.0, 40.0, 0.5, 0.1)
    assert european.price(both, 0.2) == pytest.approx([4.7594, 0.8086], abs=5e-5)


def test_expired_and_riskless_options_are_worth_their_intrinsic_value():
    assert european.price(Options([1, -1], 100.0, [90.0, 110.0], 0.0, 0.05), 0.2).tolist() == [10.0, 10.0]
    assert european.price(Options(1, 100.0, 100.0, 0.0, 0.05), 0.2) == 0.0
    riskless = european.price(Options(1, 100.0, 100.0, 1.0, 0.05), 0.0)
    assert riskless == pytest.approx(100.0 * (1.0 - np.exp(-0.05)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("place", ["spot", "strike", "years", "vol"])
def test_a_bad_input_gives_nan_for_its_row_only(place, bad):
    market = {"vol": 0.2, "spot": 100.0, "strike": 100.0, "years": 0.5, "rate": 0.01}
    vol, *columns = {**market, place: [market[place], bad]}.values()
    values = european.price(Options(1, *columns), vol)
    assert np.isnan(values).tolist() == [False, True]


@pytest.mark.parametrize("place", ["spot", "strike"])
def test_a_price_of_zero_is_no_market(place):
    market = {"spot": 100.0, "strike": 100.0, place: 0.0}
    assert np.isnan(european.price(Options(1, **market, years=0.5, rate=0.01), 0.2))


def test_empty_in_empty_out():
    assert european.price(Options([], [], [], [], []), []).shape == (0,)


def test_different_lengths_are_named():
    with pytest.raises(ValueError, match=r"spot \(3,\), strike \(2,\).*one length"):
        european.price(Options(1, [1.0, 2.0, 3.0], [1.0, 2.0], 1.0, 0.0), 0.2)


def test_a_sign_that_is_neither_call_nor_put_is_refused():
    with pytest.raises(ValueError, match=r"use \+1 for a call and -1 for a put"):
        european.price(Options([0, 1], 100.0, 100.0, 1.0, 0.0), 0.2)
