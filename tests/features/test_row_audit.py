"""A function is called at every row: what shows in few of them is found, and called what it is."""

import numpy as np
import polars as pl
import pytest

from features.catalog import catalog
from features.feature import Feature
from features.planted_rows import planted_rows
from features.row_audit import RowAudit, try_rows
from features.selftest import selftest
from features.verdicts import Board


def _feature(compute, lookback=2, inputs=("close",), on="bars"):
    return Feature("own", "own", inputs, lookback, "-", compute, on=on)


def _audit(bars, facts, features, rows=400):
    last = bars["asof"].max()
    return RowAudit(bars, facts, features, 0, last, rows=rows, seed=1)


def _checks(bars, feature, facts=None):
    """Return what each of the two audits of rows holds against a feature."""
    audit = _audit(bars, facts or {}, {"own": feature}, rows=len(bars))
    return [{finding.check for finding in found} for _, _, found in (audit.future("own"), audit.past("own"))]


def _lead(values):
    return np.append(values[1:], np.nan)


def test_the_whole_catalogue_passes_in_its_rows(bars, facts):
    audit = _audit(bars, facts, catalog(), rows=25)
    compared = {name: [audit.future(name), audit.past(name)] for name in catalog()}
    assert [name for name, each in compared.items() if any(found for _, _, found in each)] == []
    never = [name for name, each in compared.items() if not each[1][1]]
    assert all(catalog()[name].lookback > 200 for name in never)


def test_a_look_ahead_in_a_single_row_is_found(bars):
    fall = bars.filter(underlying="SPY")["close"].diff().min()

    def once(inputs):
        close = inputs["close"]
        fell = np.isclose(np.diff(close, prepend=close[:1]), fall)
        return np.where(fell, _lead(close), close) / close

    audit = _audit(bars, {}, {"own": _feature(once)}, rows=len(bars))
    compared, _, found = audit.future("own")
    assert {finding.check for finding in found} == {"removed"}
    assert 1 <= len(found) <= 3  # equal falls
    assert compared == 2 * (len(bars) - 5)  # but the first row of each series


def test_a_future_that_the_sample_does_not_have_is_tried(bars):
    def crowded(inputs):
        volume = inputs["volume"]
        return (_lead(volume) > 500.0 * volume).astype(float)

    def unmoved(inputs):
        return (_lead(inputs["close"]) == inputs["close"]).astype(float)

    assert _checks(bars, _feature(crowded, inputs=("volume",))) == [{"changed"}, set()]
    assert "changed" in _checks(bars, _feature(unmoved))[0]


def test_too_short_a_history_is_no_look_ahead(bars):
    def over_five(inputs):
        close = inputs["close"]
        return close / np.concatenate((np.full(min(5, len(close)), close[0]), close[:-5]))[: len(close)]

    assert _checks(bars, _feature(over_five, lookback=5)) == [set(), {"history"}]
    assert _checks(bars, _feature(over_five, lookback=6)) == [set(), set()]


def test_rows_of_facts_are_tried_too(bars, facts):
    def filled(inputs):
        iv = inputs["atm_iv"]
        return np.where(iv > 0.58, _lead(iv), iv)

    feature = _feature(filled, lookback=1, inputs=("atm_iv",), on="options")
    ahead, history = _checks(bars, feature, facts)
    assert (ahead, history) == ({"removed"}, set())
    assert _audit(bars, {}, {"own": feature}).future("own") == (0, 0, [])


def test_no_way_leads_from_the_inputs_to_other_rows(bars):
    def around(inputs):
        close = inputs["close"]
        whole = close if close.base is None else close.base
        return np.full(len(close), float(len(whole))) / len(close)

    audit = _audit(bars, {}, {"own": _feature(around)})
    assert {window.value for window in audit.windows("own", 9)} == {1.0}


def test_a_function_that_raises_in_few_rows_is_told_and_the_others_go_on(bars):
    def picky(inputs):
        if len(inputs["close"]) == 2 and inputs["close"][-1] > 100.0:
            raise ValueError("too dear")
        return inputs["close"]

    features = {"own": _feature(picky), "return_1": catalog()["return_1"]}
    board = Board(list(features))
    try_rows(board, _audit(bars, {}, features).past, list(features))
    broken, passed = board.verdicts()
    assert broken.status == "error"
    assert broken.error.startswith("ValueError: too dear")
    assert (passed.status, passed.checked) == ("passed", 400)


@pytest.mark.parametrize("market", [0, 3])
def test_planted_functions_are_caught_by_the_check_for_them(market):
    names = {plant.name for plant in planted_rows()}
    trials = {trial.plant.name: trial for trial in selftest(names=names, seed=market)}
    assert {name: trial.ways for name, trial in trials.items()} == {
        "ahead_in_one_row_of_hundreds": ("removed",),
        "panic_ahead": ("changed",),
        "longer_history_after_a_weekend": ("history",),
        "history_short_by_one": ("history",),
        "noise_of_a_fixed_seed": ("history",),
    }
    assert [name for name, trial in trials.items() if trial.false_alarm] == []


def test_windows_are_what_a_feature_declares(bars):
    audit = _audit(bars, {}, {"return_3": catalog()["return_3"]})
    windows = audit.windows("return_3", 7)
    assert 1 <= len(windows) <= 7
    for window in windows:
        own = bars.filter(pl.col("asof") <= window.asof, underlying=window.underlying).sort("asof")
        assert window.inputs["close"].tolist() == own["close"].to_list()[-4:]
        assert window.value == pytest.approx(own["close"][-1] / own["close"][-4] - 1.0)
