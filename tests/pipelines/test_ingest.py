import gzip
import os
from datetime import date

import polars as pl
import pytest

from pipelines.ingest import ingest
from strikelake.calendar import et_ns, sessions
from strikelake.errors import (
    BadFileError,
    CalendarError,
    NotEntitledError,
    NotPublishedError,
    QualityError,
    VendorUnavailableError,
)
from strikelake.lake.store import Lake
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles
from strikelake.vendors.quote_filter import QuoteFilter

DAY_BARS, MINUTES = Dataset.STOCK_DAY_BARS, Dataset.OPTION_MINUTE_BARS
THU, FRI, SAT, MON = date(2025, 1, 2), date(2025, 1, 3), date(2025, 1, 4), date(2025, 1, 6)
HEADER = "ticker,volume,open,close,high,low,window_start,transactions"


class Folder:
    """A folder of flat files that a test fills; each write makes a new ETag."""

    def __init__(self, root):
        self.source, self.writes = DirectoryFlatFiles(root), 0

    def put(self, dataset, day, *lines, content=None):
        path = self.source.root / dataset.prefix / f"{day:%Y/%m}" / f"{day}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content or gzip.compress("\n".join([HEADER, *lines, ""]).encode()))
        self.writes += 1
        os.utime(path, ns=(self.writes, self.writes))


def day_bar(day, ticker, close=10.0):
    return f"{ticker},100,{close},{close},{close},{close},{et_ns(day, '00:00')},5"


def many(day, count=200):
    return [day_bar(day, f"T{n}") for n in range(count)]


def content(lake):
    """Everything the lake says, apart from version numbers."""
    frames = {name: lake.scan(name).collect() for name in lake.tables() if lake.sessions(name)}
    return {
        name: frame.drop("table_version", strict=False).sort(pl.all()).to_dicts()
        for name, frame in frames.items()
    }


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "flatfiles")


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def states(lake):
    frame = lake.scan("ingestions").collect().sort("dataset", "date")
    return {(row["dataset"], row["date"]): row["state"] for row in frame.iter_rows(named=True)}


def test_files_come_in_and_the_report_says_what_is_missing(lake, folder):
    folder.put(DAY_BARS, THU, day_bar(THU, "SPY"), day_bar(THU, "QQQ"))
    folder.put(DAY_BARS, SAT, day_bar(SAT, "SPY"))
    folder.put(DAY_BARS, MON, day_bar(MON, "SPY"))
    folder.put(MINUTES, THU, f"O:SPY250117C00500000,1,2,2,2,2,{et_ns(THU, '09:31')},1")
    seen, lines = [], []
    report = ingest(
        lake,
        folder.source,
        [DAY_BARS, MINUTES],
        THU,
        MON,
        progress=lambda done, total: seen.append((done, total)),
        log=lines.append,
    )
    bars, minutes = report.datasets
    assert (bars.listed, bars.ingested, bars.rows, bars.rejected) == (3, 2, 3, 0)
    assert (bars.missing, bars.off_session) == ((FRI,), (SAT,))
    assert (minutes.rows, minutes.missing) == (1, (FRI, MON))
    assert (report.rows, report.versions["stock_day_bars"]) == (4, 1)
    assert lake.sessions("stock_day_bars") == [THU, MON]
    assert seen == [(2, 3), (3, 3)]
    assert lines[-1] == "option_minute_bars: 2025-01-02 to 2025-01-02, 3 of 3 files"


def test_a_second_run_does_nothing(lake, folder):
    folder.put(DAY_BARS, THU, day_bar(THU, "SPY"))
    first = ingest(lake, folder.source, [DAY_BARS], THU, THU)
    second = ingest(lake, folder.source, [DAY_BARS], THU, THU)
    assert second.versions == first.versions
    assert (second.datasets[0].ingested, second.datasets[0].unchanged, second.rows) == (0, 1, 0)


