from datetime import date

import numpy as np
import polars as pl
import pytest

from backtests.matrices import LONGEST_GAP, price_matrices
from strikelake.calendar import sessions
from strikelake.errors import DatasetError

DATES = [day.date for day in sessions(date(2025, 1, 6), date(2025, 2, 14))]


def prices(*rows):
    return pl.DataFrame(
        rows,
        schema={"date": pl.Date, "underlying": pl.String, "open": pl.Float64, "close": pl.Float64},
        orient="row",
    )


def flat(name, dates, price=10.0):
    return [(day, name, price, price) for day in dates]


def test_matrices_are_by_session_and_series():
    rows = [(day, name, 10.0 * i + j + 1, 1.0) for j, name in enumerate("BA") for i, day in enumerate(DATES)]
    found = price_matrices(prices(*reversed(rows)), {"A", "B", "C"})
    assert (found.dates, found.names, found.tickers) == (DATES, ["A", "B"], ["A", "B"])
    assert found.opens[:2].tolist() == [[2.0, 1.0], [12.0, 11.0]]
    assert found.priced.all()


def test_names_start_and_end_when_they_like():
    rows = [*flat("A", DATES), *flat("LATE", DATES[3:]), *flat("EARLY", DATES[:2])]
    found = price_matrices(prices(*rows), {"A", "LATE", "EARLY"})
    assert found.names == ["A", "EARLY", "LATE"]
    assert found.priced.sum(axis=0).tolist() == [len(DATES), 2, len(DATES) - 3]
    assert np.isnan(found.closes[2:, 1]).all()


@pytest.mark.parametrize("gap", [1, LONGEST_GAP, LONGEST_GAP + 1])
def test_a_ticker_that_comes_back_after_a_long_gap_is_another_series(gap):
    rows = [*flat("A", DATES), *flat("WM", DATES[:4]), *flat("WM", DATES[4 + gap :], 90.0)]
    found = price_matrices(prices(*rows), {"A", "WM"})
    back = f"WM from {DATES[4 + gap]}"
    assert (["A", "WM", back] if gap > LONGEST_GAP else ["A", "WM"]) == found.names
    assert {"A", "WM"} == set(found.tickers)
    assert len(DATES) - gap == found.priced[:, 1:].sum()


def test_gaps_are_counted_on_the_calendar_whoever_else_traded():
    rows = flat("A", (*DATES[:2], *DATES[-2:]))
    found = price_matrices(prices(*rows), {"A"})
    assert (found.dates, found.names) == (DATES, ["A", f"A from {DATES[-2]}"])


def test_a_date_without_a_session_has_no_row():
    saturday = date(2025, 1, 11)
    assert price_matrices(prices(*flat("A", [*DATES, saturday])), {"A"}).dates == DATES


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), 0.0, -1.0])
@pytest.mark.parametrize("column", ["open", "close"])
def test_a_row_without_a_positive_open_and_close_is_no_bar(bad, column):
    hole = prices(*flat("A", DATES), *flat("B", DATES)).with_columns(
        pl.when((pl.col("date") == DATES[2]) & (pl.col("underlying") == "B"))
        .then(pl.lit(bad, dtype=pl.Float64))
        .otherwise(column)
        .alias(column)
    )
    found = price_matrices(hole, {"A", "B"})
    assert np.argwhere(~found.priced).tolist() == [[2, 1]]
    assert np.isnan([found.opens[2, 1], found.closes[2, 1]]).all()


@pytest.mark.parametrize("names", [{"Z"}, set()])
def test_forecasts_without_prices_are_refused(names):
    with pytest.raises(
        DatasetError, match=r"0 sessions of prices.*ingest stock_day_bars of these underlyings"
    ):
        price_matrices(prices(*flat("A", DATES)), names)
