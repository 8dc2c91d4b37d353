"""Dividends as they could be expected: announced, projected, never from the future."""

from datetime import date, timedelta

import polars as pl
import pytest

from pipelines.dividends import expected_dividends
from strikelake.calendar import et_ns, session
from strikelake.schemas import table

DAY = date(2014, 6, 6)
MOMENT = session(DAY).open_ns
PAID = [date(2013, 8, 8), date(2013, 11, 6), date(2014, 2, 6), date(2014, 5, 8)]


def _actions(*rows):
    """Rows of corporate_actions: (ex_date, cash or (from, to), known)."""
    made = [
        {
            "ticker": "AAPL",
            "action": "split" if isinstance(value, tuple) else "dividend",
            "ex_date": ex,
            "split_from": value[0] if isinstance(value, tuple) else None,
            "split_to": value[1] if isinstance(value, tuple) else None,
            "cash_amount": None if isinstance(value, tuple) else value,
            "available_at": et_ns(known, "09:30"),
        }
        for ex, value, known in rows
    ]
    return pl.DataFrame(made, schema=table("corporate_actions").columns)


REGULAR = [(ex, 3.05, ex) for ex in PAID]


def _found(*rows, day=DAY):
    found = expected_dividends(_actions(*rows), day, session(day).open_ns)
    return found.select("ex_date", "cash", "announced").rows()


def test_regular_dividends_are_repeated_at_their_interval():
    found = _found(*REGULAR)
    assert found[:2] == [(date(2014, 8, 7), 3.05, False), (date(2014, 11, 7), 3.05, False)]
    assert {amount for _, amount, _ in found} == {3.05}
    assert found[-1][0] <= DAY + timedelta(days=3 * 366)


def test_an_announced_dividend_is_taken_as_announced_and_the_next_ones_follow_it():
    found = _found(*REGULAR, (date(2014, 8, 14), 3.29, date(2014, 6, 2)))
    assert found[:2] == [(date(2014, 8, 14), 3.29, True), (date(2014, 11, 13), 3.29, False)]


def test_what_is_announced_later_is_not_known():
    later = (date(2014, 8, 14), 9.99, date(2014, 6, 9))
    assert _found(*REGULAR, later) == _found(*REGULAR)


def test_a_special_dividend_is_not_repeated():
    found = _found(*REGULAR, (date(2014, 6, 5), 30.0, date(2014, 6, 5)))
    assert found == _found(*REGULAR)


def test_a_split_divides_what_was_paid_before_it():
    split = (date(2014, 6, 9), (1.0, 7.0), date(2014, 6, 9))
    assert _found(*REGULAR, split) == _found(*REGULAR)
    assert _found(*REGULAR, split, day=date(2014, 6, 9))[0][1] == pytest.approx(3.05 / 7)


@pytest.mark.parametrize(
    "rows",
    [REGULAR[:1], [(ex - timedelta(days=365), cash, ex - timedelta(days=365)) for ex, cash, _ in REGULAR]],
)
def test_one_dividend_tells_no_interval_and_an_overdue_payer_has_stopped(rows):
    assert _found(*rows) == []


def test_an_overdue_dividend_may_come_any_day():
    assert _found(*REGULAR, day=date(2014, 8, 20))[0][0] == date(2014, 8, 21)
    assert expected_dividends(_actions(), DAY, MOMENT).is_empty()
