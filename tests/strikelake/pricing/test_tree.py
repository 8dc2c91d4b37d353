import numpy as np
import pytest

from strikelake.pricing import american, black_scholes
from strikelake.pricing.greeks import greeks
from strikelake.pricing.tree import tree_rate, tree_values, tree_vol

STRIKES = np.array([80.0, 95.0, 100.0, 105.0, 120.0])


@pytest.mark.parametrize("sign", [1, -1])
def test_many_steps_converge_to_the_american_price(sign):
    exact = american.price(sign, 100.0, STRIKES, 0.5, 0.05, 0.3, 0.08)
    many = tree_values(sign, 100.0, STRIKES, 0.5, 0.05, 0.3, 0.08, steps=600).price
    np.testing.assert_allclose(many, exact, atol=0.01)
    few = tree_values(sign, 100.0, STRIKES, 0.5, 0.05, 0.3, 0.08).price
    assert np.abs(few - exact).max() > 5 * np.abs(many - exact).max()


def test_without_early_exercise_it_is_black_scholes():
    market = (-1, 100.0, STRIKES, 0.5, 0.05, 0.3, 0.02)
    found = tree_values(*market, american=False, steps=600)
    exact = greeks(*market)
    np.testing.assert_allclose(found.price, black_scholes.price(*market), atol=0.01)
    for name, tolerance in (("delta", 2e-3), ("gamma", 5e-4), ("vega", 0.5), ("theta", 0.1)):
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), atol=tolerance)


def test_volatility_and_rate_are_found_again():
    price = tree_values(1, 100.0, STRIKES, 0.5, 0.03, 0.25).price
    np.testing.assert_allclose(tree_vol(price, 1, 100.0, STRIKES, 0.5, 0.03), 0.25, atol=1e-8)
    np.testing.assert_allclose(tree_rate(price, 1, 100.0, STRIKES, 0.5, 0.25), 0.03, atol=1e-8)


def test_each_row_may_have_its_own_right_to_exercise():
    both = tree_values(-1, 80.0, 100.0, 1.0, 0.05, 0.2, american=[True, False]).price
    assert both[0] == pytest.approx(20.0)
    assert both[1] < 19.0


def test_what_has_no_answer_is_nan():
    assert np.isnan(
        tree_values(1, 100.0, 100.0, [0.0, -1.0, np.nan, 1.0], 0.0, [0.2, 0.2, 0.2, 0.0]).price
    ).all()
    assert np.isnan(tree_vol([0.0, 150.0, np.nan], 1, 100.0, 100.0, 1.0, 0.0)).all()
    assert tree_vol([], 1, 100.0, [], 1.0, 0.0).shape == (0,)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="need three"):
        tree_values(1, 100.0, 100.0, 1.0, 0.0, 0.2, steps=2)
    with pytest.raises(ValueError, match="differ in length"):
        tree_values(1, [100.0, 101.0], [100.0] * 3, 1.0, 0.0, 0.2)
