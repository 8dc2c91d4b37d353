"""Known answers: noise says nothing, an edge is found, drift agrees with scipy."""

import numpy as np
import polars as pl
import pytest
from scipy import stats
from scipy.special import rel_entr

from features.drift import kolmogorov_smirnov, population_stability
from features.information import bonferroni, information, long_run_error
from features.statistics import coefficients, describe


def _smooth(rng, count, memory):
    """A standard normal series that forgets slowly."""
    steps = rng.normal(size=count) * np.sqrt(1.0 - memory**2)
    steps[0] = rng.normal()
    for at in range(1, count):
        steps[at] += memory * steps[at - 1]
    return steps


def _panel(rng, *, moments=600, names=8, horizon=1, edge=0.0, memory=0.0):
    """Values, and returns over `horizon` steps of which a share foretold."""
    value = np.stack([_smooth(rng, moments + horizon, memory) for _ in range(names)])
    step = rng.normal(size=(names, moments + horizon))
    step[:, 1:] += edge * value[:, :-1]
    added = np.cumsum(step, axis=1)
    ahead = added[:, horizon:] - added[:, :-horizon]
    key = {
        "asof": np.tile(np.arange(moments), names),
        "underlying": np.repeat([f"N{name}" for name in range(names)], moments),
    }
    return (
        pl.DataFrame({**key, "value": value[:, :moments].ravel()}),
        pl.DataFrame({**key, "forward_return": ahead[:, :moments].ravel()}),
    )


@pytest.mark.parametrize(("names", "memory", "horizon"), [(8, 0.0, 1), (8, 0.95, 10), (1, 0.95, 10)])
def test_t_values_of_noise_are_calibrated_where_unadjusted_ones_are_not(names, memory, horizon):
    shape = {"moments": 250, "names": names, "horizon": horizon, "memory": memory}
    panels = (_panel(np.random.default_rng(seed), **shape) for seed in range(120))
    found = [information(values, returns, horizon) for values, returns in panels]
    false = np.mean([abs(each.t_value) > 1.96 for each in found])
    unadjusted = np.mean([abs(each.t_unadjusted) > 1.96 for each in found])
    assert 0.0 < false <= 0.12  # 5 %; of 120 draws more than 14 come once in a thousand times
    assert abs(np.mean([each.coefficient for each in found])) < 0.02
    assert {each.across for each in found} == {"names" if names > 1 else "time"}
    if horizon > 1:
        assert unadjusted > 0.3


@pytest.mark.parametrize(("names", "across"), [(12, "names"), (2, "time")])
def test_a_planted_edge_is_recovered(names, across):
    rng = np.random.default_rng(3)
    values, returns = _panel(rng, moments=2_000, names=names, edge=0.2)
    found = information(values, returns, 1)
    # Pearson's is edge / sqrt(1 + edge^2); a normal pair's Spearman is 6 / pi * arcsin of its half.
    expected = 6.0 / np.pi * np.arcsin(0.2 / np.sqrt(1.04) / 2.0)
    assert found.across == across
    assert found.coefficient == pytest.approx(expected, abs=0.03)
    assert found.t_value > 8.0


def test_a_coefficient_across_names_is_spearman_s():
    values, returns = _panel(np.random.default_rng(1), moments=40, names=6)
    found = information(values, returns, 1)
    joined = values.join(returns, on=["asof", "underlying"])
    expected = [
        stats.spearmanr(rows["value"], rows["forward_return"]).statistic
        for (_,), rows in joined.sort("asof").group_by("asof", maintain_order=True)
    ]
    assert found.series["coefficient"].to_list() == pytest.approx(expected)
    assert found.coefficient == pytest.approx(np.mean(expected))
    assert found.moments == 40


def test_a_coefficient_along_time_is_spearman_s():
    values, returns = _panel(np.random.default_rng(2), moments=300, names=1)
    found = information(values, returns, 1)
    expected = stats.spearmanr(values["value"], returns["forward_return"]).statistic
    assert found.coefficient == pytest.approx(expected)


def test_the_same_value_for_every_name_is_judged_along_time():
    values, returns = _panel(np.random.default_rng(4), moments=100, names=6)
    shared = values.with_columns(pl.col("value").first().over("asof"))
    assert information(shared, returns, 1).across == "time"


def test_too_few_moments_give_no_coefficient():
    values, returns = _panel(np.random.default_rng(5), moments=20)
    found = information(values, returns, 1)
    assert (found.coefficient, found.t_value, found.moments) == (None, None, 20)


def test_the_error_of_independent_draws_is_the_textbook_s():
    draws = np.random.default_rng(0).normal(size=400)
    assert long_run_error(draws, 1) == pytest.approx(stats.sem(draws), rel=1e-9)


