"""The carry that makes calls and puts agree: found, robust, point in time; dividends kept apart from it."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.carry import implied_carry, pairs_of
from pipelines.dividends import EXPECTED
from pipelines.forwards import forward_rows
from pipelines.priced import price_rows
from pipelines.terms import series_of, with_root, with_series
from pipelines.underlying import OBSERVED, with_underlying
from strikelake.calendar import NS_PER_MINUTE, session
from strikelake.contracts import OptionContract, settlement_ns
from strikelake.pricing import chain
from strikelake.pricing.chain import Chain, Dividends, Terms
from strikelake.pricing.rates import years_between
from strikelake.schemas import table

DAY = date(2025, 1, 8)
OPEN = session(DAY).open_ns
EXPIRATION = date(2025, 3, 21)
SPOT, RATE, CARRY, VOL = 100.0, 0.04, 0.03, 0.3
NO_DIVIDENDS = pl.DataFrame(schema=EXPECTED)


def _market(minutes, carry=CARRY, ex=None, fraction=0.0):
    """American calls and puts at eleven strikes in each minute, to the cent, and the underlying's prices."""
    settles = settlement_ns(EXPIRATION, "SPY")
    owed = None
    if ex is not None:
        left = float(years_between(session(ex).open_ns, settles))
        owed = Dividends(np.array([0]), np.array([left]), np.array([fraction]))
    terms = Terms(np.array([RATE]), np.array([carry]), np.array([True]), owed)
    rows = []
    for minute in minutes:
        known = OPEN + minute * NS_PER_MINUTE
        years = float(years_between(known, settles))
        for strike in range(90, 112, 2):
            for side, sign in (("C", 1), ("P", -1)):
                [value] = chain.price(Chain(sign, SPOT, [strike], years, 0, terms), VOL)
                symbol = OptionContract("SPY", EXPIRATION, side, strike).occ_symbol
                rows.append((symbol, side, float(strike), known, round(float(value), 2)))
    columns = ["occ_symbol", "option_type", "strike", "available_at", "price"]
    nothing = pl.lit(None, dtype=pl.Float64)
    options = pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        date=pl.lit(DAY),
        underlying=pl.lit("SPY"),
        expiration=pl.lit(EXPIRATION),
        ts_ns=pl.col("available_at") - NS_PER_MINUTE,
        bid_price=nothing,
        ask_price=nothing,
    )
    known = options.select(
        pl.col("available_at").unique().sort(),
    ).with_columns(
        underlying=pl.lit("SPY"), price=pl.lit(SPOT), at="available_at", underlying_source=pl.lit("stock")
    )
    return with_root(options), known.select(*OBSERVED)


def _solved(options, known, dividends=NO_DIVIDENDS):
    spots = known.select("underlying", "price").unique()
    series = series_of(options, session(DAY), OPEN, lambda _: RATE, dividends, spots)
    rows = with_underlying(with_series(options, series), known)
    carry = implied_carry(pairs_of(rows, session(DAY), "1m"), series, session(DAY), "1m")
    return rows, series, carry


def test_the_carry_the_market_was_made_with_is_found_and_closes_the_gap():
    _, _, carry = _solved(*_market([20, 21, 22]))
    row = carry.estimates.row(0, named=True)
    assert (row["status"], row["pairs"]) == ("solved", 33)
    assert row["carry"] == pytest.approx(CARRY, abs=3e-4)
    assert row["gap_before"] > 0.01
    assert row["gap_after"] < 0.001


def test_a_few_stale_prints_move_little():
    options, known = _market([20, 21, 22])
    stale = pl.int_range(pl.len()) % 9 == 0
    _, _, carry = _solved(
        options.with_columns(pl.when(stale).then(pl.col("price") * 1.2).otherwise("price")), known
    )
    assert carry.estimates["carry"][0] == pytest.approx(CARRY, abs=3e-3)


def test_rows_are_priced_with_carries_known_by_then():
    """Nothing before the first decision time, then what was implied up to it."""
    rows, series, carry = _solved(*_market([20, 31, 50]))
    priced = price_rows(rows, series, carry, "1m").sort("available_at")
    sources = priced.group_by("available_at", maintain_order=True).agg(pl.col("carry_source").unique())
    assert sources["carry_source"].to_list() == [["none"], ["implied"], ["implied"]]
    assert priced.filter(pl.col("carry_source") == "none")["carry"].unique().to_list() == [0.0]
    later = priced.filter(pl.col("carry_source") == "implied", pl.col("strike").is_between(95, 105))
    assert later["implied_vol"].to_list() == pytest.approx([VOL] * later.height, abs=0.002)
    assert table("option_analytics").schema.is_valid(priced)


def test_later_prices_never_change_earlier_rows():
    options, known = _market([20, 31, 50, 70])
    cut = OPEN + 60 * NS_PER_MINUTE
    whole, past = (
        price_rows(*_solved(options.filter(pl.col("available_at") <= end), known), "1m").filter(
            pl.col("available_at") <= cut
        )
        for end in (session(DAY).close_ns, cut)
    )
    # Rows that share a boundary share its nodes: what comes later moves them by less than rounding does.
    assert_frame_equal(whole, past, rel_tol=0.0, abs_tol=1e-6)


def test_known_dividends_are_no_carry():
    cash = 1.5
    ex = date(2025, 2, 10)
    dividends = pl.DataFrame([("SPY", ex, cash, True, session(ex).open_ns)], schema=EXPECTED, orient="row")
    value = cash * np.exp(-RATE * float(years_between(OPEN, session(ex).open_ns)))
    rows, series, carry = _solved(*_market([20, 21], carry=0.0, ex=ex, fraction=value / SPOT), dividends)
    assert carry.estimates["carry"][0] == pytest.approx(0.0, abs=3e-4)
    forward = forward_rows(rows, series, carry, _market([20, 21])[1], session(DAY), "1m").row(0, named=True)
    years = forward["years"]
    assert forward["forward"] == pytest.approx((SPOT - value) * np.exp(RATE * years), rel=2e-4)
    assert (forward["dividends"], forward["dividends_projected"]) == (1, 0)
    assert forward["dividend_pv"] == pytest.approx(value)


def test_too_few_pairs_are_not_trusted():
    options, known = _market([20])
    _, _, carry = _solved(options.filter(pl.col("strike").is_in([98.0, 100.0])), known)
    assert carry.estimates["status"].to_list() == ["too_few_pairs"]
    assert (carry.in_force.max(), carry.implied.any()) == (0.0, False)
