"""The catalogue: shape, nulls, order, values."""

import numpy as np
import polars as pl
import pytest

from features import engine
from features.catalog import build, build_at, catalog, choose, families, max_lookback, null_reasons
from features.context import needs
from features.facts import in_order, known_at
from features.feature import Feature
from features.panel import Panel


def test_every_feature_says_what_it_is():
    for name, feature in catalog().items():
        assert feature.name == name
        assert feature.lookback >= 1
        assert all([feature.family, feature.inputs, feature.units, feature.available_at, feature.nulls])
        assert feature.doc.startswith("Return ")
    assert set(families()) == {"price", "volume", "volatility", "options", "market", "calendar"}
    assert sum(len(members) for members in families().values()) == len(catalog()) > 80


def test_a_family_stands_for_its_features():
    assert choose(["volume", "gap"]) == {
        **{feature.name: feature for feature in families()["volume"]},
        "gap": catalog()["gap"],
    }
    assert max_lookback(choose(["rsi_7"]).values()) == 224


def test_rows_and_columns(bars, facts):
    found = build(bars, facts)
    assert found.columns == ["asof", "underlying", "date", *catalog()]
    assert found.select("asof", "underlying").equals(
        bars.select("asof", "underlying").sort("underlying", "asof")
    )
    assert set(found.dtypes[3:]) == {pl.Float64}
    assert found.select(pl.col(pl.Float64).is_finite().all()).row(0) == (True,) * len(catalog())


@pytest.mark.parametrize("late", [0, 1, 40, 280])
def test_one_moment_is_a_row_of_all(bars, facts, late):
    asof = bars["asof"].unique().sort()[-1 - late]
    known, seen = bars.filter(pl.col("asof") <= asof), known_at(facts, asof)
    panel, _ = Panel.of(known)
    assert build_at(panel, seen, asof).equals(build(known, seen).filter(pl.col("asof") == asof))
    assert build_at(panel, seen, asof + 1).equals(build(known.clear()))


@pytest.mark.parametrize("windowed", [True, False])
@pytest.mark.parametrize(("on", "column"), [("bars", "close"), ("options", "put_volume")])
@pytest.mark.parametrize("lookback", [1, 2, 30, 400])
def test_one_moment_of_any_definition_is_a_row_of_all(bars, facts, windowed, on, column, lookback):
    """A definition need not look back as far as it says, nor be of a kind that the catalogue has."""
    own = Feature(
        "own", "mine", (column,), lookback, "-", lambda inputs: 1.0 / inputs[column], on=on, windowed=windowed
    )
    asof = bars["asof"].max()
    found = build_at(Panel.of(bars)[0], facts, asof, features={"own": own})
    assert found.equals(build(bars, facts, features={"own": own}).filter(pl.col("asof") == asof))
    assert found.height == 4
    # MSFT's last series has 286 bars and no options; there are 36 sessions.
    known = {"bars": 4 if lookback < 400 else 3, "options": 3 if lookback < 36 else 0}
    assert found["own"].count() == known[on]


def test_threads_and_blocks_do_not_change_a_bit(bars, facts, monkeypatch):
    whole = build(bars, facts)
    monkeypatch.setattr(engine, "_BLOCK", 104)
    assert build(bars, facts).equals(whole)
    assert build(bars, facts, threads=3).equals(whole)


def test_order_of_input_rows_does_not_matter(bars, facts):
    mixed = {name: rows.sample(fraction=1.0, shuffle=True, seed=2) for name, rows in facts.items()}
    shuffled = bars.sample(fraction=1.0, shuffle=True, seed=1)
    assert build(shuffled, mixed).equals(build(bars, facts))
    ordered = in_order(mixed)
    assert all(ordered[name].equals(in_order(ordered)[name]) for name in facts)
    assert build(shuffled, ordered).equals(build(bars, facts))


def test_warm_up_is_null_and_nothing_else_is(bars, facts):
    found = build(bars, facts).filter(pl.col("underlying") == "SPY")
    features = {
        name: feature
        for name, feature in catalog().items()
        if feature.on == "bars" and not needs([feature]) and "sector" not in name
    }
    for name, feature in features.items():
        known = found[name].is_not_null().to_numpy().nonzero()[0]
        expected = range(feature.lookback - 1, len(found))
        assert (name, known.tolist()) == (name, list(expected))


