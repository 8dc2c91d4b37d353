"""How rows are put in cells, and that no row depends on how many or which others there are."""

import numpy as np
import pytest

from strikelake.pricing import american, chain
from strikelake.pricing.american_cells import make_cells, seats
from strikelake.pricing.options import Chain, Options
from strikelake.pricing.terms import Terms


def test_cells_hold_one_task_and_a_range_of_volatilities_wherever_their_rows_lie_in_it():
    rng = np.random.default_rng(0)
    task = np.sort(rng.integers(0, 5, 300))
    seat, years = rng.integers(0, 4, 300), rng.uniform(0.1011, 0.1059, 300)
    cells = make_cells(task, seat, years)
    bottom, top = cells.edges()
    assert np.array_equal(np.sort(cells.order), np.arange(300))
    assert [cells.starts[0], cells.starts[-1]] == [0, 300]
    for cell, (first, last) in enumerate(zip(cells.starts[:-1], cells.starts[1:], strict=True)):
        rows = cells.order[first:last]
        alone = make_cells(task[rows[:1]], seat[rows[:1]], years[rows[:1]])
        assert set(zip(task[rows], seat[rows], strict=True)) == {(cells.task[cell], cells.seat[cell])}
        assert np.array_equal(alone.reach[0], cells.reach[cell])
        assert cells.reach[cell, 2] <= years[rows].min() < years[rows].max() <= cells.reach[cell, 3]
        inside = np.exp(rng.uniform(np.log(bottom[cell]), np.log(top[cell]), 9))
        assert set(seats(inside)) == {cells.seat[cell]}


def test_one_cell_leaves_the_order():
    cells = make_cells(np.zeros(4, np.int64), np.ones(4, np.int64), np.full(4, 0.5))
    assert cells.order.tolist() == [0, 1, 2, 3]
    assert cells.starts.tolist() == [0, 4]


def _day(rows=3_000):
    """Prices in cents of a day's rows of six groups, with volatilities on both sides of two cells' edges."""
    rng = np.random.default_rng(3)
    group = rng.integers(0, 6, rows)
    terms = Terms(
        np.array([0.04, 0.04, 0.05, 0.0, 0.03, 0.045]),
        np.array([0.0, 0.02, 0.06, -0.02, 0.0301, 0.015]),
        np.ones(6, np.bool_),
    )
    vol = np.array([0.14, 0.2, 0.4, 0.9, 1.1, 0.13])[group] * np.exp(rng.normal(0.0, 0.25, rows))
    years = np.array([0.01, 0.04, 0.3, 1.0, 0.08, 0.5])[group] + rng.uniform(0.0, 0.27, rows) / 365.0
    strike = 100.0 * np.exp(rng.normal(0.0, 1.2, rows) * vol * np.sqrt(years))
    options = Chain(rng.choice([1.0, -1.0], rows), 100.0, strike, years, group, terms)
    paid = chain.price(options, vol)
    # In cents, a third of them wrong ones, with volatilities that no smile holds together.
    return np.round(paid, 2) + rng.choice([0.0, 0.0, 0.01, -0.02, 0.3], rows), options, vol


def _same(part, whole, rows):
    for ours, theirs in zip(part.columns(), whole.columns(), strict=True):
        np.testing.assert_allclose(ours, theirs[rows], rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("share", [0.03, 0.1, 0.3, 0.6, 1.0])
def test_no_row_depends_on_which_others_there_are_nor_on_their_order(share):
    paid, options, vol = _day()
    rng = np.random.default_rng(int(100 * share))
    whole = chain.analyse(paid, options)
    valued = chain.greeks(options, vol)
    assert np.count_nonzero(whole.code == 0) > 2_000
    for _ in range(3):
        some = rng.permutation(paid.size)[: int(share * paid.size)]
        _same(chain.analyse(paid[some], options[some]), whole, some)
        _same(chain.greeks(options[some], vol[some]), valued, some)
        assert np.array_equal(chain.price(options[some], vol[some]), chain.price(options, vol)[some])


def test_rows_later_in_the_day_change_nothing():
    paid, options, _ = _day()
    # Time to expiration falls, so that what a moment knows are the rows with the longest.
    within = options.years - np.array([0.01, 0.04, 0.3, 1.0, 0.08, 0.5])[options.group]
    whole = chain.analyse(paid, options)
    for known in (within > 0.26 / 365.0, within > 0.1 / 365.0):
        _same(chain.analyse(paid[known], options[known]), whole, known)


@pytest.mark.parametrize("vol", [0.004, 0.02, 0.0205, 0.1399, 0.1401, 0.9, 0.9549, 3.0, 9.0])
def test_a_volatility_is_found_wherever_its_cell_is(vol):
    strike = np.array([101.0, 100.0, 99.0])
    paid = american.price(Options(-1, 100.0, strike, 0.5, 0.02, 0.015), vol)
    found = american.analyse(paid, Options(-1, 100.0, strike, 0.5, 0.02, 0.015), tick=1e-6)
    solved = found.code == 0
    assert solved.any()
    assert np.max(np.abs(found.vol / vol - 1.0)[solved]) < 1e-4
