"""The audit passes the catalogue and catches planted leaks."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import windows
from features.bars import from_day_bars
from features.catalog import build, catalog
from features.feature import Feature
from features.labels import direction
from features.lookahead import audit


def _feature(name, compute, inputs=("close",), lookback=20, **more):
    return {name: Feature(name, "price", inputs, lookback, "-", compute, **more)}


def test_the_whole_catalogue_passes(bars, options):
    report = audit(bars, options, samples=12, seed=3)
    assert report.failures == ()
    assert report.unseen == ()
    assert report.passed
    assert len(report.moments) == 12
    assert report.checked > 12 * 2 * 3 * len(catalog())


def test_the_catalogue_passes_without_options_too(bars):
    names = [name for name, feature in catalog().items() if feature.family != "options"]
    assert audit(bars, None, names, samples=4).passed


def _lead(values, bars):
    return np.concatenate((values[bars:], np.full(min(bars, len(values)), np.nan)))


def _label(inputs):
    """The move over the next two bars: what a feature must not hold."""
    return np.where(np.isnan(_lead(inputs["close"], 2)), np.nan, _lead(inputs["close"], 2) > inputs["close"])


def _running_target_mean(inputs):
    """A target encoding of the underlying that counts the bar's own label, and those not known yet."""
    label = _label(inputs)
    return np.nancumsum(label) / np.maximum(np.cumsum(np.isfinite(label)), 1)


def _target_mean_by_minute(inputs):
    """A target encoding of the time of day over the whole frame."""
    label, minute = _label(inputs), inputs["minute_of_session"]
    return np.array([np.nanmean(np.append(label[minute == at], 0.5)) for at in minute])


