"""Records of the vendor as frames: what is of another kind than its column is refused, never bent to fit."""

import polars as pl
import pytest

from strikelake.errors import VendorError
from strikelake.vendors.records import flatten

TEXTS = pl.List(pl.String)


def column(*values, dtype):
    return flatten([{"a": {"b": value}} for value in values], {"b": ("a.b", dtype)})["b"]


@pytest.mark.parametrize(
    ("dtype", "given", "expected"),
    [
        (pl.Int64, [1, 12.0, None, 2**60], [1, 12, None, 2**60]),
        (pl.Float64, [1, 2.5, None, 10**30], [1.0, 2.5, None, 1e30]),
        (pl.String, ["x", "", None], ["x", "", None]),
        (pl.Boolean, [True, None, False], [True, None, False]),
        (TEXTS, [["x", "y"], [], None], [["x", "y"], [], None]),
    ],
)
def test_values_of_a_kind_are_kept(dtype, given, expected):
    found = column(*given, dtype=dtype)
    assert (found.dtype, found.to_list()) == (dtype, expected)


@pytest.mark.parametrize(
    ("dtype", "said", "wrong"),
    [
        (pl.Float64, "number", ["1.0", True, {"x": 1}, [1]]),
        (pl.Int64, "whole number", ["1", False, {"x": 1}, [1], 1.5, float("nan"), 10**30]),
        (pl.Int32, "whole number", [2**40]),
        (pl.String, "text", [1, 2.5, True, {"x": 1}, ["x"], "\ud800"]),
        (pl.Date, "date", [1, True, {"x": 1}, "2025-13-01", "soon"]),
        (pl.Boolean, "boolean", [1, 0.0, "true", {"x": 1}]),
        (TEXTS, "list", ["12", 1, True, {"x": 1}, [{"x": 1}]]),
    ],
)
def test_values_of_another_kind_are_refused_by_name(dtype, said, wrong):
    for value in wrong:
        with pytest.raises(VendorError, match=f"a.b is no {said} in .*: report it to the vendor") as caught:
            column(None, value, dtype=dtype)
        assert repr(value)[:20] in str(caught.value)


def test_a_message_stays_short():
    with pytest.raises(VendorError) as caught:
        column({"x": "y" * 10_000}, dtype=pl.String)
    assert len(str(caught.value)) < 300
