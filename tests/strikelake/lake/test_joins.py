"""The newest row known: against polars on frames sorted as it needs them."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strikelake.lake.joins import newest_known

GROUPS = st.sampled_from(["A", "B", "C"])
PAIRS = st.lists(st.tuples(GROUPS, st.integers(0, 2), st.integers(0, 20)), max_size=30)


def frame(rows) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"ticker": pl.String, "leg": pl.Int64, "ts": pl.Int64}, orient="row")


@settings(max_examples=100, deadline=None)
@given(PAIRS, PAIRS, st.sampled_from([["ticker"], ["ticker", "leg"]]), st.sampled_from([None, 0, 4]))
def test_it_finds_what_a_sorted_asof_join_finds(rows, known, by, oldest):
    left, right = frame(rows), frame(known).sort(*by, "ts").with_row_index("row").cast({"row": pl.Int64})
    found = newest_known(left, right, by=by, on="ts", oldest=oldest)
    expected = (
        left.with_row_index("place")
        .sort(*by, "ts")
        .join_asof(right, on="ts", by=by, tolerance=oldest, check_sortedness=False)
        .sort("place")
    )
    assert found.to_list() == expected["row"].to_list()


@pytest.mark.parametrize("rows", [[], [("A", 0, 1)]])
def test_nothing_known_is_null(rows):
    found = newest_known(frame(rows), frame([]), by=["ticker"], on="ts", oldest=1)
    assert (found.to_list(), found.dtype) == ([None] * len(rows), pl.Int64)
