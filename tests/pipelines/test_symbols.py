from datetime import date
from types import SimpleNamespace

import polars as pl
import pytest

from pipelines.ingest import ingest
from pipelines.market_data import MarketData
from pipelines.symbols import load_symbols, load_symbols_from_rest, security_at, security_bars, ticker_at
from strikelake.calendar import et_ns, session
from strikelake.errors import BadFileError, EmptyLakeError, LakeError, NotEntitledError, VendorError
from strikelake.lake.store import Lake
from strikelake.schemas import table
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles

HEADER = "security,until,ticker\n"
WM = "WM,1998-01-02,UW\nWM,1998-07-16,UW\nWM,2009-08-04,WMI\nWM,2050-12-31,WM\n"


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def load(lake, tmp_path):
    def write(text):
        path = tmp_path / "ticker_map.csv"
        path.write_text(text)
        return load_symbols(lake, path)

    return write


def bar(day, ticker, close):
    opened = session(day).close_ns
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    row = {"date": day, "ticker": ticker, "ts_ns": et_ns(day, "00:00"), "volume": 1.0, "available_at": opened}
    return pl.DataFrame([row | prices], schema=table("stock_day_bars").columns)


def test_a_security_keeps_its_name_through_its_tickers(lake, load):
    assert load(HEADER + WM) == 3
    assert security_at(lake, "WMI", date(2009, 8, 4)) == "WM"
    assert security_at(lake, "WMI", date(2009, 8, 5)) is None
    assert security_at(lake, "WM", date(2009, 8, 4)) is None
    assert security_at(lake, "WM", date(2025, 1, 2)) == "WM"
    assert ticker_at(lake, "WM", date(1998, 1, 2)) == "UW"
    assert ticker_at(lake, "WM", date(1998, 1, 1)) is None


def test_a_rename_is_known_at_the_open_of_its_first_day(lake, load):
    load(HEADER + WM)
    known = dict(lake.scan("symbols").select("ticker", "available_at").collect().iter_rows())
    assert known["WM"] == et_ns(date(2009, 8, 5), "09:30")


def test_bars_of_a_security_span_its_renames_and_leave_out_the_ticker_s_others(lake, load):
    load(HEADER + WM)
    before, after, last = date(2009, 8, 3), date(2009, 8, 5), date(2009, 8, 6)
    frames = {
        before: pl.concat([bar(before, "WMI", 28.0), bar(before, "WM", 3.0)]),
        after: bar(after, "WM", 29.0),
        last: bar(last, "WM", 30.0),
    }
    lake.replace_many("stock_day_bars", frames)
    found = security_bars(lake, "stock_day_bars", "WM", before, last).sort("date").collect()
    assert found.columns == list(table("stock_day_bars").columns)
    assert found.select("ticker", "close").rows() == [("WMI", 28.0), ("WM", 29.0), ("WM", 30.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "is no CSV of security, last date and ticker"),
        (HEADER + "X,yesterday,X\n", "is no CSV of security, last date and ticker"),
        (
            HEADER + WM + "OLD,1990-01-01,WM\nOLD,2012-01-01,WM\n",
            "another security carries WM too after 1990",
        ),
    ],
)
def test_a_bad_file_says_what_is_wrong(load, text, message):
    with pytest.raises(BadFileError, match=message):
        load(text)


def test_what_is_not_known_is_said(lake, load):
    load(HEADER + WM)
    with pytest.raises(EmptyLakeError, match=r"which security ZZZ was on 2025-01-02: load a ticker_map.csv"):
        security_bars(lake, "stock_day_bars", "ZZZ", date(2025, 1, 2), date(2025, 1, 2))
    with pytest.raises(LakeError, match=r"option_quotes has no stock bars"):
        security_bars(lake, "option_quotes", "WM", date(2025, 1, 2), date(2025, 1, 2))


@pytest.mark.real
def test_the_real_map(lake, real_data):
    assert load_symbols(lake, real_data / "reference" / "ticker_map.csv") > 30
    asked = [
        ("NWSA", date(2013, 6, 28), "TFCFA"),
        ("FOXA", date(2013, 7, 2), "TFCFA"),
        ("NWSA", date(2013, 7, 2), None),
        ("GOOG", date(2014, 4, 2), "GOOGL"),
        ("GOOG", date(2014, 4, 3), "GOOG"),
        ("GOOGL", date(2014, 4, 3), "GOOGL"),
        ("GOOAV", date(2014, 4, 1), "GOOAV"),
        ("QQQQ", date(2007, 1, 3), "QQQ"),
        ("QQQ", date(2007, 1, 3), None),
        ("QQQ", date(2011, 3, 23), "QQQ"),
    ]
    assert [security_at(lake, ticker, day) for ticker, day, _ in asked] == [name for *_, name in asked]


