from datetime import date

import numpy as np
import polars as pl
import pytest

from backtests.matrices import LONGEST_GAP, PriceMatrices
from backtests.positions import kept, plan, wanted
from strikelake.calendar import et_ns, sessions

DATES = [day.date for day in sessions(date(2025, 1, 6), date(2025, 2, 14))]
FORECAST_SCHEMA = {"asof": pl.Int64, "underlying": pl.String, "probability": pl.Float64}


def forecasts(*rows):
    flat = [(et_ns(day, clock), name, probability) for day, clock, name, probability in rows]
    return pl.DataFrame(flat, schema=FORECAST_SCHEMA, orient="row")


def matrices(names, priced, tickers=None):
    prices = np.where(np.array(priced, dtype=bool), 10.0, np.nan)
    return PriceMatrices(DATES[: len(prices)], list(names), list(tickers or names), prices, prices)


def column(*parts):
    """Return a column of length and value pairs: whether there is a bar, or the target."""
    return np.concatenate([np.full(length, value) for length, value in parts])[:, None]


def test_a_session_is_decided_by_the_last_forecast_of_the_one_before():
    made = forecasts(
        (DATES[0], "16:00", "A", 0.6),
        (DATES[0], "10:00", "A", 0.4),
        (DATES[1], "16:00", "A", 0.5),
        (DATES[2], "16:00", "A", 0.9),
        (DATES[0], "16:00", "B", 0.3),
    )
    both = matrices("AB", np.ones((3, 2)))
    found = wanted(made, both, edge=0.05, short=True)
    assert found.target.tolist() == [[0, 0], [1, -1], [0, 0]]
    assert found.covered.tolist() == [[False, False], [True, True], [True, False]]
    assert wanted(made, both, edge=0.05, short=False).target.tolist() == [[0, 0], [1, 0], [0, 0]]
    assert not wanted(made, both, edge=0.2, short=True).target.any()


@pytest.mark.parametrize("probability", [None, float("nan")])
def test_a_forecast_that_is_no_number_leads_to_a_flat_session(probability):
    made = forecasts((DATES[0], "16:00", "A", probability))
    assert not wanted(made, matrices("A", np.ones((3, 1))), edge=0.0, short=True).target.any()


def test_a_forecast_counts_only_where_its_underlying_has_a_bar():
    made = forecasts(*((day, "16:00", "A", 0.9) for day in DATES[:4]))
    found = wanted(made, matrices("A", [[1], [0], [1], [1]]), edge=0.0, short=True)
    assert found.target.ravel().tolist() == [0, 1, 0, 1]


def test_a_forecast_belongs_to_the_series_that_trades_when_it_is_made():
    two = matrices(["WM", "WM from 2025-01-08"], [[1, 0], [0, 0], [0, 1], [0, 1]], ["WM", "WM"])
    made = forecasts(*((day, "16:00", "WM", 0.9) for day in DATES[:4]))
    assert wanted(made, two, edge=0.0, short=True).target.tolist() == [[0, 0], [1, 0], [0, 0], [0, 1]]


def test_names_get_equal_shares_whenever_one_comes_or_goes():
    target = np.array([[0, 0, 0], [1, 0, 0], [1, -1, 0], [1, -1, 0], [1, 0, 0]], dtype=float)
    share = plan(target, matrices("ABC", np.ones((5, 3)))).share
    nan = np.nan
    expected = [[nan, nan, nan], [1, nan, nan], [0.5, -0.5, nan], [nan, nan, nan], [1, 0, nan]]
    np.testing.assert_array_equal(expected, share)


def test_an_entry_without_an_open_lapses_and_leaves_its_share_in_cash():
    target = np.array([[0, 0], [1, 1], [1, 0]], dtype=float)
    found = plan(target, matrices("AB", [[1, 1], [1, 0], [1, 1]]))
    assert found.held.tolist() == [[0, 0], [1, 0], [1, 0]]
    assert found.lapsed.tolist() == [[False, False], [False, True], [False, False]]
    np.testing.assert_array_equal([[np.nan, np.nan], [0.5, np.nan], [1.0, np.nan]], found.share)