def test_drift_agrees_with_scipy():
    rng = np.random.default_rng(8)
    before, after = rng.normal(size=4_000), rng.normal(0.4, 1.3, size=3_000)
    assert kolmogorov_smirnov(before, after) == pytest.approx(stats.ks_2samp(before, after).statistic)
    edges = np.quantile(before, np.linspace(0, 1, 11))
    edges[0], edges[-1] = -np.inf, np.inf
    old, new = (np.histogram(sample, edges)[0] / len(sample) for sample in (before, after))
    symmetric = np.sum(rel_entr(old, new) + rel_entr(new, old))
    assert population_stability(before, after) == pytest.approx(symmetric)
    assert population_stability(before, before) == 0.0
    assert population_stability(before, before + 9.0) > 1.0
    assert (population_stability(before, before[:0]), kolmogorov_smirnov(before[:0], after)) == (None, None)


def test_a_description_counts_nulls_by_reason_and_shapes():
    rng = np.random.default_rng(6)
    count = 3_000
    value = rng.normal(size=count)
    value[[100, 900, 2_000]] = 60.0, -60.0, 80.0
    rows = pl.DataFrame(
        {
            "asof": range(count),
            "underlying": "A",
            "value": value,
            "null_reason": [*["warm_up"] * 20, "undefined", *[None] * (count - 21)],
        }
    ).with_columns(value=pl.when(pl.col("null_reason").is_null()).then("value"))
    found = describe("mine", "own", rows, {})
    known = rows["value"].drop_nulls().to_numpy()
    assert found.nulls == {"warm_up": 20, "undefined": 1}
    assert found.coverage == pytest.approx((count - 21) / count)
    shape = found.distribution
    assert shape.skew == pytest.approx(stats.skew(known))
    assert shape.kurtosis == pytest.approx(stats.kurtosis(known))
    assert shape.outliers == pytest.approx(3 / len(known))
    assert shape.quantiles[3] == pytest.approx(np.median(known))
    assert found.autocorrelation[1] == pytest.approx(0.0, abs=0.06)
    assert found.psi < 0.1


def test_memory_is_that_of_each_series():
    rng = np.random.default_rng(9)
    frames = [
        pl.DataFrame({"asof": range(4_000), "underlying": name, "value": level + _smooth(rng, 4_000, 0.8)})
        for name, level in (("A", 0.0), ("B", 100.0))
    ]
    found = describe("mine", "own", pl.concat(frames), {})
    assert found.autocorrelation[1] == pytest.approx(0.8, abs=0.03)
    assert found.autocorrelation[5] == pytest.approx(0.8**5, abs=0.06)


def test_constants_and_nulls_have_no_shape():
    rows = pl.DataFrame({"asof": range(50), "underlying": "A", "value": 1.0})
    found = describe("mine", "own", rows, {})
    assert (found.distribution.skew, found.distribution.outliers, found.autocorrelation[1]) == (None,) * 3
    empty = describe("mine", "own", rows.with_columns(value=pl.lit(None, pl.Float64)), {})
    assert (empty.distribution, empty.psi, empty.known) == (None, None, 0)
    assert empty.nulls == {"not recorded": 50}


@pytest.mark.parametrize("alike", [0.0, 0.9])
def test_one_page_in_twenty_crosses_the_bonferroni_line_by_chance_or_fewer_where_features_are_alike(alike):
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(4_000, 1))
    t_values = np.sqrt(alike) * shared + np.sqrt(1.0 - alike) * rng.normal(size=(4_000, 90))
    crossed = np.mean(np.abs(t_values).max(axis=1) > bonferroni(90))
    assert crossed < 0.06
    assert (crossed > 0.04) == (alike == 0.0)


def test_no_t_values_have_no_threshold():
    with pytest.raises(ValueError, match="a threshold for 0 t-values"):
        bonferroni(0)


def test_coefficients_are_a_table_with_nulls_where_nothing_is_known():
    rng = np.random.default_rng(5)
    values, returns = _panel(rng, moments=200)
    noise = describe("noise", "own", values, {1: returns, 5: returns})
    short = describe("short", "own", values.head(20), {1: returns})
    found = coefficients([noise, short])
    assert found.select("feature", "horizon", "moments").rows() == [
        ("noise", 1, 200), ("noise", 5, 200), ("short", 1, 20),
    ]  # fmt: skip
    assert found["t_value"].to_list() == [each.t_value for each in (*noise.information, *short.information)]
    assert found["t_value"][2] is None
    assert coefficients([]).columns == found.columns
