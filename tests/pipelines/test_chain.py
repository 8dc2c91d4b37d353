"""The chain of a decision: which quotes count, and that it is priced as the lake prices the same quotes."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from pipelines.analytics import analyse
from pipelines.chain import SessionTerms, chain_at, session_terms
from pipelines.rates import rate_for
from strikelake.calendar import NS_PER_MINUTE, et_ns, session
from strikelake.contracts import settlement_ns
from strikelake.lake.store import Lake
from strikelake.pricing import american
from strikelake.pricing.options import Options
from strikelake.pricing.rates import years_between
from strikelake.schemas import table
from strikelake.strategy.selection import entry_contracts, tradable_contracts
from strikelake.strategy.signals import Signal

DAY = date(2025, 1, 14)
OPENED = session(DAY)
ASOF = et_ns(DAY, "11:00")
EXPIRATION = date(2025, 2, 21)
RATE, VOL = 0.04, 0.3
YEARS = float(years_between(ASOF, settlement_ns(EXPIRATION, "AAA")))
TERMS = SessionTerms(OPENED, rate_for(None, RATE))


def row(strike, kind, minutes_ago, bid, ask, root="AAA", expiration=EXPIRATION):
    return {
        "occ_symbol": f"{root}{expiration:%y%m%d}{kind}{round(strike * 1000):08d}",
        "underlying": "SPX" if root == "SPXW" else root.rstrip("1"),
        "expiration": expiration,
        "option_type": kind,
        "strike": float(strike),
        "ts_ns": ASOF - minutes_ago * NS_PER_MINUTE,
        "bid_price": bid,
        "ask_price": ask,
    }


def priced(**prices):
    """Prices of a minute ago."""
    rows = [(name, ASOF - NS_PER_MINUTE, float(price)) for name, price in prices.items()]
    columns = {"underlying": pl.String, "available_at": pl.Int64, "price": pl.Float64}
    return pl.DataFrame(rows, schema=columns, orient="row")


def chain(*rows, prices=None, terms=TERMS, solve=None):
    quotes = pl.DataFrame(rows, schema_overrides={"bid_price": pl.Float64, "ask_price": pl.Float64})
    return chain_at(quotes, priced(AAA=100.0) if prices is None else prices, ASOF, terms, solve)


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
def test_volatility_and_delta_are_the_american_ones_of_the_middle(kind, sign):
    option = Options(sign, 100.0, 105.0, YEARS, RATE)
    fair = float(american.price(option, VOL))
    found = chain(row(105, kind, 1, fair - 0.02, fair + 0.02)).row(0, named=True)
    assert (pytest.approx(VOL), pytest.approx(YEARS)) == (found["implied_vol"], found["years"])
    assert pytest.approx(float(american.greeks(option, VOL).delta), abs=1e-6) == found["delta"]


def test_each_expiration_has_its_own_rate():
    far = date(2025, 12, 19)
    years = float(years_between(ASOF, settlement_ns(far, "AAA")))
    curve = {30: 0.02, 365: 0.06}
    terms = SessionTerms(OPENED, lambda days: float(np.interp(days, list(curve), list(curve.values()))))
    days = (settlement_ns(far, "AAA") - OPENED.open_ns) / 86_400e9
    fair = float(american.price(Options(1, 100.0, 100.0, years, terms.rate(days)), VOL))
    found = chain(row(100, "C", 1, fair, fair, expiration=far), terms=terms)
    assert found["implied_vol"][0] == pytest.approx(VOL, abs=1e-9)


def test_the_newest_price_since_the_open_prices_and_no_later_one():
    early, late = OPENED.open_ns, ASOF + 1
    prices = pl.concat(
        [priced(AAA=100.0), priced(AAA=90.0).with_columns(available_at=pl.lit(late)), priced(BBB=50.0)]
    )
    before = priced(AAA=80.0).with_columns(available_at=pl.lit(early))
    found = chain(row(100, "C", 1, 4.0, 4.1), prices=pl.concat([prices, before]))
    assert found["underlying_price"].to_list() == [100.0]
    assert chain(row(100, "C", 1, 4.0, 4.1), prices=before)["underlying_price"].to_list() == [None]


@pytest.mark.parametrize(
    ("quote", "prices"),
    [
        (row(100, "C", 1, None, 4.1), None),
        (row(100, "C", 1, 4.0, None), None),
        (row(100, "C", 1, 4.0, 4.1), priced()),
        (row(50, "C", 1, 40.0, 40.1), None),
        (row(100, "C", 1, 4.0, 4.1, root="AAA1"), None),
    ],
    ids=["no bid", "no ask", "no underlying", "below intrinsic", "adjusted"],
)
def test_what_is_not_solved_is_null_and_stays_in_the_chain(quote, prices):
    found = chain(quote, prices=prices).row(0, named=True)
    assert (found["implied_vol"], found["delta"]) == (None, None)


def test_only_what_a_signal_could_trade_is_solved_and_solved_alike():
    rows = [row(s, k, 1, 4.0, 4.1, root=n) for n in ("AAA", "BBB", "CCC") for k in "CP" for s in (95, 105)]
    prices = priced(AAA=100.0, BBB=100.0, CCC=100.0)
    signals = [Signal(ASOF, "AAA", ASOF + 1, 0.9), Signal(ASOF, "BBB", ASOF + 1, 0.1)]
    everything = chain(*rows, prices=prices)
    some = chain(*rows, prices=prices, solve=entry_contracts(signals, DAY, (5, 45)))
    solved = some.filter(pl.col("delta").is_not_null())
    assert {("AAA", "C"), ("BBB", "P")} == set(solved.select("underlying", "option_type").rows())
    assert everything.height == some.height
    assert solved.equals(everything.join(solved.select("occ_symbol"), on="occ_symbol", how="semi"))
    for none in (entry_contracts((), DAY, (5, 45)), entry_contracts(signals, DAY, (50, 60))):
        assert chain(*rows, prices=prices, solve=none)["delta"].null_count() == len(rows)


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
    empty = chain(row(100, "C", -1, 4.0, 4.1), prices=priced())
    assert (expected, expected, 0) == (found.columns, empty.columns, empty.height)
    assert found.schema == empty.schema


def test_a_chain_in_order_makes_no_query(lake, monkeypatch):
    yields, actions = (lake.scan(each).collect() for each in ("treasury_yields", "corporate_actions"))
    terms, prices = session_terms(OPENED, yields, actions, 0.0), priced(AAA=100.0, BBB=60.0, SPX=5800.0)
    quotes = _quotes().sort("occ_symbol")
    signals = [Signal(ASOF, name, ASOF + 1, 0.9) for name in ("AAA", "BBB")]
    solve = entry_contracts(signals, DAY, (5, 45))
    expected = chain_at(quotes.reverse(), prices, ASOF, terms, solve)
    tradable = tradable_contracts(expected, signals, DAY, (5, 45))
    best = next(tradable["AAA", 1].by_delta(0.45, 0.2))

    def queried(*_, **__):
        pytest.fail("a query in the time of a decision")

    monkeypatch.setattr(pl.LazyFrame, "_collect_eager", queried)  # what a frame's own methods end in
    with pytest.raises(pytest.fail.Exception):
        quotes.sort("occ_symbol")
    found = chain_at(quotes, prices, ASOF, terms, solve)
    again = tradable_contracts(found, signals, DAY, (5, 45))["AAA", 1]
    assert best == next(again.by_delta(0.45, 0.2))
    assert expected.equals(found)
    assert found["delta"].count() > 10


def test_the_order_of_rows_changes_nothing():
    rows = [row(s, k, m, 1.0 + m, 1.1 + m) for s in (95, 100, 105) for k in "CP" for m in (1, 6, 11)]
    assert chain(*rows).equals(chain(*reversed(rows)))


def _quotes():
    """Quotes of this moment: a payer, a share without dividends, an adjusted contract and an index."""
    listed = [date(2025, 1, 24), EXPIRATION, date(2025, 6, 20)]
    quoted = [
        (name, expiration, strike, kind)
        for name, spot in (("AAA", 100.0), ("BBB", 60.0), ("AAA1", 100.0), ("SPXW", 5800.0))
        for expiration in listed
        for strike in (0.9 * spot, spot, 1.1 * spot)
        for kind in "CP"
    ]
    rng = np.random.default_rng(4)
    rows = []
    for name, expiration, strike, kind in quoted:
        spot = {"AAA": 100.0, "AAA1": 100.0, "BBB": 60.0, "SPXW": 5800.0}[name]
        years = float(years_between(ASOF, settlement_ns(expiration, name)))
        option = Options(1 if kind == "C" else -1, spot, strike, years, RATE, 0.03)
        middle = float(american.price(option, rng.uniform(0.2, 0.5)))
        rows.append(row(strike, kind, 0, round(middle - 0.02, 2), round(middle + 0.02, 2), name, expiration))
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A lake with the quotes, prices that move, two treasury curves, and dividends announced and regular."""
    lake = Lake(tmp_path_factory.mktemp("chain"))

    def put(name, frame, day=DAY):
        columns = table(name).columns
        absent = [pl.lit(None).alias(each) for each in columns if each not in frame.columns]
        rows = frame.with_columns(absent).select(pl.col(each).cast(kind) for each, kind in columns.items())
        if "date" in columns and name not in {"treasury_yields", "corporate_actions"}:
            lake.replace_many(name, {day: rows})
        else:
            lake.overwrite(name, rows)

    sizes = {"bid_size": pl.lit(1), "ask_size": pl.lit(1)}
    put("option_quotes", _quotes().with_columns(date=pl.lit(DAY), available_at="ts_ns", **sizes))
    minutes = [OPENED.open_ns + k * NS_PER_MINUTE for k in range(90)]
    walks = {"AAA": 100.0, "BBB": 60.0}
    stock = [(n, t, p * (1.0 + 0.0001 * (k - 89))) for n, p in walks.items() for k, t in enumerate(minutes)]
    index = [("I:SPX", t, 5800.0 + 0.1 * (k - 89)) for k, t in enumerate(minutes)]
    for name, bars in (("stock_minute_bars", stock), ("index_minute_bars", index)):
        frame = pl.DataFrame(bars, schema=["ticker", "ts_ns", "close"], orient="row").sort("ticker", "ts_ns")
        same = {each: pl.col("close") for each in ("open", "high", "low")}
        known = pl.col("ts_ns") + NS_PER_MINUTE
        put(
            name, frame.with_columns(date=pl.lit(DAY), available_at=known, volume=1.0, transactions=1, **same)
        )
    put(
        "treasury_yields",
        pl.DataFrame(
            {
                "date": [DAY - timedelta(days=1)] * 2 + [DAY] * 2,
                "tenor_days": [30, 365] * 2,
                "yield_rate": [0.03, 0.05, 0.08, 0.09],
                "available_at": [et_ns(DAY - timedelta(days=1), "18:00")] * 2 + [et_ns(DAY, "10:00")] * 2,
            }
        ),
    )
    paid = [date(2024, 2, 5), date(2024, 5, 6), date(2024, 8, 5), date(2024, 11, 4), date(2025, 2, 3)]
    put(
        "corporate_actions",
        pl.DataFrame(
            {"ticker": "AAA", "action": "dividend", "ex_date": paid, "cash_amount": 0.8}
        ).with_columns(available_at=pl.lit(et_ns(date(2025, 1, 8), "08:00"))),
    )
    return lake


