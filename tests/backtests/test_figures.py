from datetime import date

import polars as pl
import pytest

from backtests.figures import compared_figure, exposure_figure, monthly_figure

SCHEMA = {"period": pl.Date, "period_return": pl.Float64}


def test_months_are_years_down_with_the_year_at_the_end():
    months = pl.DataFrame([(date(2024, 12, 1), 0.1), (date(2025, 2, 1), -0.5)], schema=SCHEMA, orient="row")
    years = pl.DataFrame([(date(2024, 1, 1), 0.1), (date(2025, 1, 1), -0.45)], schema=SCHEMA, orient="row")
    (heatmap,) = monthly_figure(months, years).data
    assert (list(heatmap.y), heatmap.x[-1]) == (["2024", "2025"], "Year")
    assert heatmap.text[0][11:] == ["+10.0%", "<b>+10.0%</b>"]
    assert (heatmap.text[1][0], heatmap.text[1][1]) == ("", "-50.0%")
    assert heatmap.zmax == 0.5


def test_two_curves_are_told_apart_by_name():
    curve = pl.DataFrame(
        {
            "date": [date(2025, 1, 6), date(2025, 1, 7)],
            "equity": [100.0, 50.0],
            "buy_and_hold": [100.0, 200.0],
        }
    )
    shown = [
        (line.name, line.showlegend, line.y[-1]) for line in compared_figure(curve, ("Mine", "Kept")).data
    ]
    assert shown == [
        ("Kept", None, 200.0),
        ("Kept", False, 0.0),
        ("Mine", None, 50.0),
        ("Mine", False, pytest.approx(-0.5)),
    ]


def test_exposure_is_a_mean_of_each_week():
    curve = pl.DataFrame(
        {"date": [date(2025, 1, 6), date(2025, 1, 10), date(2025, 1, 13)], "exposure": [0.0, 1.0, 0.25]}
    )
    (line,) = exposure_figure(curve).data
    assert line.y == (0.5, 0.25)
