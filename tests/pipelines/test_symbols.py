from datetime import date

import polars as pl
import pytest

from pipelines.ingest import ingest
from pipelines.symbols import load_symbols, security_at, security_bars, ticker_at
from strikelake.calendar import et_ns, session
from strikelake.errors import BadFileError, EmptyLakeError, LakeError
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
