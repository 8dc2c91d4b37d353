from datetime import date

import pytest

from pipelines.reference import load_reference
from strikelake.calendar import et_ns
from strikelake.errors import BadFileError, EmptyLakeError
from strikelake.lake.store import Lake

SPLITS = "ticker,execution_date,split_from,split_to,prior_close\nAAPL,2014-06-09,1,7,645.57\n"
DIVIDENDS = "ticker,ex_dividend_date,cash_amount\nSPY,2024-12-20,1.97\nQQQ,2024-12-23,0.83\n"
CURVES = (
    "date,1month,2month,10year,50year\n2025-01-02,0.044,,0.0457,0.05\n2025-01-03,0.0443,0.0436,0.046,0.05\n"
)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "reference"
    root.mkdir()
    return root


def actions(lake):
    rows = lake.scan("corporate_actions").collect().sort("ticker", "ex_date")
    return rows.select("ticker", "action", "ex_date", "available_at").rows()


def test_splits_and_dividends_are_known_at_the_open(lake, folder):
    (folder / "splits.csv").write_text(SPLITS)
    (folder / "dividends.csv").write_text(DIVIDENDS)
    report = load_reference(lake, folder)
    assert (report.splits, report.dividends, report.yields, report.rejected) == (1, 2, 0, {})
    assert report.files == ("splits.csv", "dividends.csv")
    assert actions(lake) == [
        ("AAPL", "split", date(2014, 6, 9), et_ns(date(2014, 6, 9), "09:30")),
        ("QQQ", "dividend", date(2024, 12, 23), et_ns(date(2024, 12, 23), "09:30")),
        ("SPY", "dividend", date(2024, 12, 20), et_ns(date(2024, 12, 20), "09:30")),
    ]


def test_an_ex_date_on_a_holiday_is_known_at_the_next_open(lake, folder):
    (folder / "splits.csv").write_text(SPLITS.replace("2014-06-09", "2014-07-04"))
    load_reference(lake, folder)
    assert actions(lake)[0][3] == et_ns(date(2014, 7, 7), "09:30")


def test_a_declared_dividend_is_known_the_session_after(lake, folder):
    (folder / "dividends.csv").write_text(
        "ticker,ex_dividend_date,cash_amount,declaration_date\n"
        "SPY,2024-12-20,1.97,2024-12-06\nQQQ,2024-12-23,0.83,\n"
    )
    load_reference(lake, folder)
    assert [row[3] for row in actions(lake)] == [
        et_ns(date(2024, 12, 23), "09:30"),
        et_ns(date(2024, 12, 9), "09:30"),
    ]


def test_yields_are_known_in_the_evening(lake, folder):
    (folder / "treasury_curves_2025.csv").write_text(CURVES)
    assert load_reference(lake, folder).yields == 5
    rows = lake.scan("treasury_yields", date(2025, 1, 2), date(2025, 1, 2)).collect().sort("tenor_days")
    evening = et_ns(date(2025, 1, 2), "18:00")
    assert rows.rows() == [
        (date(2025, 1, 2), 30, 0.044, evening),
        (date(2025, 1, 2), 3652, 0.0457, evening),
    ]


def test_of_overlapping_curves_the_last_name_counts(lake, folder):
    (folder / "treasury_curves_1.csv").write_text("date,1month\n2025-01-02,0.01\n")
    (folder / "treasury_curves_2.csv").write_text("date,1month\n2025-01-02,0.02\n2025-01-03,0.03\n")
    load_reference(lake, folder)
    rows = lake.scan("treasury_yields").collect().sort("date")
    assert rows["yield_rate"].to_list() == [0.02, 0.03]


def test_loading_again_replaces_what_the_folder_has_and_keeps_the_rest(lake, folder):
    (folder / "splits.csv").write_text(SPLITS)
    (folder / "dividends.csv").write_text(DIVIDENDS)
    load_reference(lake, folder)
    versions = lake.versions()
    load_reference(lake, folder)
    assert lake.versions() == versions
    (folder / "splits.csv").unlink()
    (folder / "dividends.csv").write_text(DIVIDENDS.splitlines()[0] + "\n")
    load_reference(lake, folder)
    assert [row[:2] for row in actions(lake)] == [("AAPL", "split")]


