"""Option summaries: ATM volatility at 30 days and volumes."""

from datetime import date, timedelta

import polars as pl
import pytest

from features.option_summaries import SUMMARY, summarise

DAY = date(2025, 1, 8)
CLOSE = 1_736_370_000_000_000_000


def _analytics(rows):
    """Rows of (days, side, strike, vol, status) on an underlying at 100."""
    return pl.DataFrame(
        [
            {
                "underlying": "SPY",
                "date": DAY,
                "occ_symbol": f"SPY{DAY + timedelta(days=days):%y%m%d}{side}{int(strike * 1000):08d}",
                "expiration": DAY + timedelta(days=days),
                "option_type": side,
                "strike": float(strike),
                "underlying_price": 100.0,
                "years": days / 365.0,
                "implied_vol": vol,
                "delta": None if vol is None else (0.5 if side == "C" else -0.4),
                "status": status,
                "available_at": CLOSE,
            }
            for days, side, strike, vol, status in rows
        ],
        schema_overrides={"implied_vol": pl.Float64, "delta": pl.Float64},
    )


def _volumes(puts, calls):
    """Day bars of puts and calls at a strike of 10; the first of each side are contracts of `_analytics`."""
    rows = [
        (f"SPY{DAY + timedelta(days=20):%y%m%d}{side}{(100_000 + n):08d}", side, volume)
        for side, volumes in (("P", puts), ("C", calls))
        for n, volume in enumerate(volumes)
    ]
    columns = {"occ_symbol": pl.String, "option_type": pl.String, "volume": pl.Float64}
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    return frame.with_columns(
        underlying=pl.lit("SPY"), date=pl.lit(DAY), strike=pl.lit(10.0), available_at=pl.lit(CLOSE)
    )


def test_thirty_days_are_between_the_expirations_in_total_variance():
    rows = [
        (20, "C", 100, 0.20, "solved"),
        (20, "P", 100, 0.22, "solved"),
        (20, "C", 105, 0.90, "solved"),
        (40, "C", 101, 0.30, "solved"),
        (40, "P", 80, 0.90, "solved"),
        (100, "C", 100, 0.90, "solved"),
        (3, "C", 100, 0.90, "solved"),
    ]
    found = summarise(_analytics(rows), _volumes([10.0, 5.0], [30.0]))
    expected = ((0.21**2 * 20 + 0.30**2 * 40) / 2 / 30) ** 0.5
    assert dict(found.schema) == SUMMARY
    assert found.row(0) == ("SPY", DAY, CLOSE, pytest.approx(expected), 15.0, 30.0, 450.0, 4.0, 15.0)


@pytest.mark.parametrize("days", [20, 30, 45])
def test_one_expiration_stands_for_thirty_days(days):
    found = summarise(_analytics([(days, "C", 100, 0.25, "solved")]), _volumes([1.0], [1.0]))
    assert found["atm_iv"].to_list() == [0.25]


@pytest.mark.parametrize(
    "row", [(30, "C", 130, 0.2, "solved"), (30, "C", 100, None, "expired"), (2, "C", 100, 0.2, "solved")]
)
def test_unpriced_far_and_near_contracts_give_no_level(row):
    found = summarise(_analytics([row]), _volumes([1.0], [2.0]))
    assert found.rows() == [("SPY", DAY, CLOSE, None, 1.0, 2.0, 30.0, None, None)]


def test_a_session_without_volumes_keeps_its_level():
    found = summarise(_analytics([(30, "C", 100, 0.2, "solved")]), _volumes([1.0], [1.0]).clear())
    assert found.rows() == [("SPY", DAY, CLOSE, 0.2, None, None, None, None, None)]
