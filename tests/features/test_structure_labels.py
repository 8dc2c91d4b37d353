"""Profit of option structures: what is bought, at which quotes, and what is left out."""

from datetime import timedelta

import polars as pl
import pytest

from features.structure_labels import QUOTES, StructureLabel
from strikelake.errors import FeatureError

MINUTE = 60 * 10**9


@pytest.fixture
def spy(bars):
    """Six bars of a session at about 100 dollars."""
    return bars.filter(pl.col("underlying") == "SPY").head(6)


def _quotes(spy, rows):
    """Rows of (days, side, strike, bar, bid, ask), a minute before the bar's end."""
    first = spy["date"][0]
    found = [
        (
            f"SPY{first + timedelta(days=days):%y%m%d}{side}{int(strike * 1000):08d}",
            "SPY",
            first + timedelta(days=days),
            side,
            float(strike),
            spy["asof"][bar] - MINUTE,
            bid,
            ask,
        )
        for days, side, strike, bar, bid, ask in rows
    ]
    return pl.DataFrame(found, schema=QUOTES, orient="row")


def _at_the_money(spy):
    return round(spy["close"][0])


def test_bought_at_the_ask_and_sold_at_the_bid_net_of_fees(spy):
    strike = _at_the_money(spy)
    quotes = _quotes(spy, [(14, "C", strike, 0, 2.0, 2.1), (14, "C", strike, 2, 2.6, 2.8)])
    found = StructureLabel("long_call", 2)(spy, quotes)
    assert found.rows() == [(spy["asof"][0], "SPY", pytest.approx((2.6 - 2.1 - 0.013) / 2.1), spy["asof"][2])]


def test_a_straddle_is_both_sides_of_one_strike(spy):
    strike = _at_the_money(spy)
    quotes = _quotes(
        spy,
        [
            (14, "C", strike, 0, 2.0, 2.1), (14, "P", strike, 0, 1.8, 1.9),
            (14, "C", strike + 1, 0, 1.5, 1.6), (7, "C", strike, 0, 1.0, 1.1),
            (14, "C", strike, 1, 2.2, 2.4), (14, "P", strike, 1, 1.7, 1.8),
        ],
    )  # fmt: skip
    found = StructureLabel("straddle", 1)(spy, quotes)
    assert found["value"].to_list() == [pytest.approx((2.2 + 1.7 - 4.0 - 2 * 0.013) / 4.0)]


@pytest.mark.parametrize(
    "rows",
    [
        [(14, "C", 100, 0, 2.0, 2.1)],  # no quote at the exit
        [(14, "C", 100, 1, 2.0, 2.1), (14, "C", 100, 3, 2.0, 2.1)],  # none at the entry: only at bars 1 and 3
        [(3, "C", 100, 0, 2.0, 2.1), (3, "C", 100, 2, 2.0, 2.1)],  # too near its expiration
        [(14, "C", 100, 0, 2.2, 2.1), (14, "C", 100, 2, 2.0, 2.1)],  # crossed
    ],
)
def test_what_could_not_be_traded_is_left_out(spy, rows):
    found = StructureLabel("long_call", 2)(spy, _quotes(spy, rows))
    assert found.filter(pl.col("asof") == spy["asof"][0]).is_empty()


def test_quotes_after_the_exit_change_nothing(spy):
    strike = _at_the_money(spy)
    rows = [(14, "C", strike, 0, 2.0, 2.1), (14, "C", strike, 2, 2.6, 2.8)]
    label = StructureLabel("long_call", 2)
    first = label(spy, _quotes(spy, rows)).filter(pl.col("asof") == spy["asof"][0])
    later = _quotes(spy, [*rows, (14, "C", strike, 3, 9.0, 9.1), (7, "C", strike, 3, 9.0, 9.1)])
    assert label(spy, later).filter(pl.col("asof") == spy["asof"][0]).equals(first)
    assert (first["known_at"] > first["asof"]).all()


def test_a_structure_that_does_not_exist_is_refused():
    with pytest.raises(FeatureError, match="no structure 'condor': structures are long_call"):
        StructureLabel("condor", 1)
    assert StructureLabel("straddle", 6).name == "straddle_pnl_6"