def test_a_republished_file_is_a_new_version_and_the_old_one_stays(lake, folder):
    folder.put(DAY_BARS, THU, day_bar(THU, "SPY", 10.0))
    old = ingest(lake, folder.source, [DAY_BARS], THU, THU).versions
    folder.put(DAY_BARS, THU, day_bar(THU, "SPY", 11.0))
    report = ingest(lake, folder.source, [DAY_BARS], THU, THU)
    assert report.datasets[0].ingested == 1
    assert lake.scan("stock_day_bars").collect()["close"].to_list() == [11.0]
    assert lake.scan("stock_day_bars", as_of=old).collect()["close"].to_list() == [10.0]


def test_a_touched_file_of_the_same_content_makes_no_new_version(lake, folder):
    folder.put(DAY_BARS, THU, day_bar(THU, "SPY"))
    old = ingest(lake, folder.source, [DAY_BARS], THU, THU).versions
    folder.put(DAY_BARS, THU, day_bar(THU, "SPY"))
    new = ingest(lake, folder.source, [DAY_BARS], THU, THU).versions
    assert old["stock_day_bars"] == new["stock_day_bars"]


def test_bad_rows_go_to_quarantine_with_their_text(lake, folder):
    crossed = f"BAD,1,2,2,1,3,{et_ns(THU, '00:00')},"
    folder.put(DAY_BARS, THU, *many(THU), crossed, "WORSE,x,1,1,1,1,1,1")
    report = ingest(lake, folder.source, [DAY_BARS], THU, THU, bad_share=0.02).datasets[0]
    assert (report.rows, report.rejected) == (200, 2)
    assert report.rules == {"high_is_highest": 1, "low_is_lowest": 1, "ts_ns|date": 1, "volume|parse": 1}
    rows = lake.scan("quarantine").collect().sort("row_number")
    assert rows.select("date", "table_name", "row_number", "rule", "raw").rows() == [
        (THU, "stock_day_bars", 202, "low_is_lowest; high_is_highest", crossed),
        (THU, "stock_day_bars", 203, "volume|parse; ts_ns|date", "WORSE,x,1,1,1,1,1,1"),
    ]
    assert rows["source_key"][0] == "us_stocks_sip/day_aggs_v1/2025/01/2025-01-02.csv.gz"


def test_a_republished_file_replaces_its_quarantine_and_no_other(lake, folder):
    folder.put(DAY_BARS, THU, *many(THU), "WORSE,x,1,1,1,1,1,1")
    option = f"O:SPY250117C00500000,1,2,2,2,2,{et_ns(THU, '09:31')},1"
    folder.put(MINUTES, THU, option, "O:SPY,1,2,2,2,2,1,1")
    ingest(lake, folder.source, [DAY_BARS, MINUTES], THU, THU, bad_share=0.5)
    assert lake.scan("quarantine").collect().height == 2
    folder.put(DAY_BARS, THU, *many(THU))
    ingest(lake, folder.source, [DAY_BARS, MINUTES], THU, THU, bad_share=0.5)
    assert lake.scan("quarantine").collect()["table_name"].to_list() == ["option_minute_bars"]


def test_a_file_with_too_many_bad_rows_is_refused_and_the_others_come_in(lake, folder):
    folder.put(DAY_BARS, THU, *many(THU, 50), "WORSE,x,1,1,1,1,1,1")
    folder.put(DAY_BARS, FRI, *many(FRI, 50))
    said = (
        r"2025-01-02.csv.gz was not published to the lake: 1 of its 51 rows are bad "
        r"\(ts_ns.date 1, volume.parse 1\), more than 1.0%; the first is 'WORSE,x,1,1,1,1,1,1'"
    )
    with pytest.raises(QualityError, match=said):
        ingest(lake, folder.source, [DAY_BARS], THU, FRI)
    assert lake.sessions("stock_day_bars") == [FRI]
    assert lake.sessions("quarantine") == []
    assert states(lake) == {("stock_day_bars", THU): "refused", ("stock_day_bars", FRI): "committed"}
    report = ingest(lake, folder.source, [DAY_BARS], THU, FRI, bad_share=0.05)
    assert report.datasets[0].ingested == 1
    assert lake.sessions("stock_day_bars") == [THU, FRI]


