from datetime import date

import polars as pl
import pytest

from pipelines.listings import load_contracts, load_market_calendar, load_news
from pipelines.reference_rest import load_reference_from_rest
from strikelake.calendar import et_ns
from strikelake.errors import NotEntitledError, NotPublishedError, VendorUnavailableError
from strikelake.lake.store import Lake

START = date(2025, 1, 2)


class Names:
    def __getattr__(self, name):
        return name


class FakeConnection:
    """Answers calls of the vendor's client by their names; an exception is raised."""

    def __init__(self, **answers):
        self.client = Names()
        self.answers = answers
        self.asked = []

    def rows(self, call, *arguments, **params):
        self.asked.append((call, *arguments, params))
        answer = self.answers.get(call, [])
        if isinstance(answer, Exception):
            raise answer
        wanted = params.get("ticker")
        return [
            row for row in answer if wanted is None or wanted in {row.get("ticker"), *row.get("tickers", [])}
        ]

    def ask(self, call, **arguments):  # noqa: ARG002 - the connection's signature
        if call not in self.answers:
            raise NotPublishedError(f"404 for {call}")
        return self.answers[call]


class FixedClock:
    def now(self):
        return et_ns(date(2025, 3, 3), "17:00")


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def split(ticker, day, old, new):
    return {"ticker": ticker, "execution_date": day, "split_from": old, "split_to": new}


def dividend(ticker, day, amount, declared=None):
    return {
        "ticker": ticker, "ex_dividend_date": day, "cash_amount": amount, "declaration_date": declared,
        "frequency": 4, "dividend_type": "CD",
    }  # fmt: skip


def vendor(**changes):
    answers = {
        "list_splits": [split("NVDA", "2025-06-10", 1, 10)],
        "list_dividends": [
            dividend("SPY", "2025-03-21", 1.7, "2025-03-14"),
            dividend("SPY", "2025-03-21", 0.5, "2025-03-17"),
            dividend("SPY", "2025-06-20", 1.8),
        ],
        "list_treasury_yields": [{"date": "2025-01-03", "yield_1_month": 4.4, "yield_10_year": 4.6}],
    }
    return FakeConnection(**(answers | changes))


def actions(lake):
    rows = lake.scan("corporate_actions").collect().sort("ticker", "ex_date")
    return rows.select("ticker", "action", "ex_date", "cash_amount", "available_at").rows()


def test_an_announced_dividend_is_known_before_its_ex_date(lake):
    report = load_reference_from_rest(lake, vendor(), ["SPY"], START)
    assert (report.splits, report.dividends, report.yields, report.rejected, report.refused) == (
        1,
        2,
        2,
        {},
        (),
    )
    assert actions(lake) == [
        ("NVDA", "split", date(2025, 6, 10), None, et_ns(date(2025, 6, 10), "09:30")),
        ("SPY", "dividend", date(2025, 3, 21), 2.2, et_ns(date(2025, 3, 18), "09:30")),
        ("SPY", "dividend", date(2025, 6, 20), 1.8, et_ns(date(2025, 6, 20), "09:30")),
    ]
    yields = lake.scan("treasury_yields").collect().sort("tenor_days")
    assert yields.rows() == [
        (date(2025, 1, 3), 30, pytest.approx(0.044), et_ns(date(2025, 1, 3), "18:00")),
        (date(2025, 1, 3), 3652, pytest.approx(0.046), et_ns(date(2025, 1, 3), "18:00")),
    ]


def test_what_is_outside_the_question_stays(lake):
    before = vendor(
        list_splits=[split("OLD", "2020-01-02", 1, 2), split("GONE", "2025-02-03", 1, 2)],
        list_dividends=[dividend("QQQ", "2025-03-24", 0.7), dividend("SPY", "2024-12-20", 1.9)],
        list_treasury_yields=[{"date": "2020-01-02", "yield_1_month": 1.5}],
    )
    load_reference_from_rest(lake, before, ["QQQ", "SPY"], date(2019, 1, 2))
    load_reference_from_rest(lake, vendor(), ["SPY"], START)
    held = {(ticker, str(day)) for ticker, _, day, *_ in actions(lake)}
    assert held == {
        ("OLD", "2020-01-02"), ("NVDA", "2025-06-10"), ("QQQ", "2025-03-24"),
        ("SPY", "2024-12-20"), ("SPY", "2025-03-21"), ("SPY", "2025-06-20"),
    }  # fmt: skip
    assert lake.scan("treasury_yields").collect()["date"].unique().sort()[0] == date(2020, 1, 2)


def test_loading_twice_is_loading_once(lake):
    load_reference_from_rest(lake, vendor(), ["SPY"], START)
    versions = lake.versions()
    load_reference_from_rest(lake, vendor(), ["SPY"], START)
    assert lake.versions() == versions


def test_a_row_that_breaks_a_rule_goes_to_quarantine_once(lake):
    wrong = vendor(list_splits=[split("BAD", "2025-06-10", 0, 10), split("NVDA", "2025-06-10", 1, 10)])
    for _ in range(2):
        report = load_reference_from_rest(lake, wrong, [], START)
    assert (report.splits, report.rejected) == (1, {"split_from|min_exclusive": 1})
    row = lake.scan("quarantine").collect().row(0, named=True)
    assert (row["date"], row["source_key"]) == (date(2025, 6, 10), "rest:splits")
    assert "BAD" in row["raw"]
    assert lake.scan("quarantine").collect().height == 1


