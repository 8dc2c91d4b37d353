"""SVI slices: exact where data are SVI, arbitrage-free whatever the data, robust to a wild print."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.pricing.svi import FEWEST, durrleman, fit, total_variance, variance_slope

PARAMS = np.array([0.005, 0.08, -0.6, 0.02, 0.08])


def _fit(k, w, weight=None):
    k, w = np.asarray(k, dtype=float), np.asarray(w, dtype=float)
    return fit(k, w, np.ones(len(k)) if weight is None else weight, np.array([0, len(k)]))


def test_data_of_a_slice_give_it_back():
    k = np.linspace(-0.3, 0.2, 25)
    found = _fit(k, total_variance(PARAMS, k))
    assert found.params[0] == pytest.approx(PARAMS, rel=1e-6)
    assert found.min_g[0] == pytest.approx(durrleman(PARAMS, np.linspace(-0.7, 0.7, 4001)).min(), rel=0.01)


def test_slope_and_durrleman_agree_with_differences_of_prices():
    k = np.linspace(-0.5, 0.5, 41)
    step = 1e-5
    slope = (total_variance(PARAMS, k + step) - total_variance(PARAMS, k - step)) / (2 * step)
    assert variance_slope(PARAMS, k) == pytest.approx(slope, abs=1e-8)
    # g is the density, up to a positive factor: sqrt(2 pi w) exp(d2^2 / 2) K^2 d2C/dK2.
    step = 1e-3

    def call(strike):
        vol = np.sqrt(total_variance(PARAMS, np.log(strike)))
        return european.price(Options(1, 1.0, strike, 1.0, 0.0), vol)

    strike = np.exp(k)
    density = (call(strike + step) - 2 * call(strike) + call(strike - step)) / step**2
    w = total_variance(PARAMS, k)
    d2 = -k / np.sqrt(w) - np.sqrt(w) / 2
    expected = density * strike**2 * np.sqrt(2 * np.pi * w) * np.exp(d2**2 / 2) / strike
    assert durrleman(PARAMS, k) == pytest.approx(expected, rel=2e-3, abs=1e-3)


def test_a_slice_with_arbitrage_is_fitted_without():
    """The slice of Axel Vogt, in Gatheral and Jacquier: section 3.1."""
    vogt = np.array([-0.0410, 0.1331, 0.3060, 0.3586, 0.4153])
    k = np.linspace(-1.5, 1.5, 61)
    assert durrleman(vogt, k).min() < -0.02
    found = _fit(k, total_variance(vogt, k))
    assert found.min_g[0] >= 0.0
    assert durrleman(found.params[0], np.linspace(-2, 2, 2001)).min() >= -1e-4
    vols = [np.sqrt(total_variance(params, k)) for params in (vogt, found.params[0])]
    assert np.abs(vols[0] - vols[1]).max() < 0.02


def test_one_wild_print_moves_little():
    k = np.linspace(-0.3, 0.2, 25)
    w = total_variance(PARAMS, k)
    w[12] *= 1.6
    clean = np.delete(np.arange(25), 12)
    off = total_variance(_fit(k, w).params[0], k)[clean] / w[clean] - 1.0
    assert np.abs(off).max() < 0.02


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1.0, 1.0), st.floats(0.05, 2.0), st.floats(0.001, 0.2)),
        min_size=FEWEST,
        max_size=30,
        unique_by=lambda row: round(row[0], 3),
    ),
    st.sampled_from([1 / 365, 0.1, 2.0]),
)
def test_whatever_the_data_no_butterfly_pays(rows, years):
    k, vol, error = np.array(sorted(rows)).T
    w = vol**2 * years
    found = _fit(k * np.sqrt(years), w, 1.0 / (2.0 * vol * years * error) ** 2)
    a, b, rho, _, sigma = found.params[0]
    assert found.min_g[0] >= 0.0
    assert b * (1 + abs(rho)) <= 2.0 + 1e-12
    assert a + b * sigma * np.sqrt(1 - rho**2) >= -1e-12


def test_groups_are_fitted_alone_and_threads_change_nothing():
    rng = np.random.default_rng(5)
    sizes = rng.integers(FEWEST - 2, 30, 40)
    starts = np.concatenate(([0], np.cumsum(sizes)))
    k = rng.normal(0.0, 0.1, starts[-1])
    w = total_variance(PARAMS, k) * np.exp(rng.normal(0.0, 0.02, len(k)))
    alone, threaded = (fit(k, w, np.ones(len(k)), starts, threads=count) for count in (1, 3))
    assert np.array_equal(alone.params, threaded.params, equal_nan=True)
    assert np.array_equal(np.isnan(alone.min_g), sizes < FEWEST)
    last = slice(starts[-2], starts[-1])
    assert np.array_equal(alone.params[-1], _fit(k[last], w[last]).params[0], equal_nan=True)


def test_no_groups_no_slices():
    found = fit(np.empty(0), np.empty(0), np.empty(0), np.array([0]))
    assert (found.params.shape, found.min_g.shape) == ((0, 5), (0,))


def test_another_calibrator_finds_the_same_smile():
    """fast-vollib's, which comes with the benchmarks: least squares from several starts, no Huber weights."""
    surface = pytest.importorskip("fast_vollib.surface", reason="comes with the bench extra")
    parametric = pytest.importorskip("fast_vollib.surface.fitting.parametric")
    rng, years, k = np.random.default_rng(8), 0.25, np.linspace(-0.35, 0.25, 41)
    noise = 0.001
    vol = np.sqrt(total_variance(PARAMS, k) / years) + rng.normal(0.0, noise, len(k))
    observed = surface.SurfaceObservations(k=k, T=np.full(len(k), years), iv=vol)
    theirs = parametric.SVICalibrator().fit(observed).slices[0].total_variance(k)
    ours = total_variance(_fit(k, vol**2 * years).params[0], k)
    assert np.sqrt(ours / years) == pytest.approx(np.sqrt(theirs / years), abs=0.5 * noise)
    assert np.sum((ours - vol**2 * years) ** 2) <= 1.05 * np.sum((theirs - vol**2 * years) ** 2)
