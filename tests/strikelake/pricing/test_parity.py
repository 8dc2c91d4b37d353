"""Put-call parity: what calls and puts of one moment say of their underlying."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.pricing.parity import FARTHEST, NEAREST, implied_spots

EXPIRATION = date(2021, 1, 15)
MINUTE = 60_000_000_000


def _bars(quotes, *, root="SPXW", years=0.02, rate=0.03, moment=10):
    """Rows of (strike, call, put); None where a side did not trade."""
    sides = [(strike, *side) for strike, *both in quotes for side in zip("CP", both, strict=True)]
    rows = [(strike, side, close) for strike, side, close in sides if close is not None]
    frame = pl.DataFrame(rows, schema=["strike", "option_type", "close"], orient="row")
    code = pl.col("strike").mul(1000).round().cast(pl.Int64).cast(pl.String).str.zfill(8)
    return frame.with_columns(
        pl.col("strike", "close").cast(pl.Float64),
        occ_symbol=pl.lit(f"{root}210115") + pl.col("option_type") + code,
        underlying=pl.lit("SPX"),
        expiration=pl.lit(EXPIRATION),
        ts_ns=pl.lit((moment - 1) * MINUTE),
        available_at=pl.lit(moment * MINUTE),
        years=pl.lit(years),
        rate=pl.lit(rate),
    )


@given(
    spot=st.floats(50.0, 5_000.0),
    moneyness=st.floats(0.95, 1.05),
    vol=st.floats(0.05, 1.5),
    years=st.floats(0.001, 2.0),
    rate=st.floats(-0.02, 0.02),
)
def test_european_prices_give_back_their_spot(spot, moneyness, vol, years, rate):
    strike = round(spot * moneyness, 3)
    call, put = (float(european.price(Options(sign, spot, strike, years, rate), vol)) for sign in (1, -1))
    found = implied_spots(_bars([(strike, call, put)], years=years, rate=rate))
    assert found["spot"].to_list() == pytest.approx([spot])
    assert found["forward"].to_list() == pytest.approx([spot * np.exp(rate * years)])


def test_a_dividend_yield_comes_off_the_spot_and_not_off_the_forward():
    call, put = (float(european.price(Options(sign, 100.0, 100.0, 0.5, 0.04, 0.02), 0.2)) for sign in (1, -1))
    found = implied_spots(_bars([(100.0, call, put)], years=0.5, rate=0.04))
    assert found["spot"].to_list() == pytest.approx([100.0 * np.exp(-0.02 * 0.5)])
    assert found["forward"].to_list() == pytest.approx([100.0 * np.exp(0.02 * 0.5)])


def test_one_stale_print_among_strikes_moves_nothing():
    strikes = [(3690.0, 40.0, 3.0), (3700.0, 30.0, 3.0), (3710.0, 22.0, 5.0), (3720.0, 34.0, 3.0)]
    found = implied_spots(_bars([*strikes, (3730.0, 9.0, 12.0)], rate=0.0))
    assert (found["spot"].to_list(), found["strikes"].to_list()) == ([3727.0], [5])


def test_only_the_strikes_nearest_the_money_count():
    near = [(3700.0 + step, 20.0 - step, 10.0) for step in range(NEAREST)]
    far = [(3650.0 + step, 99.0, 10.0) for step in range(10)]
    found = implied_spots(_bars([*far, *near], rate=0.0))
    assert (found["spot"].to_list(), found["strikes"].to_list()) == ([3710.0], [NEAREST])


def test_a_pair_far_from_the_money_is_left_out():
    assert implied_spots(_bars([(3000.0, 700.0, 1.0)])).is_empty()
    assert implied_spots(_bars([(3000.0, 1.0, 1.0 + FARTHEST * 3000.0)])).height == 1


def test_a_side_alone_and_sides_of_different_moments_are_no_pair():
    early, late = _bars([(3700.0, 30.0, None)], moment=10), _bars([(3700.0, None, 3.0)], moment=11)
    assert implied_spots(pl.concat([early, late])).is_empty()


def test_two_roots_of_one_underlying_are_paired_apart_and_combined():
    weekly = _bars([(3700.0, 30.0, 4.0)], rate=0.0)
    monthly = _bars([(3700.0, 34.0, 4.0)], rate=0.0, root="SPX")
    found = implied_spots(pl.concat([weekly, monthly.with_columns(ts_ns=pl.col("ts_ns") + 5)]))
    assert found.select("underlying", "available_at", "ts_ns", "spot", "strikes").rows() == [
        ("SPX", 10 * MINUTE, 9 * MINUTE + 5, 3728.0, 2)
    ]


def test_moments_are_in_order_and_apart():
    frames = [_bars([(3700.0, 30.0 + moment, 4.0)], moment=moment, rate=0.0) for moment in (12, 10, 11)]
    found = implied_spots(pl.concat(frames))
    assert found["available_at"].to_list() == [10 * MINUTE, 11 * MINUTE, 12 * MINUTE]
    assert found["spot"].to_list() == [3736.0, 3737.0, 3738.0]


def test_nothing_in_nothing_out():
    assert implied_spots(_bars([(3700.0, 30.0, 4.0)]).clear()).is_empty()