def test_what_the_plan_lacks_is_reported_but_for_splits(lake):
    refusal = NotEntitledError("403")
    report = load_reference_from_rest(
        lake, vendor(list_dividends=refusal, list_treasury_yields=refusal), ["SPY"], START
    )
    assert report.refused == ("dividends: 403", "treasury yields: 403")
    assert [ticker for ticker, *_ in actions(lake)] == ["NVDA"]
    with pytest.raises(NotEntitledError):
        load_reference_from_rest(lake, vendor(list_splits=refusal), ["SPY"], START)


def test_a_silent_vendor_changes_nothing(lake):
    load_reference_from_rest(lake, vendor(), ["SPY"], START)
    before = actions(lake)
    with pytest.raises(VendorUnavailableError):
        load_reference_from_rest(lake, vendor(list_dividends=VendorUnavailableError("503")), ["SPY"], START)
    assert actions(lake) == before


@pytest.mark.parametrize("call", ["list_splits", "list_dividends", "list_treasury_yields"])
def test_an_empty_answer_erases_nothing(lake, call):
    load_reference_from_rest(lake, vendor(), ["SPY"], START)
    before = lake.versions()
    with pytest.raises(VendorUnavailableError, match=r"has nothing for .* where the lake holds \d rows"):
        load_reference_from_rest(lake, vendor(**{call: []}), ["SPY"], START)
    assert lake.versions() == before


def contract(symbol, **more):
    return {"ticker": f"O:{symbol}", "underlying_ticker": "XYZ", "shares_per_contract": 100} | more


def test_adjusted_contracts_are_flagged(lake):
    listed = [
        contract("XYZ250321C00010000"),
        contract("XYZ1250321C00010000", shares_per_contract=110),
        contract("XYZ250321P00010000", additional_underlyings=[{"underlying": "ABC", "amount": 5}]),
        contract("XYZ250321C00012500", shares_per_contract=10),
        contract("XYZ2250321C00012500"),
        contract("NO OPTION"),
    ]
    connection = FakeConnection(list_options_contracts=listed)
    assert load_contracts(lake, connection, ["XYZ"], date(2025, 3, 1)) == 5
    rows = lake.scan("contracts").collect().sort("occ_symbol")
    assert rows.select("occ_symbol", "underlying", "adjusted").rows() == [
        ("XYZ1250321C00010000", "XYZ", True),
        ("XYZ2250321C00012500", "XYZ", True),
        ("XYZ250321C00010000", "XYZ", False),
        ("XYZ250321C00012500", "XYZ", True),
        ("XYZ250321P00010000", "XYZ", True),
    ]
    assert rows["available_at"].unique().to_list() == [et_ns(date(2025, 3, 3), "09:30")]


def test_contracts_of_other_underlyings_stay(lake):
    for name in ("ABC", "XYZ", "XYZ"):
        listed = [contract(f"{name}250321C00010000", underlying_ticker=name)]
        load_contracts(lake, FakeConnection(list_options_contracts=listed), [name], date(2025, 3, 3))
    assert lake.scan("contracts").collect()["underlying"].sort().to_list() == ["ABC", "XYZ"]


def test_the_market_calendar(lake):
    connection = FakeConnection(
        get_exchanges=[{"id": 1, "asset_class": "stocks", "name": "NYSE American, LLC"}],
        get_market_holidays=[
            {"date": "2025-11-28", "exchange": "NYSE", "status": "early-close",
             "open": "2025-11-28T14:30:00.000Z", "close": "2025-11-28T18:00:00.000Z"},
            {"date": "2025-12-25", "exchange": "NYSE", "status": "closed"},
        ],
    )  # fmt: skip
    assert load_market_calendar(lake, connection, FixedClock()) == {"exchanges": 1, "holidays": 2}
    half = lake.scan("holidays").filter(status="early-close").collect().row(0, named=True)
    assert half["close_ns"] == et_ns(date(2025, 11, 28), "13:00")
    assert lake.scan("exchanges").collect()["available_at"].item() == FixedClock().now()


def article(sentiment):
    return {
        "id": "a1", "title": "Cuts", "published_utc": "2025-03-03T18:33:53Z", "tickers": ["SPY", "QQQ"],
        "publisher": {"name": "P"}, "keywords": ["rates", "Fed"],
        "insights": [{"ticker": "SPY", "sentiment": sentiment, "sentiment_reasoning": "why"}],
    }  # fmt: skip


def test_news_keeps_the_rating_it_was_stored_with(lake):
    asked = ["SPY", "QQQ"], date(2025, 3, 3), date(2025, 3, 3)
    assert load_news(lake, FakeConnection(list_ticker_news=[article("positive")]), *asked) == 2
    assert load_news(lake, FakeConnection(list_ticker_news=[article("negative")]), *asked) == 0
    rows = lake.scan("news").collect().sort("ticker")
    assert rows.select("ticker", "sentiment", "keywords").rows() == [
        ("QQQ", None, "rates; Fed"), ("SPY", "positive", "rates; Fed"),
    ]  # fmt: skip
    assert (rows["available_at"] == rows["ts_ns"]).all()
    assert load_news(lake, FakeConnection(), [], START, START) == 0


def test_no_news_is_no_rows(lake):
    assert load_news(lake, FakeConnection(), ["SPY"], START, START) == 0
    assert isinstance(lake.tables(), list)
    assert pl.DataFrame(lake.tables()).is_empty()
