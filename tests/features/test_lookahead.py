"""The audit passes the catalogue, catches what looks ahead, and names the row."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import windows
from features.catalog import build, catalog
from features.feature import Feature
from features.labels import direction
from features.lookahead import audit_lookahead, draw
from features.verdicts import failed, frame
from features.worlds import FramesSubject

LONG = {"macd_histogram_12_26_9", "iv_rank_252", "vix_rank_252"}
"""Features that need more history than there is: nothing is shown about them."""


def _feature(name, compute, inputs=("close",), lookback=20, **more):
    return {name: Feature(name, "price", inputs, lookback, "-", compute, **more)}


def _moments(bars, samples, seed=0):
    every = bars["asof"].unique().sort().to_list()
    return draw(every[len(every) // 2 : -3], samples, seed)


def _audit(bars, facts=None, names=None, *, samples=6, features=None, compute=None, **more):
    chosen = features or catalog()
    rows = {"bars": bars, **(facts or {})}

    def built(tables, wanted):
        return build(tables["bars"], _facts(tables), wanted, features=chosen)

    subject = FramesSubject(rows, compute or built)
    return audit_lookahead(subject, names or list(chosen), _moments(bars, samples), **more)


def _facts(tables):
    return {name: rows for name, rows in tables.items() if name != "bars"}


def test_moments_are_spread_over_all_there_are():
    drawn = draw(range(100, 200), 10, seed=4)
    assert [moment // 10 for moment in drawn] == list(range(10, 20))
    assert draw([3, 1, 2, 2], 9) == (1, 2, 3)


def test_the_whole_catalogue_passes(bars, facts):
    verdicts = _audit(bars, facts, samples=12)
    assert [verdict.name for verdict in verdicts] == list(catalog())
    assert {verdict.name for verdict in verdicts if verdict.status != "passed"} == LONG
    assert {verdict.status for verdict in verdicts if verdict.name in LONG} <= {"passed", "unseen"}
    assert all(verdict.checked > 2 * 12 * 3 for verdict in verdicts)


def _lead(values, bars):
    return np.concatenate((values[bars:], np.full(min(bars, len(values)), np.nan)))


def _label(inputs):
    """The move over the next two bars: what a feature must not hold."""
    return np.where(np.isnan(_lead(inputs["close"], 2)), np.nan, _lead(inputs["close"], 2) > inputs["close"])


def _running_target_mean(inputs):
    """A target encoding of the underlying that counts the bar's own label, and those not known yet."""
    label = _label(inputs)
    return np.nancumsum(label) / np.maximum(np.cumsum(np.isfinite(label)), 1)


