"""How rows are put in cells, and that no row depends on how many or which others there are."""

import numpy as np
import pytest

from strikelake.pricing import american
from strikelake.pricing.american_search import make_cells


def test_cells_hold_one_task_and_like_volatilities():
    rng = np.random.default_rng(0)
    task = np.sort(rng.integers(0, 5, 300))
    vol, years = np.exp(rng.uniform(-3.0, 1.0, 300)), rng.uniform(0.1, 0.11, 300)
    cells = make_cells(task, vol, years, 0.3, 0.2)
    assert np.array_equal(np.sort(cells.order), np.arange(300))
    assert cells.starts[0] == 0
    assert cells.starts[-1] == 300
    for cell, (first, last) in enumerate(zip(cells.starts[:-1], cells.starts[1:], strict=True)):
        rows = cells.order[first:last]
        low, high, shortest, longest = cells.reach[cell]
        assert set(task[rows]) == {cells.task[cell]}
        assert np.log(vol[rows]).min() == pytest.approx(low + 0.3)
        assert np.log(vol[rows]).max() == pytest.approx(high - 0.2)
        assert high - low < 1.2 + 0.5 + 1e-9
        assert years[rows].min() == shortest
        assert years[rows].max() == longest


def test_one_cell_leaves_the_order():
    cells = make_cells(np.zeros(4, np.int64), np.full(4, 0.2), np.full(4, 0.5), 0.3, 0.2)
    assert cells.order.tolist() == [0, 1, 2, 3]
    assert cells.starts.tolist() == [0, 4]


def test_other_rows_move_a_volatility_by_less_than_rounding_does():
    rng = np.random.default_rng(3)
    vol = 0.3 * np.exp(rng.normal(0.0, 0.2, 400))
    strike = 100.0 * np.exp(rng.normal(0.0, 1.0, 400) * vol * np.sqrt(0.4))
    market = (-1, 100.0, strike, 0.4, 0.04)
    paid = np.round(american.price(*market, vol, 0.01), 2)
    whole = american.analyse(paid, *market, 0.01)
    part = american.analyse(paid[:20], -1, 100.0, strike[:20], 0.4, 0.04, 0.01)
    assert np.array_equal(whole.code[:20], part.code)
    moved = np.abs(whole.vol[:20] - part.vol)[part.code == 0]
    assert np.all(moved < 0.2 * part.error[part.code == 0])
    assert np.median(moved) < 1e-7


@pytest.mark.parametrize("vol", [0.004, 0.02, 0.9, 3.0, 9.0])
def test_a_volatility_far_from_the_start_is_found_in_another_cell(vol):
    strike = np.array([101.0, 100.0, 99.0])
    paid = american.price(-1, 100.0, strike, 0.5, 0.02, vol, 0.015)
    found = american.analyse(paid, -1, 100.0, strike, 0.5, 0.02, 0.015, tick=1e-6)
    solved = found.code == 0
    assert solved.any()
    assert np.max(np.abs(found.vol / vol - 1.0)[solved]) < 1e-4