LEAKS = {
    "centred": lambda inputs: np.roll(windows.mean(inputs["close"], 5), -2),
    "next_bar": lambda inputs: _lead(inputs["close"], 1) / inputs["close"],
    "whole_frame": lambda inputs: (inputs["close"] - inputs["close"].mean()) / inputs["close"].std(),
    "whole_frame_rank": lambda inputs: np.argsort(np.argsort(inputs["volume"])) / len(inputs["volume"]),
    "next_session_options": lambda inputs: _lead(inputs["atm_iv"], 13),
    "label": _label,
    "running_target_mean": _running_target_mean,
    "target_mean_by_minute": _target_mean_by_minute,
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_is_caught_and_named(bars, options, name):
    inputs = ("close", "volume", "atm_iv", "minute_of_session")
    planted = _feature(name, LEAKS[name], inputs=inputs, lookback=1)
    report = audit(bars, options, features={**catalog(), **planted}, names=["return_1", name], samples=6)
    assert not report.passed
    assert report.leaking == (name,)


def test_options_joined_by_date_are_caught(bars, options):
    def by_date(bars, options=None, names=None, *, features=None):
        same_date = options.with_columns(available_at=pl.col("available_at") - 7 * 3600 * 10**9)
        return build(bars, same_date, names, features=features)

    report = audit(bars, options, ["return_1", "atm_iv"], samples=6, builder=by_date)
    assert report.leaking == ("atm_iv",)


def _audit_with_label(bars, joined_at):
    """Audit a builder that gives the label as a feature to the bar that ends at its `joined_at`."""

    def builder(bars, options=None, names=None, *, features=None):
        labels = direction(bars, 2).select("underlying", pl.col("label").cast(float), asof=joined_at)
        return build(bars, options, []).join(labels, on=["asof", "underlying"], how="left")

    return audit(bars, features=_feature("label", None, lookback=3), samples=6, builder=builder)


def test_a_label_shifted_the_wrong_way_is_caught_and_the_right_way_passes(bars):
    assert _audit_with_label(bars, "asof").leaking == ("label",)
    assert _audit_with_label(bars, "known_at").passed


def test_the_audit_does_not_see_an_encoding_that_was_fitted_elsewhere(bars):
    labels = direction(bars, 2).group_by("underlying").agg(pl.col("label").mean().alias("encoded"))

    def builder(bars, options=None, names=None, *, features=None):
        return build(bars, options, []).join(labels, on="underlying", how="left")

    assert audit(bars, features=_feature("encoded", None, lookback=1), samples=6, builder=builder).passed


def test_the_audit_does_not_see_a_label_that_looks_back(bars):
    """Such a label equals a feature of the past; `known_at > asof` in test_labels.py guards against it."""
    moved = pl.col("close").diff().over("underlying", "segment")
    backward = bars.sort("underlying", "asof").select("asof", "underlying", label=moved > 0.0)
    both = build(bars, None, ["return_1"]).join(backward, on=["asof", "underlying"]).drop_nulls()
    assert both["label"].equals(both["return_1"] > 0.0, check_names=False)
    assert audit(bars, names=["return_1"], samples=6).passed


def test_normalisation_across_the_whole_frame_is_caught(bars, options):
    def normalised(bars, options=None, names=None, *, features=None):
        found = build(bars, options, names, features=features)
        return found.with_columns((pl.col(name) - pl.col(name).mean()) / pl.col(name).std() for name in names)

    assert audit(bars, options, ["return_1"], samples=6, builder=normalised).leaking == ("return_1",)


def test_a_lookback_that_is_too_short_is_caught(bars):
    short = {name: replace(catalog()[name], lookback=40) for name in ("rsi_7", "macd_histogram", "atr_7")}
    report = audit(bars, features={**short, "return_1": catalog()["return_1"]}, samples=4)
    assert report.leaking == ()
    assert report.short_of_history == ("atr_7", "macd_histogram", "rsi_7")


def test_running_sums_are_caught_as_short_of_history(bars):
    running = _feature("running", lambda inputs: np.cumsum(inputs["volume"]) / 1e6, inputs=("volume",))
    assert audit(bars, features=running, samples=4).short_of_history == ("running",)


def test_a_feature_that_was_never_seen_does_not_pass(bars):
    report = audit(bars, None, ["return_1", "atm_iv"], samples=3)
    assert report.failures == ()
    assert report.unseen == ("atm_iv",)
    assert not report.passed


def test_a_failure_says_where(bars):
    leak = _feature("next_bar", LEAKS["next_bar"], lookback=1)
    failure = audit(bars, features=leak, samples=1, seed=5).failures[0]
    assert (failure.check, failure.feature, failure.found) == ("future", "next_bar", None)
    assert failure.underlying in {"AAPL", "MSFT", "QQQ", "SPY"}
    assert bars.filter(pl.col("asof") == failure.asof).height > 0


def test_nothing_to_audit_is_said(bars):
    with pytest.raises(ValueError, match="no bars to audit"):
        audit(bars.clear())


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 5), st.floats(0.5, 2.0))
def test_future_rows_never_change_past_features(bars, options, late, factor):
    moment = bars["asof"].unique().sort()[-1 - 13 * late]
    future = pl.col("asof") > moment
    bent = bars.with_columns(
        pl.when(future).then(pl.col(name) * factor).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close", "volume")
    )
    past = pl.col("asof") <= moment
    assert build(bent, options).filter(past).equals(build(bars, options).filter(past))


@pytest.mark.real
def test_the_catalogue_passes_on_real_day_bars_with_splits_and_a_reused_ticker(real_data):
    folder = real_data / "flatfiles/us_stocks_sip/day_aggs_v1"
    files = [file for year in (2008, 2009, 2010) for file in sorted(folder.glob(f"{year}/*/*.csv.gz"))]
    prices = dict.fromkeys(("volume", "open", "close", "high", "low"), pl.Float64)
    rows = pl.concat(pl.read_csv(file, schema_overrides=prices) for file in files)
    eastern = (
        pl.from_epoch("window_start", "ns")
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone("America/New_York")
    )
    bars = from_day_bars(rows.with_columns(date=eastern.dt.date(), ts_ns="window_start"))
    assert bars.filter(pl.col("underlying") == "WM", pl.col("segment") == 1)["date"].min() == date(2009, 8, 5)
    names = [name for name, feature in catalog().items() if feature.family != "options"]
    assert audit(bars, None, names, samples=6).passed
