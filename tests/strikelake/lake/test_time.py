"""Versions by number and by moment, and what changed between two."""

import time
from datetime import UTC, date, datetime

import polars as pl
import pytest

from strikelake.calendar import et_ns
from strikelake.errors import CalendarError, EmptyLakeError, LakeError
from strikelake.lake import versions
from strikelake.lake.views import adjusted_bars
from strikelake.schemas import table

MON, TUE = date(2025, 1, 6), date(2025, 1, 7)
TABLE = "stock_day_bars"


def now() -> datetime:
    """A moment after everything before and before everything after: the log keeps milliseconds."""
    time.sleep(0.003)
    moment = datetime.now(UTC)
    time.sleep(0.003)
    return moment


def quarantined(*raw: str) -> pl.DataFrame:
    rows = [(MON, TABLE, "a/b.csv.gz", number, "low|nan", text) for number, text in enumerate(raw, 2)]
    return pl.DataFrame(rows, schema=table("quarantine").columns, orient="row")


@pytest.fixture
def dated(lake, bars):
    """A lake written three times, and the moments before, between and after."""
    moments = [now()]
    for close in (1.0, 2.0):
        lake.replace(TABLE, MON, bars(MON, SPY=close))
        moments.append(now())
    lake.replace("quarantine", MON, quarantined("x"))
    return lake, [*moments, now()]


def close_at(lake, as_of) -> float:
    return lake.scan(TABLE, as_of=as_of).collect()["close"].item()


def test_a_moment_reads_what_was_stored_by_then(dated):
    lake, (before, first, second, last) = dated
    assert [close_at(lake, moment) for moment in (first, second, last)] == [1.0, 2.0, 2.0]
    assert lake.versions_at(before) == {}
    assert lake.versions_at(first) == {TABLE: 1}
    assert lake.versions_at(second) == {TABLE: 2}
    assert lake.versions_at(last) == lake.versions() == {TABLE: 2, "quarantine": 1}
    assert lake.sql("select close from stock_day_bars", as_of=first).item() == 1.0
    with pytest.raises(EmptyLakeError, match=f"had no table {TABLE} at .*: read it later"):
        lake.scan(TABLE, as_of=before)


def test_a_moment_without_a_time_zone_is_refused(dated):
    lake, (_, first, *_) = dated
    with pytest.raises(CalendarError, match="has no time zone"):
        lake.scan(TABLE, as_of=first.replace(tzinfo=None))


def test_a_clock_that_was_set_back_hides_no_version(dated, monkeypatch):
    lake, (_, _, second, _) = dated
    stored, hour = versions._stored_ns, 3_600 * 10**9
    monkeypatch.setattr(
        versions, "_stored_ns", lambda place, name: stored(place, name) - hour * int(name[:20])
    )
    assert versions.commits(lake.table(TABLE).place)["ts_ns"].is_sorted()
    assert versions.version_at(lake.table(TABLE).place, second) == 2


def test_unknown_splits_of_an_earlier_moment_are_not_taken_for_none(dated):
    lake, (_, first, *_) = dated
    action = {"ticker": "SPY", "action": "split", "ex_date": TUE, "split_from": 1.0, "split_to": 2.0}
    row = action | {"cash_amount": None, "available_at": et_ns(TUE, "09:30")}
    lake.overwrite("corporate_actions", pl.DataFrame([row], schema=table("corporate_actions").columns))
    assert adjusted_bars(lake, TABLE, MON, TUE).collect()["close"].item() == 1.0
    with pytest.raises(EmptyLakeError, match="splits are unknown"):
        adjusted_bars(lake, TABLE, MON, TUE, as_of=first)


def test_a_diff_tells_added_removed_and_changed_rows(lake, bars):
    old = lake.replace(TABLE, MON, bars(MON, SPY=1.0, QQQ=2.0, IWM=3.0))
    lake.replace(TABLE, MON, bars(MON, SPY=1.5, QQQ=2.0, AAPL=4.0))
    found = lake.diff(TABLE, MON, old)
    assert found.counts == {"added": 1, "removed": 1, "changed": 1}
    assert (found.before, found.after) == (1, 2)
    assert found.added["ticker"].to_list() == ["AAPL"]
    assert found.removed["ticker"].to_list() == ["IWM"]
    prices = [f"{name}_{side}" for name in ("open", "high", "low", "close") for side in ("before", "after")]
    assert found.changed.columns == ["ticker", "ts_ns", *prices]
    assert found.changed.select("ticker", "close_before", "close_after").rows() == [("SPY", 1.0, 1.5)]


def test_a_diff_looks_at_its_date_only_and_at_all_of_them_without_one(lake, bars):
    old = lake.replace_many(TABLE, {MON: bars(MON, SPY=1.0), TUE: bars(TUE, SPY=1.0)})
    new = lake.replace_many(TABLE, {MON: bars(MON, SPY=2.0), TUE: bars(TUE)})
    assert lake.diff(TABLE, MON, old, new).counts == {"added": 0, "removed": 0, "changed": 1}
    assert lake.diff(TABLE, TUE, old, new).counts == {"added": 0, "removed": 1, "changed": 0}
    assert lake.diff(TABLE, None, old, new).counts == {"added": 0, "removed": 1, "changed": 1}
    assert lake.diff(TABLE, TUE, new, old).added.height == 1
    assert lake.diff(TABLE, MON, new).is_empty


def test_a_key_that_holds_within_a_date_is_compared_date_by_date(lake):
    def interest(day, count):
        spec = lake.table("open_interest").spec
        known = {"occ_symbol": "AAPL250117C00100000", "underlying": "AAPL", "expiration": date(2025, 1, 17)}
        known |= {"option_type": "C", "strike": 100.0, "open_interest": count, "date": day}
        return pl.DataFrame([known | {"available_at": et_ns(day, "18:00")}], schema=spec.columns)

    old = lake.replace_many("open_interest", {day: interest(day, 1) for day in (MON, TUE)})
    lake.replace("open_interest", TUE, interest(TUE, 2))
    found = lake.diff("open_interest", None, old)
    assert found.counts == {"added": 0, "removed": 0, "changed": 1}
    assert found.changed["date"].to_list() == [TUE]


def test_rows_without_a_key_are_counted(lake):
    old = lake.replace("quarantine", MON, quarantined("x", "y"))
    again = pl.concat([quarantined("x"), quarantined("x")])
    lake.replace("quarantine", MON, again)
    found = lake.diff("quarantine", MON, old)
    assert found.counts == {"added": 1, "removed": 1, "changed": 0}
    assert (found.added["raw"].item(), found.removed["raw"].item()) == ("x", "y")


def test_a_diff_of_a_table_in_one_file_selects_by_its_date(lake):
    def curve(rate):
        rows = [(day, 30, rate, et_ns(day, "18:00")) for day in (MON, TUE)]
        return pl.DataFrame(rows, schema=table("treasury_yields").columns, orient="row")

    old = lake.overwrite("treasury_yields", curve(0.05))
    lake.overwrite("treasury_yields", curve(0.04))
    assert lake.diff("treasury_yields", MON, old).changed.rows() == [(MON, 30, 0.05, 0.04)]
    assert lake.diff("treasury_yields", None, old).counts["changed"] == 2


def test_a_diff_of_what_is_not_there_says_so(lake, bars):
    with pytest.raises(EmptyLakeError, match="has no table features"):
        lake.diff("features", MON, 0)
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    with pytest.raises(LakeError, match="versions 0 to 1, not 9"):
        lake.diff(TABLE, MON, 9)
