"""One rule for features in training and in trading."""

import numpy as np
import polars as pl
import pytest

from models.matrices import check_training, design_matrix
from strikelake.errors import DatasetError, ModelError


def test_columns_come_in_the_order_asked_for():
    frame = pl.DataFrame({"a": [1, 2], "b": [True, False], "other": ["x", "y"]})
    X = design_matrix(frame, ["b", "a"])
    assert X.tolist() == [[1.0, 1.0], [0.0, 2.0]]
    assert (X.dtype, X.flags["C_CONTIGUOUS"]) == (np.float32, True)


def test_everything_unknown_or_too_large_is_nan():
    frame = pl.DataFrame({"a": [None, float("nan"), float("inf"), -float("inf"), 1e39, 1.0]})
    assert np.isnan(design_matrix(frame, ["a"])[:, 0]).tolist() == [True] * 5 + [False]


def test_a_column_of_nulls_is_nan():
    assert np.isnan(design_matrix(pl.DataFrame({"a": [None, None]}), ["a"])).all()


def test_missing_columns_are_named():
    with pytest.raises(ModelError, match="lacks b, c: build it with the features of the training"):
        design_matrix(pl.DataFrame({"a": [1.0]}), ["a", "b", "c"])


def test_no_feature_is_refused():
    with pytest.raises(ModelError, match="at least one feature column"):
        design_matrix(pl.DataFrame({"a": [1.0]}), [])


@pytest.mark.parametrize(
    ("X", "y", "found"),
    [
        (np.zeros((3, 2)), np.array([0, 1]), r"shape \(3, 2\) and y \(2,\)"),
        (np.array([[np.inf], [0]]), np.array([0, 1]), "infinite values: build it with design_matrix"),
        (np.zeros((2, 1)), np.array([0, 2]), r"must be 0 or 1; found \[0, 2\]"),
    ],
)
def test_rows_that_teach_nothing_are_refused(X, y, found):
    with pytest.raises(DatasetError, match=found):
        check_training(X.astype(np.float32), y)