def test_rows_that_break_a_rule_go_to_quarantine(lake, folder):
    (folder / "dividends.csv").write_text(DIVIDENDS + '"NWSA(new, 2013+)",2020-03-10,0.1\n')
    assert load_reference(lake, folder).rejected == {"ticker|regex": 1}
    row = lake.scan("quarantine").collect().row(0, named=True)
    assert row == {
        "date": date(2020, 3, 10),
        "table_name": "corporate_actions",
        "source_key": "dividends.csv",
        "row_number": 4,
        "rule": "ticker|regex",
        "raw": "NWSA(new, 2013+),2020-03-10,0.1",
    }
    (folder / "dividends.csv").write_text(DIVIDENDS)
    load_reference(lake, folder)
    assert lake.sessions("quarantine") == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "splits.csv",
            "ticker,split_from,split_to\n",
            "splits.csv lacks the columns execution_date: its header has",
        ),
        ("splits.csv", SPLITS.replace(",7,", ",seven,"), "line 2: split_to is 'seven', which is no Float64"),
        (
            "splits.csv",
            SPLITS.replace("2014-06-09", "06/09/2014"),
            "execution_date is '06/09/2014', which is no Date",
        ),
        ("splits.csv", "", "splits.csv is no CSV file"),
        ("dividends.csv", "ticker,ex_dividend_date,cash_amount\n,2024-12-20,1\n", "line 2: ticker is None"),
        (
            "treasury_curves.csv",
            "date,6week\n2025-01-02,0.04\n",
            "has no tenor: name its columns 1month, 2month",
        ),
        (
            "treasury_curves.csv",
            "date,1month\n2025-01-02,4.4\n",
            "break the rules of treasury_yields .yield_rate.max 1",
        ),
    ],
)
def test_files_that_cannot_be_trusted_are_refused(lake, folder, name, text, said):
    (folder / name).write_text(text)
    with pytest.raises(BadFileError, match=said):
        load_reference(lake, folder)
    assert lake.tables() == []


def test_an_empty_folder_is_named(lake, folder):
    with pytest.raises(
        EmptyLakeError,
        match=r"reference has none of splits.csv, dividends.csv, treasury_curves\*.csv, ticker_map.csv, earn",
    ):
        load_reference(lake, folder)


@pytest.mark.real
def test_real_reference_files(lake, real_data):
    """The 41 rejects are dividends of `NWSA/FOXA` and `NWSA(new, 2013-06-19+)`, which are no tickers."""
    report = load_reference(lake, real_data / "reference")
    assert (report.splits, report.dividends, report.yields) == (24, 711, 70144)
    assert report.rejected == {"ticker|regex": 41}
    week = lake.scan("treasury_yields", date(2014, 6, 6), date(2014, 6, 6)).collect().sort("tenor_days")
    assert week.row(0)[:3] == (date(2014, 6, 6), 30, 0.0002)


def test_a_map_of_tickers_is_loaded_too(lake, folder):
    (folder / "ticker_map.csv").write_text("security,until,ticker\nM,2012-05-18,FB\nM,2050-12-31,FB\n")
    report = load_reference(lake, folder)
    assert (report.symbols, report.files) == (1, ())
    assert lake.tables() == ["symbols"]


FACTS = {
    "earnings.csv": "ticker,announced_date,report_date,timing,fiscal_period\n"
    "AAPL,2025-01-06,2025-01-30,amc,Q4\nJPM,2024-12-20,2025-01-15,bmo,\nMSFT,,2025-01-29,,\n",
    "news.jsonl": '{"id": "a", "published_utc": "2025-01-03T03:10:00Z", "title": "t", '
    '"tickers": ["AAPL", "MSFT"], "insights": [{"ticker": "AAPL", "sentiment": "positive"}]}\n',
    "open_interest.csv": "date,ticker,open_interest\n2025-01-02,O:AAPL250117C00200000,12\n"
    "2025-01-03,O:AAPL250117C00200000,15\n",
    "classifications.csv": "ticker,date,sic_code,security_type,known_date\n"
    "AMZN,2025-01-02,5961,CS,\nAMZN,2025-01-03,7374,CS,2025-02-06\nSPY,2025-01-02,,ETF,\n",
}


@pytest.fixture
def facts(folder):
    """A folder with a file of every table of dated facts."""
    for name, text in FACTS.items():
        (folder / name).write_text(text)
    return folder


