from datetime import date
from math import sqrt

import polars as pl
import pytest

from backtests import vectorized
from backtests.metrics import (
    CurveStatistics,
    Metrics,
    calendar_returns,
    curve_statistics,
    measure,
    profit_factor,
    session_returns,
    win_rate,
)
from strikelake.errors import DatasetError

EITHER = pytest.mark.parametrize("statistics", [curve_statistics, vectorized.curve_statistics])
CURVE = [100.0, 110.0, 99.0, 108.9, 103.455]  # +10 %, -10 %, +10 %, -5 %


@EITHER
def test_numbers_by_hand(statistics):
    found = statistics(CURVE)
    # Mean 1.25 %; squared deviations 8.75², 11.25², 8.75², 6.25² (in %²) sum to 318.75, over 3.
    assert pytest.approx(0.0125 / (sqrt(318.75 / 3) / 100) * sqrt(252)) == found.sharpe
    assert pytest.approx(0.03455) == found.total_return
    assert pytest.approx(0.10) == found.max_drawdown
    assert pytest.approx(sqrt((252 + found.sharpe**2 / 2) / 4)) == found.sharpe_error


@EITHER
def test_a_return_is_compounded_to_a_year_from_sixty_sessions_on(statistics):
    rises = [100.0, 90.0, *(90.0 * 1.01**k for k in range(1, 60))]
    assert pytest.approx(((0.9 * 1.01**59) ** (252 / 60) - 1) / 0.10) == statistics(rises).calmar
    assert statistics(rises[:-1]).calmar is None


@EITHER
def test_a_loss_at_the_start_is_a_drawdown_from_the_starting_equity(statistics):
    assert pytest.approx(0.2) == statistics([100.0, 80.0, 90.0]).max_drawdown


@EITHER
@pytest.mark.parametrize(
    ("equity", "expected"),
    [
        ([100.0, 100.0, 100.0], CurveStatistics(0.0, None, None, 0.0, None)),
        ([100.0, 101.0], CurveStatistics(0.01, None, None, 0.0, None)),
    ],
)
def test_what_is_not_defined_is_none(statistics, equity, expected):
    found = statistics(equity)
    assert (found.sharpe, found.calmar) == (None, None)
    assert pytest.approx(expected.total_return) == found.total_return
    assert pytest.approx(0.0) == found.max_drawdown


@EITHER
def test_returns_that_do_not_vary_have_no_sharpe(statistics):
    assert statistics([100.0 * 1.01**k for k in range(5)]).sharpe is None


@EITHER
def test_an_account_that_is_ruined_stays_so(statistics):
    found = statistics([100.0, 50.0, -20.0, *[60.0] * 60])
    assert (pytest.approx(-1.0), pytest.approx(1.0)) == (found.total_return, found.max_drawdown)
    assert pytest.approx(-1.0) == found.calmar


@pytest.mark.parametrize("equity", [[], [100.0], [0.0, 1.0], [-5.0, 1.0]])
def test_a_curve_without_a_start_and_a_close_is_refused(equity):
    with pytest.raises(DatasetError, match="it needs a start above 0 and a close"):
        session_returns(equity)


@pytest.mark.parametrize(
    ("pnl", "rate", "factor"),
    [
        ([], None, None),
        ([10.0, 20.0], 1.0, None),
        ([-10.0, -20.0], 0.0, 0.0),
        ([30.0, -10.0, 0.0, -10.0], 0.25, 1.5),
    ],
)
def test_win_rate_and_profit_factor(pnl, rate, factor):
    assert (rate, factor) == (win_rate(pnl), profit_factor(pnl))


def test_measure_puts_them_together():
    curve = CurveStatistics(0.1, 1.0, 0.7, 0.05, 2.0)
    expected = Metrics(0.1, 1.0, 0.7, 0.05, 2.0, 0.5, 2.0, 2, 3.0, 0.4, 110.0)
    assert expected == measure(curve, [2.0, -1.0], fees=3.0, exposure=0.4, final_equity=110.0)


def test_periods_run_from_the_last_close_before_them():
    closes = pl.DataFrame(
        {
            "date": [date(2024, 12, 30), date(2024, 12, 31), date(2025, 1, 31), date(2025, 2, 3)],
            "equity": [90.0, 110.0, 121.0, 60.5],
        }
    )
    assert calendar_returns(closes, 100.0, "1mo").rows() == [
        (date(2024, 12, 1), pytest.approx(0.1)),
        (date(2025, 1, 1), pytest.approx(0.1)),
        (date(2025, 2, 1), pytest.approx(-0.5)),
    ]
    assert calendar_returns(closes.reverse(), 100.0, "1y").rows() == [
        (date(2024, 1, 1), pytest.approx(0.1)),
        (date(2025, 1, 1), pytest.approx(-0.45)),
    ]
