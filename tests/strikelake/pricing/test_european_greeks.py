"""Greeks against finite differences of the price."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strikelake.pricing import european
from strikelake.pricing.options import Options

markets = st.tuples(
    st.sampled_from([1.0, -1.0]),
    st.floats(20.0, 500.0),
    st.floats(-0.3, 0.3),
    st.floats(0.02, 2.0),
    st.floats(-0.02, 0.1),
    st.floats(0.1, 1.0),
    st.floats(0.0, 0.06),
)


@given(markets)
def test_greeks_are_the_slopes_of_the_price(market):
    sign, spot, log_moneyness, years, rate, vol, q = market
    at = {
        "sign": sign,
        "spot": spot,
        "strike": spot * np.exp(log_moneyness),
        "years": years,
        "rate": rate,
        "dividend_yield": q,
    }

    def slope(name, step, value=european.price):
        low, high = (
            value(Options(**{**at, name: at[name] + change}), vol)
            if name != "vol"
            else value(Options(**at), vol + change)
            for change in (-step, step)
        )
        return float((high - low) / (2.0 * step))

    found = european.greeks(Options(**at), vol)
    assert found.delta == pytest.approx(slope("spot", 1e-4 * spot), abs=1e-5)
    assert found.vega == pytest.approx(slope("vol", 1e-4), abs=1e-4 * spot)
    assert found.rho == pytest.approx(slope("rate", 1e-4), abs=1e-5 * spot)
    assert found.theta == pytest.approx(-slope("years", 1e-5), abs=1e-4 * spot)
    change_of_delta = slope("spot", 1e-4 * spot, lambda *market: european.greeks(*market).delta)
    assert found.gamma == pytest.approx(change_of_delta, rel=1e-3, abs=1e-9)


def test_call_and_put_share_gamma_and_vega():
    both = european.greeks(Options([1, -1], 100.0, 105.0, 0.25, 0.03, 0.01), 0.4)
    assert both.gamma[0] == pytest.approx(both.gamma[1], rel=1e-14)
    assert both.vega[0] == pytest.approx(both.vega[1], rel=1e-14)
    assert both.delta[0] - both.delta[1] == pytest.approx(np.exp(-0.01 * 0.25))


@pytest.mark.parametrize(
    ("years", "vol"), [(0.0, 0.2), (1.0, 0.0), (np.nan, 0.2), (1.0, np.inf), (-1.0, 0.2)]
)
def test_no_derivative_where_there_is_no_time_no_vol_or_no_input(years, vol):
    found = european.greeks(Options([1.0], 100.0, 100.0, years, 0.0), vol)
    names = ("delta", "gamma", "vega", "theta", "rho")
    assert [bool(np.isnan(getattr(found, name))[0]) for name in names] == [True] * 5
