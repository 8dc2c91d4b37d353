from datetime import date

import numpy as np
import polars as pl
import pytest

from pipelines.chain import chain_at, rate_at
from strikelake.calendar import NS_PER_MINUTE, et_ns
from strikelake.contracts import expiry_ns
from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.pricing.rates import years_between

DAY = date(2025, 1, 14)
ASOF = et_ns(DAY, "11:00")
EXPIRATION = date(2025, 2, 21)
RATE, VOL = 0.04, 0.3
YEARS = float(years_between(ASOF, expiry_ns(EXPIRATION)))


def row(strike, kind, minutes_ago, bid, ask, underlying="AAA"):
    return {
        "occ_symbol": f"{underlying}250221{kind}{strike * 1000:08d}",
        "underlying": underlying,
        "expiration": EXPIRATION,
        "option_type": kind,
        "strike": float(strike),
        "ts_ns": ASOF - minutes_ago * NS_PER_MINUTE,
        "bid_price": bid,
        "ask_price": ask,
    }


def chain(*rows, prices=None):
    quotes = pl.DataFrame(rows, schema_overrides={"bid_price": pl.Float64, "ask_price": pl.Float64})
    return chain_at(quotes, {"AAA": 100.0} if prices is None else prices, ASOF, RATE)


def test_the_last_quote_of_each_contract_by_then_counts():
    found = chain(
        row(100, "C", 0, 4.0, 4.1),
        row(100, "C", 5, 3.0, 3.1),
        row(100, "C", -1, 9.0, 9.1),
        row(105, "C", 60, 2.0, 2.1),
        row(110, "C", -1, 1.0, 1.1),
    )
    assert found.select("strike", "bid_price", "quote_ts_ns").rows() == [
        (100.0, 4.0, ASOF),
        (105.0, 2.0, ASOF - 60 * NS_PER_MINUTE),
    ]


@pytest.mark.parametrize(("kind", "sign"), [("C", 1), ("P", -1)])
def test_volatility_and_delta_are_those_of_the_mid(kind, sign):
    fair = float(european.price(Options(sign, 100.0, 105.0, YEARS, RATE), VOL))
    found = chain(row(105, kind, 1, fair - 0.02, fair + 0.02)).row(0, named=True)
    assert (pytest.approx(VOL), pytest.approx(YEARS)) == (found["implied_vol"], found["years"])
    assert (
        pytest.approx(float(european.greeks(Options(sign, 100.0, 105.0, YEARS, RATE), VOL).delta))
        == found["delta"]
    )


@pytest.mark.parametrize(
    ("quote", "prices"),
    [
        (row(100, "C", 1, None, 4.1), None),
        (row(100, "C", 1, 4.0, None), None),
        (row(100, "C", 1, 4.0, 4.1), {}),
        (row(50, "C", 1, 40.0, 40.1), None),
    ],
    ids=["no bid", "no ask", "no underlying", "below intrinsic"],
)
def test_what_is_not_solved_is_null_and_stays_in_the_chain(quote, prices):
    found = chain(quote, prices=prices).row(0, named=True)
    assert (found["implied_vol"], found["delta"]) == (None, None)


def test_the_columns_are_the_contract_with_the_decision():
    expected = [
        "occ_symbol",
        "underlying",
        "expiration",
        "option_type",
        "strike",
        "bid_price",
        "ask_price",
        "quote_ts_ns",
        "underlying_price",
        "years",
        "implied_vol",
        "delta",
    ]
    found = chain(row(100, "C", 1, 4.0, 4.1))
    assert expected == found.columns
    assert (expected, 0) == (
        (empty := chain_at(pl.DataFrame([row(100, "C", -1, 4.0, 4.1)]), {}, ASOF, RATE)).columns,
        empty.height,
    )
    assert found.schema == empty.schema


def test_the_order_of_rows_changes_nothing():
    rows = [row(s, k, m, 1.0 + m, 1.1 + m) for s in (95, 100, 105) for k in "CP" for m in (1, 6, 11)]
    assert chain(*rows).equals(chain(*reversed(rows)))


def test_the_rate_is_the_one_month_rate_of_the_newest_curve_by_then():
    yields = pl.DataFrame(
        {
            "date": [date(2025, 1, 10)] * 2 + [date(2025, 1, 13)] * 2 + [DAY] * 2,
            "tenor_days": [30, 365] * 3,
            "yield_rate": [0.01, 0.02, 0.04, 0.05, 0.08, 0.09],
            "available_at": [et_ns(date(2025, 1, day), "18:00") for day in (10, 10, 13, 13, 14, 14)],
        }
    )
    assert pytest.approx(2 * np.log(1.02)) == rate_at(yields, ASOF)
    assert rate_at(yields, et_ns(date(2025, 1, 9), "10:00")) is None
    assert rate_at(yields, et_ns(date(2025, 3, 14), "10:00")) is None
