"""What the vendor is asked of past quarters, and when its answers count as known."""

from datetime import date
from types import SimpleNamespace

import pytest

from pipelines.classifications import load_classifications, quarters
from strikelake.calendar import et_ns
from strikelake.errors import NotEntitledError, NotPublishedError, VendorError, VendorUnavailableError
from strikelake.lake.store import Lake

START, END = date(2025, 1, 2), date(2025, 4, 30)
NOW = et_ns(END, "17:00")
ASKED = ["2024-07-01", "2024-10-01", "2025-01-02", "2025-04-01"]


class Vendor:
    """Tells a ticker's code, or what stands in its place, by the date; an exception is raised."""

    def __init__(self, **codes):
        self.client = SimpleNamespace(get_ticker_details="details")
        self.codes = codes
        self.asked = []

    def ask(self, call, *, ticker, date):
        assert call == "details"
        self.asked.append((ticker, date))
        answer = self.codes[ticker]
        answer = answer.get(date, answer["else"]) if isinstance(answer, dict) else answer
        if isinstance(answer, BaseException):
            raise answer
        kind = {"type": "ETF"} if answer is None else {"type": "CS", "sic_code": answer}
        return {"results": {"ticker": ticker, **kind}}


class FixedClock:
    def now(self):
        return NOW


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def load(lake, vendor, tickers=("AMZN", "SPY"), end=END, **more):
    return load_classifications(lake, vendor, tickers, START, end, FixedClock(), **more)


def held(lake, *columns):
    rows = lake.scan("classifications").collect().sort("ticker", "date")
    return rows.select(columns or ("ticker", "date", "sic_code")).rows()


def test_an_answer_is_known_when_the_slowest_company_has_filed_or_when_it_was_asked_for(lake):
    steps = []
    vendor = Vendor(AMZN={"2025-04-01": "7374", "else": "5961"}, SPY=None)
    assert load(lake, vendor, progress=lambda *step: steps.append(step)) == 8
    assert [date for ticker, date in vendor.asked if ticker == "AMZN"] == ASKED
    assert steps == [(n, 8) for n in range(1, 9)]
    rows = held(lake, "ticker", "date", "sic_code", "security_type", "available_at")
    assert rows[:4] == [
        ("AMZN", date(2024, 7, 1), 5961, "CS", et_ns(date(2024, 10, 14), "09:30")),
        ("AMZN", date(2024, 10, 1), 5961, "CS", et_ns(date(2025, 1, 14), "09:30")),
        ("AMZN", date(2025, 1, 2), 5961, "CS", et_ns(date(2025, 4, 17), "09:30")),
        ("AMZN", date(2025, 4, 1), 7374, "CS", et_ns(date(2025, 5, 1), "09:30")),
    ]
    assert {row[2:4] for row in rows[4:]} == {(None, "ETF")}
    assert held(lake, "asked_ns") == [(NOW,)] * 8


@pytest.mark.parametrize(
    ("asked", "known"), [("08:00", "2025-04-30"), ("09:30", "2025-04-30"), ("11:30", "2025-05-01")]
)
def test_no_sector_changes_within_a_session(lake, monkeypatch, asked, known):
    monkeypatch.setattr(FixedClock, "now", lambda _: et_ns(END, asked))
    load(lake, Vendor(SPY=None), ["SPY"])
    assert held(lake, "available_at")[-1] == (et_ns(date.fromisoformat(known), "09:30"),)


def test_the_first_decision_knows_a_quarter():
    assert [str(day) for day in quarters(date(2024, 9, 19), END)] == ASKED
    assert quarters(date(2025, 4, 1), date(2025, 4, 1)) == [date(2025, 4, 1)]
    assert quarters(date(2025, 1, 1), date(2025, 1, 1)) == []
    assert [day.month for day in quarters(date(2022, 12, 31), date(2024, 1, 1))] == [10, 1, 4, 7, 10]


def test_what_is_held_is_not_asked_for_again(lake):
    vendor = Vendor(AMZN="5961", SPY=None, TSLA="3711")
    load(lake, vendor, end=date(2025, 3, 31))
    vendor.asked.clear()
    version = lake.versions()
    assert load(lake, vendor, end=date(2025, 3, 31)) == 0
    assert lake.versions() == version
    load(lake, vendor, ("AMZN", "TSLA"))
    assert vendor.asked == [*(("TSLA", day) for day in ASKED[:3]), ("AMZN", ASKED[3]), ("TSLA", ASKED[3])]


def test_the_future_is_not_asked_about(lake):
    vendor = Vendor(SPY=None)
    load(lake, vendor, ["SPY"], end=date(2026, 1, 2))
    assert [day for _, day in vendor.asked] == ASKED


@pytest.mark.parametrize(
    "error", [VendorUnavailableError("503"), NotEntitledError("403"), KeyboardInterrupt()]
)
def test_what_was_answered_before_the_vendor_ceased_is_kept_and_the_rest_is_asked_next_time(lake, error):
    silent = Vendor(AMZN="5961", SPY={"2024-10-01": error, "else": None})
    with pytest.raises(type(error)):
        load(lake, silent)
    assert [row[:2] for row in held(lake)] == [
        ("AMZN", date(2024, 7, 1)), ("AMZN", date(2024, 10, 1)), ("SPY", date(2024, 7, 1)),
    ]  # fmt: skip
    whole = Vendor(AMZN="5961", SPY=None)
    assert load(lake, whole) == 5
    assert whole.asked[0] == ("SPY", "2024-10-01")


def test_a_ticker_that_was_not_there_yet_is_remembered_as_such(lake):
    young = Vendor(AMZN={"2024-07-01": NotPublishedError("404"), "else": "5961"})
    load(lake, young, ["AMZN"])
    assert held(lake)[0] == ("AMZN", date(2024, 7, 1), None)
    assert load(lake, young, ["AMZN"]) == 0


def test_a_code_that_cannot_be_goes_to_quarantine(lake):
    assert load(lake, Vendor(AMZN={"2025-04-01": "7", "else": "5961"}), ["AMZN"]) == 3
    bad = lake.scan("quarantine").select("table_name", "date", "rule").collect()
    assert bad.rows() == [("classifications", date(2025, 4, 1), "sic_code|min")]


@pytest.mark.parametrize(
    ("answer", "said"),
    [("shop", "sic_code is no number"), ({"else": VendorError("no details of AMZN")}, "no details")],
)
def test_what_makes_no_sense_is_said(lake, answer, said):
    with pytest.raises(VendorError, match=said):
        load(lake, Vendor(AMZN=answer), ["AMZN"])
    assert lake.tables() == []


def test_nobody_to_ask_about_is_no_request(lake):
    assert load(lake, Vendor(), []) == 0
    assert lake.tables() == []
