"""Every feature gets by with the history it declares; one that does not is told how much it needs."""

from dataclasses import replace

import numpy as np
import pytest

from features.catalog import catalog
from features.feature import Feature
from features.lookahead import draw
from features.lookback import audit_lookback
from features.verdicts import failed


@pytest.fixture(scope="module")
def moments(bars):
    every = bars["asof"].unique().sort().to_list()
    return draw(every[len(every) // 2 :], 4)


def test_the_catalogue_declares_enough(bars, facts, moments):
    verdicts = audit_lookback(lambda _: (bars, facts), catalog(), moments)
    assert failed(verdicts) == ()
    short = [verdict.name for verdict in verdicts if verdict.status == "unseen"]
    assert all(catalog()[name].lookback > 224 for name in short)


def test_a_lookback_in_sessions_that_is_too_short_is_caught(bars, facts, moments):
    def nine_sessions_ago(inputs):
        return np.append([np.nan] * 9, inputs["atm_iv"])[: len(inputs["atm_iv"])]

    short = Feature("nine", "own", ("atm_iv",), 3, "-", nine_sessions_ago, on="options")
    (verdict,) = audit_lookback(lambda _: (bars, facts), {"nine": short}, moments)
    assert verdict.advice == "declare a lookback of 10 or more: 3 is too short"


def test_a_lookback_that_is_too_short_is_caught_and_a_longer_one_named(bars, moments):
    names = ("rsi_7", "macd_histogram_5_10_4", "atr_7")
    short = {name: replace(catalog()[name], lookback=40) for name in names}
    verdicts = audit_lookback(lambda _: (bars, {}), {**short, "return_1": catalog()["return_1"]}, moments)
    assert failed(verdicts) == names
    for verdict in verdicts[:3]:
        enough = int(verdict.advice.split()[4])
        assert verdict.advice.startswith("declare a lookback of ")
        assert 40 < enough <= catalog()[verdict.name].lookback


def test_one_bar_too_few_is_found_exactly(bars, moments):
    def oldest_of_ten(inputs):
        shifted = np.full(len(inputs["close"]), np.nan)
        shifted[9:] = inputs["close"][:-9]
        return np.nan_to_num(shifted, nan=-1.0)

    nine = {"oldest": Feature("oldest", "price", ("close",), 9, "-", oldest_of_ten)}
    (verdict,) = audit_lookback(lambda _: (bars, {}), nine, moments)
    assert verdict.advice == "declare a lookback of 10 or more: 9 is too short"


def test_running_sums_depend_on_where_history_starts(bars, moments):
    def running(inputs):
        return np.cumsum(inputs["volume"]) / 1e6

    sums = {"running": Feature("running", "price", ("volume",), 20, "-", running)}
    (verdict,) = audit_lookback(lambda _: (bars, {}), sums, moments)
    assert verdict.status == "failed"
    assert "depends on where the history starts" in verdict.advice or "declare a lookback" in verdict.advice


def test_a_feature_that_raises_on_a_short_series_is_told(bars, moments):
    def whole(inputs):
        if len(inputs["close"]) < 30:
            raise ValueError("too short for me")
        return inputs["close"]

    needy = {"whole": Feature("whole", "price", ("close",), 5, "-", whole), "return_1": catalog()["return_1"]}
    verdicts = audit_lookback(lambda _: (bars, {}), needy, moments)
    assert [verdict.status for verdict in verdicts] == ["error", "passed"]
    assert "ValueError: too short for me" in verdicts[0].error