@pytest.mark.real
def test_a_real_rename_with_a_spin_off(lake, real_data):
    load_symbols(lake, real_data / "reference" / "ticker_map.csv")
    span = date(2013, 6, 27), date(2013, 7, 2)
    files = DirectoryFlatFiles(real_data / "flatfiles")
    ingest(lake, files, [Dataset("stock_day_bars")], *span)
    found = security_bars(lake, "stock_day_bars", "FOXA", *span).sort("date").collect()
    assert found.select("date", "ticker").rows() == [
        (date(2013, 6, 27), "NWSA"),
        (date(2013, 6, 28), "NWSA"),
        (date(2013, 7, 1), "FOXA"),
        (date(2013, 7, 2), "FOXA"),
    ]


FACEBOOK = [
    {"ticker_change": {"ticker": "META"}, "date": "2022-06-11", "type": "ticker_change"},
    {"ticker_change": {"ticker": "FB"}, "date": "2012-05-18", "type": "ticker_change"},
]


class Vendor:
    """Answers the question for a ticker's company; an exception is raised."""

    def __init__(self, **answers):
        self.client = SimpleNamespace(get_ticker_events="events")
        self.answers = answers
        self.asked = []

    def ask(self, call, *, ticker, types):
        assert (call, types) == ("events", "ticker_change")
        self.asked.append(ticker)
        answer = self.answers[ticker]
        if isinstance(answer, Exception):
            raise answer
        return {"results": {"name": "a company", "composite_figi": f"figi of {ticker}", "events": answer}}


def test_renames_from_the_vendor_join_the_bars_of_both_tickers(lake):
    assert load_symbols_from_rest(lake, Vendor(META=FACEBOOK), ["META"]) == ()
    assert security_at(lake, "FB", date(2022, 6, 10)) == security_at(lake, "META", date(2022, 6, 13))
    assert security_at(lake, "META", date(2022, 6, 10)) is None
    before, after = date(2022, 6, 10), date(2022, 6, 13)
    # Before, META was a fund.
    frames = {
        before: pl.concat([bar(before, "FB", 175.6), bar(before, "META", 8.8)]),
        after: bar(after, "META", 164.3),
    }
    lake.replace_many("stock_day_bars", frames)
    found = MarketData(lake).stocks.history("META", before, after)
    assert found.select("date", "ticker", "close").rows() == [(before, "FB", 175.6), (after, "META", 164.3)]


def test_the_vendor_is_asked_once_for_each_ticker(lake):
    vendor = Vendor(META=FACEBOOK, SPY=[{"ticker_change": {"ticker": "SPY"}, "date": "1993-01-29"}])
    load_symbols_from_rest(lake, vendor, ["META"])
    load_symbols_from_rest(lake, vendor, ["SPY", "META"])
    assert vendor.asked == ["META", "SPY"]
    assert ticker_at(lake, "figi of SPY", date(2025, 1, 2)) == "SPY"
    assert lake.scan("symbols").select(pl.len()).collect().item() == 3


def test_what_the_vendor_does_not_answer_leaves_the_others(lake):
    vendor = Vendor(META=FACEBOOK, AAPL=VendorError("the vendor said 404"))
    assert load_symbols_from_rest(lake, vendor, ["AAPL", "META"]) == ("renames of AAPL: the vendor said 404",)
    assert ticker_at(lake, "figi of META", date(2025, 1, 2)) == "META"


def test_a_plan_without_renames_is_asked_once(lake):
    vendor = Vendor(META=NotEntitledError("not in the plan"), SPY=[])
    assert load_symbols_from_rest(lake, vendor, ["META", "SPY"]) == ("renames: not in the plan",)
    assert (vendor.asked, lake.tables()) == (["META"], [])


def test_renames_that_contradict_the_file_are_reported_and_not_stored(lake, load):
    load(HEADER + "F2,2015-01-02,FB\nF2,2023-12-29,FB\n")
    problems = load_symbols_from_rest(lake, Vendor(META=FACEBOOK), ["META"])
    assert problems == ("renames of META: another security carries FB too after 2012-05-18",)
    assert security_at(lake, "META", date(2025, 1, 2)) is None