def test_facts_are_known_from_their_first_whole_history_on(bars, facts):
    found = build(bars, facts).filter(pl.col("underlying") == "SPY")
    for name, feature in catalog().items():
        if feature.on in {"options", "surfaces"}:
            first = 12 + 13 * (feature.lookback - 1)
            assert (name, found[name].null_count()) == (name, min(first, len(found)))


def test_nulls_are_counted_by_reason(bars, facts):
    names = ["return_3", "atm_iv", "atm_iv_change", "sector_strength_13", "net_gamma", "news_sentiment_5d"]
    known = {name: rows for name, rows in facts.items() if name != "open_interest"}
    reasons = {(f, reason): count for f, reason, count in null_reasons(bars, known, names).iter_rows()}
    found = build(bars, known, names)
    assert reasons["return_3", "warm_up"] == 3 * 5
    assert reasons["net_gamma", "no open_interest"] == len(bars)
    # MSFT has no options, and nobody has any before the first close.
    no_row = bars.filter(pl.col("underlying") == "MSFT").height + 3 * 12
    assert reasons["atm_iv", "unknown_input"] == no_row
    assert reasons["atm_iv_change", "warm_up"] == 3 * 13
    for name in names:
        counted = sum(count for (feature, _), count in reasons.items() if feature == name)
        assert counted == found[name].null_count()


def test_features_do_not_cross_segments(bars):
    found = build(bars, names=["return_1", "rsi_7"]).filter(pl.col("underlying") == "MSFT")
    assert np.flatnonzero(found["return_1"].is_null()).tolist() == [0, 26]
    assert found["rsi_7"][26:].is_not_null().arg_max() == catalog()["rsi_7"].lookback - 1


def test_features_of_facts_are_null_without_them(bars):
    names = [name for name, feature in catalog().items() if needs([feature])]
    assert len(names) > 20
    assert build(bars, None, names).select(names).null_count().row(0) == (len(bars),) * len(names)


def test_options_of_a_session_are_known_from_its_close_on(bars, options):
    found = build(bars, {"options": options}, ["atm_iv"]).filter(pl.col("underlying") == "SPY")["atm_iv"]
    known = options.filter(pl.col("underlying") == "SPY")["atm_iv"]
    assert found[:12].null_count() == 12
    assert found[12:25].unique().to_list() == [known[0]]
    assert found[25] == known[1]


def test_options_older_than_a_week_are_unknown(bars, options):
    old = options.filter(pl.col("date") < options["date"].unique().sort()[5])
    found = build(bars, {"options": old}, ["atm_iv"]).filter(pl.col("underlying") == "SPY")["atm_iv"]
    assert found[12 : 9 * 13].null_count() == 0
    assert found[-13:].null_count() == 13


def test_scale_of_prices_and_volumes_does_not_matter(bars, facts):
    split = bars.with_columns(pl.col("open", "high", "low", "close") / 4.0, pl.col("volume") * 4.0)
    plain, scaled = (build(frame, facts).select(*catalog()).to_numpy() for frame in (bars, split))
    np.testing.assert_allclose(scaled, plain, rtol=1e-9, atol=1e-12)


def test_equal_typical_prices_are_no_flow_in_whatever_shares(bars):
    """Found by the audit on EEM in 2008: a split to come moved the money flow by a twentieth."""
    prices = [(10.7, 10.1, 10.4), (10.6, 10.2, 10.4), (10.5, 10.3, 10.4)]  # sums of 31.2, by rounding or not
    spy = bars.filter(pl.col("underlying") == "SPY").head(39)
    columns = zip(("high", "low", "close"), zip(*prices, strict=True), strict=True)
    tied = spy.with_columns(pl.Series(name, values * 13).alias(name) for name, values in columns)
    tied = tied.with_columns(pl.when(pl.int_range(pl.len()) == 25).then(11.0).otherwise("high").alias("high"))
    scaled = [
        tied.with_columns(pl.col("open", "high", "low", "close") / ratio, pl.col("volume") * ratio)
        for ratio in (1.0, 3.0, 0.7)
    ]
    found = [build(frame, names=["money_flow_20"])["money_flow_20"].to_numpy()[-10:] for frame in scaled]
    for other in found[1:]:
        assert other == pytest.approx(found[0], rel=1e-9)


