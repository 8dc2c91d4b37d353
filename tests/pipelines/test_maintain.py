"""Compaction of closed months and vacuum of a whole lake."""

import time
from datetime import date, timedelta

import polars as pl
import pytest

from pipelines.maintain import compact, vacuum
from strikelake.errors import LakeError


def test_closed_months_of_bars_are_copied_once(lake):
    before = {name: lake.scan(name).collect().sort(pl.all()) for name in lake.tables()}
    versions, seen = lake.versions(), []
    done = compact(lake, date(2025, 2, 14), progress=lambda *step: seen.append(step))
    assert {each.table: each.written for each in done} == dict.fromkeys(
        ["option_day_bars", "stock_day_bars", "stock_minute_bars"], ("2025-01",)
    )
    assert [each.rows for each in done] == [
        before[each.table].filter(pl.col("date") < date(2025, 2, 1)).height for each in done
    ]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    again = compact(lake, date(2025, 3, 1))
    assert [(each.written, each.unchanged) for each in again] == [(("2025-02",), 1)] * 3
    assert lake.versions() == versions
    after = {name: lake.scan(name).collect().sort(pl.all()) for name in lake.tables()}
    assert [name for name in before if not before[name].equals(after[name])] == []


def test_a_replaced_date_has_its_month_copied_again(lake):
    compact(lake, date(2025, 3, 1))
    rows = lake.scan("stock_day_bars", date(2025, 1, 6), date(2025, 1, 6)).collect()
    lake.replace("stock_day_bars", date(2025, 1, 6), rows.head(2))
    done = compact(lake, date(2025, 3, 1), ["stock_day_bars"])
    assert [(each.written, each.unchanged) for each in done] == [(("2025-01",), 1)]


def test_only_bars_are_compacted(lake):
    with pytest.raises(LakeError, match="features have no bars"):
        compact(lake, date(2025, 3, 1), ["features"])


def test_vacuum_goes_through_every_table_and_keeps_what_is_protected(lake):
    rows = lake.scan("stock_day_bars", date(2025, 1, 6), date(2025, 1, 6)).collect()
    lake.replace("stock_day_bars", date(2025, 1, 6), rows.head(2))
    now = time.time_ns() + 10**9
    removed = vacuum(lake, now, timedelta(0), {"stock_day_bars": {1}}, delete=True)
    assert [each.table for each in removed] == lake.tables()
    kept = {each.table: each.kept for each in removed}
    assert kept["stock_day_bars"] == (1, 2)
    assert kept["treasury_yields"] == (1,)
    assert lake.scan("stock_day_bars", as_of=1).collect().height == rows.height * 31
