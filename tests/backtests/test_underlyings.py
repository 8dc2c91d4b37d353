from datetime import date

import numpy as np
import polars as pl
import pytest

from backtests.underlyings import price_matrices, target_positions
from strikelake.calendar import et_ns
from strikelake.errors import DatasetError

DATES = [date(2025, 1, 6), date(2025, 1, 7), date(2025, 1, 8)]
FORECAST_SCHEMA = {"asof": pl.Int64, "underlying": pl.String, "probability": pl.Float64}


def prices(*rows):
    return pl.DataFrame(
        rows,
        schema={"date": pl.Date, "underlying": pl.String, "open": pl.Float64, "close": pl.Float64},
        orient="row",
    )


def forecasts(*rows):
    flat = [(et_ns(day, clock), name, probability) for day, clock, name, probability in rows]
    return pl.DataFrame(flat, schema=FORECAST_SCHEMA, orient="row")


def test_matrices_are_by_session_and_name():
    rows = [(day, name, 10.0 * i + j, 1.0) for j, name in enumerate("BA") for i, day in enumerate(DATES)]
    found = price_matrices(prices(*rows), {"A", "B", "C"})
    assert (found.dates, found.names) == (DATES, ["A", "B"])
    assert found.opens.tolist() == [[1.0, 0.0], [11.0, 10.0], [21.0, 20.0]]


def test_a_gap_names_the_underlying_and_the_remedy():
    rows = [(day, "A", 1.0, 1.0) for day in DATES] + [(day, "B", 1.0, 1.0) for day in DATES[1:]]
    with pytest.raises(DatasetError, match=r"B has open and close on 2 of 3 sessions.*ingest the others"):
        price_matrices(prices(*rows), {"A", "B"})
    hole = prices(*rows[:3]).with_columns(
        open=pl.when(pl.col("date") == DATES[1]).then(None).otherwise("open")
    )
    with pytest.raises(DatasetError, match="A has open and close on 2 of 3"):
        price_matrices(hole, {"A"})


@pytest.mark.parametrize("names", [{"Z"}, set()])
def test_forecasts_without_prices_are_refused(names):
    with pytest.raises(DatasetError, match="ingest stock_day_bars of these underlyings"):
        price_matrices(prices((DATES[0], "A", 1.0, 1.0), (DATES[1], "A", 1.0, 1.0)), names)


def test_a_session_is_decided_by_the_last_forecast_of_the_one_before():
    made = forecasts(
        (DATES[0], "16:00", "A", 0.6),
        (DATES[0], "10:00", "A", 0.4),
        (DATES[1], "16:00", "A", 0.5),
        (DATES[2], "16:00", "A", 0.9),
        (DATES[0], "16:00", "B", 0.3),
    )
    assert target_positions(made, DATES, ["A", "B"], edge=0.05, short=True).tolist() == [
        [0, 0],
        [1, -1],
        [0, 0],
    ]
    assert target_positions(made, DATES, ["A", "B"], edge=0.05, short=False).tolist() == [
        [0, 0],
        [1, 0],
        [0, 0],
    ]
    assert (
        np.zeros((3, 2)).tolist() == target_positions(made, DATES, ["A", "B"], edge=0.2, short=True).tolist()
    )


@pytest.mark.parametrize("probability", [None, float("nan")])
def test_a_forecast_that_is_no_number_leads_to_a_flat_session(probability):
    made = forecasts((DATES[0], "16:00", "A", probability))
    assert target_positions(made, DATES, ["A"], edge=0.0, short=True).tolist() == [[0.0], [0.0], [0.0]]
