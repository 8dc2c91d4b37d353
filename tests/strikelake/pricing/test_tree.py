import numpy as np
import pytest

from strikelake.pricing import american, european, tree
from strikelake.pricing.options import Options

STRIKES = np.array([80.0, 95.0, 100.0, 105.0, 120.0])


@pytest.mark.parametrize("sign", [1, -1])
def test_many_steps_converge_to_the_american_price(sign):
    options = Options(sign, 100.0, STRIKES, 0.5, 0.05, 0.08)
    exact = american.price(options, 0.3)
    many = tree.price(options, 0.3, steps=600)
    np.testing.assert_allclose(many, exact, atol=0.01)
    few = tree.price(options, 0.3)
    assert np.abs(few - exact).max() > 5 * np.abs(many - exact).max()


def test_without_early_exercise_it_is_black_scholes():
    options = Options(-1, 100.0, STRIKES, 0.5, 0.05, 0.02)
    value = tree.price(options, 0.3, american=False, steps=600)
    np.testing.assert_allclose(value, european.price(options, 0.3), atol=0.01)
    found, exact = tree.greeks(options, 0.3, american=False, steps=600), european.greeks(options, 0.3)
    for name, tolerance in (("delta", 2e-3), ("gamma", 5e-4), ("vega", 0.5), ("theta", 0.1), ("rho", 0.2)):
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), atol=tolerance)


def test_volatility_and_rate_are_found_again():
    options = Options(1, 100.0, STRIKES, 0.5, 0.03)
    price = tree.price(options, 0.25)
    np.testing.assert_allclose(tree.implied_vol(price, options), 0.25, atol=1e-8)
    np.testing.assert_allclose(tree.implied_rate(price, options, 0.25), 0.03, atol=1e-8)


def test_each_row_may_have_its_own_right_to_exercise():
    both = tree.price(Options(-1, 80.0, 100.0, 1.0, 0.05), 0.2, american=[True, False])
    assert both[0] == pytest.approx(20.0)
    assert both[1] < 19.0


def test_what_has_no_answer_is_nan():
    options = Options(1, 100.0, 100.0, [0.0, -1.0, np.nan, 1.0], 0.0)
    assert np.isnan(tree.price(options, [0.2, 0.2, 0.2, 0.0])).all()
    assert np.isnan(tree.greeks(options, [0.2, 0.2, 0.2, 0.0]).columns()).all()
    assert np.isnan(tree.implied_vol([0.0, 150.0, np.nan], Options(1, 100.0, 100.0, 1.0, 0.0))).all()
    assert tree.implied_vol([], Options(1, 100.0, [], 1.0, 0.0)).shape == (0,)


def test_shapes_are_kept():
    options = Options([[1], [-1]], 100.0, STRIKES, 0.5, 0.03)
    price = tree.price(options, 0.25)
    assert (2, 5) == price.shape == tree.greeks(options, 0.25).vega.shape
    np.testing.assert_allclose(tree.implied_vol(price, options)[0], 0.25, atol=1e-8)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="need three"):
        tree.price(Options(1, 100.0, 100.0, 1.0, 0.0), 0.2, steps=2)
    with pytest.raises(ValueError, match=r"vol \(3,\) and the options \(2,\) differ in length"):
        tree.price(Options(1, [100.0, 101.0], 100.0, 1.0, 0.0), [0.2] * 3)
