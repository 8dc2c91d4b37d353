"""The columns that models take: one shape, no copies, errors that name a column; models called alike."""

import numpy as np
import polars as pl
import pytest

from strikelake.pricing import american, chain, european, tree
from strikelake.pricing.options import Chain, Options
from strikelake.pricing.terms import Terms

TERMS = Terms(np.array([0.04, 0.05]), np.array([0.0, 0.06]), np.array([True, True]))


def test_arrays_are_not_copied_and_scalars_are_not_written_out():
    columns = [np.linspace(1.0, 2.0, 7) for _ in range(3)]
    options = Options(1, *columns, rate=0.04)
    assert all(mine is given for mine, given in zip(options.columns()[1:4], columns, strict=True))
    assert [options.shape, options.sign.strides, options.rate.strides] == [(7,), (0,), (0,)]
    [price] = options.beside(price=columns[0])[1]
    assert np.shares_memory(price, columns[0])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"strike": [95.0, 100.0, 105.0]}, r"spot \(2,\), strike \(3,\).*one length"),
        ({"sign": [1, 0]}, r"sign holds a value other than \+1 and -1"),
        ({"sign": ["C", "P"]}, "sign holds something that is no number.*'C'"),
        ({"years": pl.Series(["30d", "60d"])}, "years holds something that is no number"),
        ({"rate": {}}, "rate holds something that is no number"),
    ],
)
def test_an_error_names_the_column(changed, message):
    columns = {"sign": 1, "spot": [100.0, 101.0], "strike": 100.0, "years": 0.5, "rate": 0.04}
    with pytest.raises(ValueError, match=message):
        Options(**{**columns, **changed})


def test_another_column_widens_the_options_or_is_refused():
    option = Options(1, 100.0, 100.0, 0.5, 0.04)
    wider, (vol, tick) = option.beside(vol=[[0.2], [0.3]], tick=[0.01, 0.05, 0.1])
    assert (wider.shape, vol.shape, tick.shape) == ((2, 3), (6,), (6,))
    assert vol.tolist() == [0.2] * 3 + [0.3] * 3
    with pytest.raises(ValueError, match=r"vol \(3,\) and the options \(2,\) differ in length"):
        Options(1, 100.0, [95.0, 105.0], 0.5, 0.04).beside(vol=[0.2] * 3, tick=0.01)
    with pytest.raises(ValueError, match="vol holds something that is no number"):
        option.beside(vol="high")


@pytest.mark.parametrize("rows", [slice(1, 3), [2, 0], np.array([True, False, True]), 1])
def test_some_of_the_options_are_those_of_every_column(rows):
    options = Options([1, -1, 1], 100.0, [95.0, 100.0, 105.0], 0.5, 0.04)
    assert np.array_equal(european.price(options, 0.2)[rows], european.price(options[rows], 0.2))
    grouped = Chain(options.sign, 100.0, options.strike, 0.5, [0, 1, 0], TERMS)
    assert np.array_equal(chain.price(grouped, 0.2)[rows], chain.price(grouped[rows], 0.2))


def test_every_model_answers_the_same_calls():
    options = Options([[1], [-1]], 100.0, [95.0, 100.0, 105.0], 0.5, 0.04)
    grouped = Chain([[1], [-1]], 100.0, [95.0, 100.0, 105.0], 0.5, 0, TERMS)
    for model, of in ((european, options), (american, options), (chain, grouped), (tree, options)):
        prices = model.price(of, 0.2)
        assert (2, 3) == prices.shape == model.greeks(of, 0.2).rho.shape
        found = tree.implied_vol(prices, of) if model is tree else model.analyse(prices, of).vol
        assert found == pytest.approx(np.full((2, 3), 0.2), abs=1e-5)
        # A call without yield is European whatever the style, and the tree is near.
        assert prices[0] == pytest.approx(european.price(options, 0.2)[0], abs=0.05)


def test_a_chain_knows_what_its_groups_do():
    grouped = Chain(-1, 100.0, 110.0, [0.5, 1.0], [1, 0], TERMS)
    assert grouped.american().tolist() == [True, True]
    assert grouped.forwards() == pytest.approx(100.0 * np.exp([-0.01 * 0.5, 0.04]))
    own = grouped.options()
    assert (own.rate.tolist(), own.dividend_yield.tolist()) == ([0.05, 0.04], [0.06, 0.0])
    assert np.array_equal(american.price(own, 0.3), chain.price(grouped, 0.3))
    assert np.array_equal(grouped.group, Chain(-1, 100.0, 110.0, 0.5, np.array([1, 0], np.int8), TERMS).group)