LEAKS = {
    "centred": lambda inputs: np.roll(windows.mean(inputs["close"], 5), -2),
    "next_bar": lambda inputs: _lead(inputs["close"], 1) / inputs["close"],
    "whole_frame": lambda inputs: (inputs["close"] - inputs["close"].mean()) / inputs["close"].std(),
    "whole_frame_rank": lambda inputs: np.argsort(np.argsort(inputs["volume"])) / len(inputs["volume"]),
    "next_session_options": lambda inputs: _lead(inputs["atm_iv"], 13),
    "label": _label,
    "running_target_mean": _running_target_mean,
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_caught_and_named(bars, options, name):
    inputs = ("close", "volume", "atm_iv")
    planted = _feature(name, LEAKS[name], inputs=inputs, lookback=1)
    verdicts = _audit(bars, {"options": options}, ["return_1", name], features={**catalog(), **planted})
    assert failed(verdicts) == (name,)
    assert verdicts[1].source.table == ("options" if name == "next_session_options" else "bars")


def test_a_leak_is_traced_to_the_row_that_is_read(bars):
    leak = _feature("next_but_one", lambda inputs: _lead(inputs["close"], 2) / inputs["close"], lookback=1)
    (verdict,) = _audit(bars, features=leak, samples=3)
    first = verdict.findings[0]
    later = bars.filter(pl.col("underlying") == first.underlying, pl.col("asof") > first.asof).sort("asof")
    assert (first.check, first.found) == ("removed", None)
    assert first.expected == pytest.approx(
        later["close"][1]
        / bars.filter(asof=first.asof, underlying=first.underlying)["close"].item()
    )  # fmt: skip
    assert verdict.source.table == "bars"
    assert verdict.source.columns == ("close",)
    assert verdict.source.symbol == first.underlying
    assert verdict.source.known_at == later["asof"][1]


def test_a_leak_that_only_other_futures_show_is_missed_by_a_cut_alone(bars):
    def rare(inputs):
        return np.where(np.nan_to_num(_lead(inputs["volume"], 1)) > 100_000.0, 1.0, 0.0)

    leak = _feature("rare", rare, inputs=("volume",), lookback=1)
    assert failed(_audit(bars, features=leak, samples=10, kinds=("removed",))) == ()
    assert failed(_audit(bars, features=leak, samples=10)) == ("rare",)


def test_options_joined_by_date_are_caught(bars, options):
    def by_date(tables, names):
        early = tables["options"].with_columns(pl.col("available_at") - 7 * 3600 * 10**9)
        return build(tables["bars"], {"options": early}, names)

    verdicts = _audit(bars, {"options": options}, ["return_1", "atm_iv"], compute=by_date)
    assert failed(verdicts) == ("atm_iv",)
    assert verdicts[1].source.columns == ("atm_iv",)


def test_sectors_known_before_they_were_told_are_caught(bars, facts):
    def by_date(tables, names):
        told = tables["classifications"]
        early = told.with_columns(pl.col("available_at") - 14 * 86_400 * 10**9)
        return build(tables["bars"], {"classifications": early}, names)

    names = ["return_1", "sector_strength_13", "sector_performance_13"]
    only = {"classifications": facts["classifications"]}
    verdicts = _audit(bars, only, names, compute=by_date)
    assert failed(verdicts) == tuple(names[1:])
    assert (verdicts[1].source.table, verdicts[1].source.symbol) == ("classifications", "QQQ")


def test_normalisation_across_the_whole_frame_is_caught(bars):
    def normalised(tables, names):
        found = build(tables["bars"], None, names)
        return found.with_columns((pl.col(name) - pl.col(name).mean()) / pl.col(name).std() for name in names)

    assert failed(_audit(bars, None, ["return_1"], compute=normalised)) == ("return_1",)


def test_an_underlying_that_is_left_out_because_it_ends_is_caught(bars):
    ending = bars.filter((pl.col("underlying") != "QQQ") | (pl.col("asof") < bars["asof"].max() - 10**15))

    def survivors(tables, names):
        rows = tables["bars"]
        last = pl.col("date").max().over("underlying") == pl.col("date").max()
        return build(rows.filter(last), None, names)

    (verdict,) = _audit(ending, None, ["return_1"], compute=survivors, samples=12)
    assert {(finding.underlying, finding.expected) for finding in verdict.findings} == {("QQQ", None)}


def test_the_audit_does_not_see_an_encoding_that_was_fitted_elsewhere(bars):
    labels = direction(bars, 2).group_by("underlying").agg(pl.col("label").mean().alias("encoded"))

    def encoded(tables, names):
        return build(tables["bars"], None, []).join(labels, on="underlying", how="left").select(
            "asof", "underlying", *names
        )  # fmt: skip

    assert failed(_audit(bars, None, ["encoded"], compute=encoded)) == ()


def test_a_feature_that_was_never_seen_is_said_to_be_so(bars):
    verdicts = _audit(bars, None, ["return_1", "atm_iv"], samples=3)
    assert [verdict.status for verdict in verdicts] == ["passed", "unseen"]


def test_a_feature_that_raises_does_not_keep_others_from_their_verdict(bars):
    def short(inputs):
        return inputs["close"][1:]

    def raising(inputs):
        raise KeyError("no such thing")

    def fragile(inputs):
        if inputs["close"][-1] != last:
            raise IndexError("the series is not the whole one")
        return inputs["close"]

    last = bars.filter(underlying="SPY").sort("asof")["close"][-1]
    spy = bars.filter(underlying="SPY")
    own = {
        **_feature("short", short),
        **_feature("raising", raising),
        **_feature("fragile", fragile, lookback=1),
    }
    verdicts = _audit(spy, None, ["return_1", *own], features={**catalog(), **own}, samples=2)
    assert [verdict.status for verdict in verdicts] == ["passed", "error", "error", "error"]
    assert "gave shape" in verdicts[1].error
    assert verdicts[2].error.startswith("KeyError: 'no such thing' (")
    assert "test_lookahead.py:" in verdicts[2].error
    assert verdicts[3].error.endswith("once later rows are removed")
    told = frame(verdicts)
    assert told["advice"].to_list() == [None, *(verdict.error for verdict in verdicts[1:])]
    assert told["differing"].to_list() == [0, 0, 0, 0]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 5), st.floats(0.5, 2.0))
def test_future_rows_never_change_past_features(bars, facts, late, factor):
    moment = bars["asof"].unique().sort()[-1 - 13 * late]
    future = pl.col("asof") > moment
    bent = bars.with_columns(
        pl.when(future).then(pl.col(name) * factor).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close", "volume")
    )
    past = pl.col("asof") <= moment
    assert build(bent, facts).filter(past).equals(build(bars, facts).filter(past))


def test_a_feature_that_is_random_is_called_so_and_traced_to_no_row(bars):
    rng = np.random.default_rng(0)
    noise = _feature("noise", lambda inputs: rng.random(len(inputs["close"])))
    (verdict,) = _audit(bars, features=noise)
    assert verdict.status == "failed"
    assert verdict.source is None
    assert "it is random" in verdict.advice
