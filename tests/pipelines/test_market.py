from datetime import date
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from pipelines.chain import session_terms
from pipelines.market import LakeMarket
from strikelake.calendar import session, sessions
from strikelake.errors import EmptyLakeError
from strikelake.splits import Split

DAYS = sessions(date(2025, 2, 3), date(2025, 2, 14))
NAMES = ("AAPL", "MSFT", "SPY")


def test_prices_are_minute_closes_as_traded_with_the_time_they_were_known(market_lake):
    day = session(date(2025, 2, 7))
    found = LakeMarket(market_lake, NAMES, DAYS, 0.0).prices(day)
    assert {"underlying", "available_at", "price"} == set(found.columns)
    assert set(NAMES) == set(found["underlying"])
    stored = market_lake.scan("stock_minute_bars", day.date, day.date, underlyings=["MSFT"]).collect()
    mine = found.filter(pl.col("underlying") == "MSFT").sort("available_at")["price"].to_list()
    assert stored.sort("ts_ns")["close"].to_list() == mine


def test_correlations_know_only_the_sessions_before(market_lake):
    market = LakeMarket(market_lake, NAMES, DAYS, 0.0)
    pair = frozenset(("AAPL", "MSFT"))
    day = session(date(2025, 2, 14))
    bars = market_lake.scan("stock_day_bars", None, date(2025, 2, 13), underlyings=["AAPL", "MSFT"]).collect()
    wide = bars.sort("date").pivot(on="ticker", index="date", values="close")
    # MSFT splits two for one on the 10th.
    fix = pl.when(pl.col("date") < date(2025, 2, 10)).then(0.5).otherwise(1.0)
    closes = wide.select("AAPL", pl.col("MSFT") * fix).to_numpy()
    returns = closes[1:] / closes[:-1] - 1
    assert pytest.approx(np.corrcoef(returns.T)[0, 1]) == market.correlations(day)[pair]
    assert market.correlations(DAYS[0]) == LakeMarket(market_lake, NAMES, DAYS[:1], 0.0).correlations(DAYS[0])


def test_the_rate_comes_from_the_treasury_or_else_from_the_default(market_lake, lake):
    assert LakeMarket(market_lake, NAMES, DAYS, 0.07).default_rate_sessions == 0
    versions = market_lake.versions()
    del versions["treasury_yields"]
    assert len(DAYS) == LakeMarket(lake, NAMES, DAYS, 0.07, versions).default_rate_sessions


def test_terms_of_a_session_were_known_at_its_open(market_lake):
    market = LakeMarket(market_lake, NAMES, DAYS, 0.07)
    yields, actions = (market_lake.scan(name).collect() for name in ("treasury_yields", "corporate_actions"))
    for day in DAYS[:2]:
        mine, expected = market.terms(day), session_terms(day, yields, actions, 0.07)
        assert mine.rate(45.0) == expected.rate(45.0) != 0.07
        assert mine.dividends.equals(expected.dividends)
        assert mine.session == day


def test_a_session_without_quotes_names_the_remedy(market_lake):
    with pytest.raises(EmptyLakeError, match=r"option_quotes.*strikelake ingest"):
        LakeMarket(market_lake, NAMES, DAYS, 0.0).quotes(DAYS[0])


def test_splits_are_those_between_two_sessions(market_lake):
    market = LakeMarket(market_lake, NAMES, DAYS, 0.0)
    friday, monday, tuesday = (session(date(2025, 2, day)) for day in (7, 10, 11))
    two_for_one = Split("MSFT", monday.date, Fraction(2))
    assert market.splits(friday.date, monday) == (two_for_one,)
    assert market.splits(date(2025, 1, 2), tuesday) == (two_for_one,)
    assert market.splits(monday.date, tuesday) == market.splits(date(2025, 2, 3), friday) == ()
