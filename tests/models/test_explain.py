"""Charts are pictures, with and without anything to show."""

import numpy as np
import polars as pl
import pytest

from models.evaluation import calibration
from models.explain import calibration_chart, importance_chart, importance_table

PNG = b"\x89PNG"


def test_a_model_without_splits_has_no_importance():
    table = importance_table(["b", "a"], [0.0, 0.0])
    assert table.rows() == [("a", 0.0), ("b", 0.0)]


@pytest.mark.parametrize("size", [0, 1, 80])
def test_importance_is_drawn_for_any_number_of_features(size):
    table = importance_table([f"f{i}" for i in range(size)], np.arange(size))
    assert importance_chart(table, "forest").startswith(PNG)


def test_calibration_is_drawn_around_empty_bins():
    table = calibration(np.array([1, 0]), np.array([0.9, 0.1]))
    assert calibration_chart(table, "forest").startswith(PNG)
    assert calibration_chart(table.filter(pl.col("n") == 0), "forest").startswith(PNG)
