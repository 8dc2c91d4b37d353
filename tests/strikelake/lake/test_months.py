"""Copies of months: what is read is the same with and without them, at every version."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strikelake.calendar import sessions
from strikelake.lake import months
from strikelake.lake.months import Month, write_copy
from strikelake.lake.store import Lake

TABLE = "stock_day_bars"
JAN = [session.date for session in sessions(date(2025, 1, 2), date(2025, 1, 31))]
FEB = [session.date for session in sessions(date(2025, 2, 3), date(2025, 2, 28))]


def everything(lake, *args, **kwargs) -> pl.DataFrame:
    return lake.scan(TABLE, *args, **kwargs).collect().sort("ticker", "ts_ns")


def copy_all(lake) -> list[Month]:
    table = lake.table(TABLE)
    found = months.months(table.files())
    for month in found:
        write_copy(table.place, table.spec, month)
    return found


def opened(frame: pl.LazyFrame) -> str:
    return frame.explain()


@pytest.fixture
def filled(lake, bars) -> Lake:
    closes = {day: {"SPY": 1.0 + n, "QQQ": 2.0 + n, "AAPL": 3.0 + n} for n, day in enumerate(JAN + FEB)}
    lake.replace_many(TABLE, {day: bars(day, **values) for day, values in closes.items()})
    return lake


def test_a_copy_holds_its_month_sorted_by_symbol_across_days(filled):
    january, _ = copy_all(filled)
    frame = pl.read_parquet(filled.root / TABLE / january.copy)
    assert frame.height == january.rows == 3 * len(JAN)
    assert frame.select("ticker", "ts_ns").rows() == sorted(frame.select("ticker", "ts_ns").rows())
    assert frame.columns == list(filled.table(TABLE).spec.columns)


def test_reading_is_the_same_with_copies_and_makes_no_version(filled):
    versions, before, days = filled.versions(), everything(filled), filled.sessions(TABLE)
    part = everything(filled, JAN[3], FEB[5], underlyings=["SPY"])
    copy_all(filled)
    assert everything(filled).equals(before)
    assert everything(filled, JAN[3], FEB[5], underlyings=["SPY"]).equals(part)
    assert (filled.versions(), filled.sessions(TABLE)) == (versions, days)
    assert filled.sql("select count(*) from stock_day_bars").item() == before.height


def test_whole_months_are_read_from_their_copies_and_parts_of_months_from_days(filled):
    copy_all(filled)
    whole, part = opened(filled.scan(TABLE)), opened(filled.scan(TABLE, JAN[1], FEB[-1]))
    assert ("_months/2025-01" in whole, "date=" in whole) == (True, False)
    assert ("_months/2025-01" in part, "_months/2025-02" in part, "date=2025-01-03" in part) == (
        False,
        True,
        True,
    )
    assert "_months" in opened(filled.scan(TABLE, date(2025, 1, 1), date(2025, 2, 1)))


def test_replacing_a_date_of_a_copied_month_is_seen_at_once_and_old_versions_stay(filled, bars):
    old, before = filled.versions(), everything(filled)
    copy_all(filled)
    new = filled.replace(TABLE, JAN[4], bars(JAN[4], SPY=500.0))
    now = everything(filled)
    assert now.filter(pl.col("date") == JAN[4]).select("ticker", "close").rows() == [("SPY", 500.0)]
    assert everything(filled, as_of=old).equals(before)
    assert "_months/2025-01" not in opened(filled.scan(TABLE))
    counts = {"added": 0, "removed": 2, "changed": 1}
    assert filled.diff(TABLE, JAN[4], old).counts == counts
    copy_all(filled)
    assert everything(filled).equals(now)
    assert everything(filled, as_of=old).equals(before)
    assert filled.diff(TABLE, JAN[4], old).counts == counts
    assert filled.replace(TABLE, JAN[4], bars(JAN[4], SPY=500.0)) == new


def test_a_month_is_copied_in_batches(filled, monkeypatch):
    before = everything(filled)
    monkeypatch.setattr(months, "_BATCH_ROWS", 7)
    january, _ = copy_all(filled)
    assert (
        pl.scan_parquet(filled.root / TABLE / january.copy).select("ticker").collect()["ticker"].is_sorted()
    )
    assert everything(filled).equals(before)


def test_a_copy_that_was_not_finished_is_never_read(filled, monkeypatch):
    def dying(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("strikelake.lake.months.pq.ParquetWriter.write_table", dying)
    with pytest.raises(KeyboardInterrupt):
        copy_all(filled)
    assert not list((filled.root / TABLE / "_months").iterdir())
    assert "_months" not in opened(filled.scan(TABLE))


def test_rows_of_a_table_without_a_key_are_all_copied(lake):
    spec = lake.table("option_quotes").spec
    day = JAN[0]
    row = {
        "date": day,
        "occ_symbol": "AAPL250117C00100000",
        "underlying": "AAPL",
        "expiration": date(2025, 1, 17),
    }
    row |= {"option_type": "C", "strike": 100.0, "ts_ns": 1_735_830_000_000_000_000}
    row |= {"available_at": 1_735_830_000_000_000_000, "bid_price": 1.0, "bid_size": 1.0}
    quotes = pl.DataFrame([row, row], schema=spec.columns)
    lake.replace("option_quotes", day, quotes)
    table = lake.table("option_quotes")
    write_copy(table.place, spec, months.months(table.files())[0])
    assert "_months" in opened(lake.scan("option_quotes"))
    assert lake.scan("option_quotes").collect().equals(quotes)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from([*JAN[:3], *FEB[:2], None]), st.sampled_from([1.0, 2.0])), max_size=8)
)
def test_copies_never_change_what_any_version_reads(tmp_path_factory, bars, steps):
    """None makes copies; a date replaces its rows; the twin lake never has a copy."""
    lake, twin = (Lake(tmp_path_factory.mktemp("lake")) for _ in range(2))
    first = {day: bars(day, SPY=9.0) for day in (JAN[0], FEB[0])}
    versions = {lake.replace_many(TABLE, first): twin.replace_many(TABLE, first)}
    for day, close in steps:
        if day is None:
            copy_all(lake)
        else:
            frame = bars(day, SPY=close, QQQ=close + 1)
            versions[lake.replace(TABLE, day, frame)] = twin.replace(TABLE, day, frame)
    assert lake.versions() == twin.versions()
    for version in versions:
        for span in ((None, None), (JAN[0], JAN[0] + timedelta(days=1))):
            assert everything(lake, *span, as_of=version).equals(everything(twin, *span, as_of=version))
