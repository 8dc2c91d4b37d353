import numpy as np
import polars as pl
import pytest

from strikelake.sandbox.surface import TENORS, implied_vol, known_curve, option_state
from strikelake.sandbox.tape import listed


@pytest.fixture(scope="module")
def noon(market):
    """Every contract of the first session at one moment, with its value."""
    contracts = listed(market.contracts, market.paths, 0)
    at = np.full((contracts.height, 1), 150)
    moments = market.paths.sessions[0].open_ns + at * 60 * 10**9
    state = option_state(market.config, market.paths, known_curve(market.curves, 0), contracts, at, moments)
    return contracts.with_columns(
        pl.Series("value", state.value[:, 0]),
        pl.Series("spot", state.spot[:, 0]),
        pl.Series("discount", np.exp(-state.rate * state.years)[:, 0]),
    )


def test_calls_fall_and_puts_rise_with_the_strike_without_butterfly_arbitrage(noon):
    for (_, _, sign), chain in noon.group_by("underlying", "expiration", "sign"):
        chain = chain.sort("strike")  # noqa: PLW2901 - the same chain, in order
        slopes = (
            chain["value"].diff().drop_nulls().to_numpy() / chain["strike"].diff().drop_nulls().to_numpy()
        )
        assert (slopes * sign <= 0.0).all()
        assert (np.abs(slopes) <= 1.0).all()
        assert (np.diff(slopes) >= -1e-9).all()


def test_put_call_parity_holds(noon):
    calls, puts = noon.filter(pl.col("sign") == 1), noon.filter(pl.col("sign") == -1)
    pairs = calls.join(puts, on=["underlying", "expiration", "strike"], suffix="_put")
    forward = pairs["spot"] - pairs["strike"] * pairs["discount"]
    assert pairs.height > 80
    assert (pairs["value"] - pairs["value_put"]).to_numpy() == pytest.approx(forward.to_numpy(), abs=1e-9)


def test_implied_vol_is_skewed_and_returns_to_its_long_run():
    years, calm, usual = np.array([0.1]), np.array([0.01]), np.array([0.04])
    low, mid, high = (implied_vol(np.array([k]), years, usual, usual)[0] for k in (-0.1, 0.0, 0.1))
    assert low > mid > high
    near, far = (implied_vol(np.zeros(1), np.array([t]), calm, usual)[0] for t in (0.02, 2.0))
    assert near < far


def test_a_curve_is_known_before_the_first_session(market):
    before = market.curves.filter(pl.col("date") < market.paths.sessions[0].date)
    assert before.height == 10
    assert market.curves.columns == ["date", *TENORS]
    assert known_curve(market.curves, 0).tolist() == list(before.row(-1)[1:])