def test_a_row_is_that_of_the_lake_for_the_same_quote(lake):
    analyse(lake, DAY, DAY, bar="quote")
    stored = lake.scan("option_analytics", DAY, DAY).collect().sort("occ_symbol")
    assert set(stored["carry_source"]) == {"dividends", "none"}, "without carry, which a decision has not"
    assert {"american", "european"} == set(stored["style"])
    yields, actions = (lake.scan(each).collect() for each in ("treasury_yields", "corporate_actions"))
    bars = [lake.scan(each, DAY, DAY) for each in ("stock_minute_bars", "index_minute_bars")]
    name = pl.col("ticker").str.strip_prefix("I:")
    prices = pl.concat(
        [each.select("available_at", underlying=name, price="close") for each in bars]
    ).collect()
    terms = session_terms(OPENED, yields, actions, 0.0)
    found = chain_at(lake.scan("option_quotes", DAY, DAY).collect(), prices, ASOF, terms)
    for column in ("occ_symbol", "underlying_price", "implied_vol", "delta"):
        assert stored[column].equals(found[column]), column
    assert (stored["status"] == "solved").sum() > 50


def test_name_by_name_as_live_or_all_at_once_as_in_a_backtest_is_one_chain(lake):
    yields, actions = (lake.scan(each).collect() for each in ("treasury_yields", "corporate_actions"))
    terms, quotes = session_terms(OPENED, yields, actions, 0.0), _quotes()
    prices = priced(AAA=100.0, BBB=60.0, SPX=5800.0)
    parts = [
        chain_at(part, prices, ASOF, terms, threads=2)
        for part in quotes.partition_by("underlying", maintain_order=False)
    ]
    whole = chain_at(quotes, prices, ASOF, terms)
    assert pl.concat(parts).sort("occ_symbol").equals(whole)
    assert whole["delta"].count() > 40


def test_terms_are_those_known_at_the_open(lake):
    yields, actions = (lake.scan(each).collect() for each in ("treasury_yields", "corporate_actions"))
    terms = session_terms(OPENED, yields, actions, 0.0)
    assert terms.rate(30.0) == pytest.approx(2 * np.log(1.015))
    announced = terms.dividends.filter("announced")
    assert announced.select("underlying", "ex_date", "cash").rows() == [("AAA", date(2025, 2, 3), 0.8)]
    later = session_terms(session(date(2025, 3, 17)), yields, actions, 0.07)
    assert later.rate(30.0) == 0.07
