"""Walk-forward windows never look ahead."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.splits import walk_forward
from strikelake.errors import DatasetError

HOURS = np.arange(10, dtype=np.int64)


@st.composite
def decisions(draw):
    """Unordered decisions with repeated times and horizons that differ from row to row."""
    times = draw(st.lists(st.integers(0, 60), min_size=20, max_size=120))
    horizons = draw(st.lists(st.integers(0, 12), min_size=len(times), max_size=len(times)))
    asof = np.array(times, dtype=np.int64)
    return asof, asof + np.array(horizons, dtype=np.int64)


@given(decisions(), st.integers(1, 6), st.integers(0, 8), st.floats(0.05, 0.95))
def test_training_labels_are_known_before_the_test_and_folds_do_not_meet(rows, n_folds, embargo, share):
    asof, known_at = rows
    try:
        splits = walk_forward(asof, known_at, n_folds=n_folds, embargo_ns=embargo, min_train_share=share)
    except DatasetError:
        return
    assert len(splits) == n_folds
    for split in splits:
        assert split.test_start == asof[split.test].min()
        assert known_at[split.train].max() <= split.test_start - embargo
        assert asof[split.train].max() < split.test_start
    for earlier, later in pairwise(splits):
        assert asof[earlier.test].max() < asof[later.test].min()
        assert set(earlier.train) <= set(later.train)


@given(decisions(), st.integers(1, 6))
def test_every_decision_after_the_first_window_is_tested_once(rows, n_folds):
    asof, known_at = rows
    try:
        splits = walk_forward(asof, known_at, n_folds=n_folds)
    except DatasetError:
        return
    tested = np.concatenate([split.test for split in splits])
    expected = np.flatnonzero(asof >= splits[0].test_start)
    assert expected.tolist() == sorted(tested.tolist())


def test_every_label_known_in_time_is_trained_on():
    (split,) = walk_forward(HOURS, HOURS + 2, n_folds=1, min_train_share=0.5)
    assert split.train.tolist() == [0, 1, 2, 3]
    assert split.test.tolist() == [5, 6, 7, 8, 9]


def test_the_embargo_widens_the_gap():
    (split,) = walk_forward(HOURS, HOURS + 2, n_folds=1, embargo_ns=2, min_train_share=0.5)
    assert split.train.tolist() == [0, 1]


def test_underlyings_that_share_a_time_share_a_window():
    asof = np.repeat(HOURS, 3)
    for split in walk_forward(asof, asof + 1, n_folds=3):
        assert len(split.test) % 3 == 0
        assert len(split.train) % 3 == 0


def test_too_few_times_are_refused():
    with pytest.raises(
        DatasetError, match=r"3 decision times leave 2 .* too few for 4 folds: ingest more sessions"
    ):
        walk_forward(HOURS[:3], HOURS[:3] + 1, n_folds=4)


def test_a_fold_without_training_rows_is_refused():
    with pytest.raises(
        DatasetError, match=r"Fold 0 has no training label known 5 ns before .* shorten the horizon"
    ):
        walk_forward(HOURS, HOURS + 2, n_folds=2, embargo_ns=5)


def test_a_label_known_before_its_decision_is_refused():
    with pytest.raises(
        DatasetError, match=r"Row 0's label is known at -1, before its asof 0: .* check its shift"
    ):
        walk_forward(HOURS, HOURS - 1, n_folds=2)


@pytest.mark.parametrize(
    "argument", [{"n_folds": 0}, {"n_folds": 2, "embargo_ns": -1}, {"n_folds": 2, "min_train_share": 1.0}]
)
def test_arguments_out_of_range_are_refused(argument):
    with pytest.raises(DatasetError, match="out of range, use at least one fold"):
        walk_forward(HOURS, HOURS, **argument)


def test_arrays_of_different_length_are_refused():
    with pytest.raises(DatasetError, match=r"shape \(10,\) and known_at \(9,\)"):
        walk_forward(HOURS, HOURS[:9], n_folds=2)