def test_a_damaged_replacement_leaves_what_the_lake_held(lake, folder):
    folder.put(DAY_BARS, THU, day_bar(THU, "SPY"))
    ingest(lake, folder.source, [DAY_BARS], THU, THU)
    folder.put(DAY_BARS, THU, content=gzip.compress(HEADER.encode() * 40)[:-9])
    folder.put(DAY_BARS, FRI, content=b"<html>")
    with pytest.raises(
        BadFileError, match=r"2025-01-02.csv.gz is no whole gzip file .* \(2 files in all: see state"
    ):
        ingest(lake, folder.source, [DAY_BARS], THU, FRI)
    assert lake.sessions("stock_day_bars") == [THU]
    refused = lake.sql("select detail from ingestions where state = 'refused' order by date")["detail"]
    assert ["no whole gzip file" in detail for detail in refused] == [True, True]


def test_a_removed_table_comes_back(lake, folder):
    folder.put(DAY_BARS, THU, day_bar(THU, "SPY"))
    ingest(lake, folder.source, [DAY_BARS], THU, THU)
    (lake.root / "stock_day_bars").rename(lake.root / "elsewhere")
    assert ingest(lake, folder.source, [DAY_BARS], THU, THU).rows == 1


def test_an_empty_source_is_told_where_it_was_looked_for(lake, folder):
    (folder.source.root / "us_stocks_sip").mkdir(parents=True)
    said = r"flatfiles has no files from 2025-01-02 to 2025-01-03 for stock_day_bars \(us_stocks_sip/day_aggs"
    with pytest.raises(NotPublishedError, match=said):
        ingest(lake, folder.source, [DAY_BARS], THU, FRI)
    assert lake.tables() == []


@pytest.mark.parametrize(("start", "end"), [(SAT, date(2025, 1, 5)), (MON, THU)])
def test_a_range_without_sessions_is_refused(lake, folder, start, end):
    with pytest.raises(CalendarError, match=f"no date from {start} to {end} is a session"):
        ingest(lake, folder.source, [DAY_BARS], start, end)


class Failing:
    """Flat files whose source fails after some reads."""

    def __init__(self, source, reads, error):
        self.source, self.left, self.error = source, reads, error

    def list(self, dataset, start, end):
        return self.source.list(dataset, start, end)

    def open(self, file):
        if self.left == 0:
            raise self.error
        self.left -= 1
        return self.source.open(file)


@pytest.mark.parametrize("error", [VendorUnavailableError("gone"), NotEntitledError("403")])
def test_what_arrived_before_the_source_failed_is_kept(lake, folder, error, monkeypatch):
    days = [session.date for session in sessions(THU, date(2025, 1, 31))]
    for day in days:
        folder.put(DAY_BARS, day, day_bar(day, "SPY"))
    monkeypatch.setattr("pipelines.ingest._BAR_READERS", 1)
    with pytest.raises(type(error)):
        ingest(lake, Failing(folder.source, 5, error), [DAY_BARS], days[0], days[-1])
    assert lake.sessions("stock_day_bars") == days[:5]
    assert ingest(lake, folder.source, [DAY_BARS], days[0], days[-1]).datasets[0].ingested == len(days) - 5


@pytest.mark.parametrize("step", ["quarantine", "stock_day_bars", "ingestions"])
@pytest.mark.parametrize("after", [False, True])
def test_a_run_killed_at_any_commit_and_repeated_leaves_the_same_lake(
    tmp_path, folder, monkeypatch, step, after
):
    for day in (THU, FRI, MON):
        folder.put(DAY_BARS, day, *many(day), "WORSE,x,1,1,1,1,1,1")
    whole, killed = Lake(tmp_path / "whole"), Lake(tmp_path / "killed")
    ingest(whole, folder.source, [DAY_BARS], THU, MON)
    monkeypatch.setattr("pipelines.ingest._BATCH_FILES", 2)
    commit = Lake._commit

    def dying(self, spec, compute, source):
        done = commit(self, spec, compute, source) if after or spec.name != step else 0
        if spec.name == step:
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "_commit", dying)
        with pytest.raises(KeyboardInterrupt):
            ingest(killed, folder.source, [DAY_BARS], THU, MON)
    ingest(killed, folder.source, [DAY_BARS], THU, MON)
    assert content(killed) == content(whole)