def test_a_price_that_does_not_move_gives_null_not_a_signal(bars):
    flat = bars.with_columns(pl.lit(7.0).alias(name) for name in ("open", "high", "low", "close", "volume"))
    found = build(
        flat, names=["rsi_7", "bollinger_z_20", "volume_z_20", "volume_price_corr_20", "return_1", "atr_7"]
    )
    last = found.filter(pl.col("underlying") == "SPY").row(-1, named=True)
    assert [last[name] for name in ("rsi_7", "bollinger_z_20", "volume_z_20", "volume_price_corr_20")] == [
        None
    ] * 4
    assert (last["return_1"], last["atr_7"]) == (0.0, 0.0)


def test_known_values():
    names = ["return_3", "gap", "sma_distance_20", "obv_slope_20", "volume_trend_5_20", "parkinson_vol_26"]
    close = 100.0 * 1.01 ** np.arange(40)
    asof = 1_736_346_600_000_000_000 + np.arange(40) * 60_000_000_000
    rising = pl.DataFrame(
        {
            "asof": asof,
            "underlying": "X",
            "date": pl.Series(asof).cast(pl.Datetime("ns")).dt.date(),
            "open": close,
            "high": close * 1.02,
            "low": close,
            "close": close,
            "volume": np.full(40, 500.0),
            "segment": 0,
        }
    )
    last = build(rising, names=names).row(-1, named=True)
    assert last["return_3"] == pytest.approx(1.01**3 - 1.0)
    assert last["gap"] == pytest.approx(0.01)
    assert last["sma_distance_20"] == pytest.approx(20.0 / np.sum(1.01 ** -np.arange(20.0)) - 1.0)
    assert last["obv_slope_20"] == pytest.approx(1.0)
    assert last["volume_trend_5_20"] == 0.0
    assert last["parkinson_vol_26"] == pytest.approx(np.log(1.02) / np.sqrt(4.0 * np.log(2.0)))


def test_relative_strength_is_against_everyone_at_that_moment(bars):
    found = build(bars, names=["return_13", "relative_strength_13"])
    moment = found.filter(pl.col("asof") == found["asof"].max())
    expected = moment["return_13"] - moment["return_13"].mean()
    assert moment["relative_strength_13"].to_list() == pytest.approx(expected.to_list())
    pair = build(bars.filter(pl.col("underlying").is_in(["SPY", "QQQ"])), names=["relative_strength_13"])
    assert pair["relative_strength_13"].null_count() == len(pair)


def test_index_return_is_null_without_the_index(bars):
    alone = build(bars.filter(pl.col("underlying") == "AAPL"), names=["spy_return_1"])
    assert alone["spy_return_1"].null_count() == len(alone)


def test_no_bars_give_no_rows(bars, facts):
    found = build(bars.clear(), facts)
    assert found.columns == ["asof", "underlying", "date", *catalog()]
    assert found.is_empty()


def test_a_misspelt_name_is_answered_with_the_nearest(bars):
    with pytest.raises(ValueError, match="no feature 'rsi_15': the nearest names are rsi_14"):
        build(bars, names=["rsi_15"])


def test_unknown_prices_are_refused(bars):
    holed = bars.with_columns(close=pl.when(pl.col("asof") > bars["asof"][5]).then("close"))
    with pytest.raises(ValueError, match=r"null or infinite values \(\d+ in close\): drop those bars"):
        build(holed)


def test_a_definition_of_the_wrong_length_is_named(bars):
    wrong = Feature("wrong", "price", ("close",), 1, "-", lambda inputs: inputs["close"][1:])
    with pytest.raises(ValueError, match=r"feature wrong gave shape.*one value a bar"):
        build(bars, features={"wrong": wrong})


@pytest.mark.parametrize("column", ["close", "return_rank_13", "seconds"])
def test_a_definition_cannot_change_what_others_read(bars, facts, column):
    def careless(inputs):
        inputs[column][:5] = 0.0
        return inputs[column]

    with pytest.raises(ValueError, match="read-only"):
        build(bars, facts, features={"careless": Feature("careless", "price", (column,), 1, "-", careless)})