def test_dated_facts_are_known_when_they_were_told(lake, facts):
    report = load_reference(lake, facts)
    assert report.facts == {"earnings": 3, "news": 2, "open_interest": 2, "classifications": 3}
    reports = lake.scan("earnings").select("ticker", "date", "report_ns", "available_at").collect()
    assert reports.sort("ticker").rows() == [
        ("AAPL", date(2025, 1, 30), et_ns(date(2025, 1, 30), "16:00"), et_ns(date(2025, 1, 7), "09:30")),
        ("JPM", date(2025, 1, 15), et_ns(date(2025, 1, 15), "09:30"), et_ns(date(2024, 12, 23), "09:30")),
        ("MSFT", date(2025, 1, 29), *[et_ns(date(2025, 1, 29), "16:00")] * 2),  # dated by the report alone
    ]
    news = lake.scan("news").select("date", "ticker", "sentiment", "ts_ns", "available_at").collect()
    published = et_ns(date(2025, 1, 2), "22:10")
    assert news.sort("ticker").rows() == [
        (date(2025, 1, 2), "AAPL", "positive", published, published),
        (date(2025, 1, 2), "MSFT", None, published, published),
    ]
    held = (
        lake.scan("open_interest").select("underlying", "strike", "open_interest", "available_at").collect()
    )
    assert held.sort("available_at").rows() == [
        ("AAPL", 200.0, 12, et_ns(date(2025, 1, 3), "06:30")),
        ("AAPL", 200.0, 15, et_ns(date(2025, 1, 6), "06:30")),
    ]


def test_a_sector_is_known_the_session_after_its_date_or_after_it_was_told(lake, facts):
    load_reference(lake, facts)
    rows = lake.scan("classifications").select("ticker", "date", "sic_code", "security_type", "available_at")
    assert rows.collect().sort("ticker", "date").rows() == [
        ("AMZN", date(2025, 1, 2), 5961, "CS", et_ns(date(2025, 1, 3), "09:30")),
        ("AMZN", date(2025, 1, 3), 7374, "CS", et_ns(date(2025, 2, 7), "09:30")),
        ("SPY", date(2025, 1, 2), None, "ETF", et_ns(date(2025, 1, 3), "09:30")),
    ]
    (facts / "classifications.csv").write_text(
        "ticker,date,sic_code\nAMZN,2025-01-02,7372\nTSLA,2025-01-02,99\n"
    )
    assert load_reference(lake, facts).rejected == {"sic_code|min": 1}
    assert sorted(lake.scan("classifications").collect()["sic_code"].drop_nulls()) == [7372, 7374]


def test_dated_facts_again_replace_their_dates_and_leave_the_news_as_it_was_told(lake, facts):
    load_reference(lake, facts)
    versions = lake.versions()
    load_reference(lake, facts)
    assert lake.versions() == versions
    (facts / "open_interest.csv").write_text(FACTS["open_interest.csv"].replace(",15", ",16"))
    (facts / "news.jsonl").write_text(FACTS["news.jsonl"].replace("positive", "negative"))
    load_reference(lake, facts)
    assert lake.scan("open_interest").collect()["open_interest"].sort().to_list() == [12, 16]
    assert set(lake.scan("news").collect()["sentiment"].drop_nulls()) == {"positive"}


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("news.jsonl", ('"id"', "id"), "news.jsonl line 1 is no JSON"),
        (
            "open_interest.csv",
            ("O:AAPL250117C00200000", "AAPL"),
            "line 2: '2025-01-02,AAPL,12' names no option",
        ),
        ("open_interest.csv", (",12", ",many"), "line 2: open_interest is 'many', which is no Int64"),
        ("earnings.csv", ("2025-01-30", "soon"), "line 2: report_date is 'soon', which is no Date"),
        ("earnings.csv", ("report_date", "day"), "earnings.csv lacks the columns report_date"),
        ("classifications.csv", ("5961", "shop"), "line 2: sic_code is 'shop', which is no Int32"),
        ("classifications.csv", ("sic_code", "sector"), "lacks the column sic_code: add it, empty for funds"),
    ],
)
def test_facts_that_cannot_be_read_are_refused(lake, facts, name, change, said):
    (facts / name).write_text(FACTS[name].replace(*change))
    with pytest.raises(BadFileError, match=said):
        load_reference(lake, facts)
    assert lake.tables() == []