def test_what_has_no_open_is_kept_until_the_next_one():
    target = column((1, 0.0), (1, 1.0), (4, 0.0))
    found = plan(target, matrices("A", column((2, 1), (2, 0), (2, 1))))
    assert found.held.ravel().tolist() == [0, 1, 1, 1, 0, 0]
    assert found.share[4, 0] == 0.0
    assert not found.ended.any()


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_position_ends_once_the_longest_gap_has_gone_by(direction):
    silent = LONGEST_GAP + 5
    target = column((1, 0.0), (1, direction), (silent, 0.0))
    found = plan(target, matrices("A", column((2, 1), (silent, 0))))
    # Two bars, then the sessions that a trader waits, then one more that shows it is longer than that.
    over = 2 + LONGEST_GAP + 1
    assert np.argwhere(found.ended).tolist() == [[over, 0]]
    assert found.held.ravel().tolist() == [0.0, *[direction] * (over - 1), *[0.0] * (silent + 2 - over)]
    assert np.argwhere(np.isfinite(found.share)).tolist() == [[1, 0], [over, 0]]


def test_keeping_starts_after_the_first_forecast_and_outlasts_short_gaps():
    priced = column((2, True), (2, False), (2, True), (LONGEST_GAP + 3, False))
    covered = np.zeros_like(priced)
    covered[1] = True
    target = kept(covered, priced)
    over = 6 + LONGEST_GAP + 1
    assert target.ravel().tolist() == [0.0, *[1.0] * (over - 1), 0.0, 0.0]
    found = plan(target, matrices("A", priced))
    assert np.argwhere(np.isfinite(found.share)).tolist() == [[1, 0], [over, 0]]


def test_what_is_stuck_is_not_shared_out():
    # A is all of the account and doubles before it falls silent; B and C can only have what is left: nothing.
    target = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 1, 1]], dtype=float)
    made = matrices("ABC", [[1, 1, 1], [1, 1, 1], [1, 1, 1], [0, 1, 1], [1, 1, 1]])
    made.opens[2, 0] = made.closes[2, 0] = 30.0
    found = plan(target, made, reserve=0.1)
    # On the fourth day A, bought back to 45 % of equity at 30, leaves 55 %, less the reserve, to B and C.
    nan = np.nan
    expected = [
        [nan, nan, nan],
        [0.9, nan, nan],
        [0.45, 0.45, nan],
        [nan, 0.2475, 0.2475],
        [0, 0.45, 0.45],
    ]
    np.testing.assert_allclose(found.share, expected)


@pytest.mark.parametrize(("third", "orders"), [(0.0, [2, 0, 0]), (1.0, [2, 2, 3])])
def test_a_name_that_missed_its_share_gets_it_when_it_opens_again(third, orders):
    target = np.array([[0, 0, 0], [1, 1, 0], [1, 1, third], [1, 1, third]], dtype=float)
    found = plan(target, matrices("ABC", [[1, 1, 1], [1, 1, 1], [1, 0, 1], [1, 1, 1]]))
    assert np.isfinite(found.share[1:]).sum(axis=1).tolist() == orders


def test_an_account_that_has_lost_everything_orders_nothing_more():
    target = column((1, 0.0), (3, -1.0), (2, 1.0))
    made = matrices("A", np.ones((6, 1)))
    made.opens[2:] = made.closes[2:] = 25.0
    assert np.argwhere(np.isfinite(plan(target, made).share)).tolist() == [[1, 0]]


def test_later_bars_and_targets_change_nothing_before():
    rng = np.random.default_rng(7)
    shape = (60, 4)
    target = rng.integers(-1, 2, size=shape).astype(float)
    priced = np.repeat(rng.random((12, 4)) < 0.6, 5, axis=0) & (rng.random(shape) < 0.9)
    prices = np.where(priced, np.exp(np.cumsum(0.02 * rng.normal(size=shape), axis=0)), np.nan)
    made = [PriceMatrices(DATES, list("ABCD"), list("ABCD"), prices[:n], prices[:n]) for n in range(1, 61)]
    whole = plan(target, made[-1])
    for cut, known in enumerate(made, start=1):
        part = plan(target[:cut], known)
        np.testing.assert_array_equal(whole.share[:cut], part.share)
        np.testing.assert_array_equal(whole.held[:cut], part.held)
