"""The VIX method against the worked example of the Cboe's methodology, and its rules one by one."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from strikelake.pricing.vix import index_value, term_variance

HERE = Path(__file__).parent
# From the methodology's appendices: minutes to settlement, rate, forward, first and last strike, variance.
NEAR = (34_484, 0.00031664, 1962.89996, 1370.0, 2125.0, 0.019233906)
NEXT = (44_954, 0.00028797, 1962.40006, 1275.0, 2200.0, 0.019423884)


def _quotes(name):
    return pl.read_csv(HERE / f"cboe_{name}.tsv", separator="\t").cast(pl.Float64)


def _variance(name, minutes, rate):
    return term_variance(*_quotes(name).get_columns(), years=minutes / 525_600, rate=rate)


@pytest.mark.parametrize(("name", "term"), [("near", NEAR), ("next", NEXT)])
def test_the_worked_example_of_the_methodology(name, term):
    minutes, rate, forward, first, last, variance = term
    found = _variance(name, minutes, rate)
    assert found.forward == pytest.approx(forward, abs=1e-5)
    assert (found.at_the_money, found.strikes[0], found.strikes[-1]) == (1960.0, first, last)
    assert found.variance == pytest.approx(variance, abs=2e-8)


def test_single_contributions_of_the_worked_example():
    found = _variance("near", *NEAR[:2])
    by_strike = dict(zip(found.strikes, found.contributions, strict=True))
    assert [by_strike[strike] for strike in (1370.0, 1375.0, 1380.0, 1950.0, 1955.0)] == pytest.approx(
        [5.328e-7, 3.306e-7, 3.938e-7, 2.39979e-5, 2.58376e-5], rel=2e-4
    )
    assert found.contributions.sum() == pytest.approx(0.0006320516, abs=1e-9)


def test_the_index_of_the_worked_example():
    near, following = _variance("near", *NEAR[:2]).variance, _variance("next", *NEXT[:2]).variance
    assert index_value(near, NEAR[0], following, NEXT[0]) == pytest.approx(13.927842, abs=1e-5)


def test_the_same_quotes_with_the_times_of_the_earlier_edition():
    """The edition of 2014 takes the same quotes 25 and 32 days before; its index is 13.69."""
    near = term_variance(*_quotes("near").get_columns(), years=0.0683486, rate=0.000305).variance
    following = term_variance(*_quotes("next").get_columns(), years=0.0882686, rate=0.000286).variance
    assert (near, following) == (
        pytest.approx(0.01846292, abs=1e-7),
        pytest.approx(0.01882101, abs=1e-7),
    )
    assert index_value(near, 35_924, following, 46_394) == pytest.approx(13.69, abs=0.005)


def test_a_flat_smile_gives_its_volatility():
    from strikelake.pricing import european
    from strikelake.pricing.options import Options

    strikes = np.arange(1000.0, 9000.0, 5.0)
    call, put = (european.price(Options(sign, 4000.0, strikes, 30 / 365, 0.0), 0.2) for sign in (1, -1))
    found = term_variance(strikes, call, call, put, put, 30 / 365, 0.0)
    assert found.variance == pytest.approx(0.04, rel=1e-3)


def test_the_order_of_the_strikes_does_not_matter():
    quotes = _quotes("near")
    shuffled = quotes.sample(fraction=1.0, shuffle=True, seed=3)
    first, second = (
        term_variance(*frame.get_columns(), years=0.07, rate=0.0).variance for frame in (quotes, shuffled)
    )
    assert first == second


def test_two_strikes_without_a_bid_end_a_side():
    strikes = [80.0, 85.0, 90.0, 95.0, 100.0, 105.0, 110.0, 115.0, 120.0]
    put_bid = [0.5, 0.0, 0.0, 1.0, 4.0, 8.0, 12.0, 16.0, 20.0]
    call_bid = [20.0, 16.0, 12.0, 8.0, 4.0, 0.0, 0.4, np.nan, 0.1]
    found = term_variance(strikes, call_bid, 20.5, put_bid, 20.5, 0.1, 0.0)
    assert found.strikes.tolist() == [95.0, 100.0, 110.0, 120.0]


@pytest.mark.parametrize(
    ("quotes", "years", "reason"),
    [
        (([100.0], 1.0, 2.0, 1.0, 2.0), 0.0, "no time to settlement"),
        (([], [], [], [], []), 0.1, "no strike with a call and a put"),
        (([90.0, 100.0], 0.0, 2.0, 1.0, 2.0), 0.1, "no strike with a call and a put"),
        (([100.0, 110.0], [1.0, 0.0], 2.0, 1.0, 2.0), 0.1, "no out-of-the-money quotes on one side"),
        (([100.0], 1.0, 1.0, 10.0, 10.0), 0.1, "no call and put at the forward"),
    ],
)
def test_a_chain_that_is_too_thin_says_so(quotes, years, reason):
    assert term_variance(*quotes, years=years, rate=0.0) == reason


def test_negative_total_variance_is_no_index():
    assert np.isnan(index_value(-0.5, 20_000, 0.01, 50_000))