QUOTES = Dataset.OPTION_QUOTES
QUOTE_HEADER = "ticker,ask_price,ask_size,bid_price,bid_size,sip_timestamp"


def test_with_another_filter_quotes_are_read_again(lake, folder):
    symbols = [f"O:{root}250117C00500000" for root in ("AAPL", "SPY")]
    times = [et_ns(THU, "09:31"), et_ns(THU, "09:31") + 1]
    lines = [f"{symbol},2,1,1,1,{time}" for symbol in symbols for time in times]
    folder.put(QUOTES, THU, content=gzip.compress("\n".join([QUOTE_HEADER, *lines]).encode()))
    folder.put(DAY_BARS, THU, day_bar(THU, "SPY"))
    chosen = QuoteFilter(frozenset({"SPY"}))
    first = ingest(lake, folder.source, [QUOTES, DAY_BARS], THU, THU, quotes=chosen).datasets[0]
    assert (first.rows, first.unwanted, first.rejected) == (1, 2, 0)
    again = ingest(lake, folder.source, [QUOTES, DAY_BARS], THU, THU, quotes=chosen)
    assert [each.ingested for each in again.datasets] == [0, 0]
    every = ingest(lake, folder.source, [QUOTES, DAY_BARS], THU, THU, quotes=QuoteFilter(sampling="all"))
    assert [each.ingested for each in every.datasets] == [1, 0]
    assert lake.scan("option_quotes").collect().height == 4
    assert lake.scan("ingestions").filter(dataset=QUOTES).collect()["detail"].to_list() == [
        "quotes of all underlyings, any expiration, every one"
    ]


@pytest.mark.real
def test_every_kind_of_real_file_comes_in(lake, real_data):
    day = date(2014, 6, 6)
    held = [dataset for dataset in Dataset if not dataset.is_index and dataset is not Dataset.STOCK_TRADES]
    report = ingest(lake, DirectoryFlatFiles(real_data / "flatfiles"), held, day, day)
    rows = {each.dataset: (each.rows, each.rejected) for each in report.datasets}
    assert (rows["option_trades"], rows["stock_quotes"]) == ((31227, 0), (1236, 0))
    # Each minute bar is made of the trades of its minute.
    minute = "occ_symbol, ts_ns // 60_000_000_000 as minute"
    joined = lake.sql(
        f"select sum(abs(coalesce(size, 0) - coalesce(volume, 0))) as differ, count(*) as bars "  # noqa: S608
        f"from (select {minute}, sum(size) as size from option_trades group by all) "
        f"full join (select {minute}, volume from option_minute_bars) using (occ_symbol, minute)"
    )
    assert joined.row(0) == (0.0, 22138)


@pytest.mark.real
def test_real_files_come_in_without_a_single_reject(lake, real_data):
    """The first year of real stock day bars, from the first day on, and all kinds of an option day."""
    source = DirectoryFlatFiles(real_data / "flatfiles")
    first, last = date(2003, 9, 10), date(2004, 9, 9)
    bars = ingest(lake, source, [DAY_BARS], first, last).datasets[0]
    assert (bars.rejected, bars.missing, bars.off_session) == (0, (), ())
    assert lake.sessions("stock_day_bars") == [session.date for session in sessions(first, last)]
    day = date(2014, 6, 6)
    report = ingest(lake, source, list(Dataset)[:5], day, day)
    assert {each.dataset: (each.rows, each.rejected) for each in report.datasets} == {
        "stock_day_bars": (15, 0),
        "stock_minute_bars": (1180, 0),
        "option_day_bars": (1216, 0),
        "option_minute_bars": (22138, 0),
        "option_quotes": (37957, 0),
    }
    traded = lake.sql(
        "select underlying, sum(volume) from option_minute_bars group by underlying order by underlying"
    )
    assert (
        traded.rows()
        == lake.sql("select underlying, sum(volume) from option_day_bars group by 1 order by 1").rows()
    )
