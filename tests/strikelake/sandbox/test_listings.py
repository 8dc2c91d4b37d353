from datetime import date

import polars as pl

from strikelake.contracts import OptionContract
from strikelake.sandbox.listings import expirations
from strikelake.sandbox.tape import listed


def test_a_friday_without_trading_expires_the_day_before():
    assert date(2025, 4, 17) in expirations(date(2025, 4, 1))
    assert date(2025, 4, 18) not in expirations(date(2025, 4, 1))


def test_weeklies_are_near_and_monthlies_far():
    found = [str(day) for day in expirations(date(2025, 1, 2))]
    assert found == ["2025-01-03", "2025-01-10", "2025-01-17", "2025-02-21"]


def test_contracts_stay_listed_until_they_expire(market):
    paths, contracts = market.paths, market.contracts
    seen: set[str] = set()
    for index, session in enumerate(paths.sessions):
        found = listed(contracts, paths, index)
        assert found["expiration"].min() >= session.date
        expired = contracts.filter(pl.col("expiration") < session.date)["ticker"].to_list()
        assert seen - set(expired) <= set(found["ticker"])
        seen |= set(found["ticker"])


def test_symbols_say_what_the_columns_say(market):
    assert market.contracts["ticker"].is_sorted()
    for row in market.contracts.head(50).iter_rows(named=True):
        parsed = OptionContract.parse(row["ticker"])
        assert (parsed.underlying, parsed.expiration) == (row["underlying"], row["expiration"])
        assert (parsed.option_type, float(parsed.strike)) == (row["option_type"], row["strike"])


def test_each_expiration_surrounds_the_price(market):
    spot = market.paths.price[0, 0]
    first = listed(market.contracts, market.paths, 0).filter(pl.col("underlying") == "AAPL")
    sides = first.group_by("expiration").agg(
        (pl.col("strike") < spot).sum().alias("below"), (pl.col("strike") > spot).sum().alias("above")
    )
    assert sides["below"].min() >= 8
    assert sides["above"].min() >= 8
    assert sides.height == 4
